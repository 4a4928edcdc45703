"""The fixtures that the plugin adds to a test are registered with the first test that needs one.

What each of them does is tested in ``test_session_worker.py``, ``test_adoption.py`` and
``test_markers.py``.
"""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run

SOURCE = """
def is_registered(request):
    return request.config.pluginmanager.has_plugin("wove_http_dev.pytest_plugin.added_fixtures")

def test_per_test(request, wove_http_worker):
    assert not is_registered(request)

@pytest.mark.wove_http(timeout=5.0)
def test_marked(request, wove_http_worker):
    assert is_registered(request)

def test_session(request, wove_http_session_worker):
    # request.fixturenames is another list in pytest 7.4, without what a hook has added in front.
    assert request.node.fixturenames[0] == "_wove_http_session_test"
    assert weave_one() == 42
"""


def test_registered_when_needed(pytester: pytest.Pytester) -> None:
    """A session registers them once, for the first test that needs one."""
    run(pytester, SOURCE).assert_outcomes(passed=3)
