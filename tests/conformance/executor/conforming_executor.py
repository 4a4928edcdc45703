"""An executor that passes every case, and the base of the executors with planted defects.

It uses its own threads instead of the default pool, one deadline for a whole request, follows no
redirects, and limits the size of an answer. The thread that sends a request reads the frames for
that run only; a run whose answer has no terminal frame ends with an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http.client
import json
import os
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from wove.environment import (
    HttpEnvironmentExecutor,
    _deserialize_network_executor_frame,
    _dump_network_executor_message,
    normalize_exception,
)
from wove.security import _canonical_http_target

Frame = dict[str, Any]
LIMIT = 48 * 2**20
NO_TIMEOUT = 60.0
TERMINAL = ("task_result", "task_error", "task_cancelled")
KNOWN = ("task_started", "heartbeat", "log", *TERMINAL)
_contexts: dict[str, ssl.SSLContext] = {}


def _shut(sock: socket.socket) -> None:
    """End a read in another thread. SSLSocket.shutdown is not used because it drops the TLS
    object."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Status(Exception):
    """The worker answered with an HTTP error."""

    def __init__(self, status: int, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class Response(http.client.HTTPResponse):
    """An answer; interim responses are skipped."""

    def _read_status(self) -> Any:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # no stub has it
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class ConformingExecutor(HttpEnvironmentExecutor):
    """Takes from Wove's executor the checks of configuration and policy in start(); the rest is
    new."""

    response: type[http.client.HTTPResponse] = Response

    async def start(self, **config: Any) -> None:
        """Check the configuration; make a TLS context."""
        await super().start(**config)
        self._events = asyncio.Queue()  # Wove 2.0.0 makes one for all starts, in the first loop
        self._loop = asyncio.get_running_loop()
        self._mine = threading.Lock()
        self._open: dict[str, socket.socket] = {}
        self._abandoned: set[str] = set()
        self._context = self.tls_context()

    def tls_context(self) -> ssl.SSLContext:
        """A context with the system's trusted CAs, which are read once for each bundle."""
        bundle = os.environ.get("SSL_CERT_FILE", "")
        if bundle not in _contexts:
            _contexts[bundle] = ssl.create_default_context()
        return _contexts[bundle]

    async def send(self, frame: Frame) -> None:
        """Send a command; a require_ack cancel waits for its answer."""
        if frame["type"] == "run_task":
            self._in_thread(lambda: self._run(frame))
        elif frame["type"] == "cancel_task":
            await self._cancel(frame)

    async def stop(self) -> None:
        """Close the connections of open runs; connections for cancel_tasks stay open."""
        with self._mine:
            runs = list(self._open)
        for run_id in runs:
            self._abandon(run_id)

    def _in_thread(self, action: Callable[[], None]) -> None:
        threading.Thread(target=action, daemon=True).start()

    async def _cancel(self, frame: Frame) -> None:
        answered = asyncio.Event()
        with self._mine:  # so that it is not sent any more, if it has not been sent
            self._abandoned.add(frame["run_id"])

        def cancel() -> None:
            with contextlib.suppress(Exception):
                self.post(frame)
            self._abandon(frame["run_id"])
            self._call_in_loop(answered.set)

        self._in_thread(cancel)
        if frame["delivery_cancel_mode"] == "require_ack":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(answered.wait(), self._timeout or NO_TIMEOUT)

    def _abandon(self, run_id: str) -> None:
        with self._mine:
            self._abandoned.add(run_id)
            sock = self._open.get(run_id)
        if sock is not None:
            _shut(sock)

    def _call_in_loop(self, what: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the weave is over, and its loop closed
            self._loop.call_soon_threadsafe(what, *arguments)

    def _run(self, frame: Frame) -> None:
        ends, reported = time.monotonic() + (self._timeout or NO_TIMEOUT), threading.Lock()

        def report(events: list[Frame]) -> None:
            if reported.acquire(blocking=False):  # what is loaded after the timeout is late
                for event in events:
                    self._call_in_loop(self.deliver, event)

        try:
            body = self.post(frame)
            with self.loading(frame, ends - time.monotonic(), report):
                events = self.read(frame, body)
        except Exception as exc:
            if isinstance(exc, Status):
                self.pause(exc.retry_after)
            events = self.failure(frame, exc)
        except BaseException as exc:  # raised by what was loaded: it would end this thread only
            events = self.failure(frame, RuntimeError(f"the answer raised {type(exc).__name__}"))
        report(events)

    @contextlib.contextmanager
    def loading(
        self, frame: Frame, seconds: float, report: Callable[[list[Frame]], None]
    ) -> Iterator[None]:
        """Report an error for the run of ``frame`` if the block has not ended after ``seconds``.
        Nothing can end the thread that loads an answer."""
        error = TimeoutError("the answer was not loaded within the timeout")
        timer = threading.Timer(seconds, report, [self.failure(frame, error)])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def deliver(self, event: Frame) -> None:
        """Hand an event to Wove, in the loop."""
        if self._events is not None:
            self._events.put_nowait(event)

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        """The events of a run whose transport failed."""
        retryable = not (isinstance(exc, Status) and 400 <= exc.status < 500)
        error = normalize_exception(exc, source="transport", retryable=retryable)
        return [self.error_for(frame, error)]

    @staticmethod
    def error_for(frame: Frame, error: Any) -> Frame:
        """A task_error for the run of ``frame``."""
        return {
            "type": "task_error",
            "run_id": frame["run_id"],
            "task_id": frame["task_id"],
            "error": error,
        }

    # The request

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        """A new connection to the worker, not yet opened."""
        timeout = self._timeout or NO_TIMEOUT
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout, context=self._context
        )

    def target(self, parts: urllib.parse.SplitResult) -> str:
        """The target of the request line."""
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        """The headers of a request. The credentials come last, so that no other header replaces
        them."""
        return {
            "Content-Type": "application/json",
            "Accept": "application/json",
            **self._headers,
            **self.credentials(frame, body),
        }

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        """The headers that authenticate a request."""
        target = _canonical_http_target(self._url or "")
        headers: dict[str, str] = self._security.headers_for(
            transport="http", target=target, body=body
        )
        return headers

    def deadline(self, sock: socket.socket) -> threading.Timer:
        """Start a timer that ends a request at its timeout, even while bytes arrive."""
        timer = threading.Timer(self._timeout or NO_TIMEOUT, _shut, [sock])
        timer.daemon = True
        timer.start()
        return timer

    def close(self, connection: http.client.HTTPConnection) -> None:
        """Close the connection, which serves one request only."""
        connection.close()

    def post(self, frame: Frame) -> bytes:
        """POST ``frame``; return the body of the answer. Raises for every other answer."""
        parts = urllib.parse.urlsplit(self._url or "")
        body = _dump_network_executor_message(frame, reason="the test's executor sends frames")
        connection = self.connection(parts)
        connection.response_class = self.response
        deadline: threading.Timer | None = None
        run_id = frame["run_id"] if frame["type"] == "run_task" else ""
        try:
            connection.connect()
            sock = connection.sock
            with self._mine:
                if run_id in self._abandoned:
                    raise TimeoutError("abandoned before it was sent")
                if run_id:
                    self._open[run_id] = sock
            deadline = self.deadline(sock)
            connection.request("POST", self.target(parts), body, self.headers(frame, body))
            return self._answer(connection.getresponse())
        finally:
            if deadline is not None:
                deadline.cancel()
            with self._mine:
                self._open.pop(run_id, None)
            self.close(connection)

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        blocks, size = [], 0
        while block := response.read(2**20):
            blocks.append(block)
            size += len(block)
            if size > LIMIT:
                raise ValueError(f"the answer is larger than {LIMIT} bytes")
        if response.length:  # http.client does not notice it where it reads in blocks
            raise http.client.IncompleteRead(b"", response.length)
        body = b"".join(blocks)
        if 200 <= response.status < 300:
            return body
        reason = ""
        with contextlib.suppress(Exception):
            reason = f": {json.loads(body)['error']}"
        after = self.retry_after(response.getheader("Retry-After") or "")
        raise Status(response.status, f"HTTP {response.status} {response.reason}{reason}", after)

    @staticmethod
    def retry_after(text: str) -> float:
        """The seconds that a Retry-After asks for: 0 if it is in the past, or not a time (RFC 9110,
        10.2.3)."""
        with contextlib.suppress(ValueError):
            return max(0.0, float(text))
        with contextlib.suppress(ValueError, TypeError):
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
        return 0.0

    def pause(self, seconds: float) -> None:
        """Wait in the thread of a run before its refusal is reported, at most the timeout."""
        time.sleep(min(seconds, self._timeout or NO_TIMEOUT))

    # The answer

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        """Return the events for the run of ``frame``, the terminal one last. Raises if there is no
        terminal event."""
        document = json.loads(body.decode("utf-8"))
        raw = document.get("events", [document]) if isinstance(document, dict) else document
        if not isinstance(raw, list) or not all(isinstance(event, dict) for event in raw):
            raise TypeError("the answer holds no event frames")
        events = []
        for event in raw:
            if event.get("run_id") != frame["run_id"] or event.get("type") not in KNOWN:
                continue
            if event["type"] not in TERMINAL:
                events.append(event)
                continue
            return [*events, self._terminal(frame, event)]
        raise ValueError("the answer has no terminal frame for this run")

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        if event["type"] == "task_cancelled" and frame["run_id"] not in self._abandoned:
            return self.failure(frame, RuntimeError("the worker cancelled the run by itself"))[0]
        exception = {k: event.pop(k) for k in ("exception_pickle",) if k in event}
        decoded: Frame = _deserialize_network_executor_frame(event, reason="an answer")
        if decoded["type"] == "task_error" and not isinstance(decoded.get("error"), dict):
            decoded["error"] = {"kind": "Error", "message": str(decoded.get("error"))}
        with contextlib.suppress(BaseException):  # the error object is used then
            raised = _deserialize_network_executor_frame(exception, reason="an answer")["exception"]
            if isinstance(raised, Exception) and not isinstance(
                raised, (TimeoutError, asyncio.TimeoutError, StopIteration)
            ):
                decoded["exception"] = raised
        return decoded
