"""Mistakes with the markers, and a worker in a fixture of a wider scope: the whole text of the
error."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import INI, run


def error_text(result: pytest.RunResult) -> list[str]:
    """The lines of the only error's section, without its heading."""
    lines = result.outlines
    begin = next(n for n, line in enumerate(lines) if line.startswith("___"))
    end = next(n for n, line in enumerate(lines) if "short test summary info" in line)
    return lines[begin + 1 : end]


MISTAKES = {
    "no-worker": (
        "@pytest.mark.wove_http(tls=False)\ndef test_it(): pass",
        "test_it (line 2): the marker wove_http is for a worker, and the test uses none: request"
        " the fixture wove_http_worker",
    ),
    "session-worker": (
        "@pytest.mark.wove_http(tls=False)\ndef test_it(wove_http_session_worker): pass",
        "test_it (line 2): the marker wove_http cannot change the session's worker: request"
        " wove_http_worker, or set the options in the fixture wove_http_options",
    ),
    "option": (
        "@pytest.mark.wove_http(sekurity='none')\ndef test_it(wove_http_worker): pass",
        "test_it (line 2): the marker wove_http: unknown option 'sekurity'; did you mean"
        " 'security'?",
    ),
    "option-factory": (
        "@pytest.mark.wove_http(sekurity='none')\ndef test_it(wove_http_worker_factory): pass",
        "test_it (line 2): the marker wove_http: unknown option 'sekurity'; did you mean"
        " 'security'?",
    ),
    "option-factory-in-a-fixture": (
        "@pytest.fixture\ndef app(wove_http_worker_factory): return wove_http_worker_factory()\n\n"
        "@pytest.mark.wove_http(sekurity='none')\ndef test_it(app): pass",
        "test_it (line 5): the marker wove_http: unknown option 'sekurity'; did you mean"
        " 'security'?",
    ),
    "option-session-worker": (
        "pytestmark = pytest.mark.wove_http(sekurity='none')\n\n"
        "def test_it(wove_http_session_worker): pass",
        "test_it (line 4): the marker wove_http: unknown option 'sekurity'; did you mean"
        " 'security'?",
    ),
    "project-option": (
        "@pytest.fixture(scope='session')\ndef wove_http_options(): return {'sekurity': 'none'}\n\n"
        "def test_it(wove_http_worker): pass",
        "test_it (line 5): wove_http_options: unknown option 'sekurity'; did you mean 'security'?",
    ),
    "value": (
        "@pytest.mark.wove_http(tls='no')\ndef test_it(wove_http_worker): pass",
        "test_it (line 2): the marker wove_http: tls takes true or false, not 'no'",
    ),
    "positional": (
        "@pytest.mark.wove_http(7)\ndef test_it(wove_http_worker): pass",
        "test_it (line 2): the marker wove_http: it takes keyword options only, e.g. faults=[…]",
    ),
    "fault": (
        "@pytest.mark.wove_http(faults=['slow-respons'])\ndef test_it(wove_http_worker): pass",
        "test_it (line 2): the marker wove_http: unknown fault 'slow-respons'; did you mean"
        " 'slow-response'?",
    ),
    "options-together": (
        "@pytest.mark.wove_http(faults=['expired-certificate'], tls=False)\n"
        "def test_it(wove_http_worker): pass",
        "test_it (line 2): wove_http_worker: expired-certificate cannot apply to this worker: it"
        " needs tls=True",
    ),
    "faults-no-worker": (
        "@pytest.mark.wove_http_faults('hang')\ndef test_it(): pass",
        "test_it (line 2): wove_http_faults: the test must use wove_http_worker, where the fault is"
        " injected: request that fixture",
    ),
    "faults-unittest": (
        "import unittest\n"
        "class TestIt(unittest.TestCase):\n"
        "    @pytest.mark.wove_http_faults('hang')\n"
        "    def test_it(self): pass",
        "TestIt.test_it (line 4): the marker wove_http_faults does nothing in a unittest.TestCase,"
        " whose tests pytest cannot run once per fault: write a plain class or function, or call"
        " worker.inject() in the test",
    ),
    "faults": (
        "@pytest.mark.wove_http_faults('hagn')\ndef test_it(wove_http_worker): pass",
        "test_it (line 2): wove_http_faults: unknown fault or family 'hagn'; did you mean 'hang'?",
    ),
    "exclude": (
        "@pytest.mark.wove_http_faults('auth', exclude=['hagn'])\n"
        "def test_it(wove_http_worker): pass",
        "test_it (line 2): wove_http_faults: unknown fault or family 'hagn'; did you mean 'hang'?",
    ),
    "exclude-all": (
        "@pytest.mark.wove_http_faults('hang', exclude='hang')\n"
        "def test_it(wove_http_worker): pass",
        "test_it (line 2): wove_http_faults: exclude= leaves no fault",
    ),
    "keyword": (
        "@pytest.mark.wove_http_faults('status', code=503)\ndef test_it(wove_http_worker): pass",
        "test_it (line 2): wove_http_faults: it takes no keywords but exclude=, not code=; a fault"
        ' with a field is one text, as in "status code=503"',
    ),
}


