"""``Outcome``: how a run ended. What it says of an exception is limited in size, because it travels
to the client and stays in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cloudpickle

from wove_http_dev.exception_text import MESSAGE_LIMIT, message_of, shortened, traceback_of
from wove_http_dev.protocol.frames import loads

EXCEPTION_LIMIT = 2**20
"""Bytes of a pickled exception; a larger one is left out."""
_KIND_LIMIT = 200


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``kind`` is ``result``, ``error`` or ``cancelled``."""

    kind: str
    result_pickle: bytes | None = field(default=None, repr=False)
    error: Mapping[str, Any] | None = None
    """``kind``, ``message``, ``traceback``, ``retryable`` and ``source`` of a failure."""
    exception_pickle: bytes | None = field(default=None, repr=False)


CANCELLED = Outcome("cancelled")


def error_outcome(exc: BaseException, *, source: str, message: str | None = None) -> Outcome:
    """Return the outcome of a failed task, with message and traceback shortened where they are
    long. It includes the exception itself only if the client can raise it.

    A ``BaseException``, a ``TimeoutError`` or a ``StopIteration`` cancels or ends the client's
    weave, and an exception that does not survive pickling hides the real error (measured with wove
    2.0.3). Of such an exception, and of one that has more than :data:`EXCEPTION_LIMIT` bytes, the
    client gets only the ``error``, which describes it in JSON.
    """
    error = {
        "kind": shortened(type(exc).__name__, _KIND_LIMIT),
        "message": message_of(exc) if message is None else shortened(message, MESSAGE_LIMIT),
        "traceback": traceback_of(exc),
        "retryable": False,
        "source": source,
    }
    return Outcome("error", error=error, exception_pickle=_portable(exc) if not message else None)


def _portable(exc: BaseException) -> bytes | None:
    if not isinstance(exc, Exception):
        return None
    # On Python 3.10 asyncio.TimeoutError is a separate class.
    if isinstance(exc, (TimeoutError, asyncio.TimeoutError, StopIteration, StopAsyncIteration)):
        return None
    try:
        payload = _limited_pickle(exc)
        copy = loads(payload)
        same = type(copy) is type(exc) or type(copy).__qualname__ == type(exc).__qualname__
        return payload if same and isinstance(copy, Exception) and str(copy) == str(exc) else None
    except BaseException:  # its __reduce__ or __init__ may raise SystemExit as well
        return None


class _LimitedFile:
    """Collects what is written, and raises ``ValueError`` beyond :data:`EXCEPTION_LIMIT` bytes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._left = EXCEPTION_LIMIT

    def write(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError("the pickle is too large")
        self.pieces.append(bytes(piece))


def _limited_pickle(exc: Exception) -> bytes:
    # To a file, so that a pickle which would be large ends early and is never in memory as a whole.
    file = _LimitedFile()
    cloudpickle.dump(exc, file)
    return b"".join(file.pieces)
