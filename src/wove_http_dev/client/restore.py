"""Undoes the changes of this process at the end of a block, even if Ctrl-C interrupts that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def restored_by(restore: Callable[[], None]) -> Iterator[None]:
    """Call ``restore`` when the block ends, and once more if that raises: Ctrl-C may have come
    before it had done everything.

    Make the change inside the block. ``restore`` must undo a change that was half made, and do
    nothing for one that was not made or is undone.
    """
    try:
        yield
    finally:
        try:
            restore()
        except BaseException:
            restore()
            raise
