"""Parts of a request that the journal does not record."""

from __future__ import annotations

import json

import pytest

from tests.support import (
    MakeWorker,
    answer,
    request_bytes,
    run_frame,
    send_one,
    signed_bytes,
    signed_request,
)
from wove_http_dev.runs.redaction import TEXT_LIMIT
from wove_http_dev.worker import HttpWorker

LONG = "A" * 100_000


def test_journal_redacts_the_token(make_worker: MakeWorker) -> None:
    """The journal does not have the bearer token."""
    worker = make_worker(security="bearer")
    signed_request(worker, run_frame(answer))
    assert ("Authorization", "[redacted]") in worker.exchanges[-1].headers


def test_secret_in_another_header_is_redacted(worker: HttpWorker) -> None:
    """The journal does not contain the secret, in any header."""
    send_one(worker, signed_bytes(worker, run_frame(answer), **{"X-Debug": f"s={worker.secret}"}))
    assert ("X-Debug", "[redacted]") in worker.exchanges[-1].headers


@pytest.mark.parametrize("word", ["type", "task_id", "run_id"])
def test_journal_keeps_little_of_a_refused_body(worker: HttpWorker, word: str) -> None:
    """The exchange of a refused body stays small, even if the body's ids are long."""
    frame = {"type": "run_task", "task_id": "t", "run_id": "r", word: LONG}
    send_one(worker, request_bytes({}, json.dumps(frame).encode()))
    assert len(repr(vars(worker.exchanges[0]))) < 3000


@pytest.mark.parametrize("word", ["task_id", "run_id"])
def test_exchange_keeps_little_of_a_long_id(worker: HttpWorker, word: str) -> None:
    """The exchange of an accepted body stays small, even if the body's ids are long."""
    frame = {**json.loads(run_frame(answer)), word: LONG}
    signed_request(worker, json.dumps(frame).encode())
    assert len(repr(vars(worker.exchanges[0]))) < 5000


def test_exchange_keeps_some_of_many_events(worker: HttpWorker) -> None:
    """Of a response with very many events the exchange has the first types, and the number of the
    others."""
    worker.stub("task", events=[{"type": "heartbeat"}] * 10_000)
    signed_request(worker, run_frame(answer))
    assert worker.exchanges[0].events[-2:] == ["heartbeat", "… 9000 more"]
    assert len(worker.exchanges[0].events) == 1001


def test_exchange_keeps_little_of_an_events_type(worker: HttpWorker) -> None:
    """The type of an event is shortened."""
    worker.stub("task", events=[{"type": LONG}])
    signed_request(worker, run_frame(answer))
    assert len(worker.exchanges[0].events[0]) == TEXT_LIMIT


def test_secret_as_key_id_is_redacted_in_the_verdict(worker: HttpWorker) -> None:
    """Of a client that mixes up secret and key id, the recorded verdict does not show the
    secret."""
    send_one(worker, signed_bytes(worker, run_frame(answer), **{"X-Wove-Key": str(worker.secret)}))
    assert str(worker.secret) not in str(vars(worker.exchanges[-1]))


def test_secret_as_nonce_is_redacted_in_the_verdict(worker: HttpWorker) -> None:
    """Of a client that sends the secret as its nonce, the checks of the verdict do not show the
    secret."""
    nonce = {"X-Wove-Nonce": str(worker.secret)}
    send_one(worker, signed_bytes(worker, run_frame(answer), **nonce))
    verdict = worker.exchanges[-1].verdict
    assert verdict is not None
    assert str(worker.secret) not in str(verdict.steps)


def test_secret_as_key_id_is_redacted_in_the_refusal(worker: HttpWorker) -> None:
    """The reply to a client that mixes up secret and key id does not show the secret."""
    key = {"X-Wove-Key": str(worker.secret)}
    reply = send_one(worker, signed_bytes(worker, run_frame(answer), **key))
    assert worker.secret.encode() not in reply.body
