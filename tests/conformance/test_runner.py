"""The runner: time limits of a check, measured with a fake clock, and the recorded requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wove_http_dev import conformance
from wove_http_dev.conformance import runner
from wove_http_dev.conformance.case import Case, CaseFailed, Family, NotApplicable, Result
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.runner import Checking, perform
from wove_http_dev.conformance.worker.suite import WORKER_CASES
from wove_http_dev.conformance.worker.wire import AnswerTimeout, NoAnswer


class Clock:
    """A fake clock that advances only when a case adds seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the runner uses in this test."""
    clock = Clock()
    monkeypatch.setattr(runner, "time", clock)
    return clock


def cases(clock: Clock, count: int, seconds: float, *, pass_: bool) -> list[Case]:
    """Return ``count`` cases that take ``seconds`` each, and pass or fail."""
    family = Family("made-up")

    def body(check: object) -> str:
        """It takes some time."""
        clock.now += seconds
        if not pass_:
            raise CaseFailed("short")
        return "passed"

    for number in range(count):
        name = f"case-{number:02}"
        family.must(name[-2:], "a test", scenario="nothing", expected="a pass", name=name)(body)
    return list(family.cases)


def results(chosen: list[Case]) -> list[Result]:
    """Run the cases with a limit of 30 s in all, and 10 s for cases that do not pass."""

    @contextmanager
    def context() -> Iterator[None]:
        yield

    return Checking(context, budget=30.0, losses=10.0, alive=lambda: True).run(chosen, [])


def test_a_slow_service_has_all_of_the_time(clock: Clock) -> None:
    """Cases that pass do not count for the limit of cases that do not."""
    statuses = [result.status for result in results(cases(clock, 8, 4.0, pass_=True))]
    assert statuses == ["passed"] * 8


def test_a_service_that_hangs_has_a_part_of_it(clock: Clock) -> None:
    """After cases that fail have used up the smaller limit, no case is run, and the reason says
    so."""
    done = results(cases(clock, 8, 4.0, pass_=False))
    assert [result.status for result in done] == ["failed"] * 3 + ["not run"] * 5
    assert "the 10 s for cases that do not pass were used up" in done[-1].actual


def test_no_case_begins_after_the_budget(clock: Clock) -> None:
    """After the whole time is used up no case is run, and the reason names the longest cases."""
    done = results(cases(clock, 6, 8.0, pass_=True))
    assert [result.status for result in done] == ["passed"] * 4 + ["not run"] * 2
    assert "the 30 s for the whole check were used up" in done[-1].actual
    assert "made-up.00 8.0 s" in done[-1].actual


class Recording:
    """A context that has recorded one request."""

    sent = "a request"


@contextmanager
def recording() -> Iterator[Recording]:
    """Yield a context that has recorded one request."""
    yield Recording()


@pytest.mark.parametrize("pass_", [True, False])
def test_a_result_has_what_its_context_sent(clock: Clock, pass_: bool) -> None:
    """A result has the recorded requests, even if the case failed."""
    (case,) = cases(clock, 1, 0.0, pass_=pass_)
    assert perform(case, recording).sent == "a request"


def test_a_context_that_records_nothing_leaves_sent_empty(clock: Clock) -> None:
    """If the context does not record requests, ``sent`` is empty."""
    (result,) = results(cases(clock, 1, 0.0, pass_=True))
    assert result.sent == ""


def lateness(error: Exception) -> bool:
    """Return whether the result of a case that raises ``error`` is late."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def raises(check: object) -> str:
        """It raises."""
        raise error

    return perform(family.cases[0], recording).late


def caused_by(cause: Exception) -> CaseFailed:
    """Return a failure that was raised from ``cause``."""
    failed = CaseFailed("short")
    failed.__cause__ = cause
    return failed


@pytest.mark.parametrize(
    "error",
    [
        CaseFailed("no answer within 1 s", late=True),
        caused_by(AnswerTimeout("no complete answer within 1 s")),
        caused_by(CaseFailed("no answer within 1 s", late=True)),
        AnswerTimeout("no complete answer within 1 s"),
        TimeoutError(),
    ],
    ids=["said", "no-answer", "failure", "uncaught", "timeout"],
)
def test_a_case_that_failed_on_time_is_late(error: Exception) -> None:
    """A result is late if the case says so, or if the error or its cause is a time limit."""
    assert lateness(error)


@pytest.mark.parametrize(
    "error",
    [CaseFailed("wrong"), caused_by(NoAnswer("the connection was refused")), ValueError()],
    ids=["failure", "no-answer", "uncaught"],
)
def test_a_case_that_failed_otherwise_is_not_late(error: Exception) -> None:
    """A result is not late if no time limit passed."""
    assert not lateness(error)


def after_death(clock: Clock, restarted: str | None) -> list[Result]:
    """Run two cases; the first one fails and ends the service, which ``restarted`` is about."""
    first, second = cases(clock, 1, 1.0, pass_=False), cases(clock, 2, 1.0, pass_=True)[1:]

    @contextmanager
    def context() -> Iterator[None]:
        yield

    output = iter(["before the case", "its last words", "after"])
    checking = Checking(
        context,
        budget=30.0,
        alive=lambda: False,
        restart=lambda: restarted,
        printed=lambda: next(output),
    )
    return checking.run([*first, *second], [])


def test_after_a_restart_the_rest_is_run(clock: Clock) -> None:
    """If the service was started again, the next case is run, and the failed one says so."""
    failed, passed = after_death(clock, None)
    assert passed.status == "passed"
    assert failed.actual.endswith("did not answer any more, and was started again")


def test_without_a_restart_the_rest_is_not_run(clock: Clock) -> None:
    """If the service could not be started again, the other cases are not run, with the reason."""
    last = after_death(clock, "the port is taken")[-1]
    assert (last.status, last.actual) == (
        "not run",
        "the service does not answer any more since made-up.00-case-00: the port is taken",
    )


def test_a_failed_case_has_what_the_service_printed(clock: Clock) -> None:
    """A failed case has what was printed while it ran, and nothing else."""
    assert [result.printed for result in after_death(clock, None)] == ["its last words", ""]


def dependent_and_failing(number_of_the_failing: str) -> list[Case]:
    """Return a case that needs ``made-up.05``, and one of the given number that fails after it."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def dependent(check: object) -> str:
        """It needs another one."""
        raise NotApplicable("it never began", needs=["made-up.05"])

    @family.must(number_of_the_failing, "a test", scenario="nothing", expected="a pass")
    def failing(check: object) -> str:
        """It fails."""
        raise CaseFailed("short")

    return list(family.cases)


def test_a_skipped_case_names_the_failed_one_that_it_needs(clock: Clock) -> None:
    """A case that cannot be run because another failed says which, also if that one ran later."""
    assert results(dependent_and_failing("05"))[0].reason == "made-up.05 failed: it never began"


def test_a_skipped_case_names_no_other_failed_one(clock: Clock) -> None:
    """A failed case that a skipped one does not need is not its reason."""
    assert results(dependent_and_failing("06"))[0].reason == "it never began"


def test_needed_cases_exist() -> None:
    """Every case that another one names as needed is in the suites."""
    folder = Path(str(conformance.__file__)).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*/**/*.py"))
    needed = {
        case for found in re.findall(r"needs=\[([^\]]+)\]", text) for case in found.split(", ")
    }
    assert needed
    assert {each.strip('"') for each in needed} <= {
        case.id for case in (*WORKER_CASES, *EXECUTOR_CASES)
    }
