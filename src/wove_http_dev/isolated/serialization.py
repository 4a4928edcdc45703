"""Journal entries, outcomes and stub answers as JSON records, for the channel between an isolated
worker and its parent. Payloads stay pickle bytes, in base64.
"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

from wove_http_dev.protocol.authenticator import Step, Verdict
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.runner import Outcome
from wove_http_dev.runs.stubs import StubAnswer

Record = dict[str, Any]
_OWN_FIELDS = ("number", "received", "verdict")
"""Fields of an exchange that its own journal sets, and one that needs more than a copy."""
_CHANGING_FIELDS = (
    "started",
    "finished",
    "cancel_requested",
    "abandoned",
    "faults",
    "executions",
)


def encode_bytes(payload: bytes | None) -> str | None:
    """``payload`` as JSON can hold it."""
    return None if payload is None else base64.b64encode(payload).decode("ascii")


def decode_bytes(text: str | None) -> bytes | None:
    """The bytes that :func:`encode_bytes` was given."""
    return None if text is None else base64.b64decode(text)


def exchange_to_record(exchange: Exchange) -> Record:
    """Every field of ``exchange`` except its number and its time of arrival."""
    record = {
        field.name: getattr(exchange, field.name)
        for field in dataclasses.fields(exchange)
        if field.name not in _OWN_FIELDS
    }
    if exchange.verdict is not None:
        record["verdict"] = dataclasses.asdict(exchange.verdict)
    return record


def update_exchange(exchange: Exchange, record: Record) -> None:
    """Write a record of :func:`exchange_to_record` into ``exchange``."""
    fields = dict(record)
    verdict = fields.pop("verdict", None)
    for name, value in fields.items():
        setattr(exchange, name, value)
    exchange.headers = [(name, value) for name, value in exchange.headers]
    if verdict is not None:
        steps = tuple(Step(*step) for step in verdict["steps"])
        exchange.verdict = Verdict(**{**verdict, "steps": steps})


def run_to_record(run: Run) -> Record:
    """What is known of ``run`` when it is let in."""
    return {
        "run_id": run.run_id,
        "task_id": run.task_id,
        "delivery": dict(run.delivery),
        "initial_value": run.initial_value,
        "args": encode_bytes(run.args_pickle),
        "received": run.received,
    }


def run_from_record(record: Record) -> Run:
    """The run of :func:`run_to_record`."""
    return Run(
        record["run_id"],
        record["task_id"],
        delivery=record["delivery"],
        initial_value=record["initial_value"],
        args_pickle=decode_bytes(record["args"]) or b"",
        received=record["received"],
    )


def changes_to_record(run: Run) -> Record:
    """The state of ``run``, and the other fields that change while it is there."""
    return {name: getattr(run, name) for name in ("state", *_CHANGING_FIELDS)}


def update_run(run: Run, record: Record) -> None:
    """Write a record of :func:`changes_to_record` into ``run``, except the state: the journal
    changes that."""
    for name in _CHANGING_FIELDS:
        setattr(run, name, record[name])


def outcome_to_record(outcome: Outcome) -> Record:
    """``outcome`` as JSON."""
    return {
        "kind": outcome.kind,
        "result": encode_bytes(outcome.result_pickle),
        "error": dict(outcome.error) if outcome.error is not None else None,
        "exception": encode_bytes(outcome.exception_pickle),
    }


def outcome_from_record(record: Record) -> Outcome:
    """The outcome of :func:`outcome_to_record`."""
    result, exception = decode_bytes(record["result"]), decode_bytes(record["exception"])
    return Outcome(record["kind"], result, record["error"], exception)


def answer_to_record(answer: StubAnswer) -> Record:
    """A stub's answer as JSON."""
    events = list(answer.events) if answer.events is not None else None
    return {"outcome": outcome_to_record(answer.outcome), "events": events}


def answer_from_record(record: Record) -> StubAnswer:
    """The stub's answer of :func:`answer_to_record`."""
    events = tuple(record["events"]) if record["events"] is not None else None
    return StubAnswer(outcome_from_record(record["outcome"]), events)
