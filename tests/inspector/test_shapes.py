"""Runs, exchanges and faults as JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.run_records import make_run
from wove_http_dev.inspector import shapes
from wove_http_dev.options import Options
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.capture import Capture
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.records import Exchange


@pytest.mark.parametrize(
    ("text", "limit", "shown"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 3, "")]
)
def test_cut(text: str, limit: int, shown: str) -> None:
    """A longer text is cut."""
    assert shapes.cut(text, limit) == shown


def test_options_of_an_executor() -> None:
    """An option that is no JSON is shown as the name of its class."""
    options = Options()
    object.__setattr__(options, "runner", object())
    assert json.loads(json.dumps(shapes.options_json(options)))["runner"] == "object"


@pytest.mark.parametrize("security", [{"type": "signed", "secret": "hunter2"}, "env:hunter2"])
def test_options_without_credentials(security: object) -> None:
    """The credentials for upstream are not shown, nor what looks like one in its URL."""
    options = Options.of(upstream="http://localhost:1/x?token=hunter2", upstream_security=security)
    shown = json.dumps(shapes.options_json(options))
    assert ("http://localhost:1/x" in shown, "hunter2" in shown) == (True, False)


def test_upstream_failure_is_a_problem() -> None:
    """A request whose upstream failed is a problem, whatever fault hit it."""
    leg = UpstreamLeg(error="upstream: refused", code="upstream-unreachable")
    assert shapes.is_problem(Exchange(1, 0.0, upstream=[leg], faults=["slow-response"]))


def test_what_was_forwarded() -> None:
    """An exchange has each request to upstream, with what it says in words."""
    leg = UpstreamLeg(status=200, seconds=0.5, sent=4, received=2)
    (shown,) = shapes.exchange_json(Exchange(1, 0.0, upstream=[leg]))["upstream"]
    assert shown == {**dataclasses.asdict(leg), "text": "upstream 200 in 500.0 ms"}


def test_verdict() -> None:
    """A verdict has its steps, in words, and what would mend it."""
    verdict = Verdict(False, "signature: differs", ("key",), code="signature-mismatch")
    found = shapes.exchange_json(Exchange(1, 0.0, verdict=verdict, code=verdict.code))["verdict"]
    assert found["steps"][1] == {
        "code": "signature-mismatch",
        "text": "signature: differs",
        "ok": False,
    }
    assert found["hint"] == "give client and worker the same secret"


def test_hint_of_a_code() -> None:
    """A refusal without a verdict has the advice of its code."""
    found = shapes.exchange_json(Exchange(1, 0.0, code="wrong-path"))
    assert found["hint"] == "correct the path of the client's url"


def test_run_without_payloads_cannot_be_replayed() -> None:
    """A run whose callable is not kept cannot be replayed."""
    assert shapes.run_json(make_run())["replayable"] is False


def test_drawn_numbers_are_a_copy() -> None:
    """What is drawn later does not change what was shown before."""
    exchange = Exchange(1, 0.0, drawn={"slow-body drip=0..1": [0.5]})
    shown = shapes.exchange_json(exchange)["drawn"]
    exchange.drawn["slow-body drip=0..1"].append(0.25)
    assert shown == {"slow-body drip=0..1": [0.5]}


@pytest.mark.parametrize(("whole", "length"), [(True, 5000), (False, shapes.TEXT_LIMIT)])
def test_output(whole: bool, length: int) -> None:
    """What a run has printed is whole if it is asked for alone, and cut in a list."""
    run = make_run()
    run._capture = Capture(str)
    run._capture.write(b"x" * 5000)
    assert len(shapes.run_json(run, whole=whole)["output"]) == length


@pytest.mark.parametrize(
    ("default", "shown"),
    [
        (dataclasses.MISSING, None),
        (None, None),
        (True, True),
        (1.5, 1.5),
        (float("inf"), "inf"),
        ((1, 2), "(1, 2)"),
    ],
    ids=["none", "None", "bool", "float", "infinite", "tuple"],
)
def test_default(default: object, shown: object) -> None:
    """A default that JSON cannot write is text."""
    assert shapes._plain(default) == shown
