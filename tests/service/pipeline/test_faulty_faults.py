"""Bugs in the faults of a user: each ends its exchange, and strict mode reports it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    connect,
    run_frame,
    send_raw,
    signed_bytes,
    signed_request,
)
from wove_http_dev.errors import StrictnessError
from wove_http_dev.faults.fault import AuthStage, Connection, Fault, ResponseStage, RunStage, Wire
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.worker import HttpWorker

BUGS = {
    "KeyError": KeyError,
    "ValueError": ValueError,
    "OSError": OSError,
    "SystemExit": SystemExit,
}


@dataclass(frozen=True)
class BuggyConnection(Fault):
    """Raises ``bug`` before the TLS handshake."""

    stage: ClassVar[str] = "connection"
    bug: str = "KeyError"

    def on_connection(self, connection: Connection) -> None:
        raise BUGS[self.bug]("a bug")


@dataclass(frozen=True)
class BuggyAuth(Fault):
    """Raises ``bug`` instead of a verdict."""

    stage: ClassVar[str] = "auth"
    bug: str = "KeyError"

    def on_auth(self, stage: AuthStage) -> Any:
        raise BUGS[self.bug]("a bug")


@dataclass(frozen=True)
class BuggyRun(Fault):
    """Raises ``bug`` instead of running the task."""

    stage: ClassVar[str] = "run"
    bug: str = "KeyError"

    def on_run(self, stage: RunStage) -> Any:
        raise BUGS[self.bug]("a bug")


@dataclass(frozen=True)
class BuggyReply(Fault):
    """Raises ``bug`` instead of a reply."""

    stage: ClassVar[str] = "response"
    bug: str = "KeyError"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Any:
        raise BUGS[self.bug]("a bug")


@dataclass(frozen=True)
class NoReply(Fault):
    """Returns nothing instead of a reply."""

    stage: ClassVar[str] = "response"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Any:
        return None


@dataclass(frozen=True)
class UnsendableReply(Fault):
    """Returns a reply whose headers are no pairs."""

    stage: ClassVar[str] = "response"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        headers: list[Any] = ["X-Name"]
        return Reply(200, headers=headers)


@dataclass(frozen=True)
class BuggyWire(Fault):
    """Raises ``bug`` instead of writing the reply."""

    stage: ClassVar[str] = "wire"
    bug: str = "KeyError"

    def on_wire(self, wire: Wire) -> None:
        raise BUGS[self.bug]("a bug")


@dataclass(frozen=True)
class Endless(Fault):
    """Writes until the client has gone."""

    stage: ClassVar[str] = "wire"

    def on_wire(self, wire: Wire) -> None:
        while True:
            wire.send(b"x" * 65536)


FAULTS = [
    *(
        fault(bug=bug)
        for fault in (BuggyConnection, BuggyAuth, BuggyRun, BuggyReply, BuggyWire)
        for bug in BUGS
    ),
    NoReply(),
    UnsendableReply(),
]
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=str)


def send_task(worker: HttpWorker) -> None:
    """Send a task, and wait until its connection has ended in whatever way."""
    with contextlib.suppress(OSError):
        send_raw(worker, signed_bytes(worker, run_frame(answer)))
    wait_for_the_end(worker)


def wait_for_the_end(worker: HttpWorker) -> None:
    """Wait until an exchange has ended."""

    def ended() -> bool:
        return any(exchange.duration is not None for exchange in worker.journal.exchanges)

    worker.journal.wait(ended, TIMEOUT, "the end of an exchange")


@pytest.fixture(params=[True, False], ids=["https", "http"])
def hit_worker(make_worker: MakeWorker, request: pytest.FixtureRequest) -> HttpWorker:
    """A worker, https or plain http."""
    return make_worker(tls=request.param)


@each_fault
def test_bug_is_one_exchange(hit_worker: HttpWorker, fault: Fault) -> None:
    """A bug in a fault is recorded as the service's failure, in one exchange that has ended."""
    hit_worker.inject(fault)
    send_task(hit_worker)
    (exchange,) = hit_worker.exchanges
    assert (exchange.code, exchange.internal_error) == ("internal-error", True)


@each_fault
def test_strict_mode_reports_a_bug(worker: HttpWorker, fault: Fault) -> None:
    """A bug in a fault fails the test, although the fault was injected."""
    worker.inject(fault)
    send_task(worker)
    with pytest.raises(StrictnessError, match="the worker service itself failed"):
        worker.check()


@each_fault
def test_worker_serves_after_a_bug(worker: HttpWorker, fault: Fault) -> None:
    """The next task after a bug in a fault is served."""
    worker.inject(fault, times=1)
    send_task(worker)
    assert signed_request(worker, run_frame(answer)).result == 42


def test_reply_of_a_fault_without_one(worker: HttpWorker) -> None:
    """The client of a fault that returned no reply gets the ordinary one."""
    worker.inject(NoReply())
    assert signed_request(worker, run_frame(answer)).result == 42


def test_client_that_hangs_up_on_a_wire_fault(worker: HttpWorker) -> None:
    """A client that closes while a fault writes the reply is not a failure of the service."""
    worker.inject(Endless())
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        sock.recv(1)
    wait_for_the_end(worker)
    (exchange,) = worker.exchanges
    assert (exchange.code, exchange.internal_error) == ("reply-not-taken", False)
