"""The core of a Wove worker service. Copy it and the worker_*.py file of your web framework."""

import asyncio
import base64
import contextlib
import inspect
import json
import math
import threading
import time
import traceback
from collections import OrderedDict

import cloudpickle
from wove.security import NetworkExecutorSecurity

MAX_BODY = 64 * 2**20  # bytes
GRACE = 1.0  # seconds that a require_ack cancel waits for the task to end
SECURITY = NetworkExecutorSecurity.from_config(  # Wove's own nonce memory slows down as it fills
    {"type": "signed", "secret_env": "WOVE_WORKER_SECRET", "remember_nonces": False}
)
NONCES = OrderedDict()  # nonce -> when it may be forgotten, the oldest first
RUNS = {}  # run_id -> Run
LOCK = threading.Lock()
CANCELLED = {"type": "task_cancelled"}
UNSAFE = (TimeoutError, asyncio.TimeoutError, StopIteration)  # they would cancel the weave


def verify(headers, target, body):
    """Raise PermissionError unless the request is signed, fresh and new. Call it before handle."""
    fields = {name.lower(): value for name, value in headers}
    if not all(value.isascii() for name, value in fields.items() if name.startswith("x-wove-")):
        raise PermissionError("credentials are ASCII")  # verify_headers would raise TypeError
    SECURITY.verify_headers(headers=fields, transport="http", target=target, body=body)
    if not math.isfinite(float(fields["x-wove-timestamp"])):
        raise PermissionError("the timestamp is not finite")  # verify_headers lets nan pass
    now, nonce = time.time(), fields["x-wove-nonce"]
    with LOCK:
        while NONCES and next(iter(NONCES.values())) < now:
            NONCES.popitem(last=False)
        if nonce in NONCES:
            raise PermissionError("replayed")
        NONCES[nonce] = now + 2 * SECURITY.clock_skew_seconds


def handle(body):
    """Return the HTTP status and the JSON document that answer a verified body."""
    try:
        frame = json.loads(body)
        kind, ids = frame["type"], {"run_id": frame["run_id"], "task_id": frame.get("task_id")}
        if kind not in ("run_task", "cancel_task") or not isinstance(frame["run_id"], str):
            raise ValueError(f"unknown command {kind!r}, or a run_id that is not text")
        if kind == "run_task":
            function = base64.b64decode(frame["callable_pickle"], validate=True)
            args = base64.b64decode(frame["args_pickle"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        return 400, {"error": f"not a command frame: {type(exc).__name__}: {exc}"}
    if kind == "run_task":
        run = RUNS[ids["run_id"]] = Run()  # before it starts, or a quick cancel would miss it
        threading.Thread(target=run.work, args=(function, args), daemon=True).start()
        run.settled.wait()
        RUNS.pop(ids["run_id"], None)
        events = [{"type": "task_started"}, run.outcome]
    else:
        run, mode = RUNS.get(ids["run_id"]), frame.get("delivery_cancel_mode")
        events = run.cancel(mode == "require_ack") if run is not None else []
    return 200, {"events": [{**event, **ids} for event in events]}


class Run:
    """A task on its own thread: settled when it has an outcome, ended when its body has ended."""

    def __init__(self):
        self.settled, self.ended = threading.Event(), threading.Event()
        self.outcome = self.loop = self.task = self.cancelled = None

    def work(self, function, args):
        try:
            function, args = cloudpickle.loads(function), cloudpickle.loads(args)
            value = None if self.cancelled else function(**args)  # cancelled while it was loaded
            value = asyncio.run(self.drive(value)) if inspect.isawaitable(value) else value
            payload = base64.b64encode(cloudpickle.dumps(value)).decode()
            event = {"type": "task_result", "result_pickle": payload}
        except BaseException as exc:  # SystemExit ends the task, not the service
            event = error_event(exc)
        self.settle(CANCELLED if self.cancelled else event)
        self.ended.set()

    async def drive(self, awaitable):
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()
        if self.cancelled:
            self.task.cancel()
        return await awaitable

    def settle(self, event):
        with LOCK:  # the first outcome counts
            self.outcome = self.outcome or event
        self.settled.set()

    def cancel(self, require_ack):
        self.cancelled = True
        with contextlib.suppress(AttributeError, RuntimeError):  # a sync body cannot be stopped
            self.loop.call_soon_threadsafe(self.task.cancel)
        if require_ack:
            return [CANCELLED] if self.ended.wait(GRACE) and self.outcome is CANCELLED else []
        self.settle(CANCELLED)  # a body that keeps running is abandoned
        return []


def error_event(exc):
    """Return a task_error, with the exception itself only if a client can unpickle and raise it."""
    shown = traceback.TracebackException.from_exception(exc)  # survives a __str__ that raises
    text = {"message": str(shown), "traceback": "".join(shown.format())}
    error = {"kind": type(exc).__name__, **text, "retryable": False, "source": "task"}
    event = {"type": "task_error", "error": error}
    with contextlib.suppress(BaseException):  # an exception that cannot be pickled is left out
        payload = cloudpickle.dumps(exc)
        if isinstance(it := cloudpickle.loads(payload), Exception) and not isinstance(it, UNSAFE):
            event["exception_pickle"] = base64.b64encode(payload).decode()
    return event
