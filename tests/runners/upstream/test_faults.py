"""Faults, stubs and idempotency keys in front of an upstream service."""

from __future__ import annotations

import json

import pytest
from wove.environment import EnvironmentExecutionError

from tests.runners.upstreams import in_front_of
from tests.support import MakeWorker, answer, run_frame, signed_request, weave_one
from wove_http_dev.worker import HttpWorker


def test_duplicate_run(front: HttpWorker, upstream: HttpWorker) -> None:
    """``duplicate-run`` forwards the run twice."""
    with front.inject("duplicate-run"):
        signed_request(front, run_frame(answer))
    assert (len(upstream.runs), front.runs.last.executions) == (2, 2)


def test_duplicate_run_has_two_legs(front: HttpWorker) -> None:
    """The exchange has both requests to upstream."""
    with front.inject("duplicate-run"):
        signed_request(front, run_frame(answer))
    assert [leg.status for leg in front.exchanges[-1].upstream] == [200, 200]


def test_lost_response(front: HttpWorker, upstream: HttpWorker) -> None:
    """``lost-response`` loses an answer that upstream has given."""
    lost = pytest.raises(EnvironmentExecutionError, match="closed connection")
    with front.inject("lost-response"), front.configured(), lost:
        weave_one(answer)
    assert upstream.runs.last.state == "succeeded"


def test_plain_json_result(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """``plain-json-result`` reads a result of plain data without unpickling it."""
    front = in_front_of(make_worker, upstream, faults=["plain-json-result"])
    assert signed_request(front, run_frame(answer)).events[-1]["result"] == 42


def test_stub(front: HttpWorker, upstream: HttpWorker) -> None:
    """A stub answers here, and nothing is forwarded."""
    front.stub("task", result=7)
    assert (signed_request(front, run_frame(answer)).result, upstream.exchanges) == (7, [])


def test_failure_is_not_remembered(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """With ``idempotency``, a key whose run upstream did not answer runs when it is sent again."""
    front = in_front_of(make_worker, upstream, idempotency=True)
    frame = json.loads(run_frame(answer))
    frame["delivery"] = {"delivery_idempotency_key": "k"}
    upstream.crash()
    first = signed_request(front, json.dumps(frame).encode())
    upstream.start()
    assert (first.status, signed_request(front, json.dumps(frame).encode()).result) == (502, 42)


def test_impersonated_url(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """A worker that impersonates the very URL of its upstream forwards to the real one."""
    front = in_front_of(make_worker, upstream, impersonate=upstream.url)
    with front.configured(), front.impersonate(upstream.url):
        assert signed_request(front, run_frame(answer)).result == 42


def test_idempotency(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """With ``idempotency`` a repeated key is answered in frames of its own, and not forwarded."""
    front = in_front_of(make_worker, upstream, idempotency=True)
    frames = [json.loads(run_frame(answer, run_id=f"run-{number}")) for number in (1, 2)]
    for frame in frames:
        frame["delivery"] = {"delivery_idempotency_key": "k"}
    replies = [signed_request(front, json.dumps(frame).encode()) for frame in frames]
    assert [reply.events[-1]["run_id"] for reply in replies] == ["run-1", "run-2"]
    assert len(upstream.runs) == 1
