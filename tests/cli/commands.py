"""Runs of the command line, in child processes and in this one, and scripts that weave."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

from tests import preloaded
from wove_http_dev.cli.main import main

COMMAND = [sys.executable, "-m", "wove_http_dev"]

ON_MACOS = [sys.executable, str(Path(__file__).parent.parent / "command_on.py"), "macos"]
"""The command line with macOS's rules."""

PATIENCE = 60.0
"""Seconds after which a child process counts as hanging."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``wove-http-dev`` with ``arguments`` in a child process until it ends."""
    return preloaded.run(["-m", "wove_http_dev", *arguments], PATIENCE)


def run_here(*arguments: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """Like `run`, in this process, which starts in no time, on streams of ``encoding``."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(arguments)
    except SystemExit as exc:
        status = exc.code  # type: ignore[assignment]
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return subprocess.CompletedProcess(arguments, status, *texts)


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
"""A client that weaves one task; ``config`` configures it."""

EXEC_CONFIG = """
wove.config(environments={"workers": {"executor": "http", "executor_config": {
    "url": os.environ["WOVE_WORKER_URL"], "security": "env:WOVE_WORKER_SECRET", "timeout": 60.0}}})
"""
"""The ``config`` of a client that reads the variables that ``exec`` sets."""
