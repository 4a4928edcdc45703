"""Raises an exception at each call within an operation, as Ctrl-C does, and checks what is left."""

from __future__ import annotations

import functools
import gc
import inspect
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import wove_http_dev
from tests.support import TIMEOUT, process_state

PACKAGE = str(Path(wove_http_dev.__file__).parent)
NOT_INTERRUPTED = (
    *("__enter__", "__exit__", "acquire", "release", "notify", "notify_all"),
    *(
        "<genexpr>",
        "__del__",
        "_remove",
    ),  # the interpreter calls them too, and ignores what is raised there
    "issubclass",  # CPython 3.11.7 crashed where contextlib.suppress() called it
)
DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Raised in the middle of something, as KeyboardInterrupt is."""


class InterruptedCall:
    """Raises :class:`Interrupted` at the first call for which ``due(where)`` is true, in this
    thread: of the calls of functions of the package, and by them of any other function, also one
    that is written in C. ``where`` names the function and the line that calls it.

    Entering and leaving a ``with`` block, and a lock, are left out: nothing can be done about an
    exception between a lock's release and the code that asked for it.
    """

    def __init__(self, due: Callable[[str], bool]) -> None:
        self._due = due
        self._done = False
        self.where = "nowhere"

    def __enter__(self) -> InterruptedCall:
        gc.disable()  # what is raised in a callback of its (Hypothesis has one) is ignored
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        gc.enable()

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event not in ("call", "c_call") or self._done:
            return
        caller = frame.f_back if event == "call" else frame
        if not (
            _is_ours(frame.f_code.co_filename) or (caller and _is_ours(caller.f_code.co_filename))
        ):
            return
        name = getattr(arg, "__name__", "") if event == "c_call" else frame.f_code.co_name
        if name in NOT_INTERRUPTED:
            return
        if sys.version_info < (3, 12) and event == "call":
            if frame.f_code.co_flags & inspect.CO_GENERATOR:
                return  # what is raised here would skip its ``finally``, as no real exception does
        place = caller or frame
        if place.f_code.co_name == "<genexpr>":
            return  # CPython 3.11.7 crashed later
        where = f"{place.f_code.co_filename}:{place.f_lineno}, {name}"
        if self._due(where):
            self._done, self.where = True, where
            raise Interrupted


@functools.cache  # it is asked at each call
def _is_ours(file: str) -> bool:
    return file.startswith(PACKAGE)


def state(directory: Path | None = None) -> dict[str, Any]:
    """What the package must leave as it was. ``directory`` has the files to compare."""
    return {
        **process_state(),
        "descriptors": len(os.listdir(DESCRIPTORS)),
        "threads": {thread for thread in threading.enumerate() if "wove-http" in thread.name},
        "files": sorted(directory.rglob("*")) if directory is not None else [],
        "signal handlers": [signal.getsignal(number) for number in SIGNALS],
    }


def state_after(before: dict[str, Any], directory: Path | None = None) -> dict[str, Any]:
    """The state, once each thread that was not there ``before`` has ended."""
    for thread in state()["threads"] - before["threads"]:
        thread.join(TIMEOUT)
    after = state(directory)
    # The garbage collector may have closed what an earlier test left.
    after["descriptors"] = max(after["descriptors"], before["descriptors"])
    after["threads"] |= before["threads"]
    return after


def interrupt_each_call(
    action: Callable[[], Callable[[], object]],
    *,
    first: int = 1,
    afterwards: Callable[[], object] = lambda: None,
    directory: Path | None = None,
) -> None:
    """Interrupt at its ``first`` call, the next one, and so on, what ``action()`` returns, until it
    ends without. ``action`` is called before each, and ``afterwards`` after it, uninterrupted."""
    for number in itertools.count(first):
        left = itertools.count(number - 1, -1)
        if not interrupt(action, lambda _: next(left) == 0, afterwards, directory):  # noqa: B023
            break
    assert number > first + 5


def interrupt_each_place(
    action: Callable[[], Callable[[], object]],
    *,
    first: int = 1,
    chosen: slice = slice(None),
    afterwards: Callable[[], object] = lambda: None,
    directory: Path | None = None,
) -> None:
    """Like :func:`interrupt_each_call`, but only once at each place in the code, or those that are
    ``chosen``, for what takes long. ``afterwards`` is also called after an operation that was not
    interrupted."""
    places: list[str] = []

    def remember(where: str) -> bool:
        places.append(where)
        return False

    interrupt(action, remember, afterwards)
    afterwards()
    for place in list(dict.fromkeys(places[first - 1 :]))[chosen]:
        if not interrupt(action, place.__eq__, afterwards, directory):
            afterwards()  # another thread was quicker, and the place was not reached
    assert len({*places}) > 5


def interrupt(
    action: Callable[[], Callable[[], object]],
    due: Callable[[str], bool],
    afterwards: Callable[[], object],
    directory: Path | None = None,
) -> bool:
    """Interrupt what ``action()`` returns where it is ``due``, check what it leaves, and return
    whether it was interrupted."""
    before = state(directory)
    call = action()
    interruption = InterruptedCall(due)
    try:
        with interruption:
            call()
    except Interrupted as exc:
        # ``exc`` holds the frames, so nothing is closed by the garbage collector.
        afterwards()
        assert state_after(before, directory) == before, interruption.where
        del exc
        return True
    return False
