"""How many instructions a program executes: a figure without the noise of a shared machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def instructions(command: list[str], directory: Path) -> dict[str, float]:
    """Run ``command`` under callgrind, and return the instructions of its process in user mode."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", *command],
        cwd=directory,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    found = re.search(r"Collected *: *(\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"{command}: {done.stdout + done.stderr}")
    return {"instructions": float(found[1])}
