"""Requests and notifications between two processes: JSON lines over a connected socket.

Notifications are handled in the order in which they were sent, on the reader's thread. Each request
is handled in a new thread, because it may block. A request with the name of a notification is
handled like the notification, on the reader's thread: its response says that the other end has
handled it and every notification before it.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from wove_http_dev.descriptors import close_sockets
from wove_http_dev.errors import NotRunningError, UsageError
from wove_http_dev.exception_text import message_of
from wove_http_dev.forks import close_in_forks
from wove_http_dev.printable import print_traceback

MessageHandler = Callable[[Any], Any]
"""Gets the data of a message, and returns the data of its response."""
CLOSE_TIMEOUT = 2.0
"""Seconds that :meth:`Channel.close` waits for the reader's thread."""


class ChannelClosedError(NotRunningError):
    """The other end of the channel has closed."""

    def __init__(self) -> None:
        super().__init__("the process of the isolated worker has ended")


class Channel:
    """One end of a channel between two processes.

    ``requests`` and ``notifications`` map the names of the messages from the other end to their
    handlers; ``on_close`` is called once, on the reader's thread, when the other end has closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        requests: Mapping[str, MessageHandler],
        notifications: Mapping[str, MessageHandler],
        on_close: Callable[[], None],
    ) -> None:
        sock.settimeout(None)  # it may have that of socket.setdefaulttimeout()
        self._sock = close_in_forks(sock)
        self._requests = requests
        self._notifications = notifications
        self._on_close = on_close
        self._numbers = itertools.count(1)
        self._send_lock = threading.Lock()
        self._held = b""
        """Notifications that go with the next message."""
        self._lock = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._open = True
        self._reader = threading.Thread(
            target=self._read, name="wove-http-dev-control", daemon=True
        )

    def start(self) -> Channel:
        """Start the reader's thread."""
        self._reader.start()
        return self

    def notify(self, name: str, data: Any, *, hold: bool = False) -> None:
        """Send a notification; it is lost if the other end has closed. With ``hold``, send it with
        the next message, which must follow soon."""
        with suppress(OSError):
            self._send({"name": name, "data": data}, hold=hold)

    def request(self, name: str, data: Any = None, timeout: float | None = None) -> Any:
        """Send a request, wait for its response, and return what the other end's handler returned.

        Raises :class:`ChannelClosedError` if the other end closes, :class:`NotRunningError` if it
        does not respond within ``timeout`` seconds, and :class:`UsageError` with the message of an
        exception that the handler raised.
        """
        __tracebackhide__ = True  # pytest --showlocals would show the secrets in ``data``
        number, pending = next(self._numbers), _Pending()
        with self._lock:
            if not self._open:
                raise ChannelClosedError
            self._pending[number] = pending
        try:
            if not self._send({"name": name, "data": data, "request": number}, timeout):
                raise NotRunningError(
                    f"the isolated worker did not read {name!r} within {timeout} s"
                )
            if not pending.settled.wait(timeout):
                raise NotRunningError(
                    f"the isolated worker did not respond to {name!r} within {timeout} s"
                )
        except OSError as exc:
            raise ChannelClosedError from exc
        finally:
            with self._lock:
                self._pending.pop(number, None)
        if pending.response is None:
            raise ChannelClosedError
        if "error" in pending.response:
            raise UsageError(pending.response["error"])
        return pending.response["data"]

    def _send(
        self, message: dict[str, Any], timeout: float | None = None, *, hold: bool = False
    ) -> bool:
        """Send ``message``. Returns whether the other end could take it within ``timeout`` seconds:
        it does not while it is stopped (SIGSTOP) and another thread sends it a large message."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if not self._send_lock.acquire(timeout=-1 if timeout is None else timeout):
            return False
        try:
            if timeout is not None and not self._is_writable(timeout):
                return False
            line, self._held = self._held + line, b""
            if hold:
                self._held = line
            else:
                self._sock.sendall(line)
            return True
        finally:
            self._send_lock.release()

    def _is_writable(self, timeout: float) -> bool:
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        return bool(poll.poll(timeout * 1000))

    def _read(self) -> None:
        try:
            with self._sock.makefile("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):  # the other end was killed while it sent this
                        break
                    self._handle_safely(line)
        except (OSError, ValueError):  # ValueError: close() closed the socket meanwhile
            pass
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._open = False
            waiting = list(self._pending.values())
        for pending in waiting:
            pending.settled.set()
        self._on_close()

    def _handle_safely(self, line: bytes) -> None:
        try:
            self._handle(json.loads(line))
        except BaseException:  # a handler's bug must not hide what comes after it
            print_traceback()

    def _handle(self, message: dict[str, Any]) -> None:
        if "response_to" in message:
            with self._lock:
                pending = self._pending.get(message["response_to"])
            if pending is not None:
                pending.response = message
                pending.settled.set()
        elif "request" not in message:
            self._notifications[message["name"]](message["data"])
        elif message["name"] in self._notifications:
            self._respond(message, self._notifications)
        else:
            threading.Thread(
                target=self._respond,
                args=(message, self._requests),
                name="wove-http-dev-control-request",
                daemon=True,
            ).start()

    def _respond(self, message: dict[str, Any], handlers: Mapping[str, MessageHandler]) -> None:
        response: dict[str, Any] = {"response_to": message["request"]}
        try:
            response["data"] = handlers[message["name"]](message["data"])
        except Exception as exc:  # the other end raises it
            response["error"] = message_of(exc) or type(exc).__name__
        with suppress(OSError):
            self._send(response)

    def close(self) -> None:
        """Close this end. Waits at most :data:`CLOSE_TIMEOUT` s for the reader's thread."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader and self._reader.ident is not None:
            self._reader.join(CLOSE_TIMEOUT)
        close_sockets(self._sock)


class _Pending:
    """A request that was sent and waits for its response."""

    def __init__(self) -> None:
        self.settled = threading.Event()
        self.response: dict[str, Any] | None = None
