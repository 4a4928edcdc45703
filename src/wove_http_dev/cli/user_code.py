"""What commands share that run the user's code: its import path, its tasks that do not end, and an
end of the process despite its threads."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wove_http_dev.cli.streams import discard_unwritable
from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import StuckRunWarning, UsageError

LAST_RESORT = 3.0
"""Seconds after which the process is forced to exit if threads of the user's code still run."""


def application_directory(app_dir: str) -> Path:
    """Return the directory that ``--app-dir`` names, absolute. Raises :class:`UsageError` if it is
    none."""
    if not Path(app_dir).is_dir():
        raise UsageError(f"--app-dir {app_dir} is not a directory")
    return Path(app_dir).resolve()


@contextmanager
def importable(directory: str) -> Iterator[None]:
    """Put ``directory`` on the import path during the block."""

    def restore() -> None:
        # By identity: the user's own entry of the same directory stays.
        sys.path[:] = [each for each in sys.path if each is not directory]

    with restored_by(restore):
        sys.path.insert(0, directory)
        yield


@contextmanager
def stuck_runs_ignored() -> Iterator[None]:
    """Show no :class:`StuckRunWarning` until the block ends: commands name such runs themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StuckRunWarning)
        yield


def end_despite_threads(status: int) -> None:
    """Force the process to exit with ``status`` if it is still alive 3 s after the main thread has
    ended, because threads that the user's code has started still run.

    The interpreter joins non-daemon threads at exit; one that hangs would keep the process alive.
    """
    if all(each.daemon or each is threading.main_thread() for each in threading.enumerate()):
        return

    def watch() -> None:
        threading.main_thread().join()
        time.sleep(LAST_RESORT)
        discard_unwritable()
        os._exit(status)

    threading.Thread(target=watch, name="wove-http-dev-last-resort", daemon=True).start()
