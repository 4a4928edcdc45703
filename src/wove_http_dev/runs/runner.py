"""Runs task bodies in daemon threads: loads them from pickles, returns an outcome, and can cancel
them."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import pickle
import threading
import time
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any

from wove_http_dev.exception_text import message_of
from wove_http_dev.protocol.dynamic_code import load_with_sources
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.outcome import CANCELLED, Outcome, error_outcome
from wove_http_dev.runs.stack import stack_of_task, stack_of_thread
from wove_http_dev.runs.threads import start_thread

IDLE_THREADS = 32
"""Idle threads that are kept. Wove's executor has at most 32 requests in flight."""


class Execution:
    """One execution of a task's body.

    The event ``settled`` is set when the outcome is known; the event ``ended`` is set when the body
    has ended, which is later than that if the body was abandoned.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.settled = threading.Event()
        self.ended = threading.Event()
        self.outcome: Outcome | None = None
        self.cancel_requested = False
        self.abandoned = False
        self._begun = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._thread: int | None = None
        self._on_cancel: list[Callable[[], None]] = []

    def begin(self) -> bool:
        """Mark the body as begun, unless the execution was cancelled before. Returns whether the
        body may start."""
        with self._lock:
            self._begun = self.outcome is None and not self.cancel_requested
            self._thread = threading.get_ident()
            return self._begun

    def settle(self, outcome: Outcome) -> bool:
        """Set the outcome if there is none yet. Returns whether it was set."""
        with self._lock:
            if self.outcome is not None:
                return False
            self.outcome = outcome
        self.settled.set()
        return True

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """Block until there is an outcome and return it; ``None`` if there is none after
        ``timeout`` seconds."""
        self.settled.wait(timeout)
        return self.outcome

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the execution is cancelled, or now if it already was."""
        with self._lock:
            if not self.cancel_requested:
                self._on_cancel.append(callback)
                return
        callback()

    def cancel(self, *, wait_for_end: bool, outcome: Outcome = CANCELLED) -> None:
        """Cancel the execution. This interrupts an async body; a sync body cannot be interrupted.

        Unless ``wait_for_end``, ``outcome`` is set at once and a body that still runs is abandoned:
        its own outcome is dropped.
        """
        with self._lock:
            if self.outcome is not None and self.ended.is_set():
                return
            self.cancel_requested = True
            callbacks, self._on_cancel = self._on_cancel, []
            loop, task, begun = self._loop, self._task, self._begun
        if not wait_for_end or not begun:
            self.abandon(outcome)
        if not begun:
            self.ended.set()
        for callback in callbacks:
            callback()
        if loop is not None and task is not None:
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # the loop has closed: the body has ended
                return

    def stack(self) -> str:
        """Return where the body is at this moment, as the lines of a traceback; empty if it does
        not run."""
        with self._lock:
            task, thread = self._task, self._thread
        if thread is None or self.ended.is_set():
            return ""
        return (task and stack_of_task(task)) or stack_of_thread(thread)

    def abandon(self, outcome: Outcome) -> None:
        """Set ``outcome`` now, even if the body still runs; the body's own outcome is then
        dropped."""
        if self.settle(outcome) and self._begun and not self.ended.is_set():
            self.abandoned = True

    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run ``coroutine`` on a new event loop in this thread and return its result.
        :meth:`cancel` interrupts it."""

        async def main() -> Any:
            with self._lock:
                self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
                if self.cancel_requested and self._task is not None:
                    self._task.cancel()
            try:
                return await coroutine
            except BaseException as exc:
                failures.append(exc)
            finally:
                with self._lock:
                    self._loop = self._task = None

        # Not raised through asyncio.run(), whose frame and task would then keep each other, and
        # with them the task's variables, until the next garbage collection.
        failures: list[BaseException] = []
        value = asyncio.run(main())
        if failures:
            raise failures.pop()
        return value


def run_body(
    execution: Execution,
    callable_pickle: bytes,
    args_pickle: bytes,
    *,
    tracebacks: bool = True,
    display: RunDisplay | None = None,
) -> Outcome:
    """Load the callable and its arguments, call it, and return its pickled result as an outcome.
    Any failure becomes an error outcome; with ``tracebacks`` the exception of a task travels with
    its traceback (see :func:`~wove_http_dev.runs.outcome.error_outcome`). ``display`` makes the
    texts of arguments and result."""
    loaded = _load(callable_pickle, args_pickle)
    if isinstance(loaded, Outcome):
        return loaded
    if display is not None:
        display.show_arguments(loaded[1])
    context = contextvars.Context() if display is None else display.context()
    try:
        value = context.run(_call, execution, *loaded)
    except asyncio.CancelledError as exc:
        if execution.cancel_requested:
            return CANCELLED
        return error_outcome(exc, source="task")
    except BaseException as exc:  # SystemExit and KeyboardInterrupt end the task only
        return error_outcome(exc, source="task", tracebacks=tracebacks)
    try:
        payload = _result_pickle(value)
    except BaseException as exc:
        what = (
            f"the task's result, a {type(value).__qualname__}, cannot be pickled: {message_of(exc)}"
            "; return data, and keep locks, files and connections inside the task"
        )
        return error_outcome(exc, source="worker", message=what)
    text = display.result(value) if display is not None else None
    return Outcome("result", payload, result_text=text)


def _load(
    callable_pickle: bytes, args_pickle: bytes
) -> tuple[Callable[..., Any], dict[str, Any]] | Outcome:
    """Return the callable and its arguments, or the error outcome of payloads that cannot be
    used."""
    try:
        function = load_with_sources(callable_pickle)
    except BaseException as exc:  # a pickle may raise anything, SystemExit included
        return _unloadable("callable", exc)
    try:
        arguments = load_with_sources(args_pickle)
    except BaseException as exc:
        return _unloadable("arguments", exc)
    try:
        if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
            raise TypeError(
                f"args_pickle must hold a dict of names, not {type(arguments).__name__}"
            )
        if not callable(function):
            raise TypeError(f"callable_pickle holds a {type(function).__name__}, not a callable")
    except TypeError as exc:
        return error_outcome(exc, source="worker", message=str(exc))
    return function, arguments


def _call(execution: Execution, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    value = function(**arguments)
    if inspect.isawaitable(value):
        return execution.drive(_awaiting(value))
    return value


async def _awaiting(value: Any) -> Any:
    return await value


# cloudpickle and pickle write the same for these; pickle does it forty times faster.
_PLAIN = (type(None), bool, int, float, str, bytes)


def _result_pickle(value: Any) -> bytes:
    if type(value) in _PLAIN:
        return pickle.dumps(value, protocol=pickle.DEFAULT_PROTOCOL)
    return dumps(value)


def _unloadable(what: str, exc: BaseException) -> Outcome:
    message = (
        f"the {what} could not be loaded on the worker: {type(exc).__name__}: {message_of(exc)}"
    )
    if isinstance(exc, (ImportError, AttributeError)):
        message += (
            " (cloudpickle sends what an importable module defines by name only, so the worker must"
            " be able to import it too: give an isolated worker the module's directory with"
            " app_dir=, and serve with --app-dir)"
        )
    return error_outcome(exc, source="worker", message=message)


Job = Callable[[], None]


class Runner:
    """An unlimited pool of daemon threads that keeps up to :data:`IDLE_THREADS` idle ones."""

    def __init__(self, name: str = "wove-http-dev") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Job | None]] = []
        self._threads: set[threading.Thread] = set()
        self._executions: dict[Execution, None] = {}
        self._count = 0
        self._open = True

    def start(self, execution: Execution, body: Callable[[], Outcome]) -> None:
        """Run ``body`` in a thread, and settle ``execution`` with its outcome."""

        def job() -> None:
            process = os.getpid()
            try:
                try:
                    outcome = body()
                finally:
                    if os.getpid() != process:  # the body forked: this is its child, no worker
                        os._exit(0)
                execution.settle(CANCELLED if execution.cancel_requested else outcome)
            except BaseException as exc:  # a bug of the service: the client gets an error for it
                execution.settle(error_outcome(exc, source="worker"))
            finally:
                execution.ended.set()
                with self._lock:
                    self._executions.pop(execution, None)

        with self._lock:
            mailbox = self._idle.pop() if self._idle else None
            if mailbox is None:
                mailbox = SimpleQueue()
                self._count += 1
                name = f"{self._name}-run-{self._count}"
                # It waits for a job before it needs the lock, so that it can be entered after it
                # has started: a thread that does not start is not entered at all.
                self._threads.add(start_thread(self._work, mailbox, name=name))
            self._executions[execution] = None
        mailbox.put(job)

    def _work(self, mailbox: SimpleQueue[Job | None]) -> None:
        try:
            while True:
                job = mailbox.get()
                if job is None:
                    return
                job()
                del job
                with self._lock:
                    if not self._open or len(self._idle) >= IDLE_THREADS:
                        return
                    self._idle.append(mailbox)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    @property
    def executions(self) -> list[Execution]:
        """The executions whose body has not ended, including those that were abandoned."""
        with self._lock:
            return list(self._executions)

    def stop(self, timeout: float) -> list[str]:
        """Cancel every execution and wait at most ``timeout`` seconds for the bodies to end.
        Returns the names of those that still run; their threads end when the bodies end."""
        for execution in self.executions:
            execution.cancel(wait_for_end=False)
        with self._lock:
            self._open = False
            while self._idle:
                self._idle[-1].put(None)
                self._idle.pop()  # after it was told: a stop that Ctrl-C interrupts is repeated
            threads = list(self._threads)
        deadline = time.monotonic() + timeout
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return [execution.name for execution in self.executions]

    def reopen(self) -> None:
        """Accept bodies again after :meth:`stop`."""
        with self._lock:
            self._open = True
