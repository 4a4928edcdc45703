"""Every planted defect fails its case, with a message that describes it; a correct executor passes
every case."""

from __future__ import annotations

import re
import socket
import ssl

import pytest

from tests.conformance.executor.checks import check, failed
from tests.conformance.executor.conforming_executor import ConformingExecutor
from tests.conformance.executor.defects import DEFECTS
from tests.conformance.executor.defects.base import Defect
from tests.conformance.executor.defects.cancels import LetsThreadsDie, NeverCancels
from tests.conformance.executor.defects.commands import OneAtATime
from tests.conformance.executor.defects.kept import RemembersTheSecret
from tests.conformance.paces import PACES
from tests.conformance.parts import JOBS, parts
from wove_http_dev.cli.main import main
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES


def _name(defect: Defect) -> str:
    return f"{defect.case}-{defect.executor.__name__}"


# A thread that a defect lets die may do so after the check has ended.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("defect", DEFECTS, ids=_name)
def test_a_planted_defect_is_flagged(defect: Defect) -> None:
    """The case for a defect fails with a message that describes the defect."""
    verified = ssl._create_default_https_context
    subject = ExecutorUnderTest(defect.executor.__name__, defect.executor)
    for pace in PACES:
        # What a defect changes in the process is restored, or the next check begins with it.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ssl, "_create_default_https_context", verified)
            patch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
            patch.setattr("urllib.request._opener", None)
            patch.setenv("A_FLAWED_EXECUTOR", "not yet")
            if issubclass(defect.executor, RemembersTheSecret):
                patch.setattr(defect.executor, "known", {})
            said = failed(check(subject, defect.case, slowdown=pace, silence=pace))
        if re.search(defect.says, said.get(defect.case, ""), re.DOTALL):
            return
    pytest.fail(f"the case did not flag the defect: {said}")


@pytest.mark.parametrize(
    ("executor", "case", "why"),
    [
        (NeverCancels, "security.14", "no cancel_task arrived"),
        (NeverCancels, "security.15", "no cancel_task arrived"),
        (NeverCancels, "time.13", "no cancel_task arrived"),
        (OneAtATime, "routing.09", "never at the worker at the same time"),
    ],
)
def test_a_defect_that_another_case_names_is_a_skip(
    executor: type[ConformingExecutor], case: str, why: str
) -> None:
    """A case that a defect makes impossible to judge is skipped with the reason."""
    subject = ExecutorUnderTest(executor.__name__, executor)
    for pace in PACES:
        result = check(subject, case, slowdown=pace, silence=pace)[-1]  # failed prerequisites first
        if result.status == "skipped":
            break
    assert (result.status, why in result.actual) == ("skipped", True)


def test_the_thread_that_an_exception_ends_is_not_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A thread that an exception ends is reported in one line, without a traceback in the
    report."""
    main(["check", "executor", f"{LetsThreadsDie.__module__}:LetsThreadsDie", "--run", "cancel.05"])
    out, err = capfd.readouterr()
    assert "ended by an uncaught exception (see errors.18)" in " ".join(out.split())
    assert "Traceback" not in out + err


@pytest.mark.parametrize("ids", parts(EXECUTOR_CASES, 16), ids=lambda ids: f"{ids[0]}-and-others")
def test_an_executor_without_a_defect_passes(ids: list[str]) -> None:
    """A correct executor passes every case."""
    subject = ExecutorUnderTest("conforming", ConformingExecutor)
    assert failed(check(subject, *ids, jobs=JOBS)) == {}
