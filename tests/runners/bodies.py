"""Bodies of tasks that other processes run: they import this module."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

TIMEOUT = 30.0

begun = threading.Event()
release = threading.Event()


def add(a: int, b: int) -> int:
    return a + b


def process() -> int:
    return os.getpid()


def fail() -> None:
    raise ValueError("no")


def exit_process(status: int) -> None:
    os._exit(status)


def print_and_log(text: str) -> None:
    print(text)
    print(text, file=sys.stderr)


def hold_here() -> str:
    """Wait, in a thread of the test's process, until the test sets ``release``."""
    begun.set()
    assert release.wait(TIMEOUT)
    return "released"


def wait_for_file(directory: str, name: str = "body") -> str:
    """Note in ``directory`` that a body has begun, and wait until the file ``release`` is there."""
    with open(Path(directory) / f"begun-{name}", "a") as file:
        file.write(f"{os.getpid()}\n")
    end = time.monotonic() + TIMEOUT
    while not (Path(directory) / "release").exists():
        assert time.monotonic() < end, "not released"
        time.sleep(0.01)
    return "released"


async def asleep() -> None:
    begun.set()
    await asyncio.sleep(TIMEOUT)
