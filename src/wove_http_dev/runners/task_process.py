"""``TaskProcess``: the service's handle of a process that runs bodies, one at a time."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from wove_http_dev import start_child
from wove_http_dev.errors import CannotServeError
from wove_http_dev.forks import close_in_forks
from wove_http_dev.runners.process_messages import Message, MessageSocket, outcome_from_message
from wove_http_dev.runners.remote_body import redacted_outcome
from wove_http_dev.runners.remote_output import OutputPiece, show_pieces
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome, failure
from wove_http_dev.runs.threads import start_thread

_PROGRAM = "wove_http_dev.runners.task_child"
START_LIMIT = 120.0
"""Seconds after which a process that is not ready is taken for one that hangs. A start takes 0.3 s;
many at once on a busy machine take longer."""

FindChanges = Callable[[], dict[str, Any]]
"""Returns, as JSON, which changes require that the process is replaced; an empty dict if there are
none."""


class TaskProcess:
    """A process that runs bodies. :meth:`start` starts it, once: after a body ended it or a cancel
    killed it, another ``TaskProcess`` takes its place."""

    def __init__(
        self,
        generation: int,
        on_exit: Callable[[TaskProcess], None],
        find_changes: FindChanges | None = None,
    ) -> None:
        self.generation = generation
        """How often the runner had replaced all its processes when this one was made."""
        self.changes: dict[str, Any] = {}
        """What ``find_changes``, which the process calls before each body, has returned. If that is
        anything, the body did not begin, and the process is not used again."""
        self._find_changes = find_changes
        self.bodies_run = 0
        """How many bodies it was given."""
        self._on_exit = on_exit
        self._lock = threading.Lock()
        self._execution: Execution | None = None
        self._reading = False
        """Whether a thread reads from the connection."""
        self._closed = False
        self._parent = os.getpid()
        self._popen: subprocess.Popen[bytes] | None = None
        self._retired = False
        self._path: list[str] | None = None
        self._exited = threading.Event()
        self._opened: list[socket.socket] = []
        self._watcher: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._popen is not None
        return self._popen.pid

    @property
    def usable(self) -> bool:
        """Whether it can run another body, as far as is known."""
        return not self._retired and not self._exited.is_set()

    @property
    def was_killed(self) -> bool:
        """Whether it has ended by SIGKILL."""
        return self._popen is not None and self._popen.returncode == -signal.SIGKILL

    def start(self) -> None:
        """Start the process, and return before it is ready. Raises ``OSError`` if the system has
        no process or descriptor to give."""
        with self._lock:
            if self._retired:
                return
            try:
                self._start()
            except BaseException:
                self._retired = True
                if self._popen is not None:
                    self._popen.kill()
                    self._popen.wait()
                self._exited.set()
                self._close()
                raise

    def _start(self) -> None:
        # Kept before anything else is called: Ctrl-C may come at any call.
        self._opened += socket.socketpair()
        self._opened += socket.socketpair()
        own, others, _, lifeline = self._opened
        for each in self._opened:
            close_in_forks(each)
        self._connection = MessageSocket(own)
        self._others_end = others
        self._popen = subprocess.Popen(
            [
                sys.executable,
                *_interpreter_flags(),
                *start_child.arguments(_PROGRAM, others.fileno()),
            ],
            pass_fds=[others.fileno(), lifeline.fileno()],
            stdin=subprocess.DEVNULL,
            # A process group of its own, for cancels; and Ctrl-C is for the service alone.
            start_new_session=True,
        )
        find_changes = None if self._find_changes is None else pickle.dumps(self._find_changes)
        self._connection.send(Message("hello", {"lifeline": lifeline.fileno()}, (find_changes,)))
        lifeline.close()
        self._watcher = start_thread(self._watch, name="wove-http-dev-task-process")

    def wait_until_ready(self) -> None:
        """Block until the process can run a body. Raises :class:`CannotServeError` if it ends
        instead, or is not ready after :data:`START_LIMIT` seconds."""
        with self._using(None) as open_:
            if open_ and not self._connection.wait_for_first(START_LIMIT):
                raise CannotServeError(
                    f"a process for tasks was not ready after {START_LIMIT:g} seconds: something"
                    " that Python imports when it starts does not return (a sitecustomize, a .pth"
                    f" file, a file system); run {sys.executable} -v to see what"
                )
            message = self._connection.read() if open_ else None
        if message is None:
            raise CannotServeError(
                f"a process for tasks did not start: it {_in_words(self._status())}; what it"
                " printed says why"
            )

    def run(self, execution: Execution, body: Body) -> Outcome | None:
        """Run ``body``, block until it has ended, and return its outcome; ``None`` if the process
        has ended, or has :attr:`changes`, before the body began. A cancel kills the process."""
        self.bodies_run += 1
        with self._using(execution) as open_:
            return self._run(execution, body) if open_ else None

    @contextmanager
    def _using(self, execution: Execution | None) -> Iterator[bool]:
        """Keep the connection open until the block ends; yields whether it is open."""
        with self._lock:
            self._execution, self._reading = execution, True
            is_open = not self._closed
        try:
            yield is_open
        finally:
            with self._lock:
                self._execution, self._reading = None, False
                if self._exited.is_set():
                    self._close()

    def _run(self, execution: Execution, body: Body) -> Outcome | None:
        execution.where = f"in process {self.pid}"
        execution.on_cancel(lambda: self._kill_for(execution))
        began = False
        try:
            with suppress(OSError):
                self._send(body)
            while (message := self._connection.read()) is not None:
                began = began or message.kind == "began"
                if message.kind == "ended":
                    return redacted_outcome(outcome_from_message(message), body.display)
                if message.kind == "changed":
                    self._retired, self.changes = True, dict(message.values)
                    return None
                self._show(message, body)
            end = _end_of_task(self._status())
        except (KeyError, TypeError, ValueError):  # the body has written to the connection
            end = _ended("the task's process wrote to its connection with the worker")
            self._kill()
            self._exited.wait()
        except BaseException:
            self._kill()  # the next task would get what this one still answers
            raise
        finally:
            execution.where = ""
        if execution.cancel_requested:
            if not began:
                execution.uncount()
            return CANCELLED
        return end if began else None

    def _send(self, body: Body) -> None:
        path = [os.fspath(each) for each in sys.path if isinstance(each, (str, os.PathLike))]
        values = {
            "path": path if path != self._path else None,
            "tracebacks": body.tracebacks,
            "texts": body.display is not None,
        }
        self._path = path
        self._connection.send(Message("body", values, (body.callable_pickle, body.args_pickle)))

    def _show(self, message: Message, body: Body) -> None:
        if message.kind == "written":
            (data,) = message.blobs
            show_pieces(body.display, [OutputPiece(str(message.values["stream"]), data or b"")])
        elif message.kind == "arguments" and body.display is not None:
            body.display.show_arguments_text(str(message.values["text"]))

    def _status(self) -> int:
        """Wait until the process has ended, and return its status as ``subprocess`` does."""
        assert self._popen is not None
        self._exited.wait()
        return int(self._popen.returncode)

    def _kill_for(self, execution: Execution) -> None:
        with self._lock:
            if self._execution is execution:
                self._kill()

    def _kill(self) -> None:
        """Kill the process, and those that its tasks have started."""
        self._retired = True
        if self._popen is not None and not self._exited.is_set() and os.getpid() == self._parent:
            with suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, a zombie
                os.killpg(self._popen.pid, signal.SIGKILL)

    def retire(self) -> None:
        """Let the process end, for its exit handlers; kill it if it runs a body, or never did. Does
        not block."""
        with self._lock:
            if self._execution is not None or not self.bodies_run:
                self._kill()
            self._retired = True
            if self._popen is not None and not self._closed and os.getpid() == self._parent:
                self._connection.shutdown()

    def end(self, timeout: float) -> None:
        """Block until the process has ended; kill it after ``timeout`` seconds. :meth:`retire` was
        called."""
        with self._lock:
            watcher = self._watcher
        if watcher is None or os.getpid() != self._parent:
            return
        if not self._exited.wait(timeout):
            self._kill()
        watcher.join()

    def _watch(self) -> None:
        assert self._popen is not None
        self._popen.wait()
        # The reader still gets what the process sent, and then the end: a process that a task has
        # forked may have a copy of this end.
        with suppress(OSError):
            self._others_end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._exited.set()
            if not self._reading:
                self._close()
        self._on_exit(self)

    def _close(self) -> None:
        self._closed = True
        if hasattr(self, "_connection"):
            self._connection.close()
        for each in self._opened:
            each.close()


def _end_of_task(status: int) -> Outcome:
    """Return the outcome of a task whose process has ended with ``status``."""
    if status >= 0:
        return _ended(f"the task ended its process with exit status {status}")
    text = f"the task's process {_in_words(status)}"
    if status == -signal.SIGKILL:  # the task itself has no reason to
        return _ended(f"{text}: the system kills a process so when memory runs out", retryable=True)
    return _ended(text)


def _ended(message: str, *, retryable: bool = False) -> Outcome:
    return failure("TaskProcessEnded", message, source="task", retryable=retryable)


def _in_words(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by {_signal_name(-status)} ({-status})"


def _interpreter_flags() -> list[str]:
    """Return the flags with which this interpreter was started, as ``multiprocessing`` does."""
    flags: list[str] = getattr(subprocess, "_args_from_interpreter_flags")()  # noqa: B009
    return flags


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return "signal"
