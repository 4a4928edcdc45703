"""The reference workers in ``examples/``, beyond what ``check worker`` asks of them."""

from __future__ import annotations

import json
import socket

import pytest

from tests.conformance.worker import references
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
    port = references.free_port()
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
