"""Sends the command frame of an earlier run to the worker again, as a client does: through its
port, with TLS and credentials, so that faults, holds and stubs act on it."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import uuid
from contextlib import suppress
from typing import Any

from wove_http_dev.errors import ConflictError
from wove_http_dev.hosts import Host
from wove_http_dev.runs.records import Run
from wove_http_dev.runs.threads import join_threads, start_thread
from wove_http_dev.worker import HttpWorker

LIMIT = 32
"""Replays whose answers have not come."""
END_TIME = 2.0
"""Seconds that :meth:`Replays.close` waits for threads whose connections are closed."""


class Sent:
    """A replay on its way."""

    def __init__(self) -> None:
        self.run_id = f"replay:{uuid.uuid4().hex}"
        """The id of the new run."""
        self.ended = False
        """Whether the answer has come, or the request has failed."""
        self.thread: threading.Thread | None = None
        self.connection: http.client.HTTPConnection | None = None


class Replays:
    """The replays of ``worker``, each of which waits for its answer in a thread."""

    def __init__(self, worker: HttpWorker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._open: set[Sent] = set()
        self._closed = False

    def send(self, run: Run) -> Sent:
        """Send the command frame of ``run`` with a new run id, in a thread. Raises
        :class:`ConflictError` if :data:`LIMIT` replays wait for their answers."""
        sent = Sent()
        body = json.dumps(_frame(run, sent.run_id)).encode()
        with self._lock:
            if self._closed or len(self._open) >= LIMIT:
                raise ConflictError(
                    f"{len(self._open)} replays have not been answered; release what holds them, or"
                    " reset"
                )
            self._open.add(sent)
            try:
                sent.thread = start_thread(self._ask, sent, body, name="wove-http-dev-replay")
            except BaseException:
                self._open.discard(sent)
                raise
        return sent

    def close(self) -> None:
        """Close the connections, and block until the threads have ended, at most
        :data:`END_TIME` seconds."""
        with self._lock:
            self._closed = True
            waiting = list(self._open)
        for sent in waiting:
            sock = sent.connection.sock if sent.connection is not None else None
            if sock is not None:
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which is in use
        join_threads([sent.thread for sent in waiting if sent.thread is not None], END_TIME)

    def _ask(self, sent: Sent, body: bytes) -> None:
        try:
            with suppress(OSError, http.client.HTTPException):  # faults cause them
                self._exchange(sent, body)
        finally:
            sent.ended = True
            if sent.connection is not None:
                sent.connection.close()
            with self._lock:
                self._open.discard(sent)
            self._worker.journal.notify()  # a thread may wait there for the new run

    def _exchange(self, sent: Sent, body: bytes) -> None:
        from wove.security import NetworkExecutorSecurity

        worker, options = self._worker, self._worker.options
        host = Host(options.host).connectable
        connection = (
            http.client.HTTPSConnection(host, worker.port, context=worker._client_context)
            if options.tls
            else http.client.HTTPConnection(host, worker.port)
        )
        sent.connection = connection
        connection.connect()
        if self._closed:
            return
        security = NetworkExecutorSecurity.from_config(worker.credentials.client_security())
        headers = {"Content-Type": "application/json", "Connection": "close"}
        headers.update(options.headers or {})
        headers.update(security.headers_for(transport="http", target=options.path, body=body))
        connection.request("POST", options.path, body, headers)
        response = connection.getresponse()
        while response.read(65536):  # a client takes the whole answer
            pass


def _frame(run: Run, run_id: str) -> dict[str, Any]:
    return {
        "type": "run_task",
        "run_id": run_id,
        "task_id": run.task_id,
        "callable_pickle": _text(run.callable_pickle or b""),
        "args_pickle": _text(run.args_pickle),
        # Not the idempotency key: with the option idempotency its first outcome would answer. An
        # entry of another name says that the settings were too large to be kept.
        "delivery": {
            name: value
            for name, value in run.delivery.items()
            if name.startswith("delivery_") and name != "delivery_idempotency_key"
        },
    }


def _text(payload: bytes) -> str:
    return base64.b64encode(payload).decode("ascii")
