"""The end of a worker, its reset, and the end of a run's time, while upstream has not answered."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.runners.upstreams import held_run, in_front_of
from tests.support import TIMEOUT, MakeWorker, answer, run_frame, signed_request
from wove_http_dev.worker import HttpWorker


def test_stop_ends_a_run(front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """``stop()`` ends a run that upstream does not answer."""
    run = held_run(front, upstream, pool)
    front.stop()
    assert run.result(TIMEOUT).task_error["kind"] == "WorkerStopped"


def test_reset_ends_a_run(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """``reset()`` ends the wait for an upstream that does not answer."""
    run = held_run(front, upstream, pool)
    front.reset()
    assert run.result(TIMEOUT).document["code"] == "upstream-abandoned"


def test_reset_of_an_isolated_worker(
    make_worker: MakeWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """So does that of an isolated worker."""
    front = in_front_of(make_worker, upstream, isolated=True)
    run = held_run(front, upstream, pool)
    front.reset()
    assert run.result(TIMEOUT).document["code"] == "upstream-abandoned"


def test_run_after_its_delivery_timeout(
    front: HttpWorker, upstream: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose client waits no longer is given up, and the journal says so."""
    monkeypatch.setattr("wove_http_dev.runners.upstream.AFTER_DELIVERY", 0.0)
    upstream.hold("task")
    frame = json.loads(run_frame(answer))
    frame["delivery"] = {"delivery_timeout": 0.01}
    response = signed_request(front, json.dumps(frame).encode())
    assert (response.status, response.document["code"]) == (504, "upstream-timeout")


def test_stop_is_no_failure_of_upstream(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """What the worker itself ended, strict mode does not report."""
    run = held_run(front, upstream, pool)
    front.stop()
    run.result(TIMEOUT)
    assert not front.exchanges[-1].violation


def test_no_socket_is_left(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """After a stop no connection to upstream is left."""
    front = in_front_of(make_worker, upstream)
    signed_request(front, run_frame(answer))
    connections = front._runner._connections  # type: ignore[attr-defined]
    ((sock, _),) = connections._idle
    front.stop()
    assert sock.fileno() == -1
