"""A raw HTTP client for tests, frames for it to send, and a weave of one task.

The client uses sockets directly and signs with Wove's own code, so that it cannot share a mistake
with the package under test.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import random
import socket
import ssl
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import cloudpickle
import pytest
from wove import NetworkExecutorSecurity
from wove.runtime import runtime

from wove_http_dev.weave_outcome import run_one_weave
from wove_http_dev.worker import HttpWorker

TARGET = "/wove/tasks"
TIMEOUT = 30.0
"""Seconds after which what a test waits for counts as not happening; a busy machine is slow."""
PRODUCTION_URL = "https://workers.internal/wove/tasks"
MakeWorker = Callable[..., HttpWorker]
MODES = ("best_effort", "require_ack")


def _loopbacks() -> list[str]:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return ["127.0.0.1", "::1"]
    return ["127.0.0.1"]


LOOPBACKS = _loopbacks()
"""The addresses of ``localhost``: containers often have no IPv6."""
with_ipv6 = pytest.mark.skipif("::1" not in LOOPBACKS, reason="no IPv6 here")


def free_port() -> int:
    """Return a port that is free on every address of ``localhost``.

    It is outside the range from which the kernel chooses ports (from 32768, by Linux's default), so
    that no client or server of another test gets it meanwhile.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for address in LOOPBACKS:
                sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
                stack.enter_context(sock).bind((address, port))
            return port


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response, read to its end."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.document["error"])

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.document["events"]
        return events

    @property
    def terminal(self) -> str:
        """The ``type`` of the last event frame."""
        return str(self.events[-1]["type"])

    @property
    def result(self) -> Any:
        """The task's result, unpickled from the last event frame."""
        return pickle.loads(base64.b64decode(self.events[-1]["result_pickle"]))

    @property
    def task_error(self) -> dict[str, Any]:
        """The task's error fields, unpickled from the last event frame."""
        error: dict[str, Any] = pickle.loads(base64.b64decode(self.events[-1]["error_pickle"]))
        return error

    @property
    def exception(self) -> Any:
        """The exception, unpickled from the last event frame."""
        return pickle.loads(base64.b64decode(self.events[-1]["exception_pickle"]))


def parse_responses(data: bytes) -> list[HttpResponse]:
    """Every response in ``data``, which is everything that a connection received."""
    responses = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        _, status, reason = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        size = int(headers.get("content-length", "0"))
        responses.append(HttpResponse(int(status), reason, headers, data[:size]))
        data = data[size:]
    return responses


# Frames


def encode(value: Any) -> str:
    """``value`` as a ``*_pickle`` field contains it: pickled by cloudpickle, then base64."""
    return base64.b64encode(cloudpickle.dumps(value)).decode("ascii")


def run_frame(
    function: Any, args: Mapping[str, Any] | None = None, *, task: str = "task", run_id: str = ""
) -> bytes:
    """A ``run_task`` frame."""
    frame = {
        "type": "run_task",
        "run_id": run_id or uuid.uuid4().hex,
        "task_id": task,
        "callable_pickle": encode(function),
        "args_pickle": encode(dict(args or {})),
        "delivery": {},
    }
    return json.dumps(frame).encode()


def cancel_frame(run_id: str, *, mode: str = "best_effort", task: str = "task") -> bytes:
    """A ``cancel_task`` frame."""
    frame = {
        "type": "cancel_task",
        "run_id": run_id,
        "task_id": task,
        "delivery_cancel_mode": mode,
        "delivery_orphan_policy": "cancel",
    }
    return json.dumps(frame).encode()


# Requests


def credentials(worker: HttpWorker, body: bytes, target: str = TARGET) -> dict[str, str]:
    """The headers that authenticate ``body`` at ``worker``, signed by Wove's own code."""
    if worker.credentials.mode == "none":
        return {}
    if worker.credentials.mode == "bearer":
        return {"Authorization": f"Bearer {worker.secret}"}
    security = NetworkExecutorSecurity(mode="signed", secret=worker.secret)
    return security.headers_for(transport="http", target=target, body=body)


def request_bytes(
    headers: Mapping[str, str], body: bytes = b"", *, method: str = "POST", target: str = TARGET
) -> bytes:
    """The bytes of a request.

    ``Host``, ``Content-Type``, ``Content-Length`` and ``Connection: close`` are filled in unless
    ``headers`` has them; a value of ``""`` leaves a header out.
    """
    defaults = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    fields = {name: value for name, value in {**defaults, **headers}.items() if value}
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def connect(worker: HttpWorker, *, tls: bool | None = None) -> socket.socket:
    """Open a socket to the worker, with the TLS handshake done. ``tls=None`` uses TLS if the worker
    does."""
    sock = socket.create_connection(("127.0.0.1", worker.port), timeout=TIMEOUT)
    # As http.client does: else a request waits 40 ms for the delayed acknowledgement of the
    # handshake's end.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not (worker.options.tls if tls is None else tls):
        return sock
    context = ssl.create_default_context(cafile=worker.ca_file)
    try:
        return context.wrap_socket(sock, server_hostname="localhost")
    except OSError:
        sock.close()
        raise


def read_all(sock: socket.socket) -> bytes:
    """Block until the other side closes; return everything it sent."""
    chunks = []
    while chunk := sock.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def read_response(sock: socket.socket) -> HttpResponse:
    """Block until one complete response has arrived on a connection that stays open; return it."""
    data = b""
    while True:
        chunk = sock.recv(65536)
        assert chunk, f"closed in the middle of a response, after {data!r}"
        data += chunk
        head, end, body = data.partition(b"\r\n\r\n")
        if end and b"content-length" not in head.lower():
            return parse_responses(data)[0]
        if end:
            response = parse_responses(data)[0]
            if len(body) >= int(response.headers["content-length"]):
                return response


def send_raw(worker: HttpWorker, data: bytes, *, tls: bool | None = None) -> bytes:
    """Send ``data`` unchanged; return everything that came back until the worker closed."""
    with connect(worker, tls=tls) as sock:
        sock.sendall(data)
        return read_all(sock)


def send_one(worker: HttpWorker, data: bytes) -> HttpResponse:
    """Send ``data`` unchanged; return the one response to it."""
    (response,) = parse_responses(send_raw(worker, data))
    return response


def signed_bytes(worker: HttpWorker, frame: bytes, **headers: str) -> bytes:
    """The bytes of a POST of ``frame`` with ``worker``'s credentials."""
    return request_bytes({**credentials(worker, frame), **headers}, frame)


def signed_request(worker: HttpWorker, frame: bytes) -> HttpResponse:
    """POST ``frame`` with ``worker``'s credentials; return the response."""
    return send_one(worker, signed_bytes(worker, frame))


# Weaves


def weave_one(
    value_or_function: Any = (1, 2), environment: str | None = "workers", **options: Any
) -> Any:
    """Run a weave of one task, a function or a value to return; return its result."""
    return run_one_weave(value_or_function, environment, **options).result()


def answer() -> int:
    """Return 42: a task for tests that need any task."""
    return 42


def lasting(threads: Iterable[threading.Thread]) -> list[threading.Thread]:
    """Those of ``threads`` that do not end. A worker's ``stop()`` waits for about a second until
    its threads have ended, and a busy machine needs longer."""
    threads = list(threads)
    for thread in threads:
        thread.join(TIMEOUT)
    return [thread for thread in threads if thread.is_alive()]


def process_state() -> dict[str, Any]:
    """A copy of everything in this process that ``configured`` and ``impersonate`` may change."""
    return {
        "default_environment": runtime.default_environment,
        "environments": deepcopy(runtime.environments),
        "global_defaults": dict(runtime.global_defaults),
        "environ": dict(os.environ),
        "opener": getattr(urllib.request, "_opener", None),
        "getaddrinfo": socket.getaddrinfo,
    }


@contextlib.contextmanager
def closing_all() -> Iterator[list[socket.socket]]:
    """A list of sockets, each of which is closed on exit."""
    sockets: list[socket.socket] = []
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()
