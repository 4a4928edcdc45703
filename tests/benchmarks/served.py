"""A ``serve`` in a process of its own, for benchmarks, and Wove environments that send to it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.worker_process import RemoteAddress

PATIENCE = 60.0
"""Seconds in which it must be serving, and in which a task must end."""


@contextmanager
def serving(*arguments: str) -> Iterator[dict[str, Any]]:
    """Run ``serve`` with ``arguments``, on free ports, until the block ends; yield its ready
    file."""
    with tempfile.TemporaryDirectory() as name:
        ready = Path(name, "ready")
        command = [sys.executable, "-m", "wove_http_dev", "serve", "--port", "0"]
        command += ["--page-port", "0", *arguments]
        process = subprocess.Popen(
            [*command, "--state-dir", f"{name}/state", "--ready-file", str(ready)],
            cwd=name,
            stdout=subprocess.DEVNULL,
            # As the peers have: processor time is shared between sessions (sched(7), autogroup).
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not ready.exists() or not ready.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("serve did not start")
                time.sleep(0.05)
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            process.wait()


def reached(served: dict[str, Any]) -> AbstractContextManager[str]:
    """Return a context manager that configures a Wove environment which sends to ``served``, and
    yields its name."""
    port = urllib.parse.urlsplit(served["url"]).port
    address = RemoteAddress(
        {"url": served["url"], "port": port, "ca_file": served["ca_file"]},
        Path(served["secret_file"]).read_text(),
        "signed",
    )
    return address.configured(PATIENCE)
