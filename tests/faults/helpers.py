"""Faults, weaves and raw requests for the tests of faults."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from wove import weave

from tests.support import TIMEOUT
from wove_http_dev import HttpWorker
from wove_http_dev.faults.fault import AuthStage, Fault
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.weave_outcome import run_one_weave


@dataclass(frozen=True)
class OnRun(Fault):
    """A fault that acts on runs and changes nothing."""

    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "run_task"


@dataclass(frozen=True)
class OnCancel(Fault):
    """A fault that acts on cancel_task frames and changes nothing."""

    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "cancel_task"


@dataclass(frozen=True)
class OnReply(Fault):
    """A fault of the response stage that acts on every request and changes nothing."""

    stage: ClassVar[str] = "response"


@dataclass(frozen=True)
class Teapot(Fault):
    """Refuses every request with a 418 and without a code."""

    stage: ClassVar[str] = "auth"

    def on_auth(self, stage: AuthStage) -> Verdict:
        """Refuse the request."""
        return Verdict(accepted=False, reason="a teapot", status=418)


def body(kind: str = "run_task", task: str = "task") -> bytes:
    """A request body with this frame type and task, and no payload."""
    return json.dumps({"type": kind, "task_id": task, "run_id": "r"}).encode()


def weave_many(items: Sequence[int], **settings: Any) -> Any:
    """Run a weave of one mapped task, ``task``, that doubles each item; return its results."""
    with weave() as w:

        @w.do(items, environment="workers", **settings)
        def task(item: int) -> int:
            return item * 2

    return w.result.task


def error_of(**settings: Any) -> Exception:
    """Run a weave of one task, which must fail; return its error."""
    outcome = run_one_weave((1, 2), **settings)
    assert isinstance(outcome.error, Exception), outcome
    return outcome.error


def connect(worker: HttpWorker) -> socket.socket:
    """A socket connected to a worker without TLS."""
    return socket.create_connection(("127.0.0.1", worker.port), timeout=TIMEOUT)


def post_raw(worker: HttpWorker, body: bytes = b"{}") -> socket.socket:
    """A socket on which an unsigned request was sent to a worker without TLS."""
    sock = connect(worker)
    sock.sendall(
        b"POST /wove/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    return sock


def read_all(sock: socket.socket) -> bytes:
    """Read until the other side closes, close the socket, and return the bytes."""
    data = b""
    with sock:
        while chunk := sock.recv(65536):
            data += chunk
    return data
