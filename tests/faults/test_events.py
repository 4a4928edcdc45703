"""Event faults that need more than one task to show, from the client's side."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from wove import weave

from tests.support import weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.faults import EventsNotAList, ForeignRun
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.runs.outcome import Outcome


def test_a_foreign_run_gets_the_result_of_another(
    wove_http_worker_factory: WorkerFactory,
) -> None:
    """A response ends another run as well, with a wrong value."""
    worker = wove_http_worker_factory()
    victims, thieves = worker.hold("victim"), worker.hold("thief")
    worker.inject("foreign-run", task="thief")

    def let_only_the_thief_go() -> None:
        victims.wait_arrived()
        thieves.release()

    driving = threading.Thread(target=let_only_the_thief_go)
    driving.start()
    with weave() as w:

        @w.do(environment="workers")
        def victim() -> str:
            return "mine"

        @w.do(environment="workers")
        def thief() -> str:
            return "stolen"

        @w.do
        def after(victim: str) -> None:  # the weave waits for the held run's request
            victims.release()

    driving.join()
    assert w.result.victim == "stolen"


def test_a_foreign_run_waits_for_another(wove_http_worker: HttpWorker) -> None:
    """Of two tasks that a weave starts at once one gets the result of the other, whichever arrives
    first, and however quickly a body ends."""
    wove_http_worker.inject("foreign-run wait=5")
    with weave() as w:

        @w.do([1, 2], environment="workers")
        def same(item: int) -> int:
            return item

    assert w.result.same in ([1, 1], [2, 2])


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3])
def test_a_foreign_run_waits_as_long_as_it_says(seconds: float) -> None:
    """Where no other run comes, the fault waits for its whole time."""
    waits = [0.0]

    def wait(rest: float) -> bool:
        waits.append(rest)
        return False

    stage: Any = SimpleNamespace(other_runs=[], outcome=Outcome("result"), wait=wait)
    assert ForeignRun(wait=seconds).on_events([], stage) == []
    assert sum(waits) == pytest.approx(seconds)


@pytest.mark.parametrize("event", [{"run_id": "run-1"}, {"type": ["a"]}], ids=["none", "a-list"])
def test_frame_of_no_type(event: Any) -> None:
    """A frame without a type, or whose type is no text, as a stub or an upstream service may send
    it, is sent by the fault as others are."""
    stage: Any = SimpleNamespace()
    sent = EventsNotAList().on_events([event], stage)
    assert [*sent["events"].values()] == [event]


def test_plain_json_turns_a_tuple_into_a_list(wove_http_worker: HttpWorker) -> None:
    """A tuple sent as plain JSON arrives as a list."""
    wove_http_worker.inject("plain-json-result")
    assert weave_one() == [1, 2]


def test_an_unhashable_run_id_fails_every_pending_run(
    wove_http_worker_factory: WorkerFactory,
) -> None:
    """Runs whose own responses would have been right fail as well."""
    worker = wove_http_worker_factory()
    gate = worker.hold("bystander")
    worker.inject("unhashable-run-id", task="broken")

    def release_after_the_response() -> None:  # the weave waits for the held run's request
        gate.wait_arrived()
        worker.wait_for("broken", state="succeeded")
        gate.release()

    releasing = threading.Thread(target=release_after_the_response)
    releasing.start()

    def errors(w: Any) -> list[str]:
        found = []
        for name in ("broken", "bystander"):
            try:
                getattr(w.result, name)
            except Exception as exc:
                found.append(type(exc).__name__)
        return found

    with weave() as w:

        @w.do(environment="workers")
        def bystander() -> int:
            return 1

        @w.do(environment="workers")
        def broken() -> int:
            return 2

    releasing.join()
    assert "TypeError" in errors(w)
