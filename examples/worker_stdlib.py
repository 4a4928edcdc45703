"""A Wove worker service on the standard library alone. Copy it, and keep it green:

WOVE_WORKER_SECRET=… python examples/worker_stdlib.py --port 8080 [--cert FILE --key FILE]
"""

import argparse
import asyncio
import base64
import inspect
import json
import math
import ssl
import threading
import time
import traceback
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cloudpickle
from wove.security import NetworkExecutorSecurity

# --- verify, run, cancel: the same lines in every worker_*.py ---
SKEW, GRACE, RUNS, NONCES, LOCK = 300.0, 1.0, {}, OrderedDict(), threading.Lock()
SECURITY = NetworkExecutorSecurity.from_config(  # its own memory of nonces costs more and more
    {"type": "signed", "secret_env": "WOVE_WORKER_SECRET", "remember_nonces": False}
)


def verify(headers, target, body):
    """Raise PermissionError unless the request is signed, fresh and new. Call it before decoding."""
    fields = {name.lower(): value for name, value in headers}
    if not all(value.isascii() for name, value in fields.items() if name.startswith("x-wove-")):
        raise PermissionError("credentials are ASCII")  # verify_headers would raise TypeError
    SECURITY.verify_headers(headers=fields, transport="http", target=target, body=body)
    if not math.isfinite(float(fields["x-wove-timestamp"])):
        raise PermissionError("the timestamp is not finite")  # verify_headers lets nan pass
    with LOCK:
        while NONCES and next(iter(NONCES.values())) < time.time():
            NONCES.popitem(last=False)
        if NONCES.setdefault(fields["x-wove-nonce"], until := time.time() + 2 * SKEW) != until:
            raise PermissionError("replayed")


def error(exc):
    try:
        message = str(exc)
    except BaseException as second:
        message = f"{type(exc).__name__}, whose __str__ raised {type(second).__name__}"
    trace = "".join(traceback.format_tb(exc.__traceback__))
    fields = {"kind": type(exc).__name__, "message": message, "traceback": trace}
    event = {"type": "task_error", "error": {**fields, "retryable": False, "source": "task"}}
    try:  # the exception itself only if it can be raised over there
        payload = cloudpickle.dumps(exc)
        safe = isinstance(exc, Exception) and str(cloudpickle.loads(payload)) == message
        if safe and not isinstance(exc, (TimeoutError, asyncio.TimeoutError, StopIteration)):
            event["exception_pickle"] = base64.b64encode(payload).decode()
    except BaseException:
        pass
    return event


class Run:
    def __init__(self, function, args):
        self.function, self.args, self.outcome = function, args, None
        self.settled, self.ended, self.cancelled = threading.Event(), threading.Event(), False
        self.loop = self.task = None
        threading.Thread(target=self.work, daemon=True).start()

    def settle(self, event):
        with LOCK:  # the first outcome stands
            self.outcome = self.outcome or event
        self.settled.set()

    def work(self):
        try:
            value = cloudpickle.loads(self.function)(**cloudpickle.loads(self.args))
            value = asyncio.run(self.drive(value)) if inspect.isawaitable(value) else value
            payload = base64.b64encode(cloudpickle.dumps(value)).decode()
            event = {"type": "task_result", "result_pickle": payload}
        except BaseException as exc:  # SystemExit ends the task, not the service
            event = error(exc)
        self.ended.set()
        self.settle({"type": "task_cancelled"} if self.cancelled else event)

    async def drive(self, awaitable):
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
        if self.cancelled:
            self.task.cancel()
        return await awaitable

    def cancel(self, wait):
        self.cancelled = True
        try:
            self.loop.call_soon_threadsafe(self.task.cancel)
        except (AttributeError, RuntimeError):
            pass  # a sync body cannot be stopped; a closed loop has ended
        if not wait:
            self.settle({"type": "task_cancelled"})  # the body is abandoned
        return [{"type": "task_cancelled"}] if wait and self.ended.wait(GRACE) else []


def handle(body):
    """The HTTP status and the JSON document that answer a verified body."""
    try:
        frame = json.loads(body)
        kind, ids = frame["type"], {"run_id": frame["run_id"], "task_id": frame.get("task_id")}
        if kind not in ("run_task", "cancel_task") or not isinstance(ids["run_id"], str):
            raise ValueError(f"unknown command {kind!r}, or a run_id that is no text")
        if kind == "run_task":
            names = ("callable_pickle", "args_pickle")
            payloads = [base64.b64decode(frame[name], validate=True) for name in names]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        return 400, {"error": f"not a command frame: {type(exc).__name__}: {exc}"}
    if kind == "cancel_task":
        run = RUNS.get(ids["run_id"])
        mode = frame.get("delivery_cancel_mode")
        events = run.cancel(wait=mode == "require_ack") if run is not None else []
    else:
        run = RUNS[ids["run_id"]] = Run(*payloads)
        run.settled.wait()
        RUNS.pop(ids["run_id"], None)
        events = [{"type": "task_started"}, run.outcome]
    return 200, {"events": [{**event, **ids} for event in events]}


# --- until here ---
class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize, timeout = "HTTP/1.1", -1, 60

    def do_POST(self):
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > 64 * 2**20:
            self.close_connection = True
            return self.answer(413 if size.isdecimal() else 411, {"error": "length"})
        body, target = self.rfile.read(int(size)), self.requestline.split()[1]  # as it was signed
        try:
            verify(self.headers.items(), target, body)
        except PermissionError as exc:
            return self.answer(401, {"error": str(exc)})
        if target.partition("?")[0] != "/wove/tasks":
            return self.answer(404, {"error": "tasks are at /wove/tasks"})
        self.answer(*handle(body))

    def answer(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    if options.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)
        server.socket = context.wrap_socket(  # the handshake in the connection's own thread
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    server.serve_forever()
