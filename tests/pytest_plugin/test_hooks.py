"""Options, markers, the report of a failed test, and what the plugin imports."""

from __future__ import annotations

import base64

import pytest

from tests.pytest_plugin.helpers import FAILING, FAULTED, HOSTILE, PASSING, run


def test_markers_are_registered(pytester: pytest.Pytester) -> None:
    """``--markers`` lists the plugin's markers, so ``--strict-markers`` accepts them."""
    result = run(pytester, "", "--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.wove_http(?*options)*", "@pytest.mark.wove_http_faults*"]
    )


SHARING = """
seen = []

@pytest.mark.parametrize("n", [1, 2])
def test_it(request, n):
    seen.append(request.node.fixturenames)
    assert seen[-1] is seen[0]
"""


def test_tests_of_a_function_share_their_fixture_names(pytester: pytest.Pytester) -> None:
    """A test that needs no fixture of the plugin's own gets no list of names of its own, which
    pytest would keep until the session ends."""
    run(pytester, SHARING).assert_outcomes(passed=2)


def test_report_section(pytester: pytest.Pytester) -> None:
    """The report of a failed test shows its worker's journal."""
    run(pytester, FAILING).stdout.fnmatch_lines(
        ["*- wove http worker -*", "<HttpWorker 'workers' https://*", "*run_task answer*"]
    )


def test_report_section_is_printable(pytester: pytest.Pytester) -> None:
    """What a client without credentials sends is escaped in the report."""
    result = run(pytester, HOSTILE)
    result.stdout.fnmatch_lines([r"*run_task x\n?9 \x1b[[]2J\ud800 r -> 401*", "*1 failed*"])


UNITTEST = """
import unittest

class TestAnswer(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def worker(self, wove_http_worker): pass

    def test_it(self):
        with weave() as w:
            @w.do(environment="workers")
            def answer(): raise ValueError("no such account")
        w.result.answer
"""


def test_report_section_of_a_unittest_case(pytester: pytest.Pytester) -> None:
    """A failed test of a ``unittest.TestCase`` shows its worker's report too."""
    run(pytester, UNITTEST).stdout.fnmatch_lines(
        ["*- wove http worker -*", "answer * failed: ValueError: no such account"]
    )


def test_traceback_of_a_unittest_case_ends_at_its_own_line(pytester: pytest.Pytester) -> None:
    """What Wove and asyncio did below the line of a ``unittest.TestCase`` is left out."""
    result = run(pytester, UNITTEST)
    result.stdout.fnmatch_lines([">       w.result.answer"])
    result.stdout.no_fnmatch_line("*asyncio?tasks.py*")


def test_failed_test_without_a_terminal(pytester: pytest.Pytester) -> None:
    """``-p no:terminal``, which an IDE may use, has no option ``--full-trace``."""
    assert run(pytester, FAILING, "-p", "no:terminal").ret == pytest.ExitCode.TESTS_FAILED


REPLACED = """
from wove.runtime import runtime

def test_it(wove_http_worker, monkeypatch):
    monkeypatch.setattr(runtime, "environments", None)
    raise AssertionError
"""


def test_report_that_cannot_be_made(pytester: pytest.Pytester) -> None:
    """A test that has replaced what the report needs is shown with the reason."""
    result = run(pytester, REPLACED)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["its report failed: AttributeError: 'NoneType' object *"])


CIRCLE = """
import dataclasses

@dataclasses.dataclass
class Node:
    parent: object = None

def test_it():
    node = Node()
    node.parent = node
    assert node == 7
"""


def test_compared_dataclass_that_holds_itself(pytester: pytest.Pytester) -> None:
    """A failed comparison of one is shown as pytest shows it."""
    run(pytester, CIRCLE).stdout.fnmatch_lines(["E*assert Node(parent=...) == 7"])


def test_exception_of_no_module(pytester: pytest.Pytester) -> None:
    """An exception whose class has no module's name is reported like another."""
    source = """
def test_it(wove_http_worker):
    raise type("Strange", (Exception,), {"__module__": None})
"""
    run(pytester, source).assert_outcomes(failed=1)


