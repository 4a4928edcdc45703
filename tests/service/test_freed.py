"""What a request took is freed when it was served: no thread keeps it, and no reference cycle waits
for a garbage collection."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    cancel_frame,
    connect,
    read_response,
    request_bytes,
    run_frame,
    send_raw,
    signed_bytes,
)
from wove_http_dev.protocol.messages import Request
from wove_http_dev.protocol.request_reader import RequestReader
from wove_http_dev.service.client_socket import ClientSocket
from wove_http_dev.service.limits import Limits
from wove_http_dev.worker import HttpWorker

KINDS = (
    "Claim",
    "Exchange",
    "HttpConnection",
    "Reply",
    "Request",
    "RequestReader",
    "Run",
    "RunTask",
    "ServiceReply",
)
"""The classes of which a request makes objects."""
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset


def fails() -> None:
    raise ValueError("no")


async def fails_later() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


def cut(worker: HttpWorker) -> None:
    """Send the beginning of a request, and a reset."""
    with closing(connect(worker)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.sendall(signed_bytes(worker, run_frame(answer))[:-10])
    journal = worker.journal
    journal.wait(lambda: any(each.error for each in journal.exchanges), TIMEOUT, "an end")


def take_no_reply(worker: HttpWorker) -> None:
    """Send a request, and a reset when the reply is on its way."""
    with closing(connect(worker)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.sendall(signed_bytes(worker, run_frame(lambda: b"x" * 10_000_000)))
        sock.recv(1)
    journal = worker.journal
    journal.wait(lambda: any(each.error for each in journal.exchanges), TIMEOUT, "an end")


def signed(frame: bytes) -> Callable[[HttpWorker], object]:
    """A function that sends ``frame`` and reads the reply."""
    return lambda worker: send_raw(worker, signed_bytes(worker, frame))


REQUESTS: dict[str, Callable[[HttpWorker], object]] = {
    "result": signed(run_frame(answer)),
    "error": signed(run_frame(fails)),
    "async-error": signed(run_frame(fails_later)),
    "cancel": signed(cancel_frame("other")),
    "malformed-frame": signed(b"{"),
    "refused": lambda worker: send_raw(worker, request_bytes({}, run_frame(answer))),
    "malformed-request": lambda worker: send_raw(worker, b"GARBAGE\r\n\r\n"),
    "cut": cut,
    "reply-not-taken": take_no_reply,
}


@pytest.fixture
def new_objects() -> Iterator[Callable[[], list[str]]]:
    """A function that returns the kinds of objects that a request made, and that are in memory.
    There is no garbage collection during the test."""

    def found() -> list[object]:
        return [each for each in gc.get_objects() if type(each).__name__ in KINDS]

    gc.collect()
    before = {id(each) for each in found()}
    gc.disable()
    yield lambda: sorted({type(each).__name__ for each in found() if id(each) not in before})
    gc.enable()


def wait_for(expected: list[str], names: Callable[[], list[str]]) -> list[str]:
    """Return ``names()`` once it is ``expected``, or after a while."""
    deadline = time.monotonic() + TIMEOUT
    while names() != expected and time.monotonic() < deadline:
        threading.Event().wait(0.01)  # the client has its reply before the thread has ended
    return names()


@pytest.mark.parametrize("kind", REQUESTS)
def test_freed_after_reset(
    make_worker: MakeWorker, new_objects: Callable[[], list[str]], kind: str
) -> None:
    """After ``reset()`` nothing of a request that was served is in memory."""
    worker = make_worker(tls=False)
    REQUESTS[kind](worker)
    worker.reset()
    assert wait_for([], new_objects) == []


def test_freed_while_the_connection_is_open(
    worker: HttpWorker, new_objects: Callable[[], list[str]]
) -> None:
    """A connection that waits for the next request keeps nothing of the last one."""
    with closing(connect(worker)) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
        read_response(sock)
        worker.reset()
        waiting = ["HttpConnection", "RequestReader"]
        assert wait_for(waiting, new_objects) == waiting


def test_only_the_journal_keeps_a_run(
    worker: HttpWorker, new_objects: Callable[[], list[str]]
) -> None:
    """Before ``reset()`` only the journal's records are in memory."""
    REQUESTS["result"](worker)
    assert wait_for(["Exchange", "Run"], new_objects) == ["Exchange", "Run"]


def bodies_kept() -> int:
    """The bytes of all large bodies of requests that are in memory."""
    alive: list[Any] = gc.get_objects()
    sizes = [len(each.body) for each in alive if type(each) is Request]
    sizes += [each._body.getbuffer().nbytes for each in alive if type(each) is RequestReader]
    return sum(size for size in sizes if size > 10_000)  # other tests keep small ones


KEPT = {"Connection": "keep-alive"}  # after "close", httptools 0.6.0 ignores what follows
UNFINISHED = {
    "refused-by-its-head": lambda worker: request_bytes({}, b"x" * 200_000) + b"G",
    "refused": lambda worker: (
        signed_bytes(worker, b"x" * 200_000, **KEPT, **{"X-Wove-Signature": "v1=" + "0" * 64})
        + b"G"
    ),
    "accepted": lambda worker: (
        signed_bytes(worker, run_frame(answer).ljust(200_000), **KEPT) + b"G"
    ),
    "too-large": lambda worker: (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"186A0\r\n%s\r\n" % (b"x" * 100_000) * 3
    ),
}
"""Requests after which the rest of what the client sends is read and dropped."""


@pytest.mark.parametrize("name", UNFINISHED)
def test_body_is_freed_before_the_rest_is_read(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A body is not in memory while the worker reads, after its reply, what the client still
    sends."""
    kept: list[int] = []
    plain = ClientSocket.drain

    def drain(of: ClientSocket, seconds: float) -> None:
        kept.append(bodies_kept())
        plain(of, seconds)

    worker = make_worker(tls=False, max_body=250_000, limits=Limits(head=TIMEOUT))
    monkeypatch.setattr(ClientSocket, "drain", drain)
    with closing(connect(worker)) as sock:
        sock.sendall(UNFINISHED[name](worker))
        read_response(sock)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
    assert kept == [0]
