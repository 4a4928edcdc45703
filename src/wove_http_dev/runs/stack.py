"""Describes where the body of a task is at this moment."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from itertools import dropwhile
from types import FrameType
from typing import TYPE_CHECKING, Any

from wove_http_dev.exception_text import CALLERS

if TYPE_CHECKING:
    import asyncio

_CALLERS = (*CALLERS, threading.__file__)
_CALLS = 30
"""Calls that are shown, counted from the one that runs."""


def stack_of_thread(thread: int) -> str:
    """Return the calls of the thread with the identifier ``thread``, as the lines of a traceback;
    empty if it has ended."""
    frame = sys._current_frames().get(thread)
    return _lines([] if frame is None else [each for each, _ in traceback.walk_stack(frame)][::-1])


def stack_of_task(task: asyncio.Task[Any]) -> str:
    """Return the calls of ``task``, which waits for something, as the lines of a traceback.

    ``Task.get_stack()`` returns the outermost call only.
    """
    return _lines(list(_awaiting(task.get_coro())))


def _awaiting(awaitable: Any) -> Iterator[FrameType]:
    for _ in range(1000):  # objects of a task may await one another in a cycle
        frame = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "gi_frame", None)
        if frame is None:
            return
        yield frame
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "gi_yieldfrom", None)


def _lines(frames: list[FrameType]) -> str:
    """Return ``frames`` without those of the code that calls tasks."""
    calls = dropwhile(lambda frame: frame.f_code.co_filename.startswith(_CALLERS), frames)
    shown = [(frame, frame.f_lineno) for frame in calls][-_CALLS:]
    return "".join(traceback.StackSummary.extract(iter(shown)).format())
