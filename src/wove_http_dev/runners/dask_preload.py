"""What the worker processes of a local Dask cluster do before they run tasks; Dask imports this
module there, and calls :func:`dask_setup`."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Let Ctrl-C, which a terminal sends to all processes of ``serve``, do nothing here: the
    service ends its cluster. A handler, because what a task starts would inherit ``SIG_IGN``."""
    signal.signal(signal.SIGINT, lambda *_: None)
    # The process has inherited it blocked, so that it did not end before this.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
