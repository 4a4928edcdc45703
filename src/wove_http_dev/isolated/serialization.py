"""Converts journal entries, outcomes, stub answers, credentials and injections to JSON records and
back, for the two processes of an isolated worker. Payloads stay pickle bytes, in base64."""

from __future__ import annotations

import base64
import dataclasses
import sys
import sysconfig
from types import ModuleType
from typing import Any

import cloudpickle

from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Injection, Injections
from wove_http_dev.faults.selector import Selector
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.protocol.frames import dumps, loads
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.stubs import StubAnswer

Record = dict[str, Any]
_OWN_FIELDS = ("number", "received")
"""Fields of an exchange that are not copied: the receiving journal sets its own number and time of
arrival."""
_REQUEST_FIELDS = ("method", "target", "head", "body_size", "verdict")
"""Fields of an exchange that do not change once it has a run or a reply: most of its bytes."""
_OTHER_FIELDS = [
    field.name
    for field in dataclasses.fields(Exchange)
    if field.name not in (*_OWN_FIELDS, *_REQUEST_FIELDS)
]
_VERDICT_FIELDS = [field.name for field in dataclasses.fields(Verdict)]
_CHANGING_FIELDS = (
    "started",
    "finished",
    "cancel_requested",
    "abandoned",
    "faults",
    "drawn",
    "executions",
    "stubbed",
    "args_text",
)


def encode_bytes(payload: bytes | None) -> str | None:
    """Return ``payload`` as base64 text for JSON; ``None`` for ``None``."""
    return None if payload is None else base64.b64encode(payload).decode("ascii")


def decode_bytes(text: str | None) -> bytes | None:
    """Return the bytes that were passed to :func:`encode_bytes`."""
    return None if text is None else base64.b64decode(text)


def exchange_to_record(exchange: Exchange, *, request: bool = True) -> Record:
    """Return every field of ``exchange`` except its number and its time of arrival; without
    ``request``, only those that change once it has a run or a reply."""
    names = (*_REQUEST_FIELDS, *_OTHER_FIELDS) if request else _OTHER_FIELDS
    record = {name: getattr(exchange, name) for name in names}
    record["upstream"] = [dataclasses.asdict(leg) for leg in exchange.upstream]
    if request and exchange.verdict is not None:
        record["verdict"] = {name: getattr(exchange.verdict, name) for name in _VERDICT_FIELDS}
    return record


def update_exchange(exchange: Exchange, record: Record) -> None:
    """Set the fields of ``exchange`` to those in ``record``, which :func:`exchange_to_record`
    made."""
    for name, value in record.items():
        setattr(exchange, name, value)
    exchange.upstream = [UpstreamLeg(**leg) for leg in record["upstream"]]
    if record.get("verdict") is not None:
        verdict = record["verdict"]
        exchange.verdict = Verdict(**{**verdict, "passed": tuple(verdict["passed"])})


def run_to_record(run: Run) -> Record:
    """Return the fields of ``run`` that are known when it is accepted."""
    return {
        "run_id": run.run_id,
        "task_id": run.task_id,
        "delivery": dict(run.delivery),
        "initial_value": run.initial_value,
        "args": encode_bytes(run.args_pickle),
        "callable": encode_bytes(run.callable_pickle),
        "received": run.received,
        "exchange": run.exchange_number,
    }


def run_from_record(record: Record, exchange_number: int | None = None) -> Run:
    """Create a run from a record of :func:`run_to_record`; ``exchange_number`` is that of the
    receiving journal."""
    return Run(
        record["run_id"],
        record["task_id"],
        delivery=record["delivery"],
        initial_value=record["initial_value"],
        args_pickle=decode_bytes(record["args"]) or b"",
        callable_pickle=decode_bytes(record["callable"]),
        received=record["received"],
        exchange_number=exchange_number,
    )


def changes_to_record(run: Run) -> Record:
    """Return the state of ``run``, and the other fields that change during the run."""
    return {name: getattr(run, name) for name in ("state", *_CHANGING_FIELDS)}


def update_run(run: Run, record: Record) -> None:
    """Set the fields of ``run`` to those in ``record``, which :func:`changes_to_record` made,
    except the state, which the journal sets."""
    for name in _CHANGING_FIELDS:
        setattr(run, name, record[name])


def outcome_to_record(outcome: Outcome) -> Record:
    """Return ``outcome`` as a JSON record."""
    return {
        "kind": outcome.kind,
        "result": encode_bytes(outcome.result_pickle),
        "error": dict(outcome.error) if outcome.error is not None else None,
        "exception": encode_bytes(outcome.exception_pickle),
        "result_text": outcome.result_text,
        "place": outcome.place,
    }


def outcome_from_record(record: Record) -> Outcome:
    """Create an outcome from a record of :func:`outcome_to_record`."""
    result, exception = decode_bytes(record["result"]), decode_bytes(record["exception"])
    return Outcome(
        record["kind"],
        result,
        record["error"],
        exception,
        result_text=record["result_text"],
        place=record["place"],
    )


def answer_to_record(answer: StubAnswer) -> Record:
    """Return a stub's answer as a JSON record."""
    events = list(answer.events) if answer.events is not None else None
    return {"outcome": outcome_to_record(answer.outcome), "events": events}


def answer_from_record(record: Record) -> StubAnswer:
    """Create a stub's answer from a record of :func:`answer_to_record`."""
    events = tuple(record["events"]) if record["events"] is not None else None
    return StubAnswer(outcome_from_record(record["outcome"]), events)


def credentials_to_record(credentials: Credentials) -> Record:
    """Return the part of ``credentials`` that a worker needs to verify requests."""
    return {
        "mode": credentials.mode,
        "secret": encode_bytes(credentials.secret),
        "key": credentials.key,
        "clock_skew": credentials.clock_skew,
        "remember_nonces": credentials.remember_nonces,
    }


def credentials_from_record(record: Record) -> Credentials:
    """Create credentials from a record of :func:`credentials_to_record`."""
    return Credentials(**{**record, "secret": decode_bytes(record["secret"]) or b""})


def injection_to_record(injection: Injection) -> Record:
    """Return ``injection``, with its counts, as a JSON record. Its faults are pickled by value, so
    that the child need not be able to import them."""
    return {
        "number": injection.number,
        "faults": encode_bytes(_pickled_by_value(injection.faults)),
        "selector": dataclasses.asdict(injection.selector),
        "longest_wait": injection.longest_wait,
        "seen": injection.seen,
        "hits": injection.hits,
    }


def adopt_injection(injections: Injections, record: Record) -> None:
    """Create an injection from a record of :func:`injection_to_record`, and add it to
    ``injections``."""
    faults = loads(decode_bytes(record["faults"]) or b"")  # a pickle that the parent wrote
    selector = Selector(**record["selector"])
    injection = injections.adopt(record["number"], faults, selector, record["longest_wait"])
    injection.account(seen=record["seen"], hits=record["hits"])


def _pickled_by_value(faults: tuple[Fault, ...]) -> bytes:
    # A class that a test module defines is not importable in the child: it is sent whole.
    modules = {sys.modules[type(fault).__module__] for fault in faults}
    already = cloudpickle.list_registry_pickle_by_value()
    registered = [
        module
        for module in modules
        if not _is_importable(module) and module.__name__ not in already
    ]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        return dumps(faults)
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _is_importable(module: ModuleType) -> bool:
    if module.__name__ == "__main__":  # cloudpickle sends it by value in any case
        return True
    if module.__name__.partition(".")[0] == "wove_http_dev":
        return True
    paths = [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")]
    return any((getattr(module, "__file__", None) or "").startswith(path) for path in paths)
