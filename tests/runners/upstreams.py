"""Upstream services for tests, and workers in front of them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support import (
    TIMEOUT,
    HttpResponse,
    MakeWorker,
    answer,
    run_frame,
    signed_request,
)
from wove_http_dev.protocol.frames import decode
from wove_http_dev.worker import HttpWorker

SECRET = "correct-horse"


def options_in_front_of(upstream: HttpWorker) -> dict[str, Any]:
    """The options of a worker that forwards to ``upstream``, with its credentials."""
    words = {"upstream": upstream.url, "upstream_security": upstream.credentials.form}
    if upstream.options.tls:
        words["upstream_ca_file"] = upstream.ca_file
    return words


def in_front_of(make_worker: MakeWorker, upstream: HttpWorker, **options: Any) -> HttpWorker:
    """A worker that forwards to ``upstream``, with its credentials."""
    return make_worker(**{**options_in_front_of(upstream), **options})


def held_run(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> Future[HttpResponse]:
    """What a client will get of ``front`` for the run ``run-1``, which a gate holds at
    ``upstream``."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer, run_id="run-1"))
    gate.wait_arrived()
    return run


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None], connections: int = 1) -> Iterator[int]:
    """Call ``serve`` with each of ``connections``, one after the other; the port is yielded."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for _ in range(connections):
                sock, _ = listener.accept()
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(TIMEOUT)
                    serve(sock)

        thread = threading.Thread(target=run)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            while thread.is_alive():  # it waits for a connection that never came
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
                thread.join(0.1)


def read_request(sock: socket.socket) -> tuple[bytes, bytes]:
    """Block until a whole request has arrived, and return its head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError("no request arrived")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < size:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError("the body did not arrive")
        body += chunk
    return head, body


def fails() -> None:
    """A task that fails."""
    raise ValueError("no")


def reply_of(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def asked(make_worker: MakeWorker, reply: Any, frame: bytes = b"", **options: Any) -> Any:
    """What a client gets of a worker whose upstream answers with ``reply``, bytes or a function of
    the run; and the worker."""
    frame = frame or run_frame(answer)

    def serve(sock: Any) -> None:
        _, body = read_request(sock)
        sock.sendall(reply if isinstance(reply, bytes) else reply(decode(body)))

    with serving(serve) as port:
        worker = make_worker(upstream=f"http://127.0.0.1:{port}/", **options)
        return signed_request(worker, frame), worker
