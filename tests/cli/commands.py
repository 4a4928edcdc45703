"""Runs of the command line in child processes, and scripts that weave."""

from __future__ import annotations

import subprocess
import sys

COMMAND = [sys.executable, "-m", "wove_http_dev"]

PATIENCE = 60.0
"""Seconds after which a child process counts as hanging."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``wove-http-dev`` with ``arguments`` in a child process until it ends."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


WEAVE = """
import os
import wove
from wove import weave
{config}
with weave() as w:
    @w.do(environment="workers")
    def answer():
        return 42
print(w.result.answer)
"""
