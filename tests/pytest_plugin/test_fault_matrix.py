"""``--wove-http-faults``: a suite that knows nothing of it runs with each fault."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.pytest_plugin.helpers import (
    FAILING,
    HELPER,
    INI,
    OTHER_PLUGINS,
    PASSING,
    run,
    run_apart,
    run_pytest,
)
from tests.shared import shared

FAULTS = ("hang", "ip-san-missing", "task-cancelled")
"""Faults that lead to each verdict of the suite: handled and survived, skipped, expected."""
MORE_FAULTS = ("crash-before-run", "status code=500")
"""Further ones, tried in a run of their own, so that neither run takes long. What they do is the
same in a process of pytest-xdist."""
SUITE = """
import asyncio
import unittest

from wove_http_dev import HttpWorker
from helper import *

started = []

@pytest.fixture(scope="module")
def once():
    started.append(1)
    return len(started)

@pytest.fixture
def each(wove_http_worker):
    return [wove_http_worker]

@pytest.mark.parametrize("n", [1, 2])
def test_parametrized(each, once, n):
    assert once == 1 and len(each) == 1
    each.append(weave_one())

@pytest.mark.asyncio
async def test_async(wove_http_worker):
    async with weave() as w:
        @w.do(environment="workers")
        def answer():
            return 42
    assert w.result.answer == 42

class TestClass:
    def test_method(self, wove_http_worker):
        assert not hasattr(self, "seen"), "an instance of another run"
        self.seen = weave_one()

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _worker(self, wove_http_worker):
        self.worker = wove_http_worker

    def test_case(self):
        self.assertEqual(weave_one(), 42)

def test_session(wove_http_session_worker):
    assert weave_one() == 42

def test_second_worker(wove_http_worker_factory):
    wove_http_worker_factory()
    second = wove_http_worker_factory()
    assert weave_one(second.environment) == 42

@pytest.fixture
def mine(wove_http_adopt):
    with HttpWorker(environment="mine") as worker, worker.configured():
        yield wove_http_adopt(worker)

def test_own_worker(mine):
    assert weave_one("mine") == 42

@pytest.fixture(scope="module")
def wide(wove_http_adopt):
    with HttpWorker(environment="wide") as worker, worker.configured():
        wove_http_adopt(worker)
        yield

def test_wide(wide):
    assert weave_one("wide") == 42

def test_wide_again(wide):
    assert weave_one("wide") == 42

@pytest.mark.wove_http(timeout=0.4, delivery_timeout=600.0)
def test_own_limit(wove_http_worker):
    try:
        weave_one()
    except Exception as exc:
        assert "timed out" in str(exc), exc

def test_strict_is_about_the_run_without_a_fault(wove_http_worker):
    wove_http_worker.stub("answer", result=7)
    assert weave_one() == 7

def test_noisy(wove_http_worker):
    print("a line of output")
    __import__("warnings").warn("a warning")
    weave_one()

@pytest.mark.wove_http_faults("status")
def test_own_fault(wove_http_worker, wove_http_fault):
    with pytest.raises(Exception):
        weave_one()

def test_without_worker():
    pass

def test_that_sends_nothing(wove_http_worker):
    pass

def test_that_resets(wove_http_worker):
    weave_one()
    wove_http_worker.reset()

def test_that_fails(wove_http_worker):
    assert weave_one() == 43

@pytest.mark.xfail
def test_expected_failure(wove_http_worker):
    assert weave_one() == 43

def test_that_skips_itself(wove_http_worker):
    try:
        weave_one()
    except Exception:
        pytest.skip("no service")
"""
TRIED = (
    "Case::test_case",
    "TestClass::test_method",
    "test_async",
    "test_noisy",
    "test_own_limit",
    "test_own_worker",
    "test_parametrized[1]",
    "test_parametrized[2]",
    "test_second_worker",
    "test_session",
    "test_strict_is_about_the_run_without_a_fault",
    "test_that_skips_itself",
    "test_wide",
    "test_wide_again",
)
BUGS = """
import os
import threading
from helper import *

KEPT = []

def stale():
    try:
        KEPT[:] = [[weave_one()]]
    except Exception:
        pass
    return KEPT[0]

@pytest.fixture
def fetched(wove_http_worker):
    return stale()

def test_old_data_of_a_fixture(fetched):
    assert fetched

def test_no_time_limit(wove_http_worker_factory):
    wove_http_worker_factory(timeout=None, delivery_timeout=None)
    weave_one()

