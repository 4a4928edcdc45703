"""The module that pytest loads by itself: it loads the plugin under the plugin's module name.

pytest refuses to register one module under two names. So the entry point ``wove_http_dev`` is not
the plugin itself, and a conftest's ``pytest_plugins`` or ``-p`` may name the plugin beside it.
"""

pytest_plugins = ["wove_http_dev.pytest_plugin"]