def test_report_section_of_a_passed_test(pytester: pytest.Pytester) -> None:
    """The report of a passed test does not show its worker's journal."""
    result = run(pytester, PASSING, "-rA")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*wove http worker*")


def test_report_shows_no_secret(pytester: pytest.Pytester) -> None:
    """The report of a failed test does not show the secret, even with local variables."""
    source = """
@pytest.mark.wove_http(security="bearer", secret="hush-hush-hush")
def test_it(wove_http_worker):
    definition, environment = wove_http_worker.environment_definition, wove_http_worker.client_env
    assert weave_one() == 43
"""
    result = run(pytester, source, "--showlocals", "-vv")
    result.assert_outcomes(failed=1)
    result.stdout.no_re_match_line(r"^(?!.*secret=).*hush")


SECRETS_OF = """
SECRET = "-".join(["hush"] * 3)

def options():
    return {{{options}}}
"""

OPTIONS_WITH_SECRETS = [
    '"secret": SECRET',
    '"security": "bearer", "secret": SECRET',
    '"security": {"type": "signed", "secret": SECRET}',
    '"security": {"type": "signed", "secret": SECRET.encode()}',
    '"security": {"type": "bearer", "token": SECRET}',
    '"security": {"type": "sigend", "secret": SECRET}',
    '"security": {"secret": SECRET, "clock_skew_seconds": "soon"}',
    '"security": SECRET',
    '"security": [SECRET]',
    '"secret": SECRET.encode()',
    '"secret": SECRET, "port": -1',
    '"secret": SECRET, "no_such_option": 1',
    '"headers": {"Authorization": "Bearer " + SECRET}',
    '"headers": {"Authorization": "Bearer " + SECRET}, "port": -1',
    '"headers": {"Authorization": SECRET + chr(10)}',
    '"headers": "Authorization: " + SECRET',
    '"headers": [("Authorization", SECRET)]',
    '"impersonate": f"https://u:{SECRET}@a.example/"',
    '"impersonate": f"https://u:{SECRET}/x@a.example/"',
    '"impersonate": f"http://a.example/?token={SECRET}"',
]

FAILING_WITH_SECRETS = """
from wove_http_dev import HttpWorker

def options():
    return __import__("secrets_of").options()

@pytest.fixture
def wove_http_options():
    return options()

def test_fixture(wove_http_worker):
    given, definition = wove_http_worker.options, wove_http_worker.environment_definition
    raise AssertionError

def test_factory(wove_http_worker_factory):
    worker = wove_http_worker_factory()
    raise AssertionError

def test_class():
    worker = HttpWorker(**options())
    given, credentials = worker.options, worker.credentials
    raise AssertionError

@pytest.mark.parametrize("what", ["secret", "options", "credentials"])
def test_equal(what):
    one, other = HttpWorker(**options()), HttpWorker()
    assert getattr(one, what) == getattr(other, what)

def test_in():
    secret = HttpWorker(**options()).secret
    assert secret not in "a text with " + secret
"""


@pytest.mark.parametrize("options", OPTIONS_WITH_SECRETS)
def test_report_shows_no_secret_of_any_form(pytester: pytest.Pytester, options: str) -> None:
    """Tests that fail in different places show no secret, whatever form the options have."""
    pytester.makepyfile(secrets_of=SECRETS_OF.format(options=options))
    result = run(pytester, FAILING_WITH_SECRETS, "--showlocals", "-vv")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line("*hush-hush*")


REFUSED_SECRETS = """
import pytest
from wove_http_dev.worker import HttpWorker

def test_option(monkeypatch):
    HttpWorker(secret="hush-hush" + chr(10))

def test_variable(monkeypatch):
    monkeypatch.setitem(__import__("os").environ, "NAME", "hush-hush" + chr(10))
    HttpWorker(security="env:NAME")

def test_channel(monkeypatch):
    from wove_http_dev.isolated import channel
    def unread(*_):
        __tracebackhide__ = True
        raise ConnectionResetError
    monkeypatch.setattr(channel.Channel, "_send", unread)
    HttpWorker(secret="hush-hush", isolated=True).start()
"""


