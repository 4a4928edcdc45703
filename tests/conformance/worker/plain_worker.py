"""A small worker service without defects. Each step is a method, so that a subclass can break one.

It shares no code with the package's own service or the reference workers.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
import hmac
import inspect
import json
import math
import pickle
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cloudpickle

SECRET = "the secret of the plain worker"
Event = dict[str, Any]
Frame = dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    worker: PlainWorker

    def do_POST(self) -> None:
        self.worker.serve(self)

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.worker.rejects(code)
        super().send_error(code, message, explain)

    def log_message(self, format: str, *args: Any) -> None:
        return


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


class Run:
    """A task on its own thread. ``settled`` is set when it has an outcome, ``ended`` when its body
    has ended."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.settled, self.ended = threading.Event(), threading.Event()
        self.cancelled = False
        self.outcome: Event = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[Any] | None = None

    def settle(self, event: Event) -> None:
        self.outcome = self.outcome or event
        self.settled.set()


class PlainWorker:
    """A context manager that serves at ``url``."""

    grace = 0.5
    limit = 64 * 2**20
    """The most bytes that the body of a request may have."""
    server_class: type[Server] = Server

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.nonces: Any = set()
        self.lock = threading.Lock()
        handler = type("BoundHandler", (Handler,), {"worker": self})
        self.server = self.server_class(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/wove/tasks"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> PlainWorker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    # One request

    def rejects(self, code: int) -> None:
        """Called when the server answers a request that is not a POST with an error status."""

    def serve(self, handler: Handler) -> None:
        size = handler.headers.get("Content-Length", "")
        if size.isdecimal() and int(size) > self.limit:
            self.refuse_large(handler)
            return
        body = self.read(handler)
        try:
            self.verify(self.headers(handler), self.target(handler), body)
        except PermissionError as exc:
            self.refuse(handler, exc)
            return
        try:
            frame = self.decode(body)
        except (ValueError, TypeError, KeyError, RecursionError) as exc:
            self.write(handler, 400, {"error": type(exc).__name__})
            return
        if frame["type"] == "cancel_task":
            self.answer_cancel(handler, frame)
        else:
            self.answer_run(handler, frame)

    def refuse_large(self, handler: Handler) -> None:
        """Refuse a request whose body is larger than ``limit``, before it is read."""
        handler.close_connection = True
        self.write(handler, 413, {"error": "too large"})

    def read(self, handler: Handler) -> bytes:
        sizes = set(handler.headers.get_all("Content-Length", ()))
        size = sizes.pop()
        if sizes or not size.isdecimal() or "Transfer-Encoding" in handler.headers:
            raise ValueError(size)
        return handler.rfile.read(int(size))

    def headers(self, handler: Handler) -> dict[str, str]:
        return {name.title(): value for name, value in handler.headers.items()}

    def target(self, handler: Handler) -> str:
        return handler.path

    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 401, {"error": str(error)})

    def answer_run(self, handler: Handler, frame: Frame) -> None:
        self.write(handler, 200, self.shape(self.run(frame)))

    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        self.write(handler, 200, self.shape(self.cancel(frame)))

    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def shape(self, events: list[Event]) -> Any:
        return {"events": events}

    # Verification

    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        stamp, nonce = headers.get("X-Wove-Timestamp", ""), headers.get("X-Wove-Nonce", "")
        text = f"wove-v1\nhttp\n{target}\n{stamp}\n{nonce}\n{digest}"
        key = self.secret(headers).encode()
        return "v1=" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def secret(self, headers: Mapping[str, str]) -> str:
        return SECRET

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        sent = headers.get("X-Wove-Signature", "").encode("utf-8", "replace")
        if not hmac.compare_digest(sent, self.expected(headers, target, body).encode()):
            raise PermissionError("wrong signature")
        self.check_key(headers.get("X-Wove-Key", ""))
        self.check_timestamp(headers["X-Wove-Timestamp"])
        self.check_nonce(headers["X-Wove-Nonce"])

    def check_key(self, key: str) -> None:
        if key != "default":
            raise PermissionError("unknown key")

    def check_timestamp(self, text: str) -> None:
        try:
            stamp = float(text)
        except ValueError:
            raise PermissionError("no timestamp") from None
        if not math.isfinite(stamp) or abs(stamp - time.time()) > 300:
            raise PermissionError("expired")

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            if not nonce or nonce in self.nonces:
                raise PermissionError("replayed")
            self.nonces.add(nonce)

    # Frames

    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if frame["type"] not in ("run_task", "cancel_task"):
            raise ValueError(frame["type"])
        if not isinstance(frame["run_id"], str):
            raise TypeError("run_id")
        if frame["type"] == "run_task":
            for name in ("callable_pickle", "args_pickle"):
                frame[name] = base64.b64decode(frame[name], validate=True)
        return dict(frame)

    # Runs

    def run(self, frame: Frame) -> list[Event]:
        run = self.runs[frame["run_id"]] = Run(frame)
        threading.Thread(target=self.work, args=(run,), daemon=True).start()
        run.settled.wait()
        self.runs.pop(frame["run_id"], None)
        return [{**event, **self.ids(frame)} for event in self.events(run)]

    def ids(self, frame: Frame) -> Event:
        return {"run_id": frame["run_id"], "task_id": frame["task_id"]}

    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}, run.outcome]

    def work(self, run: Run) -> None:
        try:
            event = self.result(self.call(run))
        except BaseException as exc:
            event = self.error(exc)
        run.settle({"type": "task_cancelled"} if run.cancelled else event)
        run.ended.set()

    def call(self, run: Run) -> Any:
        function = self.load(run)
        if run.cancelled:
            raise asyncio.CancelledError
        return self.await_value(run, function())

    def load(self, run: Run) -> Callable[[], Any]:
        function = pickle.loads(run.frame["callable_pickle"])
        return functools.partial(function, **pickle.loads(run.frame["args_pickle"]))

    def await_value(self, run: Run, value: Any) -> Any:
        return asyncio.run(self.drive(run, value)) if inspect.isawaitable(value) else value

    async def drive(self, run: Run, value: Any) -> Any:
        run.loop, run.task = asyncio.get_running_loop(), asyncio.current_task()
        if run.cancelled and run.task is not None:
            run.task.cancel()
        return await value

    def result(self, value: Any) -> Event:
        return {
            "type": "task_result",
            "result_pickle": base64.b64encode(cloudpickle.dumps(value)).decode(),
        }

    def error(self, exc: BaseException) -> Event:
        error = {
            "kind": type(exc).__name__,
            "message": self.message(exc),
            "traceback": "",
            "retryable": False,
            "source": "task",
        }
        return {"type": "task_error", "error": error}

    def message(self, exc: BaseException) -> str:
        try:
            return str(exc)
        except BaseException:
            return ""

    # Cancelling

    def cancel(self, frame: Frame) -> list[Event]:
        run = self.runs.get(frame["run_id"])
        if run is None:
            return []
        self.stop(run)
        if frame["delivery_cancel_mode"] == "require_ack":
            return self.acknowledge(run)
        run.settle({"type": "task_cancelled"})
        return []

    def stop(self, run: Run) -> None:
        run.cancelled = True
        with contextlib.suppress(AttributeError, RuntimeError):
            run.loop.call_soon_threadsafe(run.task.cancel)  # type: ignore[union-attr]

    def acknowledge(self, run: Run) -> list[Event]:
        if run.ended.wait(self.grace) and run.outcome["type"] == "task_cancelled":
            return [{"type": "task_cancelled", **self.ids(run.frame)}]
        return []


def hang_up(handler: Handler) -> None:
    """Close the connection of ``handler`` without an answer."""
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