def test_repeats_for_ever(wove_http_worker):
    while True:
        try:
            return weave_one()
        except Exception:
            pass

def test_survives(wove_http_worker):
    os.makedirs("taken.md", exist_ok=True)
    try:
        weave_one()
    except Exception:
        pass
"""
IMPATIENT = """
import gc
from wove_http_dev.pytest_plugin import trial

trial.SHORTEST = 0.05
gc.freeze()
"""
"""A ``conftest.py`` with which a run with a fault that stalls is short, and garbage is collected
quickly."""
UNTIL_IT_HANGS = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    hangs = item.name == "test_no_time_limit"
    trial.QUIET, trial.ENDLESS = 0.4 if hangs else 5.0, -17
"""
"""More of a ``conftest.py``: of the tests of `BUGS`, only the one that hangs for good is ended
soon."""
FILES = {"test_suite.py": SUITE, "conftest.py": IMPATIENT}


@dataclass
class Result:
    """A finished pytest run."""

    status: int
    output: str
    errors: str
    directory: Path

    def report(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The tests of the JSON report, by the name of the test."""
        tests = json.loads((self.directory / "report.json").read_text())["tests"]
        return {nodeid.partition("::")[2]: row for nodeid, row in tests.items()}

    def verdicts(self) -> dict[str, dict[str, str]]:
        """The verdicts by test and fault."""
        return {
            test: {fault: cell["verdict"] for fault, cell in row.items()}
            for test, row in self.report().items()
        }


def pytest_run(directory: Path, files: Mapping[str, str], *arguments: str) -> Result:
    """Run pytest on ``files`` in a process of its own."""
    ini = INI + "cache_dir = .pytest_cache\n"  # under tox all runs would share one: TOX_ENV_DIR
    for name, text in {"helper.py": HELPER, "pytest.ini": ini, **files}.items():
        (directory / name).write_text(text)
    left_out = [f"-pno:{name}" for name in OTHER_PLUGINS if name != "asyncio"]
    done = run_pytest(directory, *left_out, *arguments)
    return Result(done.returncode, done.stdout, done.stderr, directory)


def options(faults: tuple[str, ...] = FAULTS) -> list[str]:
    """The options that choose ``faults`` and a JSON report."""
    return [
        *(f"--wove-http-faults={fault}" for fault in faults),
        "--wove-http-faults-report=report.json",
    ]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The suite, run in one process."""
    arguments = [*options(), "-v", "--junitxml=junit.xml", "-rP"]
    return shared(tmp_path_factory, "suite", lambda d: pytest_run(d, FILES, *arguments))


@pytest.fixture(scope="module")
def with_more_faults(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The suite, run with other faults."""
    arguments = options(MORE_FAULTS)
    return shared(tmp_path_factory, "more", lambda d: pytest_run(d, FILES, *arguments))


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The suite, run in two workers of pytest-xdist."""
    arguments = [*options(), "-n2", "--dist=worksteal"]
    return shared(
        tmp_path_factory,
        "distributed",
        lambda d: pytest_run(d, FILES, *arguments),
    )


@pytest.fixture(scope="module")
def bugs(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A suite whose application does not survive, stopped at the first failure that pytest knows
    of."""
    files = {"test_bugs.py": BUGS, "conftest.py": IMPATIENT + UNTIL_IT_HANGS}
    arguments = [*options(("missing-terminal",)), "--wove-http-faults-report=taken.md", "-x"]
    return shared(tmp_path_factory, "bugs", lambda d: pytest_run(d, files, *arguments))


class TestASuite:
    """Every kind of test is tried with every fault."""

    def test_which_tests_are_tried(self, suite: Result) -> None:
        """A test that uses a worker and passes without a fault is tried."""
        tried = [test for test, row in suite.verdicts().items() if row["hang"] != "skipped"]
        assert sorted([*tried, "test_that_skips_itself"]) == sorted(TRIED)

    @pytest.mark.parametrize("test", TRIED)
    def test_verdicts(self, suite: Result, with_more_faults: Result, test: str) -> None:
        """Each verdict is of its own run: a crashed worker serves again, whosever it is."""
        verdicts = {**suite.verdicts()[test], **with_more_faults.verdicts()[test]}
        failed = "skipped" if test == "test_that_skips_itself" else "handled"
        expected = {
            "hang": failed,
            "crash-before-run": failed,
            "status code=500": failed,
            "ip-san-missing": "skipped",
            "task-cancelled": "expected",
        }
        if test == "test_own_limit":
            expected["hang"] = "survived"
            for fault in MORE_FAULTS:  # on a busy machine, the limit may come first
                expected[fault] = verdicts[fault]
        assert verdicts == expected

    @pytest.mark.parametrize(
        ("test", "reason"),
        [
            ("test_that_fails", "fails without a fault"),
            ("test_own_fault[status]", "has faults of its own"),
            ("test_expected_failure", "expected to fail"),
            ("test_that_sends_nothing", "sends nothing"),
            ("test_that_resets", "resets its worker"),
        ],
    )
    def test_why_a_test_is_not_tried(self, suite: Result, test: str, reason: str) -> None:
        """A test that is not tried has the reason."""
        assert reason in suite.report()[test]["hang"]["detail"]

    def test_a_test_without_worker_is_left_out(self, suite: Result) -> None:
        """A test that uses no worker is not in the matrix."""
        assert "test_without_worker" not in suite.report()

    def test_a_fault_that_cannot_apply(self, suite: Result) -> None:
        """A fault that cannot act on the worker is skipped with the reason."""
        cell = suite.report()["test_noisy"]["ip-san-missing"]
        assert cell["detail"].startswith("cannot apply: it needs an IP address")

    def test_pytests_own_results_are_as_ever(self, suite: Result) -> None:
        """The outcomes of the runs without a fault are pytest's."""
        assert re.search(r"1 failed, 18 passed, 1 xfailed", suite.output), suite.output

    def test_a_failure_without_a_fault_has_its_report(self, suite: Result) -> None:
        """A test that fails without a fault shows what it always shows, once."""
        assert suite.output.count("- wove http worker -") == 1

    def test_exit_status(self, suite: Result) -> None:
        """A failure without a fault is exit status 1."""
        assert suite.status == 1

    def test_each_verdict_is_a_line(self, suite: Result) -> None:
        """With ``-v`` there is a line for each verdict as soon as there is one."""
        assert re.search(r"test_session hang: handled +\[ *\d+%\]", suite.output)

    def test_output_of_runs_with_faults(self, suite: Result) -> None:
        """What a test prints, and warns, is shown of the run without a fault only."""
        assert suite.output.count("a line of output") == 1
        assert suite.output.count("UserWarning: a warning") == 1

    def test_junit(self, suite: Result) -> None:
        """Each test is in the JUnit file once."""
        cases = list(ElementTree.parse(suite.directory / "junit.xml").iter("testcase"))
        names = [case.get("name") for case in cases]
        assert len(names) == len(set(names)) == 20

    def test_matrix(self, suite: Result) -> None:
        """The matrix is shown at the end."""
        assert "= wove http faults =" in suite.output

    def test_distributed(self, distributed: Result, suite: Result) -> None:
        """pytest-xdist leads to the same verdicts."""
        assert distributed.verdicts() == suite.verdicts()

    def test_distributed_status(self, distributed: Result) -> None:
        """And to the same exit status."""
        assert distributed.status == 1


class TestBugs:
    """Verdicts that fail the session."""

    def test_verdicts(self, bugs: Result) -> None:
        """A weave without time limits hangs, and so does a test that repeats for ever; both are
        ended, and the next test is tried."""
        verdicts = bugs.verdicts()
        del verdicts["test_old_data_of_a_fixture"]
        assert verdicts == {
            "test_no_time_limit": {"missing-terminal": "hung"},
            "test_repeats_for_ever": {"missing-terminal": "hung"},
            "test_survives": {"missing-terminal": "survived"},
        }

    def test_report_that_cannot_be_written(self, bugs: Result) -> None:
        """It is said so, and only of the other one that it is there."""
        told = [line.partition(": ")[2] for line in bugs.output.splitlines() if "report: " in line]
        assert [Path(text.split()[-1]).name for text in told if text[0] == "/"] == ["report.json"]
        assert f"cannot write {bugs.directory / 'taken.md'}: " in bugs.output

    def test_fixture(self, bugs: Result) -> None:
        """What a fixture of the user's gives to the test is looked at too."""
        assert bugs.verdicts()["test_old_data_of_a_fixture"] == {"missing-terminal": "wrong"}

    def test_exit_status(self, bugs: Result) -> None:
        """They are exit status 1, although each test passed."""
        assert (bugs.status, "4 passed" in bugs.output) == (1, True)

    def test_last_failed(self, bugs: Result) -> None:
        """``--lf`` selects the tests with such verdicts."""
        again = pytest_run(bugs.directory, {}, "--lf", "--collect-only", "-q")
        assert re.findall(r"::(\w+)", again.output) == [
            "test_old_data_of_a_fixture",
            "test_no_time_limit",
            "test_repeats_for_ever",
        ]


class TestOptions:
    """How faults are chosen, and what cannot be."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--wove-http-faults=hagn"], "unknown fault or family 'hagn'; did you mean 'hang'?"),
            (["--wove-http-faults=status cod=500"], "fault status has no field 'cod'"),
            (["--wove-http-faults=hang tsk=a"], "fault hang has no field 'tsk'"),
            (
                ["--wove-http-faults=hang", "--wove-http-faults-exclude=hagn"],
                "--wove-http-faults-exclude: unknown fault or family 'hagn'; did you mean 'hang'?",
            ),
            (
                ["--wove-http-faults=hang", "--wove-http-faults-exclude=run"],
                "--wove-http-faults-exclude leaves no fault",
            ),
            (["--wove-http-faults="], "--wove-http-faults has no value; say what to try, as"),
            (["--wove-http-faults-exclude=run"], "is used only with --wove-http-faults"),
            (["--wove-http-faults-strict"], "is used only with --wove-http-faults"),
            (["--wove-http-faults-report=a.md"], "is used only with --wove-http-faults"),
            (
                ["--wove-http-faults=hang", "--wove-http-faults-report=a.txt"],
                "--wove-http-faults-report a.txt: the name must end in one of .md, .html, .json",
            ),
            (
                ["--wove-http-faults=hang", "--wove-http-url=http://localhost:1/"],
                "--wove-http-faults needs workers that the tests start",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else " ".join(value),
    )
    def test_refused(self, pytester: pytest.Pytester, arguments: list[str], message: str) -> None:
        """What cannot be used is a usage error of one line."""
        result = run(pytester, PASSING, *arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        (line,) = [each for each in result.errlines if each.startswith("ERROR: ")]
        assert message in line

    def test_ini(self, pytester: pytest.Pytester) -> None:
        """The ini options are the defaults, one word on a line."""
        pytester.makeini(
            f"{INI}wove_http_faults =\n    auth\n    status code=500\n"
            "wove_http_faults_exclude = auth\nwove_http_faults_report = r.json\n"
            "wove_http_faults_strict = true\n"
        )
        result = run_apart(pytester, PASSING)
        (row,) = json.loads((pytester.path / "r.json").read_text())["tests"].values()
        assert {fault: cell["verdict"] for fault, cell in row.items()} == {
            "status code=500": "handled"
        }
        assert result.ret == 1  # strict
        result.stdout.fnmatch_lines(["1 handled: failures, by --wove-http-faults-strict; *"])

    def test_nothing_to_try(self, pytester: pytest.Pytester) -> None:
        """A session in which no test uses a worker says that nothing was tried."""
        result = run(pytester, "def test_it(): pass", "--wove-http-faults=all")
        result.stdout.fnmatch_lines(["no test that uses a worker was tried"])

    def test_nothing_to_try_by_ini(self, pytester: pytest.Pytester) -> None:
        """It does not if the option is the ini file's, which is there for each run."""
        pytester.makeini(f"{INI}wove_http_faults = all\n")
        result = run(pytester, "def test_it(): pass")
        result.stdout.no_fnmatch_line("*wove http faults*")

    def test_handled_is_no_failure(self, pytester: pytest.Pytester) -> None:
        """Without ``--wove-http-faults-strict`` what is handled is exit status 0."""
        assert run_apart(pytester, PASSING, "--wove-http-faults=status").ret == 0

    def test_a_plugin_that_runs_failed_tests_again(self, pytester: pytest.Pytester) -> None:
        """Beside the option, a plugin such as pytest-rerunfailures runs no test again."""
        pytester.makeconftest(
            """
            from _pytest.runner import runtestprotocol

            def pytest_runtest_protocol(item, nextitem):
                for _ in range(2):
                    runtestprotocol(item, nextitem=nextitem)
                return True
            """
        )
        run(pytester, FAILING, "--wove-http-faults=status").assert_outcomes(failed=1)

    def test_nothing_is_imported_without_the_option(self, pytester: pytest.Pytester) -> None:
        """Without the option a test with a worker imports none of it."""
        source = """
import sys

def test_it(wove_http_worker):
    weave_one()
    names = ("wove_http_dev.survival", "wove_http_dev.pytest_plugin.fault_matrix")
    assert not [name for name in sys.modules if name.startswith(names)]
"""
        run_apart(pytester, source).assert_outcomes(passed=1)
