"""The module that pytest loads by itself.

pytest refuses to register one module under two names. So the entry point ``wove_http_dev`` is not
the plugin itself, and a conftest's ``pytest_plugins`` or ``-p`` may name the plugin beside it.
"""

from wove_http_dev.pytest_plugin import pytest_addoption

__all__ = ["pytest_addoption"]


def __dir__() -> list[str]:  # pytest looks at each name several times
    return __all__