@pytest.mark.parametrize(("source", "text"), MISTAKES.values(), ids=MISTAKES)
def test_mistake(pytester: pytest.Pytester, source: str, text: str) -> None:
    """A mistake with a marker is an error of one line, with the test's line and what to do."""
    assert error_text(run(pytester, source)) == [text]


TOGETHER = """
@pytest.mark.wove_http(faults=["expired-certificate"], tls=False)
def test_it(wove_http_worker_factory):
    wove_http_worker_factory(tls=True)

@pytest.mark.wove_http(label="x")
def test_another(wove_http_worker_factory):
    wove_http_worker_factory()
"""


def test_options_of_marker_and_call_together(pytester: pytest.Pytester) -> None:
    """Options of a marker that suit a worker only with those of the call are no mistake."""
    run(pytester, TOGETHER).assert_outcomes(passed=2)


WIDER = """
@pytest.fixture(scope="module")
def app({fixture}): pass

def test_it(app): pass

def test_another(app): pass
"""


@pytest.mark.parametrize("fixture", ["wove_http_worker", "wove_http_worker_factory"])
def test_wider_scope(pytester: pytest.Pytester, fixture: str) -> None:
    """A fixture of a wider scope that requests the worker of a test is told what to use, once."""
    result = run(pytester, WIDER.format(fixture=fixture))
    result.assert_outcomes(errors=2)
    advice = (
        "wove_http_worker is a worker for one test. In a fixture of a wider scope use"
        " wove_http_session_worker: one worker for the session, which is reset after each test."
    )
    assert result.outlines.count(advice) == 2


def test_other_wider_scope(pytester: pytest.Pytester) -> None:
    """A mismatch between other fixtures is left as it is."""
    source = WIDER.format(fixture="tmp_path")
    run(pytester, source).stdout.no_fnmatch_line("*wove_http_session_worker*")


DYNAMIC = """
@pytest.fixture
def worker(request):
    return request.getfixturevalue("wove_http_worker")

@pytest.mark.wove_http(tls=False)
def test_by_a_fixture(worker): pass

@pytest.mark.wove_http(tls=False)
def test_in_the_test(request):
    request.getfixturevalue("wove_http_worker")

@pytest.mark.wove_http(tls=False)
class TestSome:
    def test_with(self, wove_http_worker): pass
    def test_without(self): pass

@pytest.mark.parametrize("tls", [False, pytest.param(True, marks=pytest.mark.wove_http(tls=True))])
def test_one_of_them(tls, request): pass
"""


def test_marker_that_may_have_an_effect(pytester: pytest.Pytester) -> None:
    """A worker may be requested in other ways, and a class may have tests without one."""
    run(pytester, DYNAMIC).assert_outcomes(passed=6)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "@pytest.mark.wove_htp(tls=False)\ndef test_it(wove_http_worker): pass",
            "test_it (line 2): there is no marker 'wove_htp'; did you mean 'wove_http'?",
        ),
        (
            "pytestmark = pytest.mark.wove_http_fault('hang')\ndef test_it(): pass",
            "test_it (line 3): there is no marker 'wove_http_fault'; did you mean"
            " 'wove_http_faults'?",
        ),
    ],
    ids=["test", "module"],
)
def test_misspelt_name(pytester: pytest.Pytester, source: str, text: str) -> None:
    """A marker whose own name is misspelt is an error of one line too; pytest itself only warns."""
    assert error_text(run(pytester, source, "-W", "ignore")) == [text]


@pytest.mark.parametrize(
    ("name", "line"),
    [("wove_http_slow", ""), ("wove_https", "wove_https(reason): a marker of the project\n")],
    ids=["other", "registered"],
)
def test_marker_of_the_project(pytester: pytest.Pytester, name: str, line: str) -> None:
    """A marker that is not like one of the plugin's, or that the project has registered, is left
    alone."""
    pytester.makeini(f"{INI}markers =\n    {line}")
    source = f"@pytest.mark.{name}\ndef test_it(wove_http_worker): pass"
    run(pytester, source, "-W", "default").assert_outcomes(passed=1, warnings=int(not line))
