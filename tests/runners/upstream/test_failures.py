"""Upstream services that fail, refuse, or answer what is no answer."""

from __future__ import annotations

import json

import pytest
from wove.environment import EnvironmentExecutionError

from tests.runners.upstreams import asked, in_front_of, reply_of
from tests.support import MakeWorker, answer, cancel_frame, run_frame, signed_request, weave_one
from wove_http_dev.errors import StrictnessError
from wove_http_dev.worker import HttpWorker


def test_upstream_is_down(front: HttpWorker, upstream: HttpWorker) -> None:
    """An upstream that does not run is a 502 that names it."""
    upstream.crash()
    response = signed_request(front, run_frame(answer))
    assert (response.status, response.document["code"]) == (502, "upstream-unreachable")


def test_failure_reaches_the_author_of_a_weave(front: HttpWorker, upstream: HttpWorker) -> None:
    """What is wrong with upstream is in the error that the weave raises."""
    upstream.crash()
    with (
        front.configured(),
        pytest.raises(
            EnvironmentExecutionError, match="502: upstream: nothing listens on localhost"
        ),
    ):
        weave_one(answer)


def test_failed_forward_counts_no_execution(front: HttpWorker, upstream: HttpWorker) -> None:
    """A run that was not forwarded did not run."""
    upstream.crash()
    signed_request(front, run_frame(answer))
    run = front.runs.last
    assert (run.state, run.executions) == ("failed", 0)


def test_strict_names_upstream(front: HttpWorker, upstream: HttpWorker) -> None:
    """Strict mode reports that upstream failed, not that a request was refused."""
    upstream.crash()
    signed_request(front, run_frame(answer))
    with pytest.raises(StrictnessError, match="upstream failed and no fault explains it"):
        front.check()


def test_refused_signature(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Upstream's refusal of the signature is not shown as the client's: 502, with its reason."""
    wrong = {"type": "signed", "secret": "wrong"}
    front = in_front_of(make_worker, upstream, upstream_security=wrong)
    response = signed_request(front, run_frame(answer))
    words = "upstream refused the signature: 401 Unauthorized: "
    assert (response.status, response.error.startswith(words)) == (502, True)


def test_refused_signature_does_not_count(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Nor did the task run."""
    wrong = {"type": "signed", "secret": "wrong"}
    front = in_front_of(make_worker, upstream, upstream_security=wrong)
    signed_request(front, run_frame(answer))
    assert front.runs.last.executions == 0


def test_untrusted_certificate(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """A certificate that is not trusted says which option mends it."""
    front = in_front_of(make_worker, upstream, upstream_ca_file=None)
    response = signed_request(front, run_frame(answer))
    assert (response.document["code"], "upstream_ca_file" in response.error) == (
        "upstream-tls",
        True,
    )


@pytest.mark.parametrize("status", ["503 Busy", "404 Not Found", "413 Too Large", "500 Oops"])
def test_other_status_is_relayed(make_worker: MakeWorker, status: str) -> None:
    """Another status is the client's, with its body and headers."""
    response, _ = asked(make_worker, reply_of(b"why", status, "Retry-After: 7"))
    got = f"{response.status} {response.reason}", response.body, response.headers["retry-after"]
    assert got == (status, b"why", "7")


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        ("503 Service Unavailable", "busy", "503 Service Unavailable: busy"),
        (
            "404 Not Found",
            "no route",
            "404 Not Found: no route; correct the path of upstream's URL",
        ),
    ],
)
def test_other_status_is_noted(make_worker: MakeWorker, status: str, said: str, words: str) -> None:
    """The journal notes it, with the reason that upstream gives, and what to do about a path."""
    _, worker = asked(make_worker, reply_of(json.dumps({"error": said}).encode(), status))
    (leg,) = worker.exchanges[-1].upstream
    words = f"upstream answered {words}"
    assert (leg.error, leg.code, worker.runs.last.executions) == (words, "upstream-status", 0)


@pytest.mark.parametrize(("status", "executions"), [("404 Not Found", 0), ("500 Oops", 1)])
def test_executions(make_worker: MakeWorker, status: str, executions: int) -> None:
    """A task that upstream refused did not run; one that it failed with may have."""
    _, worker = asked(make_worker, reply_of(b"", status))
    assert worker.runs.last.executions == executions


def test_length_of_a_note(make_worker: MakeWorker) -> None:
    """What is noted of an answer, which may be of any length, is short."""
    _, worker = asked(make_worker, reply_of(b"", f"500 {'a' * 1000}"))
    assert len(worker.exchanges[-1].upstream[0].error) == 500


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"ok": 1}', b'{"events": [1]}'])
def test_garbage_is_relayed(make_worker: MakeWorker, body: bytes) -> None:
    """A body without event frames is the client's, byte for byte."""
    response, worker = asked(make_worker, reply_of(body))
    assert (response.body, worker.exchanges[-1].upstream[0].code) == (body, "upstream-events")


def test_negative_chunk(make_worker: MakeWorker) -> None:
    """A chunk of a negative size is upstream's failure, not an error of the task."""
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nfoo\r\n0\r\n\r\n"
    response, _ = asked(make_worker, reply)
    assert (response.status, response.document["code"]) == (502, "upstream-malformed")


def test_no_terminal_frame(make_worker: MakeWorker) -> None:
    """An answer that does not end the run is relayed and noted."""
    response, worker = asked(make_worker, reply_of(b'{"events": []}'))
    assert (response.events, worker.exchanges[-1].upstream[0].code) == ([], "upstream-events")


@pytest.mark.parametrize(
    "frame", [run_frame(answer), cancel_frame("run-1")], ids=["run_task", "cancel_task"]
)
def test_loop(make_worker: MakeWorker, frame: bytes) -> None:
    """A worker that is its own upstream says so."""
    from wove_http_dev.service.port import Port

    port = Port("localhost", 0)
    number = port.number
    port.close()
    words = {"upstream": f"http://localhost:{number}/wove/tasks", "security": "none"}
    worker = make_worker(port=number, tls=False, **words)
    response = signed_request(worker, frame)
    assert (response.status, "leads back to this worker" in response.error) == (508, True)
