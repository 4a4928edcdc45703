"""A fresh import of the application's modules once they have changed on disk.

Tasks sent by name find the module in ``sys.modules``; this room forgets the changed ones and all
that live beside them, so that the next load imports them again. It knows no task.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
import time
from pathlib import Path


class Reloader:
    """Watches the modules imported from below ``root``, installed packages excepted."""

    def __init__(self, root: Path) -> None:
        self._root = str(root) + os.sep
        self._stamps: dict[str, float] = {}
        self._looked = math.inf

    def refresh(self) -> None:
        """Forget every module from below ``root`` if one of them changed since the last call."""
        looked, self._looked = self._looked, time.time()
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
        # A module not seen before was imported after the last look; changed after that look, it may
        # have changed after its import too.
        changed = any(
            stamp != self._stamps[name] if name in self._stamps else stamp > looked
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
    # A virtual environment often lies below the application; its classes, and ours, must stay.
    if name.partition(".")[0] in ("__main__", __name__.partition(".")[0]):
        return True
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)
