"""Journal entries, outcomes and stub answers, converted to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar

import cloudpickle
import pytest

from tests.run_records import FAILED, make_run, returned
from wove_http_dev.faults import Fault, SlowResponse
from wove_http_dev.faults.injections import Injection, Injections
from wove_http_dev.faults.selector import Selector
from wove_http_dev.isolated import serialization
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.records import Exchange
from wove_http_dev.runs.stubs import StubAnswer

REFUSED = Verdict(False, "key: unknown key 'x'", ("headers",))


def through_json(record: Any) -> Any:
    """``record`` as the other process receives it."""
    return json.loads(json.dumps(record))


def copied(exchange: Exchange) -> Exchange:
    """The other process's copy of an exchange after an update."""
    copy = Exchange(exchange.number, exchange.received)
    record = through_json(serialization.exchange_to_record(exchange))
    serialization.update_exchange(copy, record)
    return copy


@pytest.mark.parametrize("payload", [None, b"", b"\x80\x04\xff"])
def test_bytes(payload: bytes | None) -> None:
    """Bytes and None survive the conversion."""
    encoded = through_json(serialization.encode_bytes(payload))
    assert serialization.decode_bytes(encoded) == payload


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange(1, 0.0),
        Exchange(1, 0.0, method="POST", status=200, events=["task_result"], duration=0.5),
        Exchange(1, 0.0, head="Host: localhost"),
        Exchange(1, 0.0, accepted=False, verdict=REFUSED),
    ],
    ids=["empty", "served", "headers", "refused"],
)
def test_exchange(exchange: Exchange) -> None:
    """A received exchange has the same fields as the one that was sent."""
    assert copied(exchange) == exchange


SENT_FIELDS = [
    field.name for field in dataclasses.fields(Exchange) if field.name not in ("number", "received")
]
VALUES = {
    "head": "Host: localhost",
    "verdict": REFUSED,
    "faults": ["hang"],
    "upstream": [UpstreamLeg(status=200, seconds=0.5)],
}


@pytest.mark.parametrize("name", SENT_FIELDS)
def test_field_of_an_exchange(name: str) -> None:
    """Every field of Exchange is sent, including fields that are added later."""
    exchange = Exchange(1, 0.0)
    setattr(exchange, name, VALUES.get(name, "a value"))
    assert getattr(copied(exchange), name) == getattr(exchange, name)


def test_rest_of_an_exchange() -> None:
    """A record without the request leaves what the other process has of it."""
    exchange = Exchange(1, 0.0, head="Host: localhost", verdict=REFUSED)
    copy = copied(exchange)
    exchange.status = 401
    record = through_json(serialization.exchange_to_record(exchange, request=False))
    serialization.update_exchange(copy, record)
    assert copy == exchange


def test_record_is_not_changed() -> None:
    """An update does not change the record that it is given."""
    record = through_json(serialization.exchange_to_record(Exchange(1, 0.0, verdict=REFUSED)))
    before = json.dumps(record)
    serialization.update_exchange(Exchange(1, 0.0), record)
    assert json.dumps(record) == before


def test_exchange_keeps_its_number() -> None:
    """The receiving journal keeps its own number and time of arrival."""
    copy = Exchange(7, 3.0)
    record = serialization.exchange_to_record(Exchange(1, 0.0, method="POST"))
    serialization.update_exchange(copy, through_json(record))
    assert (copy.number, copy.received, copy.method) == (7, 3.0, "POST")


def test_run() -> None:
    """A received run has the ids and arguments of the one that was sent."""
    run = make_run("report", run_id="r-1", args={"x": 1})
    copy = serialization.run_from_record(through_json(serialization.run_to_record(run)))
    assert (copy.task_id, copy.run_id, copy.args) == ("report", "r-1", {"x": 1})


@pytest.mark.parametrize("payload", [None, b"\x80\x04\xff"])
def test_callable(payload: bytes | None) -> None:
    """The pickled function is sent, if the journal keeps it."""
    record = through_json(serialization.run_to_record(make_run(callable_pickle=payload)))
    assert serialization.run_from_record(record).callable_pickle == payload


def test_exchange_number() -> None:
    """A received run has the number of the receiving journal's exchange."""
    record = through_json(serialization.run_to_record(make_run(exchange_number=1)))
    assert serialization.run_from_record(record, 7).exchange_number == 7


def test_changes() -> None:
    """A run's later changes are applied, except its state, which the journal changes."""
    run, copy = make_run(), make_run()
    run.state, run.executions, run.abandoned = "running", 2, True
    serialization.update_run(copy, through_json(serialization.changes_to_record(run)))
    assert (copy.state, copy.executions, copy.abandoned) == ("received", 2, True)


def test_text_of_arguments() -> None:
    """The text of a run's arguments is sent with the changes."""
    run, copy = make_run(), make_run()
    run.args_text = "n=3"
    serialization.update_run(copy, through_json(serialization.changes_to_record(run)))
    assert copy.args_text == "n=3"


@pytest.mark.parametrize(
    "outcome",
    [
        returned([1, 2]),
        FAILED,
        CANCELLED,
        Outcome("result", b"", result_text="[1, 2]"),
        Outcome("error", error={}, place="app.py:12 in convert"),
    ],
    ids=["result", "error", "cancelled", "text", "place"],
)
def test_outcome(outcome: Outcome) -> None:
    """An outcome is equal to the one that was sent."""
    record = through_json(serialization.outcome_to_record(outcome))
    assert serialization.outcome_from_record(record) == outcome


@pytest.mark.parametrize("events", [None, (), ({"type": "heartbeat"},)])
def test_stub_answer(events: Any) -> None:
    """A stub's answer is equal to the one that was sent."""
    answer = StubAnswer(returned(1), events)
    record = through_json(serialization.answer_to_record(answer))
    assert serialization.answer_from_record(record) == answer


@pytest.mark.parametrize("mode", ["signed", "bearer", "none"])
def test_credentials(mode: str) -> None:
    """The child verifies with the parent's credentials."""
    shared = credentials(mode, key="k", clock_skew=5.0)
    copy = serialization.credentials_from_record(
        through_json(serialization.credentials_to_record(shared))
    )
    assert copy == dataclasses.replace(shared, form=copy.form)


def adopted(injection: Injection) -> Injection:
    """The injection as the other process has it."""
    injections = Injections()
    serialization.adopt_injection(
        injections, through_json(serialization.injection_to_record(injection))
    )
    (copy,) = injections.active
    return copy


def test_injection() -> None:
    """An injection keeps its faults, its selector, its number and its counts."""
    injections = Injections()
    injections.add((SlowResponse(),), Selector())
    injection = injections.add((SlowResponse(delay=2.0),), Selector(task="t*", times=3))
    injection.account(seen=5, hits=2)
    copy = adopted(injection)
    assert (copy.faults, copy.selector, copy.number, copy.seen, copy.hits) == (
        injection.faults,
        injection.selector,
        1,
        5,
        2,
    )


@dataclass(frozen=True)
class OfATest(Fault):
    """A fault that a test module defines."""

    stage: ClassVar[str] = "response"


def test_registry_is_restored() -> None:
    """The conversion leaves cloudpickle's process-wide registry unchanged."""
    before = cloudpickle.list_registry_pickle_by_value()
    serialization.injection_to_record(Injections().add((OfATest(),), Selector()))
    assert cloudpickle.list_registry_pickle_by_value() == before
