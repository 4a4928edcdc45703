"""Options, markers, the report of a failed test, and what the plugin imports."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import FAILING, FAULTED, PASSING, run


def test_markers_are_registered(pytester: pytest.Pytester) -> None:
    """``--markers`` tells of them, so ``--strict-markers`` lets them pass."""
    result = run(pytester, "", "--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.wove_http(?*options)*", "@pytest.mark.wove_http_faults*"]
    )


def test_report_section(pytester: pytest.Pytester) -> None:
    """A failed test shows what its worker saw."""
    run(pytester, FAILING).stdout.fnmatch_lines(
        ["*- wove http worker -*", "<HttpWorker 'workers' https://*", "*run_task answer*"]
    )


def test_report_section_of_a_passed_test(pytester: pytest.Pytester) -> None:
    """A passed one does not."""
    run(pytester, PASSING, "-rA").stdout.no_fnmatch_line("*wove http worker*")


def test_report_shows_no_secret(pytester: pytest.Pytester) -> None:
    """The report of a failed test does not show the secret, locals included."""
    source = """
@pytest.mark.wove_http(security="bearer", secret="hush-hush-hush")
def test_it(wove_http_worker):
    definition, environment = wove_http_worker.environment_definition, wove_http_worker.client_env
    assert weave_one() == 43
"""
    run(pytester, source, "--showlocals", "-vv").stdout.no_re_match_line(r"^(?!.*secret=).*hush")


def test_faults_marker(pytester: pytest.Pytester) -> None:
    """The test runs once per fault, and the fault is in force."""
    result = run(pytester, FAULTED.format(words="'reject-auth', 'empty-body'"), "-v")
    result.stdout.fnmatch_lines(["*test_it?reject-auth? PASSED*", "*test_it?empty-body? PASSED*"])


HEAVY = """
import sys

HEAVY = {"werkzeug", "trustme", "cryptography", "cloudpickle", "wove", "rich", "httptools"}

def pytest_unconfigure(config):
    print("LOADED", sorted(HEAVY & set(sys.modules)), "asyncio" in sys.modules)
"""


def test_unused_plugin_imports_nothing_heavy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that uses no fixture loads none of what the fixtures need."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins import much of it
    pytester.makeconftest(HEAVY)
    pytester.makepyfile("def test_it():\n    pass\n")
    result = pytester.runpytest_subprocess("-s", "-p", "wove_http_dev.pytest_plugin")
    result.stdout.fnmatch_lines(["*LOADED ?? False"])


def test_used_plugin_imports_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same look finds them once a fixture was used."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(HEAVY)
    pytester.makepyfile("def test_it(wove_http_worker):\n    pass\n")
    result = pytester.runpytest_subprocess("-s", "-p", "wove_http_dev.pytest_plugin")
    result.stdout.fnmatch_lines(["*LOADED *'trustme'*'wove'* True"])
