"""What a process of ``runner="processes"`` does: runs the bodies that the service sends, one after
the other, and ends with the service.

It is started by ``start_child``, so it never imports the ``__main__`` of the user's program.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NoReturn

from wove_http_dev.forks import ForkedChildExits
from wove_http_dev.runners.process_messages import Message, MessageSocket, outcome_message
from wove_http_dev.runners.remote_body import RemoteBody, run_with_reporter

EXIT_GRACE = 5.0
"""Seconds that exit handlers and threads of tasks get when the service needs this process no more,
but goes on. (One that stops waits for less.)"""


class _Service:
    """The service, as its process sees it. Implements ``remote_body.Reporter``."""

    def __init__(self, connection: MessageSocket, find_changes: bytes | None) -> None:
        self._connection = connection
        self._find_changes_pickle = find_changes
        self._find_changes: Callable[[], dict[str, Any]] | None = None
        self._lock = threading.Lock()
        self._bodies: SimpleQueue[Message | None] = SimpleQueue()
        self._running = False
        self._closed = False

    def write(self, stream: str, data: bytes) -> None:
        self._connection.send(Message("written", {"stream": stream}, (data,)))

    def arguments(self, text: str) -> None:
        self._connection.send(Message("arguments", {"text": text}))

    def read(self) -> None:
        """Read what the service sends, in a thread of its own: so the end of the service is
        noticed while a body runs. Then the body is killed, with the processes that it has
        started."""
        try:
            while (message := self._connection.read()) is not None:
                self._bodies.put(message)
        except BaseException as exc:  # no memory: an earlier task has set a limit, or leaked
            _give_up(f"could not read what the worker sent: {exc!r}")
        with self._lock:
            self._closed = True
            if self._running:
                os.killpg(0, signal.SIGKILL)
        self._bodies.put(None)

    def run_bodies(self) -> None:
        """Run the bodies that the service sends, until it closes the connection."""
        threading.Thread(target=self.read, name="wove-http-dev-service", daemon=True).start()
        while (message := self._bodies.get()) is not None:
            with self._lock:
                if self._closed:
                    return
                self._running = True
            answer = self._run(message)
            with self._lock:  # first, as the service may close the connection when it has this
                self._running = False
            self._connection.send(answer)

    def _changes(self) -> dict[str, Any]:
        if self._find_changes_pickle is None:
            return {}
        if self._find_changes is None:  # not earlier: it may be of a module of the service's path
            self._find_changes = pickle.loads(self._find_changes_pickle)
        return self._find_changes()

    def _run(self, message: Message) -> Message:
        function, arguments = message.blobs
        assert function is not None
        assert arguments is not None
        values = message.values
        if values["path"] is not None:
            sys.path[:] = values["path"]
        if changes := self._changes():
            return Message("changed", changes)
        body = RemoteBody(function, arguments, values["tracebacks"], values["texts"])
        self._connection.send(Message("began"))
        with ForkedChildExits():
            return outcome_message(run_with_reporter(body, self, only_body=True))


def kill_when_closed(descriptor: int) -> None:
    """Let the kernel kill this process, and those that it has started, when the other end of the
    socket ``descriptor`` is closed. Only Linux can (fcntl(2), F_SETSIG); elsewhere, a body that
    keeps the interpreter busy in C code outlives a service that is killed until that code
    returns."""
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)


def _not_kill_when_closed(descriptor: int) -> None:
    """Undo :func:`kill_when_closed`: what a task has started may outlive a service that was
    stopped."""
    if sys.platform == "linux":
        import fcntl

        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_ASYNC)


def main(descriptor: int) -> None:
    """Run bodies for the service at the other end of the socket ``descriptor``, until it closes
    it."""
    # A handler, because what a task starts would inherit SIG_IGN. The terminal's Ctrl-C does not
    # come here, as this process has a session of its own.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    connection = MessageSocket(sock)
    hello = connection.read()
    if hello is None:
        _exit()
    lifeline = int(hello.values["lifeline"])
    os.set_inheritable(lifeline, False)
    kill_when_closed(lifeline)
    del sys.argv[1:]
    try:
        connection.send(Message("ready"))
        _Service(connection, hello.blobs[0]).run_bodies()
        connection.close()
    except ConnectionError:
        pass  # the service has ended
    except OSError as exc:  # at once: the service waits for the end, not for threads of the task
        _give_up(f"cannot answer the worker, because a task has closed the connection: {exc}")
    with suppress(OSError):  # a task has closed it
        _not_kill_when_closed(lifeline)
    timer = threading.Timer(EXIT_GRACE, _exit)
    timer.daemon = True
    timer.start()


def _give_up(reason: str) -> NoReturn:
    """End the process, as the worker has to start another one."""
    with suppress(OSError):
        os.write(2, f"wove-http-dev: process {os.getpid()} for tasks {reason}\n".encode())
    os._exit(1)


def _exit() -> NoReturn:
    os._exit(0)
