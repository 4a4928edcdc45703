"""Every planted defect is flagged by its case, in words that name it; an executor without a defect
passes every case."""

from __future__ import annotations

import re
import ssl

import pytest

from tests.conformance.executor import flawed_manners
from tests.conformance.executor.careful_executor import CarefulExecutor
from tests.conformance.executor.checks import check, failed
from tests.conformance.executor.flawed_executors import (
    DEFECTS,
    Defect,
    LetsThreadsDie,
    NeverCancels,
    OneAtATime,
)
from tests.support import cancel_frame, signed_request
from wove_http_dev.cli.main import main
from wove_http_dev.conformance.executor.cases.time.timeouts import EndlessBody
from wove_http_dev.conformance.executor.subject import Subject
from wove_http_dev.worker import HttpWorker


def _name(defect: Defect) -> str:
    return f"{defect.case}-{defect.executor.__name__}"


@pytest.mark.parametrize("defect", [*DEFECTS, *flawed_manners.DEFECTS], ids=_name)
def test_a_planted_defect_is_flagged(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The case that looks for it falls short and names it."""
    # What a defect does to the whole process ends with it.
    verified = ssl._create_default_https_context
    monkeypatch.setattr(ssl, "_create_default_https_context", verified)
    monkeypatch.setenv("A_FLAWED_EXECUTOR", "not yet")
    results = check(Subject(defect.executor.__name__, defect.executor), defect.case)
    said = failed(results).get(defect.case, "nothing")
    assert re.search(defect.says, said, re.DOTALL), (said, failed(results))


@pytest.mark.parametrize(
    ("executor", "case", "why"),
    [
        (NeverCancels, "security.14", "no cancel_task arrived"),
        (NeverCancels, "security.15", "no cancel_task arrived"),
        (NeverCancels, "time.13", "no cancel_task arrived"),
        (OneAtATime, "routing.09", "never at the worker at once"),
    ],
)
def test_a_defect_that_another_case_names_is_a_skip(
    executor: type[CarefulExecutor], case: str, why: str
) -> None:
    """A case that cannot say anything because of it says so, and does not fall."""
    (result,) = check(Subject(executor.__name__, executor), case)
    assert (result.status, why in result.actual) == ("skipped", True)


def test_the_thread_that_an_exception_ends_is_not_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The report tells of it in one line; no traceback stands between its lines."""
    main(["check", "executor", f"{LetsThreadsDie.__module__}:LetsThreadsDie", "--run", "cancel.05"])
    out, err = capfd.readouterr()
    assert "ended by an exception that nobody caught (see errors.18)" in " ".join(out.split())
    assert "Traceback" not in out + err


def test_the_endless_answer_is_that_of_the_run(worker: HttpWorker) -> None:
    """A cancel_task sent meanwhile is answered as usual: what it reads is not counted as well."""
    worker.inject(EndlessBody())
    assert len(signed_request(worker, cancel_frame("task:1")).body) < 1000


def test_an_executor_without_a_defect_passes() -> None:
    """No case fails whatever an executor does."""
    assert failed(check(Subject("careful", CarefulExecutor))) == {}
