"""Running one case: its result, the recorded requests, and whether a time limit passed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from wove_http_dev.conformance.case import NOT_RUN, Case, CaseFailed, Family
from wove_http_dev.conformance.perform import CUT_OFF, perform
from wove_http_dev.conformance.worker.wire import AnswerTimeout, CaseTimeUp, NoAnswer


def case(*, pass_: bool) -> Case:
    """Return a case that passes or fails."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def body(check: object) -> str:
        """It does something."""
        if not pass_:
            raise CaseFailed("short")
        return "passed"

    return family.cases[0]


class Recording:
    """A context that has recorded one request."""

    sent = "a request"


@contextmanager
def recording() -> Iterator[Recording]:
    """Yield a context that has recorded one request."""
    yield Recording()


class Late:
    """A context in which a time limit has passed."""

    late = True


@contextmanager
def late_context() -> Iterator[Late]:
    """Yield a context in which a time limit has passed."""
    yield Late()


@pytest.mark.parametrize("pass_", [True, False])
def test_a_failure_after_a_time_limit_is_late(pass_: bool) -> None:
    """A result is late if it is a failure, and its context says that a time limit passed."""
    assert perform(case(pass_=pass_), late_context).late is not pass_


@pytest.mark.parametrize("pass_", [True, False])
def test_a_result_has_what_its_context_sent(pass_: bool) -> None:
    """A result has the recorded requests, even if the case failed."""
    assert perform(case(pass_=pass_), recording).sent == "a request"


def test_a_context_that_records_nothing_leaves_sent_empty() -> None:
    """If the context does not record requests, ``sent`` is empty."""
    assert perform(case(pass_=True), nullcontext).sent == ""


class Secretive:
    """A context with secrets, one of which was sent."""

    secrets = ("correct-horse", "battery-staple")
    sent = "POST /?key=battery-staple"


def test_a_result_shows_no_secret() -> None:
    """The texts of a result are without the secrets of its context, whole and cut."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def quotes(check: object) -> str:
        """It quotes an answer."""
        raise CaseFailed("the answer was 'correct-horse' | 'a...ct-horse'")

    result = perform(family.cases[0], lambda: nullcontext(Secretive()))
    assert "horse" not in result.actual
    assert "staple" not in result.sent


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


def test_a_case_that_is_cut_off_has_not_failed() -> None:
    """A case whose time is over before its last answer had its own time was not run to its end:
    a service that is slow, but answers, is not accused."""
    family = Family("made-up")

    @family.must("01", "a test", scenario="nothing", expected="a pass")
    def body(check: object) -> str:
        """It does something."""
        raise CaseFailed("it was neither accepted nor refused") from CaseTimeUp("no time left")

    result = perform(family.cases[0], nullcontext)
    assert (result.status, result.actual, result.late) == (NOT_RUN, CUT_OFF, True)
