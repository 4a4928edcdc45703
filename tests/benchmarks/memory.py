"""The resident memory over 110,000 exchanges of one worker: ``python -m tests.benchmarks
memory``."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator

from wove.security import NetworkExecutorSecurity

from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.peers import SECRET
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runs.steps import finish
from wove_http_dev.service.host import InProcessHost
from wove_http_dev.worker import HttpWorker

BATCH, BATCHES, FULL = 10_000, 11, 3
"""Exchanges of a batch; batches; and those after which the journal has been full for long."""
TARGET = "/wove/tasks"


def measure_memory(table: Table, share: float = 1.0) -> None:
    """Add the memory to ``table``: once the journal is full, and at the end. ``share`` is not
    used."""
    worker = HttpWorker(secret=SECRET)
    host = worker._host
    assert isinstance(host, InProcessHost)
    commands = _signed_commands()
    sizes = []
    for _ in range(BATCHES):
        for _ in range(BATCH):
            finish(host.pipeline.handle(next(commands))).done()
        gc.collect()
        sizes.append(_resident())
    worker.stop()
    samples = {f"after {FULL * BATCH:,}": sizes[FULL - 1 : FULL], "at the end": sizes[-1:]}
    what = f"resident memory over {BATCH * BATCHES:,} exchanges"
    goal = "flat, but for 250,000 nonces of 16 bytes"
    table.add(Figure(what, "MiB", samples, f"after {FULL * BATCH:,}", goal, above=True))


def _signed_commands() -> Iterator[Request]:
    body = b'{"type":"cancel_task","run_id":"t:0","task_id":"t"}'
    client = NetworkExecutorSecurity(mode="signed", secret=SECRET)
    while True:
        headers = client.headers_for(transport="http", target=TARGET, body=body)
        yield Request("POST", TARGET, Headers(headers.items()), body)


def _resident() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
