"""Explanations of why a worker refused a request."""

from __future__ import annotations

import pytest

from tests.support import run_frame, send_one, signed_bytes, signed_request
from wove_http_dev.conformance.executor.refusals import refusal, signed_over
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.protocol.authenticator import NONCE, SIGNATURE, TIMESTAMP, sign
from wove_http_dev.protocol.messages import Request
from wove_http_dev.worker import HttpWorker

URL = "https://localhost/wove/t%C3%A4sks?x=1"
SECRET = b"secret"


def signed_with(worker: HttpWorker, target: str) -> Request:
    """A request as a worker receives it, with a signature over ``target``."""
    recorder = RequestRecorder()
    with worker.inject(recorder):
        frame = run_frame(int)
        signature = sign(SECRET, target=target, body=frame, timestamp="1", nonce="n")
        headers = {TIMESTAMP: "1", NONCE: "n", SIGNATURE: signature}
        send_one(worker, signed_bytes(worker, frame, **headers))
    return recorder.requests[0]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/wove/t%C3%A4sks?x=1", "the URL's path and query"),
        ("/wove/t%C3%A4sks", "the path without its query"),
        ("/wove/täsks?x=1", "the path decoded"),
        (URL, "the whole URL"),
        ("elsewhere", "another target or body"),
    ],
)
def test_what_a_signature_covers(worker: HttpWorker, target: str, words: str) -> None:
    """Common mistakes in the signed target are named."""
    assert words in signed_over(signed_with(worker, target), SECRET, URL)


def test_an_accepted_request_has_no_refusal(worker: HttpWorker) -> None:
    """The explanation of an accepted request is empty."""
    signed_request(worker, run_frame(int))
    assert refusal(worker.exchanges[0]) == ""


def test_a_refusal_does_not_suspect_a_proxy(worker: HttpWorker) -> None:
    """The explanation does not mention a proxy, because there is none between a case and its
    worker."""
    send_one(worker, signed_bytes(worker, run_frame(int), **{SIGNATURE: "0" * 64}))
    words = refusal(worker.exchanges[0])
    assert words.startswith("signature")
    assert "a proxy may have" not in words
