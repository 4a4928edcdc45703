"""What pytest finds: the plugin's hooks and its public fixtures.

pytest looks at each name of a plugin several times, in every run where the package is installed:
forty names cost half a millisecond. So no other name is here, and ``dir()`` shows none.
"""

from wove_http_dev.pytest_plugin.fixtures import (
    wove_http_adopt,
    wove_http_ca,
    wove_http_fault,
    wove_http_options,
    wove_http_session_worker,
    wove_http_worker,
    wove_http_worker_factory,
)
from wove_http_dev.pytest_plugin.hooks import (
    pytest_addoption,
    pytest_assertrepr_compare,
    pytest_configure,
    pytest_generate_tests,
    pytest_runtest_makereport,
    pytest_runtest_setup,
)

__all__ = [
    "pytest_addoption",
    "pytest_assertrepr_compare",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "wove_http_adopt",
    "wove_http_ca",
    "wove_http_fault",
    "wove_http_options",
    "wove_http_session_worker",
    "wove_http_worker",
    "wove_http_worker_factory",
]


def __dir__() -> list[str]:
    return __all__
