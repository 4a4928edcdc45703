"""Weaves and raw requests for the tests of faults."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from wove import weave

from wove_http_dev import HttpWorker
from wove_http_dev.weave_outcome import run_one_weave


def weave_many(items: Sequence[int], **settings: Any) -> Any:
    """Weave one mapped task, ``task``, that doubles its item; return its results."""
    with weave() as w:

        @w.do(items, environment="workers", **settings)
        def task(item: int) -> int:
            return item * 2

    return w.result.task


def error_of(**settings: Any) -> Exception:
    """The exception that :func:`weave_one` raises."""
    outcome = run_one_weave((1, 2), **settings)
    assert isinstance(outcome.error, Exception), outcome
    return outcome.error


def connect(worker: HttpWorker) -> socket.socket:
    """A connected socket, without TLS."""
    return socket.create_connection(("127.0.0.1", worker.port), timeout=5)


def post_raw(worker: HttpWorker, body: bytes = b"{}") -> socket.socket:
    """A socket on which an unsigned request was sent to a worker without TLS."""
    sock = connect(worker)
    sock.sendall(
        b"POST /wove/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    return sock


def read_all(sock: socket.socket) -> bytes:
    """Everything until the end of file. Closes the socket."""
    data = b""
    with sock:
        while chunk := sock.recv(65536):
            data += chunk
    return data
