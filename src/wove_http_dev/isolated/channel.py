"""Two processes that ask each other things: JSON lines over a connected socket.

A notification is handled in order, on the reader's thread; a request on a thread of its own, for
it may block. It knows no worker.
"""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from wove_http_dev.errors import NotRunningError, UsageError

Handler = Callable[[Any], Any]


class Channel:
    """One end. ``requests`` and ``notifications`` are what the other end may say, by name;
    ``on_close`` is called once, on the reader's thread, when the other end is gone."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        requests: Mapping[str, Handler],
        notifications: Mapping[str, Handler],
        on_close: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._requests = requests
        self._notifications = notifications
        self._on_close = on_close
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[threading.Event, list[Any]]] = {}
        self._open = True
        self._reader = threading.Thread(
            target=self._read, name="wove-http-dev-control", daemon=True
        )

    def start(self) -> Channel:
        """Begin to listen."""
        self._reader.start()
        return self

    def notify(self, name: str, data: Any) -> None:
        """Say something; lost if the other end is gone."""
        with suppress(OSError):
            self._send({"name": name, "data": data})

    def request(self, name: str, data: Any = None, timeout: float | None = None) -> Any:
        """Ask, and wait for the answer. Raises :class:`NotRunningError` if the other end is gone
        or silent for ``timeout`` seconds, :class:`UsageError` with what it refused."""
        number = next(self._numbers)
        event, answer = threading.Event(), []  # type: tuple[threading.Event, list[Any]]
        with self._lock:
            if not self._open:
                raise NotRunningError("the isolated worker is gone")
            self._waiting[number] = (event, answer)
        try:
            self._send({"name": name, "data": data, "ask": number})
            if not event.wait(timeout):
                raise NotRunningError(f"the isolated worker did not answer {name!r} in {timeout} s")
        except OSError as exc:
            raise NotRunningError("the isolated worker is gone") from exc
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        if not answer:
            raise NotRunningError("the isolated worker is gone")
        message = answer[0]
        if "refused" in message:
            raise UsageError(message["refused"])
        return message["data"]

    def _send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._sending:
            self._sock.sendall(line)

    def _read(self) -> None:
        with suppress(OSError), self._sock.makefile("rb") as lines:
            for line in lines:
                self._handle(json.loads(line))
        with self._lock:
            self._open = False
            waiting = list(self._waiting.values())
        for event, _ in waiting:
            event.set()
        self._on_close()

    def _handle(self, message: dict[str, Any]) -> None:
        if "to" in message:
            with self._lock:
                entry = self._waiting.get(message["to"])
            if entry is not None:
                entry[1].append(message)
                entry[0].set()
        elif "ask" in message:
            threading.Thread(
                target=self._answer, args=(message,), name="wove-http-dev-control-ask", daemon=True
            ).start()
        else:
            self._notifications[message["name"]](message["data"])

    def _answer(self, message: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"to": message["ask"]}
        try:
            reply["data"] = self._requests[message["name"]](message["data"])
        except Exception as exc:  # the asker is told, whatever it was
            reply["refused"] = str(exc) or type(exc).__name__
        with suppress(OSError):
            self._send(reply)

    def close(self) -> None:
        """End it from this side, and wait for the reader."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader and self._reader.ident is not None:
            self._reader.join(2.0)
        self._sock.close()
