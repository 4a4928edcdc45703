"""JSON objects that describe runs, exchanges, injections, holds, stubs and faults.

Texts of a task are bounded where the task ran, and shown as they are: nothing is unpickled here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from wove_http_dev.cut_text import cut_end
from wove_http_dev.explain.remedies import remedy
from wove_http_dev.faults.distributions import takes_distribution
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Injection
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.options import SERVICE, Options
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.drawn import Drawn
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.stubs import Stub
from wove_http_dev.secret import shown_url

Json = dict[str, Any]
NAME_LIMIT = 1000
"""Characters of a task's name or a run's id, which the client chose."""
TEXT_LIMIT = 2000
"""Characters of a text in a list; a single object has the whole."""
HELD_RUNS = 20
"""Runs of a hold that an event names. Runs arrive at a hold also after its release, so that all of
them may be as many as the journal has, in each event."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return at most ``limit`` characters of ``text``."""
    return cut_end(text, limit)


def _cut(text: str | None, limit: int = TEXT_LIMIT) -> str | None:
    return None if text is None else cut(text, limit)


def run_json(run: Run, exchanges: Iterable[int] = (), *, whole: bool = False) -> Json:
    """Return ``run`` as JSON. ``exchanges`` are the numbers of its exchanges; traceback and output
    are cut unless ``whole``."""
    limit = 10**9 if whole else TEXT_LIMIT
    return {
        "run_id": cut(run.run_id, NAME_LIMIT),
        "task_id": cut(run.task_id, NAME_LIMIT),
        "state": run.state,
        "args": _cut(run.args_text),
        "result": _cut(run.result_text),
        "error": _cut(run.error_text, limit),
        "error_place": _cut(run.error_place),
        "traceback": _cut(run.traceback, limit),
        "stack": None,
        "delivery_key": None,
        "executions": run.executions,
        "faults": list(run.faults),
        "faults_text": run.faults_text,
        "drawn": _copied(run.drawn),
        "received": run.received,
        "started": run.started,
        "finished": run.finished,
        "answered": run.answered,
        "seconds": run.duration,
        "output": cut(run.output, limit),
        "held_by": list(run.held_by),
        "initial_value": run.initial_value,
        "stubbed": run.stubbed,
        "cancel_requested": run.cancel_requested,
        "replayable": replayable(run),
        "exchanges": list(exchanges),
        "upstream": None,
        "pytest": None,
    }


def _copied(drawn: Drawn) -> Drawn:
    # While a body drips, numbers are added: an event compares what was with what is.
    return {text: list(numbers) for text, numbers in drawn.items()}


def replayable(run: Run) -> bool:
    """Whether the journal still has what the client sent for ``run``."""
    return bool(run.callable_pickle and run.args_pickle)


def is_problem(exchange: Exchange) -> bool:
    """Whether the request was refused, or the connection, the service or upstream failed."""
    if exchange.internal_error or exchange.upstream_failed:
        return True
    return exchange.kind == "connection" or bool(exchange.refusal)


def exchange_json(exchange: Exchange) -> Json:
    """Return ``exchange`` as JSON. The journal has redacted its headers."""
    hint = remedy(exchange) or ""
    return {
        "number": exchange.number,
        "kind": exchange.kind,
        "received": exchange.received,
        "seconds": exchange.duration,
        "method": exchange.method,
        "target": exchange.target,
        "headers": [[name, value] for name, value in exchange.headers],
        "body_size": exchange.body_size,
        "type": exchange.frame_type,
        "run_id": _cut(exchange.run_id, NAME_LIMIT),
        "task_id": _cut(exchange.task_id, NAME_LIMIT),
        "initial_value": exchange.initial_value,
        "accepted": exchange.accepted,
        "verdict": None if exchange.verdict is None else _verdict_json(exchange.verdict, hint),
        "refusal": cut(exchange.refusal),
        "code": exchange.code,
        "hint": hint,
        "status": exchange.status,
        "faults": list(exchange.faults),
        "faults_text": exchange.faults_text,
        "drawn": _copied(exchange.drawn),
        "events": list(exchange.events),
        "error": cut(exchange.error),
        "internal_error": exchange.internal_error,
        "upstream": [leg_json(leg) for leg in exchange.upstream],
        "line": exchange.line(),
    }


