"""What pytest finds: the plugin's hooks and its public fixtures.

pytest looks at each name of a plugin several times, in every run where the package is installed:
forty names cost half a millisecond. So no other name is here.
"""

from wove_http_dev.pytest_plugin.fixtures import wove_http_adopt as wove_http_adopt
from wove_http_dev.pytest_plugin.fixtures import wove_http_ca as wove_http_ca
from wove_http_dev.pytest_plugin.fixtures import wove_http_fault as wove_http_fault
from wove_http_dev.pytest_plugin.fixtures import wove_http_options as wove_http_options
from wove_http_dev.pytest_plugin.fixtures import (
    wove_http_session_worker as wove_http_session_worker,
)
from wove_http_dev.pytest_plugin.fixtures import wove_http_worker as wove_http_worker
from wove_http_dev.pytest_plugin.fixtures import (
    wove_http_worker_factory as wove_http_worker_factory,
)
from wove_http_dev.pytest_plugin.hooks import pytest_addoption as pytest_addoption
from wove_http_dev.pytest_plugin.hooks import (
    pytest_assertrepr_compare as pytest_assertrepr_compare,
)
from wove_http_dev.pytest_plugin.hooks import pytest_configure as pytest_configure
from wove_http_dev.pytest_plugin.hooks import pytest_generate_tests as pytest_generate_tests
from wove_http_dev.pytest_plugin.hooks import (
    pytest_runtest_makereport as pytest_runtest_makereport,
)
from wove_http_dev.pytest_plugin.hooks import pytest_runtest_setup as pytest_runtest_setup
