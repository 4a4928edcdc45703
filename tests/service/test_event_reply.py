"""The reply to a command, and the event frames in it."""

from __future__ import annotations

import json

import pytest

from wove_http_dev.protocol.frames import Event, RunTask
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.forwarding import ABANDONED, UpstreamAnswer, UpstreamLeg
from wove_http_dev.runs.outcome import CANCELLED, Outcome, failure
from wove_http_dev.runs.records import Exchange
from wove_http_dev.service.event_reply import (
    events_reply,
    note_upstream,
    outcome_events,
    upstream_answer,
)

COMMAND = RunTask("run-1", "task", b"", b"", delivery={})
FRAMES: list[Event] = [{"type": "task_started"}, {"type": "task_cancelled"}]


@pytest.fixture
def exchange() -> Exchange:
    """An exchange that is open."""
    return Exchange(1, received=0.0)


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome("result", b"pickle"), "task_result"),
        (failure("Lost", "it was lost"), "task_error"),
        (CANCELLED, "task_cancelled"),
    ],
    ids=["result", "error", "cancelled"],
)
def test_outcome_events(outcome: Outcome, kind: str) -> None:
    """The frames of an outcome are its start and its end."""
    assert [each["type"] for each in outcome_events(COMMAND, outcome)] == ["task_started", kind]


@pytest.mark.parametrize(("run_id", "used"), [("run-1", True), ("run-2", False)])
def test_answer_of_the_run(run_id: str, used: bool) -> None:
    """Upstream's answer to another run of the same idempotency key is not used."""
    answer = UpstreamAnswer(Reply(), run_id)
    outcome = failure("UpstreamError", "lost", answer=answer)
    assert upstream_answer(COMMAND, outcome) == (answer if used else None)


class TestReply:
    """The reply with frames."""

    ANSWER = UpstreamAnswer(Reply(201, b"as it came"), "run-1", FRAMES, "list")

    def test_own_form(self, exchange: Exchange) -> None:
        """Frames of the worker have the form of the option ``response_shape``."""
        reply = events_reply(FRAMES, exchange, None, "events")
        assert json.loads(reply.body) == {"events": FRAMES}

    def test_recorded(self, exchange: Exchange) -> None:
        """The exchange has the types of the frames."""
        events_reply(FRAMES, exchange, None, "events")
        assert exchange.events == ["task_started", "task_cancelled"]

    def test_of_upstream(self, exchange: Exchange) -> None:
        """Upstream's frames are sent byte for byte as they came."""
        assert events_reply(FRAMES, exchange, self.ANSWER, "events").body == b"as it came"

    def test_changed(self, exchange: Exchange) -> None:
        """Frames that a fault has changed have the form of upstream's answer."""
        reply = events_reply(FRAMES[1:], exchange, self.ANSWER, "events")
        assert json.loads(reply.body) == FRAMES[1:]

    def test_no_frames(self, exchange: Exchange) -> None:
        """What a fault sends in place of frames is sent as JSON."""
        assert json.loads(events_reply({"a": 1}, exchange, None, "events").body) == {"a": 1}


@pytest.mark.parametrize(
    ("codes", "noted"),
    [
        (["", "upstream-lost", "upstream-tls"], "upstream-lost"),
        ([ABANDONED], ""),
        ([], ""),
    ],
    ids=["first", "abandoned", "none"],
)
def test_code_of_upstream(exchange: Exchange, codes: list[str], noted: str) -> None:
    """The exchange gets the code of upstream's first failure."""
    exchange.upstream = [UpstreamLeg(code=code) for code in codes]
    note_upstream(exchange)
    assert exchange.code == noted


def test_own_code_stays(exchange: Exchange) -> None:
    """An exchange that has a code keeps it."""
    exchange.code, exchange.upstream = "client-gone", [UpstreamLeg(code="upstream-lost")]
    note_upstream(exchange)
    assert exchange.code == "client-gone"
