"""Replays: the command frame of an earlier run, sent again as a client does."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.inspector.calls import Calls, inspector
from tests.support import MakeWorker, lasting, run_frame, signed_request
from wove_http_dev.errors import ConflictError
from wove_http_dev.inspector import replay
from wove_http_dev.inspector.replay import Replays
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runs.records import Run
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def worker(make_worker: MakeWorker) -> HttpWorker:
    """A worker that keeps what a replay needs."""
    return make_worker(inspected=True)


@pytest.fixture
def api(worker: HttpWorker) -> Iterator[Calls]:
    with inspector(worker) as served:
        yield Calls(worker, served.port)


def kept(worker: HttpWorker, run_id: str = "a") -> Run:
    """A run that has succeeded, with the callable that the client sent."""
    signed_request(worker, run_frame(lambda: 42, run_id=run_id))  # a child has no tests
    return next(each for each in worker.runs if each.run_id == run_id)


def replay_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "wove-http-dev-replay"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"security": "bearer"},
        {"tls": False, "security": "none"},
        {"host": "127.0.0.1"},
        {"idempotency": True},
        {"isolated": True},
    ],
    ids=str,
)
def test_runs_again(make_worker: MakeWorker, options: dict[str, object]) -> None:
    """The body runs again, under a new run id, however the worker authenticates."""
    worker = make_worker(inspected=True, **options)
    kept(worker)
    with inspector(worker) as served:
        made = Calls(worker, served.port).post("/runs/a/replay")
        worker.wait_for(state="succeeded", count=2, timeout=30)
    assert [run.run_id for run in worker.runs] == ["a", made["id"]]
    assert worker.runs[1].result == 42


def test_answer(api: Calls) -> None:
    """The answer has the new run."""
    kept(api.worker)
    made = api.post("/runs/a/replay")
    assert (made["run"]["run_id"], made["run"]["task_id"]) == (made["id"], "task")


def test_fault_acts_on_it(api: Calls) -> None:
    """A replay is a request as any other: what refuses it leaves no run."""
    kept(api.worker)
    api.worker.inject("refuse-connections")
    assert api.post("/runs/a/replay")["run"] is None


def test_dropped_payload(api: Calls) -> None:
    """A run whose payload the journal has dropped is 409."""
    kept(api.worker)._drop_payloads()
    assert api.call("POST", "/runs/a/replay").status == 409


def test_unknown_run(api: Calls) -> None:
    """An unknown run is 404."""
    assert api.call("POST", "/runs/a/replay").status == 404


def test_held_replays_end_with_the_api(worker: HttpWorker) -> None:
    """Replays that wait for their answers end when the API does."""
    kept(worker)
    worker.hold()
    with inspector(worker) as served:
        Calls(worker, served.port).post("/runs/a/replay")
    assert lasting(replay_threads()) == []


def test_limit(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many replays wait at once."""
    monkeypatch.setattr(replay, "LIMIT", 1)
    run, replays = kept(worker), Replays(worker)
    worker.hold()
    replays.send(run)
    with pytest.raises(ConflictError, match="1 replays"):
        replays.send(run)
    replays.close()
    assert lasting(replay_threads()) == []


def test_no_idempotency_key() -> None:
    """A replay has the delivery settings, but not the key whose first outcome would answer it."""
    run = Run(
        "a",
        "t",
        delivery={"delivery_timeout": 1, "delivery_idempotency_key": "k", "left out": "x"},
        initial_value=False,
        args_pickle=dumps({}),
        received=0.0,
    )
    assert replay._frame(run, "b")["delivery"] == {"delivery_timeout": 1}
