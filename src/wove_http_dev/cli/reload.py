"""``serve --reload``: imports the application's modules again after they have changed on disk.

A task that was sent by name finds its module in ``sys.modules``. The reloader removes the changed
modules and all others of the application from there, so that the next task imports them again.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
import time
from pathlib import Path


class Reloader:
    """Watches the modules that were imported from below ``root``, except installed packages."""

    def __init__(self, root: Path) -> None:
        self._root = str(root) + os.sep
        self._stamps: dict[str, float] = {}
        self._last_call = math.inf

    def refresh(self) -> None:
        """Remove every module below ``root`` from ``sys.modules`` if one of them has changed since
        the last call."""
        last_call, self._last_call = self._last_call, time.time()
        stamps = {}
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if not isinstance(path, str) or not path.startswith(self._root):
                continue
            if _is_installed(name, path):
                continue
            try:
                stamps[name] = os.stat(path).st_mtime_ns / 1e9
            except OSError:
                stamps[name] = -1.0
        # A module that is new was imported after the last call. If its file changed after that
        # call, it may have changed after the import as well.
        changed = any(
            stamp != self._stamps[name] if name in self._stamps else stamp > last_call
            for name, stamp in stamps.items()
        )
        if changed:
            importlib.invalidate_caches()
            for name in stamps:
                sys.modules.pop(name, None)
            self._stamps = {}
        else:
            self._stamps = stamps


def _is_installed(name: str, path: str) -> bool:
    # A virtual environment is often below the application. Its classes, and this package's, must
    # stay the same objects.
    if name.partition(".")[0] in ("__main__", __name__.partition(".")[0]):
        return True
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)
