"""The reference workers in ``examples/``, beyond what ``check worker`` asks of them."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import socket
import sys
from typing import Any

import pytest

from tests.conformance.worker import references
from tests.support import free_port
from wove_http_dev.conformance.service_process import ServiceCommand

PATIENCE = 60.0
"""Seconds after which a client that waits for bytes gives up."""


@pytest.mark.parametrize("name", references.NEEDS)
def test_a_reference_worker_answers_expect(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks with ``Expect: 100-continue`` gets ``100 Continue`` before it has sent a
    byte of the body."""
    for module in references.NEEDS[name]:
        pytest.importorskip(module)
    monkeypatch.setenv("WOVE_WORKER_SECRET", "the secret of a reference worker")
    port = free_port()
    body = json.dumps({"type": "run_task", "run_id": "r", "task_id": "t"}).encode()
    head = (
        f"POST /wove/tasks HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n"
    )
    with (
        ServiceCommand(references.command(name, port), "127.0.0.1", port),
        socket.create_connection(("127.0.0.1", port), PATIENCE) as client,
        client.makefile("rb") as answer,
    ):
        client.sendall(head.encode())
        assert answer.readline().startswith(b"HTTP/1.1 100 ")


def test_fastapi_reads_no_more_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without Content-Length is refused with 413 as soon as it is too long, before its
    credentials are looked at, because anybody can send one."""
    for module in references.NEEDS["fastapi"]:
        pytest.importorskip(module)
    monkeypatch.setenv("WOVE_WORKER_SECRET", "the secret of a reference worker")
    monkeypatch.syspath_prepend(str(references.EXAMPLES))
    for module in ("worker_core", "worker_fastapi"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    worker = importlib.import_module("worker_fastapi")
    for module in ("worker_core", "worker_fastapi"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(worker, "MAX_BODY", 1000)
    pieces = itertools.repeat(bytes(300), 100)
    answer: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "POST"}
    scope |= {"path": "/wove/tasks", "raw_path": b"/wove/tasks", "query_string": b"", "headers": []}
    asyncio.run(worker.app(scope, receive, send))
    assert answer[0]["status"] == 413
    assert len(list(pieces)) == 96
