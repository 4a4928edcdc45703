"""What the body of a task prints and logs, kept with its run, and still shown where it was.

The streams of a command that serves pass on what is written to them (:func:`note`), and a
:class:`LogHook` does so for log records that no handler writes to such a stream. Both find the
run by a context variable, which async code and ``asyncio.to_thread()`` keep. So what a thread or a
thread pool of the body writes belongs to no run, and what a process or C code writes to the
descriptor is not seen. What a body writes in another process is taken there
(``runners.remote_output``). Where no command serves, as in a test or in the child process of an
isolated worker, the streams are not replaced, and no run has output.
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

from wove_http_dev.cut_text import cut_middle

LIMIT = 65536
"""Characters that are shown: the first of them, and as many last ones."""
_SLACK = 4096
"""Characters that are searched for secrets, and not shown, at either side of what is left out."""
KEPT = LIMIT // 2 + _SLACK
"""Bytes kept of the beginning, and at least of the end."""
_CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""
_FORMATTER = logging.Formatter(logging.BASIC_FORMAT)
_Logger: Any = logging.Logger


class LogSink(Protocol):
    """What belongs to the run whose body is running."""

    def write(self, data: bytes) -> None:
        """Take a log record that no handler has written to a stream, in UTF-8."""


class Capture:
    """Keeps the beginning and the end of what one run writes. Thread-safe.

    ``redact`` removes secrets from a text.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._begin = bytearray()
        self._end = bytearray()
        self._characters = 0
        self._complete = True
        self._process = os.getpid()
        self.unfinished: set[Callable[[], object]] = set()
        """What writes the parts of lines, of each stream to which the run has written."""
        # Reentrant: a __del__ that prints can run at any allocation.
        self._lock = threading.RLock()

    def write(self, data: bytes) -> None:
        """Add ``data``, UTF-8. Does nothing in a forked child, whose copy nobody reads and where
        another thread's lock stays locked."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._characters += len(data.translate(None, _CONTINUATION))
            room = KEPT - len(self._begin)
            if room > 0:
                self._begin += data[:room]
                data = data[room:]
            self._end += data[-KEPT:]
            if len(data) > KEPT or len(self._end) > 2 * KEPT:
                self._complete = False
                del self._end[:-KEPT]

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + len(self._begin) + len(self._end)

    def leave_out(self, characters: int) -> None:
        """Count ``characters`` that the run has written and that were dropped before they came
        here: what follows is the end."""
        with self._lock:
            self._characters += characters
            self._complete = False

    def end(self) -> None:
        """Write the parts of lines that the calling thread, whose body has ended, has written."""
        for flush in list(self.unfinished):
            flush()

    def text(self) -> str:
        """Return what was written, at most :data:`LIMIT` characters and a note of how many are left
        out between them. Secrets are redacted; nothing is escaped."""
        with self._lock:
            begin, end = bytes(self._begin), bytes(self._end)
            characters, complete = self._characters, self._complete
        if complete:
            return cut_middle(self._redact(_decoded(begin + end)), LIMIT)
        first = self._redact(_decoded(begin))[:-_SLACK]
        last = self._redact(_decoded(end))[_SLACK:][-LIMIT // 2 :]
        left_out = characters - len(first) - len(last)
        return f"{first}\n[… {left_out:,} characters left out …]\n{last}"


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


_current: contextvars.ContextVar[LogSink | None] = contextvars.ContextVar(
    "wove_http_dev_capture", default=None
)
_noted: contextvars.ContextVar[bool] = contextvars.ContextVar("wove_http_dev_noted", default=False)
"""Whether a handler has written the current log record to a stream that notes it."""


def capturing_context(capture: LogSink) -> contextvars.Context:
    """Return a new context; what code that runs in it writes belongs to ``capture``."""
    context = contextvars.Context()
    context.run(_current.set, capture)
    return context


def current_run() -> object:
    """Return a token of the run whose body calls this; ``None`` outside of a body."""
    return _current.get()


def note(data: bytes, encoding: str, flush: Callable[[], object] | None = None) -> None:
    """Add ``data``, which the calling code has written to a stream with ``encoding``, to its
    run, if it has one. ``flush`` is called when the body has ended: it writes the part of a line
    that its thread has written."""
    capture = _current.get()
    if not isinstance(capture, Capture):
        return
    log_noted()
    if encoding.lower() not in ("utf-8", "utf8", "ascii"):
        data = data.decode(encoding, "replace").encode("utf-8", "replace")
    capture.write(data)
    if flush is not None:
        capture.unfinished.add(flush)


def log_noted() -> None:
    """Note that a handler has written the current log record, if there is one, to a stream that
    gives it to the run."""
    _noted.set(True)


class LogHook:
    """Keeps log records with their runs, between :meth:`install` and :meth:`remove`.

    A handler of the root logger would be simpler; but with one, ``logging.basicConfig()`` does
    nothing, and warnings are no longer printed where no logging is configured.
    """

    def __init__(self) -> None:
        self._original = _Logger.callHandlers
        self._installed = False

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            self._call(logger, record)

        self._replacement = call_handlers

    def install(self) -> None:
        """Replace ``logging.Logger.callHandlers``, in the whole process."""
        self._installed = True
        self._original = _Logger.callHandlers
        _Logger.callHandlers = self._replacement

    def remove(self) -> None:
        """Undo :meth:`install`; if other code has replaced the method meanwhile, only pass records
        on."""
        self._installed = False
        if _Logger.callHandlers is self._replacement:
            _Logger.callHandlers = self._original

    def _call(self, logger: logging.Logger, record: logging.LogRecord) -> None:
        capture = _current.get()
        if capture is None or not self._installed:
            self._original(logger, record)
            return
        before = _noted.set(False)
        try:
            self._original(logger, record)
            if not _noted.get():
                capture.write(_line(record).encode("utf-8", "backslashreplace"))
        finally:
            _noted.reset(before)


def _line(record: logging.LogRecord) -> str:
    try:
        return f"{_FORMATTER.format(record)}\n"
    except BaseException as exc:  # its arguments do not fit, or their __str__ raises
        return f"{record.levelname}:{record.name}:[not formatted: {type(exc).__name__}]\n"
