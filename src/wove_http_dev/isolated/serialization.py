"""Journal entries, outcomes and stub answers as JSON; payloads stay pickle bytes, in base64."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from wove_http_dev.protocol.authenticator import Step, Verdict
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.runner import Outcome
from wove_http_dev.runs.stubs import StubAnswer

_OWN = ("number", "received", "verdict")
_RUN_FIELDS = (
    "state",
    "started",
    "finished",
    "cancel_requested",
    "abandoned",
    "faults",
    "executions",
)


def pack(payload: bytes | None) -> str | None:
    """Bytes as JSON can hold them."""
    return None if payload is None else base64.b64encode(payload).decode("ascii")


def unpack(text: str | None) -> bytes | None:
    """The bytes that :func:`pack` was given."""
    return None if text is None else base64.b64decode(text)


def exchange_to(exchange: Exchange) -> dict[str, Any]:
    """Everything of an exchange but what its journal gives it."""
    record = {
        field.name: getattr(exchange, field.name)
        for field in dataclasses.fields(exchange)
        if field.name not in _OWN
    }
    verdict = exchange.verdict
    if verdict is not None:
        record["verdict"] = dataclasses.asdict(verdict)
    return record


def exchange_from(record: dict[str, Any], exchange: Exchange) -> None:
    """Write a record of :func:`exchange_to` into ``exchange``."""
    verdict = record.pop("verdict", None)
    for name, value in record.items():
        setattr(exchange, name, value)
    exchange.headers = [(name, value) for name, value in exchange.headers]
    if verdict is not None:
        steps = tuple(Step(*step) for step in verdict.pop("steps"))
        exchange.verdict = Verdict(**verdict, steps=steps)


def outcome_to(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    return {
        "kind": outcome.kind,
        "result": pack(outcome.result_pickle),
        "error": dict(outcome.error) if outcome.error is not None else None,
        "exception": pack(outcome.exception_pickle),
    }


def outcome_from(record: dict[str, Any]) -> Outcome:
    """The outcome of :func:`outcome_to`."""
    return Outcome(
        record["kind"], unpack(record["result"]), record["error"], unpack(record["exception"])
    )


def answer_to(answer: StubAnswer) -> dict[str, Any]:
    """A stub's answer as JSON."""
    events = list(answer.events) if answer.events is not None else None
    return {"outcome": outcome_to(answer.outcome), "events": events}


def answer_from(record: dict[str, Any]) -> StubAnswer:
    """The stub's answer of :func:`answer_to`."""
    events = tuple(record["events"]) if record["events"] is not None else None
    return StubAnswer(outcome_from(record["outcome"]), events)


def run_state_to(run: Run) -> dict[str, Any]:
    """What changes of a run."""
    return {name: getattr(run, name) for name in _RUN_FIELDS}


def run_state_from(record: dict[str, Any], run: Run) -> None:
    """Write a record of :func:`run_state_to` into ``run``, but for its state."""
    for name in _RUN_FIELDS[1:]:
        setattr(run, name, record[name])
