"""Ends the traceback of a failed test at the user's own line: what Wove, asyncio and this package
did below it explains nothing, and is 60 lines long."""

from __future__ import annotations

from types import TracebackType

from wove_http_dev.errors import WoveHttpDevError

LIBRARIES = frozenset(["wove_http_dev", "wove", "asyncio", "concurrent", "contextlib"])
"""Packages whose frames are left out at the end of a traceback."""
_RUNNERS = frozenset(["_pytest", "pluggy"])


def shorten_traceback(exc: BaseException) -> None:
    """Cut from the tracebacks of ``exc``, and of its causes, the frames of :data:`LIBRARIES` that
    follow the last one of other code.

    The traceback of an error of this package's own that nobody expected is left as it is.
    """
    seen: set[int] = set()
    first: BaseException | None = exc
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        _cut(exc, chained=exc is not first)
        cause = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
        if cause is None:
            return
        exc = cause


def _cut(exc: BaseException, *, chained: bool) -> None:
    frames = _frames(exc.__traceback__)
    if not frames or not _is_library(frames[-1]):
        return
    expected = isinstance(exc, (WoveHttpDevError, AssertionError))
    if _package(frames[-1]) == "wove_http_dev" and not expected:
        return
    own = [frame for frame in frames if not _is_library(frame)]
    if own and _package(own[-1]) not in _RUNNERS:
        own[-1].tb_next = None
    elif chained:
        exc.__traceback__ = None  # pytest then shows the exception alone


def _frames(traceback: TracebackType | None) -> list[TracebackType]:
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    return frames


def _is_library(frame: TracebackType) -> bool:
    return _package(frame) in LIBRARIES


def _package(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