def test_report_shows_no_secret_that_was_refused(pytester: pytest.Pytester) -> None:
    """Local variables of what refuses a secret, or fails to pass it on, are not shown."""
    result = run(pytester, REFUSED_SECRETS, "--showlocals", "-vv")
    result.assert_outcomes(failed=3)
    forms = ("hush", base64.b64encode(b"hush-hush").decode("ascii"))
    shown = [line for line in result.outlines if any(form in line for form in forms)]
    assert [line for line in shown if "HttpWorker(" not in line and "setitem" not in line] == []


def test_faults_marker(pytester: pytest.Pytester) -> None:
    """The test runs once per fault, and the fault is in force."""
    result = run(pytester, FAULTED.format(words="'reject-auth', 'empty-body'"), "-v")
    result.stdout.fnmatch_lines(["*test_it?reject-auth? PASSED*", "*test_it?empty-body? PASSED*"])


HEAVY = """
import sys

HEAVY = {"werkzeug", "trustme", "cryptography", "cloudpickle", "wove", "rich", "httptools"} | {
    "wove_http_dev.errors",
    "wove_http_dev.pytest_plugin.markers",
    "wove_http_dev.pytest_plugin.strict_check",
}

def pytest_unconfigure(config):
    print("LOADED", sorted(HEAVY & set(sys.modules)), "asyncio" in sys.modules)
    print("OWN", *sorted(name for name in sys.modules if name.startswith("wove_http_dev")), "END")
"""
LIGHT = ("fixtures", "hooks", "plugin", "settings", "stash")
"""What is imported of the plugin in every run where it is installed."""


def test_unused_plugin_imports_nothing_heavy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that uses no fixture does not import the modules that fixtures need."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins import much of it
    pytester.makeconftest(HEAVY)
    pytester.makepyfile("def test_it():\n    pass\n")
    result = pytester.runpytest_subprocess("-s", "-p", "wove_http_dev.pytest_plugin")
    result.stdout.fnmatch_lines(["*LOADED ?? False"])
    own = " ".join(f"wove_http_dev.pytest_plugin.{name}" for name in LIGHT)
    result.stdout.fnmatch_lines([f"OWN wove_http_dev wove_http_dev.pytest_plugin {own} END"])


def test_used_plugin_imports_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same check finds these modules after a fixture was used."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(HEAVY)
    pytester.makepyfile("def test_it(wove_http_worker):\n    pass\n")
    result = pytester.runpytest_subprocess("-s", "-p", "wove_http_dev.pytest_plugin")
    result.stdout.fnmatch_lines(["*LOADED *'trustme'*'wove'* True"])


OWN_FIXTURE = """
from wove_http_dev import HttpWorker

@pytest.fixture
def wove_http_worker():
    with HttpWorker() as worker:
        yield worker

def test_it(wove_http_worker):
    with weave() as w:
        @w.do(environment="workers")
        def answer(): return 42
"""


def test_fixture_that_the_project_has_replaced(pytester: pytest.Pytester) -> None:
    """A test whose worker fixture is the project's own is not told to request the fixture."""
    result = run(pytester, OWN_FIXTURE)
    result.stdout.fnmatch_lines(["*own fixture wove_http_worker does not configure it; use*"])
    result.stdout.no_fnmatch_line("*add it to the test's arguments*")


SENDS_EARLY = """
@pytest.fixture
def early():
    with weave() as w:
        @w.do(environment="workers")
        def answer(): return 42

def test_it(early, wove_http_worker):
    pass
"""


def test_fixture_that_sends_a_task_too_early(pytester: pytest.Pytester) -> None:
    """A fixture that sends a task before the worker's begins is told to request that; nobody is
    told that the project has replaced it."""
    result = run(pytester, SENDS_EARLY)
    result.stdout.fnmatch_lines(["*the fixture wove_http_worker, * has not begun; request it in*"])
    result.stdout.no_fnmatch_line("*project's own*")
