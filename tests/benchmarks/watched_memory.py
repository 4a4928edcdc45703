"""What ``serve`` remembers of tasks that somebody watches: its resident memory over a hundred
thousand tasks after every memory that is limited in number has become full.

The tasks are sent as fast as possible. Beside each thousand of them a subscriber reads the events,
and what the page asks for when it is opened is asked for, in as many threads as a browser has
connections.
"""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.page import CLOCK_SKEW, Client, resident, stream
from tests.benchmarks.served import serving

BEFORE = 40_000
"""Tasks until everything is full: the journal has its 10,000, nonces are kept for 20 s, and each
arena of glibc has had a large answer."""
STEP = 25_000
"""Tasks between two of the figures."""
OPENED = 1000
"""Tasks of which the page is opened once."""
ASKED = ("worker", "runs", "exchanges?problems=true", "injections", "holds", "stubs", "faults")
"""What the page asks for at once when it is opened (``inspector/page/store.js``)."""


def measure_watched_memory() -> None:
    """Print the figures."""
    with ExitStack() as stack:
        served = stack.enter_context(serving("--clock-skew", str(CLOCK_SKEW)))
        client = stack.enter_context(Client(served))
        figures = [resident(served["pid"])]
        for tasks in (BEFORE, *[STEP] * 4):
            _send(served, client, tasks)
            figures.append(resident(served["pid"]))
    start, full, *later = (f"{size / 2**20:.1f}" for size in figures)
    steps = ", ".join(f"{size} {STEP * n:,} later" for n, size in enumerate(later, 1))
    print(
        f"resident memory of serve, MiB: {start} at the start, {full} after {BEFORE:,} tasks,"
        f" {steps}"
    )


def _send(served: dict[str, Any], client: Client, tasks: int) -> None:
    for _ in range(tasks // OPENED):
        with stream(served):
            threads = [threading.Thread(target=_get, args=(served, path)) for path in ASKED]
            for thread in threads:
                thread.start()
            client.send(OPENED, rate=0.0)
            for thread in threads:
                thread.join()


def _get(served: dict[str, Any], path: str) -> None:
    address = urllib.parse.urlsplit(served["api_url"])
    token = Path(served["token_file"]).read_text().strip()
    connection = http.client.HTTPConnection(str(address.hostname), address.port or 80)
    headers = {"Authorization": f"Bearer {token}"}
    connection.request("GET", f"{address.path.rstrip('/')}/{path}", headers=headers)
    connection.getresponse().read()
    connection.close()
