"""The event frames that answer a command, and the reply that has them: the worker's own, or that of
the upstream service to which the command was forwarded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wove_http_dev.protocol import frames
from wove_http_dev.protocol.frames import Event, RunTask
from wove_http_dev.protocol.messages import Reply, json_reply
from wove_http_dev.runs.forwarding import UpstreamAnswer
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange
from wove_http_dev.runs.redaction import TEXT_LIMIT

EVENTS_KEPT = 1000
"""Event types of one reply that the journal stores."""


def outcome_events(command: RunTask, outcome: Outcome) -> list[Event]:
    """Return the event frames of a run that ended with ``outcome``: ``task_started``, and the frame
    that says how the run ended."""
    run_id, task_id = command.run_id, command.task_id
    if outcome.kind == "result":
        terminal = frames.task_result(run_id, task_id, outcome.result_pickle or b"")
    elif outcome.kind == "error":
        terminal = frames.task_error(run_id, task_id, outcome.error or {}, outcome.exception_pickle)
    else:
        terminal = frames.task_cancelled(run_id, task_id)
    return [frames.task_started(run_id, task_id), terminal]


def upstream_answer(command: RunTask, outcome: Outcome) -> UpstreamAnswer | None:
    """Return the answer of upstream to ``command``; ``None`` if there is none. The first outcome of
    an idempotency key answers other runs too: these get frames of their own."""
    answer = outcome.answer
    return answer if answer is not None and answer.run_id == command.run_id else None


def events_reply(
    sent: Any, exchange: Exchange, answer: UpstreamAnswer | None, response_shape: str
) -> Reply:
    """Return the reply with ``sent``: frames, or what a fault has put in their place. If these are
    the frames of upstream's ``answer``, that is the reply as it came; others have its form, or the
    form ``response_shape`` if there is no ``answer``."""
    if isinstance(sent, list):
        exchange.events = _event_types(sent)
        if answer is not None and sent == (answer.events or []):
            return answer.reply()
        sent = frames.shape_events(sent, response_shape if answer is None else answer.shape)
    return json_reply(200, sent)


def note_upstream(exchange: Exchange) -> None:
    """Give ``exchange`` the code of upstream's first failure, unless it has a code."""
    codes = [leg.code for leg in exchange.upstream if leg.failed]
    exchange.code = exchange.code or "".join(codes[:1])


def _event_types(events: Sequence[Any]) -> list[str]:
    types = [_event_type(event)[:TEXT_LIMIT] for event in events[:EVENTS_KEPT]]
    return types if len(events) <= EVENTS_KEPT else [*types, f"… {len(events) - EVENTS_KEPT} more"]


def _event_type(event: Any) -> str:
    return str(event.get("type")) if isinstance(event, dict) else type(event).__name__
