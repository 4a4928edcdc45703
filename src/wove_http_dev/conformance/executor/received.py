"""What a worker has received from the executor that is checked."""

from __future__ import annotations

from wove_http_dev.protocol.headers import Headers
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import Exchange
from wove_http_dev.worker import HttpWorker


def frames_of(worker: HttpWorker, kind: str, task: str = "") -> list[Exchange]:
    """Return the requests with a command frame of type ``kind`` that ``worker`` has received, also
    those that it refused. If ``task`` is given, only those whose task id contains it."""
    return [
        exchange
        for exchange in worker.journal.exchanges
        if exchange.frame_type == kind and task in (exchange.task_id or "")
    ]


def headers_of(exchange: Exchange) -> Headers:
    """Return the headers of a request. Their names can be looked up in upper or lower case."""
    return Headers(exchange.headers)


def requests_of(worker: HttpWorker) -> list[Exchange]:
    """Return every complete HTTP request that ``worker`` has received."""
    return [exchange for exchange in worker.exchanges if exchange.kind == "request"]


def has_run(gate: Gate) -> bool:
    """Return whether a run has arrived at ``gate``."""
    return bool(gate.runs)
