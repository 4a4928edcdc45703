"""What several tests only read is made once, by the first process of pytest-xdist that needs it."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What ``make`` returns for a new directory ``name``. The workers of pytest-xdist make it once:
    it must be one that can be pickled."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make(factory.mktemp(name))
    directory = factory.getbasetemp().parent / name  # each worker has a directory of its own there
    kept = directory.with_suffix(".pickle")
    with open(directory.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            directory.mkdir(exist_ok=True)
            kept.write_bytes(pickle.dumps(make(directory)))
    return pickle.loads(kept.read_bytes())  # type: ignore[no-any-return]
