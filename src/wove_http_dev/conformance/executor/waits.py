"""How a case waits, without judging: for a condition, for one that should stay false, or for a run
of its own. What took too long is noted in
:mod:`~wove_http_dev.conformance.executor.time_limits`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from wove_http_dev.conformance.executor.placed_outcome import PlacedOutcome
from wove_http_dev.conformance.executor.time_limits import note_passed, note_timeout
from wove_http_dev.weave_outcome import WeaveOutcome

POLL = 0.005
"""Seconds between two checks of a condition."""


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait at most ``seconds`` for ``condition()`` to become true; return whether it did."""
    return _in_time(watch(condition, seconds))


async def wait_until_async(condition: Callable[[], bool], seconds: float) -> bool:
    """Do what :func:`wait_until` does, but as a coroutine, so that the event loop of the weave is
    not blocked."""
    return _in_time(await watch_async(condition, seconds))


def watch(condition: Callable[[], bool], seconds: float) -> bool:
    """Watch for ``seconds`` whether ``condition()``, which should stay false, becomes true; return
    whether it did. It is no time limit: that it stays false does not mean that the machine is
    busy."""
    ends, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > ends:
            return False
        pause.wait(POLL)
    return True


async def watch_async(condition: Callable[[], bool], seconds: float) -> bool:
    """Do what :func:`watch` does, but as a coroutine, so that the event loop of the weave is not
    blocked."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(POLL)
    return True


def _in_time(met: bool) -> bool:
    if not met:
        note_passed()
    return met


async def attempt(run: Any) -> WeaveOutcome:
    """Wait for ``run``, a run that the case started in a weave, and return its outcome. An error is
    returned, not raised."""
    outcome = await give_up(run)
    note_timeout(outcome.error)
    return outcome


async def give_up(run: Any) -> WeaveOutcome:
    """Do what :func:`attempt` does for a run whose timeout is meant to end: it is no sign of a busy
    machine."""
    try:
        return PlacedOutcome("result", await run)
    except Exception as exc:
        return PlacedOutcome("error", error=exc)
    except asyncio.CancelledError as exc:
        # Wove reports a cancelled run this way. If the script itself was cancelled, it ends anyway.
        return PlacedOutcome("raised", error=exc)
