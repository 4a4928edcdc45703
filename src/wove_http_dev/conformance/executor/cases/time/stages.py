"""Cases about the stages of a request: the executor's timeout covers each of them, from the TLS
handshake to the last byte of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.cases.time.timeouts import (
    EXECUTOR_ONLY,
    SHORT,
    Stall,
    ended_by_timeout,
)
from wove_http_dev.conformance.executor.context import MARGIN, CaseContext
from wove_http_dev.conformance.executor.raw_answers import RawAnswer
from wove_http_dev.faults import Fault
from wove_http_dev.faults.connection import HandshakeStall
from wove_http_dev.faults.fault import Connection, Wire

LARGE = 8 * 10**6
"""Bytes of a task. Its frame has more than the kernel keeps for a connection that is not read."""
SLOWLY = 0.1
"""Seconds between two pieces of an answer, less than a timeout for each read."""
PIECES = 600
"""The most pieces of an answer that does not end by itself."""


def _drip_head(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(PIECES):
        if wire.wait(SLOWLY):
            break
        wire.send(b"x")
    wire.close()


def _interim_answers(wire: Wire) -> None:
    for _ in range(PIECES):
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if wire.wait(SLOWLY):
            break
    wire.close()


HANDSHAKE = Stall(
    "handshake-timeout", HandshakeStall(), EXECUTOR_ONLY, "the TLS handshake never begins"
)
HEAD = Stall(
    "head-timeout",
    RawAnswer("whose head drips", _drip_head),
    EXECUTOR_ONLY,
    f"the head of the answer drips, a byte every {SLOWLY:g} s",
)
INTERIM = Stall(
    "interim-timeout",
    RawAnswer("of 100 again and again", _interim_answers),
    EXECUTOR_ONLY,
    f"an interim answer (100) comes every {SLOWLY:g} s, and no final one",
)


@dataclass(frozen=True)
class NothingRead(Fault):
    """Accepts a connection and reads nothing from it."""

    stage: ClassVar[str] = "connection"

    def on_connection(self, connection: Connection) -> None:
        """Wait, then close the connection."""
        connection.wait(None)
        connection.close()


SCENARIO = "a weave of one task; {0.words}; {0.timeouts.words}"
EXPECTED = f"an error, and the weave's end within {SHORT + MARGIN:g} s"


@family.each(
    {"26": HANDSHAKE},
    sources.TIMEOUTS,
    name="{0.name}",
    scenario=SCENARIO,
    expected=EXPECTED,
)
def stage_ended(check: CaseContext, stall: Stall) -> str | None:
    """The executor's timeout ends the weave although {0.words}."""
    return ended_by_timeout(check, stall)


@family.each(
    {"28": HEAD, "29": INTERIM},
    sources.TIMEOUTS,
    name="{0.name}",
    scenario=SCENARIO,
    expected=EXPECTED,
    level="SHOULD",
)
def slow_stage_ended(check: CaseContext, stall: Stall) -> str | None:
    """The executor's timeout ends the weave although {0.words}. (SHOULD, because urllib's timeout,
    and so that of Wove's own executors, is one for each read of the socket.)"""
    return ended_by_timeout(check, stall)


@family.must(
    "27",
    sources.TIMEOUTS,
    scenario=f"a weave of one task of {LARGE // 10**6} MB; the worker reads nothing of the request;"
    f" {EXECUTOR_ONLY.words}",
    expected=EXPECTED,
)
def upload_timeout(check: CaseContext) -> str:
    """The executor's timeout ends the weave although the worker does not read the request."""
    if not check.takes_plain_http:
        raise NotApplicable("the executor takes https URLs only, and a TLS handshake reads")
    worker = check.worker(tls=False, timeout=SHORT)
    worker.inject(NothingRead())
    outcome = check.run_one_weave(
        worker,
        "x" * LARGE,
        planned=SHORT,
        within=MARGIN,
        what="the worker read nothing of a request, and the executor's timeout did not end it: a"
        " weave",
        delivery_timeout=None,
    )
    if outcome.kind == "result":
        check.fail(f"the worker read nothing of a request, and the weave has {outcome}")
    return str(outcome)
