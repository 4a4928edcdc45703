"""The pytest plugin: options, markers, fixtures and the report section of a failing test.

It is loaded in every pytest run where the package is installed, so it imports nothing heavy until a
fixture is used. pytest finds hooks and fixtures as attributes of this module.
"""

from wove_http_dev.pytest_plugin.fixtures import WorkerFactory as WorkerFactory
from wove_http_dev.pytest_plugin.fixtures import _wove_http_adopting as _wove_http_adopting
from wove_http_dev.pytest_plugin.fixtures import (
    _wove_http_marker_check as _wove_http_marker_check,
)
from wove_http_dev.pytest_plugin.fixtures import (
    _wove_http_session_test as _wove_http_session_test,
)
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
from wove_http_dev.pytest_plugin.hooks import pytest_report_header as pytest_report_header
from wove_http_dev.pytest_plugin.hooks import (
    pytest_runtest_makereport as pytest_runtest_makereport,
)
from wove_http_dev.pytest_plugin.hooks import pytest_runtest_setup as pytest_runtest_setup