def leg_json(leg: UpstreamLeg) -> Json:
    """Return a request to upstream as JSON."""
    return {**dataclasses.asdict(leg), "text": cut(leg.text)}


def _verdict_json(verdict: Verdict, hint: str) -> Json:
    return {
        "code": verdict.code,
        "hint": "" if verdict.accepted else hint,
        "steps": [
            {
                "code": step.code,
                "text": cut(": ".join(filter(None, [step.name, step.detail]))),
                "ok": step.ok,
            }
            for step in verdict.steps
        ],
    }


def injection_json(number: int, injection: Injection, active: bool) -> Json:
    """Return ``injection``, whose id is ``number``, as JSON."""
    faults = [str(fault) for fault in injection.faults]
    selector = injection.selector
    return {
        "id": number,
        "fault": ", ".join(faults),
        "faults": faults,
        "task": selector.task,
        "command": selector.command,
        "times": selector.times,
        "after": selector.after,
        "probability": selector.probability,
        "seed": selector.seed,
        "hits": injection.hits,
        "seen": injection.seen,
        "active": active and not injection.spent,
        "redirected": len(injection.redirected),
        "background": injection.background,
    }


def hold_json(number: int, gate: Gate, newest: int | None = None) -> Json:
    """Return ``gate``, whose id is ``number``, as JSON, with the ids of all runs that have arrived,
    or of the ``newest`` so many."""
    runs = gate.runs if newest is None else gate.runs[-newest:]
    return {
        "id": number,
        "task": gate.task,
        "release_when": gate.release_when,
        "arrived": gate.count,
        "released": gate.released,
        "runs": [cut(run.run_id, NAME_LIMIT) for run in runs],
    }


def options_json(options: Options) -> Json:
    """Return the options of the service as JSON, without credentials; an object that is no JSON, as
    an Executor, by the name of its class."""
    shown: Json = options.of_side(SERVICE)
    del shown["upstream_security"]
    if options.upstream is not None:
        shown["upstream"] = shown_url(options.upstream)
    if not isinstance(shown["runner"], str):
        shown["runner"] = type(shown["runner"]).__qualname__
    return shown


def stub_json(number: int, stub: Stub, answer: Json) -> Json:
    """Return ``stub``, whose id is ``number``, as JSON. ``answer`` is its ``result`` or
    ``error``."""
    return {"id": number, "task": stub.task, **answer, "matched": stub.matched}


def fault_json(kind: type[Fault], cannot_apply: str | None) -> Json:
    """Return a fault of the catalogue as JSON. ``cannot_apply`` says why it has no effect on the
    worker."""
    return {
        "name": kind.name,
        "family": kind.stage,
        "summary": kind.summary(),
        "fields": [_field_json(each) for each in fields_of(kind).values()],
        "cannot_apply": cannot_apply,
    }


def _field_json(field: TypedField) -> Json:
    kinds = [_TYPES[kind] for kind in field.kinds if kind in _TYPES]
    return {
        "name": field.name,
        "type": kinds[0] if kinds else "string",
        "default": _plain(field.default),
        "distribution": takes_distribution(field),
        "unit": field.unit,
        "doc": field.doc,
        "choices": list(field.choices),
    }


def _plain(value: Any) -> Any:
    """Return a default as JSON: ``None`` if there is none, and text for what is not of JSON."""
    if value is dataclasses.MISSING or value is None or isinstance(value, (bool, str)):
        return None if value is dataclasses.MISSING else value
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    return str(value)
