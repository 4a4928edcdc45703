"""What a service and the processes of its tasks send one another over a socket pair: a JSON object
and byte strings. Nothing of it is unpickled to be read.

The service sends ``hello`` once, and ``body`` for each task; the process answers ``ready`` once,
and for each task ``began``, then any number of ``arguments`` and ``written``, and ``ended``; or
``changed``, and does not run that task.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.runs.outcome import Outcome

HEADER_LIMIT = 4 * 2**20
"""Bytes of a JSON object; messages and tracebacks of errors are limited to less."""
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class Message:
    """One message: its kind, its values, and its byte strings, which may be ``None``."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    blobs: tuple[bytes | None, ...] = field(default=(), repr=False)


class MessageSocket:
    """One end of the socket pair. Any thread may send; one reads."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(None)  # it may have that of socket.setdefaulttimeout()
        self._sock = sock
        # Reentrant: a __del__ that prints can run while a message is sent.
        self._lock = threading.RLock()
        self._waiting: list[bytes] = []
        self._sending = False
        self._file = sock.makefile("rb")  # last: an interruption before it leaves only the socket

    def send(self, message: Message) -> None:
        """Send ``message``; blocks while the other end does not read. Raises ``OSError`` if it has
        closed."""
        sizes = [None if blob is None else len(blob) for blob in message.blobs]
        header = json.dumps([message.kind, message.values, sizes]).encode("ascii")
        parts = [_LENGTH.pack(len(header)) + header, *filter(None, message.blobs)]
        with self._lock:
            self._waiting += parts
            if self._sending:  # this thread is within another message
                return
            self._sending = True
            try:
                while self._waiting:
                    self._sock.sendall(self._waiting.pop(0))
            finally:
                self._waiting.clear()
                self._sending = False

    def wait_for_first(self, timeout: float) -> bool:
        """Block until something of the first message has arrived, or the other end has closed.
        Returns whether that was so within ``timeout`` seconds. Not for later messages, which
        :meth:`read` may have taken from the socket before."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def read(self) -> Message | None:
        """Wait for the next message and return it; ``None`` if the other end has closed. Raises
        ``ValueError`` for what is no message."""
        try:
            start = self._file.read(_LENGTH.size)
            if len(start) < _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack(start)
            if length > HEADER_LIMIT:
                raise ValueError(f"a header of {length} bytes")
            header = self._file.read(length)
            if len(header) < length:
                return None
            kind, values, sizes = json.loads(header)
            blobs = []
            for size in sizes:
                blob = None if size is None else self._file.read(size)
                if blob is not None and len(blob) < size:
                    return None
                blobs.append(blob)
            return Message(kind, values, tuple(blobs))
        except OSError:
            return None
        except (MemoryError, OverflowError, RecursionError) as exc:
            raise ValueError(f"it has a size or depth that is none: {exc!r}") from exc

    def shutdown(self) -> None:
        """End the connection for both ends, and for every process that has a copy of this one."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other end has closed

    def close(self) -> None:
        """Close this end. No thread may be reading."""
        self._file.close()
        self._sock.close()


def outcome_message(outcome: Outcome) -> Message:
    """Return ``outcome`` as a message."""
    values = {
        "kind": outcome.kind,
        "error": None if outcome.error is None else dict(outcome.error),
        "result_text": outcome.result_text,
        "place": outcome.place,
    }
    return Message("ended", values, (outcome.result_pickle, outcome.exception_pickle))


def outcome_from_message(message: Message) -> Outcome:
    """Return the outcome in ``message``. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for
    a message that has none."""
    result, exception = message.blobs
    return Outcome(result_pickle=result, exception_pickle=exception, **message.values)
