"""`CaseContext` and `Session`: the methods that cases use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.worker.plain_worker import SECRET, Handler, PlainWorker
from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import CaseContext, Session


@pytest.fixture
def check() -> Iterator[CaseContext]:
    """The context of a case, with a worker that has no defect."""
    with PlainWorker() as worker:
        session = Session(ServiceUnderTest(worker.url, secret=SECRET), patience=30.0)
        with session.case() as check:
            yield check
        session.close()


def offline() -> CaseContext:
    """Return the context of a case for a URL at which nothing listens."""
    return CaseContext(Session(ServiceUnderTest("http://127.0.0.1:1/x", secret="s"), patience=1.0))


def test_a_value_comes_from_the_worker(check: CaseContext) -> None:
    """``value`` returns the result of a task that ran on the worker."""
    assert check.value(tasks.echo, {"value": "there and back"}) == "there and back"


def test_a_service_that_answers_is_alive(check: CaseContext) -> None:
    """A service that gives an HTTP answer is alive."""
    assert check.session.alive()


class Recorder(PlainWorker):
    """A worker that keeps what it answers, and answers ``cancel_task`` only if ``cancels``."""

    def __init__(self, *, cancels: bool) -> None:
        super().__init__()
        self._cancels = cancels
        self.statuses: list[int] = []

    def answer_cancel(self, handler: Handler, frame: dict[str, Any]) -> None:
        if self._cancels:
            super().answer_cancel(handler, frame)

    def write(self, handler: Handler, status: int, document: Any) -> None:
        self.statuses.append(status)
        super().write(handler, status, document)


@pytest.mark.parametrize(("cancels", "statuses"), [(True, [200]), (False, [401])])
def test_whether_a_service_is_alive_is_asked_by_a_valid_frame(
    cancels: bool, statuses: list[int]
) -> None:
    """A service is asked by a frame that makes none fail, and by another one only if it does not
    answer that."""
    worker = Recorder(cancels=cancels)
    with worker:
        session = Session(ServiceUnderTest(worker.url, secret=SECRET), patience=30.0)
        assert (session.alive(), worker.statuses) == (True, statuses)


def test_a_service_that_does_not_answer_is_not_alive() -> None:
    """A service that refuses connections is not alive."""
    assert not offline().session.alive()


def test_a_worker_whose_tasks_can_connect_gives_callbacks(check: CaseContext) -> None:
    """A task that gets a callback's address can report to the checker."""
    callback = check.callback()
    check.terminal(commands.run_frame(tasks.report_back, callback.address))
    assert callback.arrived(check.patience)


class Answers(PlainWorker):
    """A worker that answers each request with ``status``."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    def serve(self, handler: Handler) -> None:
        self.read(handler)
        self.write(handler, self.status, {})


@pytest.mark.parametrize(("status", "late"), [(429, True), (503, True), (500, False)])
def test_a_case_that_was_turned_away_is_late(status: int, late: bool) -> None:
    """A case is late if the service has answered that it is too busy."""
    with Answers(status) as worker:
        check = CaseContext(Session(ServiceUnderTest(worker.url, secret=SECRET), patience=30.0))
        check.post(b"{}")
    assert check.late is late


def test_a_case_that_needs_another_mode_is_skipped() -> None:
    """The reason for the skip names the mode that is needed and the mode of the check."""
    with pytest.raises(NotApplicable, match=r"about bearer requests; .* a signing secret"):
        offline().need_mode("bearer")


def test_no_answer_fails_the_case() -> None:
    """Without an answer the case fails, and the message begins with the name of the request."""
    with pytest.raises(CaseFailed, match="a good request: the connection was refused"):
        offline().ask("a good request", b"{}")


def test_no_terminal_frame_fails_the_case(
    check: CaseContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without a terminal frame fails the case."""
    monkeypatch.setattr(PlainWorker, "events", lambda self, run: [{"type": "task_started"}])
    with pytest.raises(CaseFailed, match="without a terminal frame"):
        check.terminal(commands.run_frame(tasks.nothing))


def test_a_deadline_ends_with_its_case() -> None:
    """A deadline is not later than the time limit of its case."""
    check = CaseContext(Session(ServiceUnderTest("http://127.0.0.1:1/x"), slowdown=lambda: 1.0))
    assert check.deadline(60.0).left() < 13.0


def test_a_busy_machine_has_more_time() -> None:
    """The limits of a case are multiplied by the slowdown at its start."""
    session = Session(ServiceUnderTest("http://127.0.0.1:1/x"), patience=1.0, slowdown=lambda: 3.0)
    check = CaseContext(session)
    assert (check.patience, check.seconds(0.5), check.deadline().seconds) == (3.0, 1.5, 3.0)


def test_the_time_left_of_a_case() -> None:
    """The waits of a case share 12 s on an idle machine."""
    check = CaseContext(Session(ServiceUnderTest("http://127.0.0.1:1/x"), slowdown=lambda: 1.0))
    assert 0.0 < check.time_left() <= 12.0


def test_a_worker_that_goes_on_serves(check: CaseContext) -> None:
    """``still_serves`` passes if the worker runs a task."""
    check.still_serves("nothing")


def test_a_worker_that_does_not_go_on_fails_the_case() -> None:
    """The message of ``still_serves`` says what happened before."""
    with pytest.raises(CaseFailed, match="after a bad frame, the next task did not run"):
        offline().still_serves("a bad frame")


def test_what_was_sent_is_recorded(check: CaseContext) -> None:
    """``sent`` describes the requests of the case."""
    value: Any = check.value(tasks.echo, {"value": 1})
    assert (value, check.sent[:24]) == (1, "POST run_task (echo, run")
