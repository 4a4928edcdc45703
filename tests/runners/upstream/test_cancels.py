"""Cancels of tasks that are forwarded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tests.runners.upstreams import asked, held_run, reply_of
from tests.support import (
    MODES,
    TIMEOUT,
    MakeWorker,
    answer,
    cancel_frame,
    connect,
    run_frame,
    signed_bytes,
    signed_request,
)
from wove_http_dev.options import Options
from wove_http_dev.protocol.frames import RunTask
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runners.upstream import UpstreamRunner
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.forwarding import ForwardedCommand
from wove_http_dev.worker import HttpWorker


@pytest.mark.parametrize("mode", MODES)
def test_cancel_is_forwarded(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor, mode: str
) -> None:
    """A cancel of a run that was forwarded reaches upstream, which ends the run."""
    run = held_run(front, upstream, pool)
    signed_request(front, cancel_frame("run-1", mode=mode))
    assert run.result(TIMEOUT).terminal == "task_cancelled"


def test_cancel_waits_until_its_run_was_sent(front: HttpWorker, upstream: HttpWorker) -> None:
    """A cancel does not overtake its run on the way to upstream."""
    arrived: list[int] = []

    def wait(seconds: float) -> None:
        arrived.append(len(upstream.exchanges))

    sending = SimpleNamespace(sent=SimpleNamespace(wait=wait))
    front._runner._sending["run-1"] = sending  # type: ignore[attr-defined]
    signed_request(front, cancel_frame("run-1"))
    assert (arrived, len(upstream.exchanges)) == ([0], 1)


def test_client_of_a_cancel_hangs_up(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A cancel is forwarded also if its client does not wait for the answer."""
    run = held_run(front, upstream, pool)
    with connect(front) as sock:
        sock.sendall(signed_bytes(front, cancel_frame("run-1")))
    assert run.result(TIMEOUT).terminal == "task_cancelled"


def test_client_of_the_run_hangs_up(front: HttpWorker, upstream: HttpWorker) -> None:
    """The cancel of a run is forwarded also if the client of the run has hung up."""
    gate = upstream.hold("task")
    with connect(front) as sock:
        sock.sendall(signed_bytes(front, run_frame(answer, run_id="run-1")))
        gate.wait_arrived()
    signed_request(front, cancel_frame("run-1"))
    upstream.wait_for("task", state="cancelled")


def test_cancelled_run(front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """The run is recorded as cancelled because of the client."""
    run = held_run(front, upstream, pool)
    signed_request(front, cancel_frame("run-1"))
    run.result(TIMEOUT)
    assert (front.runs.last.state, front.runs.last.cancel_requested) == ("cancelled", True)


def test_cancel_of_an_unknown_run(front: HttpWorker, upstream: HttpWorker) -> None:
    """A cancel of a run that is not known here is forwarded."""
    signed_request(front, cancel_frame("run-9"))
    assert upstream.exchanges[-1].run_id == "run-9"


def test_answer_to_a_cancel(make_worker: MakeWorker) -> None:
    """Upstream's answer to a cancel is relayed as it came."""
    reply = reply_of(b'{"ok": true}\n', "202 Fine", "Content-Type: a/b")
    response, _ = asked(make_worker, reply, cancel_frame("run-1"))
    assert (response.status, response.body) == (202, b'{"ok": true}\n')


def test_cancel_of_a_held_run(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A run that waits at a gate here is cancelled here: upstream has neither."""
    gate = front.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer, run_id="run-1"))
    gate.wait_arrived()
    signed_request(front, cancel_frame("run-1"))
    assert (run.result(TIMEOUT).terminal, upstream.exchanges) == ("task_cancelled", [])


def test_cancelled_before_it_is_forwarded() -> None:
    """A run that is cancelled in the moment before it is forwarded is not, and counts no
    execution."""
    runner, execution = UpstreamRunner(Options(upstream="http://localhost:1/")), Execution("task")
    counted: list[bool] = []
    execution.uncount = lambda: counted.append(True)
    execution.begin()
    execution.cancel(wait_for_end=True)
    command = RunTask("run-1", "task", b"", b"")
    forwarded = ForwardedCommand(Request("POST", "/", Headers(), b"{}"), command, [])
    outcome = runner.run(execution, Body(b"", b"", forwarded=forwarded))
    assert (outcome.kind, counted, forwarded.legs) == ("cancelled", [True], [])
    assert runner._connections._attempts == set()


def test_failed_cancel_is_noted(make_worker: MakeWorker) -> None:
    """A cancel that upstream could not carry out is its failure."""
    _, worker = asked(make_worker, reply_of(b"", "500 Oops"), cancel_frame("run-1"))
    exchange = worker.exchanges[-1]
    assert (exchange.upstream_failed, exchange.code) == (True, "upstream-status")
