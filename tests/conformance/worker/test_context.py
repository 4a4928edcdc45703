"""What a case works with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.worker.plain_worker import SECRET, PlainWorker
from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import CaseContext, Session


@pytest.fixture
def check() -> Iterator[CaseContext]:
    """The context of a case about a healthy worker."""
    with PlainWorker() as worker:
        session = Session(ServiceUnderTest(worker.url, secret=SECRET), patience=2.0)
        with session.case() as check:
            yield check
        session.close()


def offline() -> CaseContext:
    """The context of a case about a service that does not exist."""
    return CaseContext(Session(ServiceUnderTest("http://127.0.0.1:1/x", secret="s"), patience=1.0))


def test_a_value_comes_from_the_worker(check: CaseContext) -> None:
    """The task ran there."""
    assert check.value(tasks.echo, {"value": "there and back"}) == "there and back"


def test_a_service_that_answers_is_alive(check: CaseContext) -> None:
    """Any HTTP answer will do."""
    assert check.session.alive()


def test_a_service_that_does_not_answer_is_not_alive() -> None:
    """Its connection is refused."""
    assert not offline().session.alive()


def test_a_worker_whose_tasks_can_connect_gives_callbacks(check: CaseContext) -> None:
    """The body that is sent with one reports."""
    callback = check.callback()
    check.terminal(commands.run_frame(tasks.report_back, callback.address))
    assert callback.arrived(1.0)


def test_a_case_that_needs_another_mode_is_skipped() -> None:
    """The reason names both."""
    with pytest.raises(NotApplicable, match=r"about bearer requests; .* a signing secret"):
        offline().need_mode("bearer")


def test_no_answer_fails_the_case() -> None:
    """The message begins with what was sent."""
    with pytest.raises(CaseFailed, match="a good request: the connection was refused"):
        offline().ask("a good request", b"{}")


def test_no_terminal_frame_fails_the_case(
    check: CaseContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weave would never end."""
    monkeypatch.setattr(PlainWorker, "events", lambda self, run: [{"type": "task_started"}])
    with pytest.raises(CaseFailed, match="without a terminal frame"):
        check.terminal(commands.run_frame(tasks.nothing))


def test_a_deadline_ends_with_its_case() -> None:
    """Waits of one case share its time."""
    assert offline().deadline(60.0).left() < 13.0


def test_a_worker_that_goes_on_serves(check: CaseContext) -> None:
    """A task runs and has its result."""
    check.still_serves("nothing")


def test_a_worker_that_does_not_go_on_fails_the_case() -> None:
    """The message names the cause."""
    with pytest.raises(CaseFailed, match="after a bad frame, the next task did not run"):
        offline().still_serves("a bad frame")


def test_what_was_sent_is_recorded(check: CaseContext) -> None:
    """In words."""
    value: Any = check.value(tasks.echo, {"value": 1})
    assert (value, check.sent[:24]) == (1, "POST run_task (echo, run")
