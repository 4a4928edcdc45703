"""``Outcome``: how a run ended. What it says of an exception is limited in size, because it travels
to the client and stays in the journal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.cut_text import cut_middle
from wove_http_dev.exception_text import (
    MESSAGE_LIMIT,
    message_of,
    place_of,
    traceback_of,
)
from wove_http_dev.protocol.frames import loads
from wove_http_dev.protocol.pickler import Pickler
from wove_http_dev.runs.forwarding import UpstreamAnswer

EXCEPTION_LIMIT = 2**20
"""Bytes of a pickled exception; a larger one is left out."""
KIND_LIMIT = 200
"""Characters of an exception's class name."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``kind`` is ``result``, ``error`` or ``cancelled``."""

    kind: str
    result_pickle: bytes | None = field(default=None, repr=False)
    error: Mapping[str, Any] | None = None
    """``kind``, ``message``, ``traceback``, ``retryable`` and ``source`` of a failure."""
    exception_pickle: bytes | None = field(default=None, repr=False)
    result_text: str | None = field(default=None, repr=False)
    """The result for a person to read, of limited length; ``None`` unless it was asked for."""
    place: str | None = None
    """Where in the user's code the task failed: ``app.py:12 in convert``."""
    answer: UpstreamAnswer | None = field(default=None, repr=False, compare=False)
    """What the upstream service answered to which the task was forwarded."""
    unknown: bool = False
    """Whether it is not known how the task ended, because upstream has not said it."""


CANCELLED = Outcome("cancelled")


def failure(
    kind: str,
    message: str,
    *,
    source: str = "worker",
    retryable: bool = False,
    answer: UpstreamAnswer | None = None,
) -> Outcome:
    """Return the outcome of a task that was lost or not run, so that there is no exception of it.
    With upstream's ``answer``, it is unknown how the task ended."""
    error = {
        "kind": kind,
        "message": message,
        "traceback": "",
        "retryable": retryable,
        "source": source,
    }
    return Outcome("error", error=error, answer=answer, unknown=answer is not None)


def error_outcome(
    exc: BaseException, *, source: str, message: str | None = None, tracebacks: bool = False
) -> Outcome:
    """Return the outcome of a failed task, with message and traceback shortened where they are
    long. ``source`` says who failed: ``task`` or ``worker``.

    The outcome includes the exception itself only if the client can raise it, and ``message`` does
    not replace its text. With ``tracebacks``, the exception's ``__cause__`` is then its traceback
    as text, in the form of ``concurrent.futures.ProcessPoolExecutor``, which every client can load.

    A ``BaseException``, a ``TimeoutError`` or a ``StopIteration`` cancels or ends the client's
    weave, and an exception that does not survive pickling hides the real error (measured with wove
    2.0.3). Of such an exception, and of one that has more than :data:`EXCEPTION_LIMIT` bytes, the
    client gets only the ``error``, which describes it in JSON.
    """
    text = traceback_of(exc)
    error = {
        "kind": cut_middle(type(exc).__name__, KIND_LIMIT),
        "message": message_of(exc) if message is None else cut_middle(message, MESSAGE_LIMIT),
        "traceback": text,
        "retryable": False,
        "source": source,
    }
    place = place_of(exc)
    if message:
        return Outcome("error", error=error, place=place)
    payload = _portable(exc, text if tracebacks else None)
    return Outcome("error", error=error, exception_pickle=payload, place=place)


def asyncio_error(name: str) -> type[BaseException] | tuple[()]:
    """Return asyncio's exception class, for ``isinstance()``: no class if nothing has imported
    asyncio.

    It is not imported for this: that takes a tenth of the time that a worker's import takes, and
    fails in a process that has no descriptor left, whose task's error would then be lost.
    """
    found: type[BaseException] | tuple[()]
    found = getattr(sys.modules.get("asyncio.exceptions"), name, ())
    return found


def _portable(exc: BaseException, cause: str | None) -> bytes | None:
    if not isinstance(exc, Exception):
        return None
    # On Python 3.10 asyncio.TimeoutError is a separate class.
    timeouts = (TimeoutError, asyncio_error("TimeoutError"))
    if isinstance(exc, (*timeouts, StopIteration, StopAsyncIteration)):
        return None
    try:
        payload = _limited_pickle(exc if cause is None else _WithTraceback(exc, cause))
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


@dataclass
class _WithTraceback:
    """Is pickled as an exception whose ``__cause__`` is ``cause``, the text of a traceback."""

    exc: Exception
    cause: str

    def __reduce__(self) -> tuple[Any, ...]:
        # Imported here: it imports multiprocessing, which a worker without failures does not need.
        from concurrent.futures import process

        # Private, but in pickles of every ProcessPoolExecutor since Python 3.4.2.
        return process._rebuild_exc, (self.exc, self.cause)


def _limited_pickle(exc: Exception | _WithTraceback) -> bytes:
    # To a file, so that a pickle which would be large ends early and is never in memory as a whole.
    file = _LimitedFile()
    Pickler(file).dump(exc)
    return b"".join(file.pieces)
