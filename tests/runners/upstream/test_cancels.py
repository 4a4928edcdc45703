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
