"""Signal handlers of the commands that run until a signal ends them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.client.restore import restored_by


@contextmanager
def handled(handler: Callable[[int, object], object], *numbers: int) -> Iterator[None]:
    """Call ``handler`` for these signals until the block ends.

    A signal that was ignored when this process started stays ignored: ``nohup`` ignores SIGHUP, and
    a shell SIGINT for what it runs in the background (POSIX, ``sh``, 2.11), so that the signal does
    not end it.
    """
    previous: dict[int, Any] = {}

    def restore() -> None:
        for number, before in previous.items():
            signal.signal(number, before)

    with restored_by(restore):
        for number in numbers:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):  # None: not set by Python
                previous[number] = before
                signal.signal(number, handler)
        yield
