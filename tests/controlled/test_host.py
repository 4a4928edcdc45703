"""What is kept alike in a test's process and in the worker of a control API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from tests.controlled.helpers import controlled
from tests.inspector.calls import TOKEN, inspector
from tests.support import TIMEOUT, answer, run_frame, signed_request, weave_one
from wove_http_dev.controlled.worker import ControlledWorker
from wove_http_dev.errors import ServeRestartedError, UsageError
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.inspector.inspector import Inspector
from wove_http_dev.runs.records import Exchange
from wove_http_dev.service.port import Port
from wove_http_dev.worker import HttpWorker


def test_runs_before_the_test(theirs: HttpWorker, client: ControlClient) -> None:
    """What arrived before the test is not of the test."""
    with theirs.configured():
        weave_one(answer)
    with controlled(client, theirs) as worker:
        assert (len(worker.runs), worker.exchanges) == (0, [])


def test_runs_after_those(theirs: HttpWorker, client: ControlClient) -> None:
    """What arrives after other runs is of the test."""
    with theirs.configured():
        weave_one(answer)
        with controlled(client, theirs) as worker:
            weave_one(answer)
            assert (len(worker.runs), len(worker.exchanges)) == (1, 1)


def test_reset(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """``reset()`` forgets runs here, and leaves them in the worker's journal."""
    weave_one(answer)
    worker.reset()
    assert (len(worker.runs), len(theirs.runs)) == (0, 1)


def test_run_with_an_id_of_before(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """A client that sends an id again, after its run has ended, has two runs."""
    for _ in range(2):
        signed_request(theirs, run_frame(answer, run_id="again"))
    assert [run.state for run in worker.runs] == ["succeeded", "succeeded"]


def test_fetched_once(
    worker: ControlledWorker, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What will not change any more is not fetched again."""
    weave_one(answer)
    worker.wait_for("answer", "succeeded", timeout=TIMEOUT)
    assert worker.runs.last.answered is not None
    _ = worker.exchanges, worker.runs
    lists: list[list[Any]] = []

    def noted(real: Callable[..., list[Any]], **words: Any) -> list[Any]:
        lists.append(real(**words))
        return lists[-1]

    for name in ("runs", "exchanges"):
        monkeypatch.setattr(client, name, partial(noted, getattr(client, name)))
    assert len(worker.runs) == len(worker.exchanges) == 1
    assert lists == [[], [], [], []]


def test_reset_on_the_page(worker: ControlledWorker, client: ControlClient) -> None:
    """Runs after a person's reset are runs of the test, like those before."""
    weave_one(answer)
    assert len(worker.runs) == 1
    client.reset()
    weave_one(answer)
    assert len(worker.runs) == 2


def test_two_threads_wait(worker: ControlledWorker, pool: ThreadPoolExecutor) -> None:
    """A wait at a gate and one for a run do not stop each other."""
    gate = worker.hold("answer")
    result = pool.submit(weave_one, answer)
    arrived = pool.submit(gate.wait_arrived, timeout=TIMEOUT)
    held = worker.wait_for("answer", "held", timeout=TIMEOUT)
    assert arrived.result(TIMEOUT) == list(held)
    gate.release()
    assert result.result(TIMEOUT) == 42


def test_injection_is_removed(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """A fault that is removed here is no longer in force there."""
    with worker.inject("hang", unused_ok=True):
        assert [str(each.faults[0]) for each in theirs.injections] == ["hang"]
    assert theirs.injections == []


def test_counts_of_a_removed_injection(worker: ControlledWorker) -> None:
    """An injection keeps its counts when it is removed."""
    with worker.inject("slow-response delay=0") as injection:
        weave_one(answer)
    assert (injection.hits, injection.seen) == (1, 1)


def test_fields_of_an_injection(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """Which requests a fault hits is the same there."""
    words = {"task": "a*", "command": "run_task", "times": 2, "after": 1, "seed": 3}
    worker.inject("hang", **words, probability=0.5, unused_ok=True)  # type: ignore[arg-type]
    selector = theirs.injections[0].selector
    assert selector.probability == 0.5
    assert {word: getattr(selector, word) for word in words} == words


def test_random_faults_of_the_session(theirs: HttpWorker, client: ControlClient) -> None:
    """The seed of a random fault follows from that of the test session."""
    seeds = []
    for seed in (1, 1, 2):
        with controlled(client, theirs, seed=seed) as worker:
            worker.inject("hang", probability=0.5)
            seeds.append(theirs.injections[-1].selector.seed)
    assert seeds[0] == seeds[1] != seeds[2]


def test_refused_stub(worker: ControlledWorker) -> None:
    """What the API refuses is an error, and not tried again."""
    error = type("Absent", (Exception,), {})("x")
    with pytest.raises(UsageError, match="Absent"):
        worker.stub("t", error=error)
    worker.stub("t", result=1, unused_ok=True)


def test_stub_is_removed(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """A stub that is removed here is no longer in force there."""
    worker.stub("t", result=1, unused_ok=True).remove()
    assert theirs._state.stubs.active == []


def test_stub_that_matched(worker: ControlledWorker) -> None:
    """A stub knows that a run has matched."""
    stub = worker.stub("answer", result=1)
    weave_one(answer)
    assert stub.matched


def test_gate(worker: ControlledWorker, pool: ThreadPoolExecutor) -> None:
    """A gate holds a run there until it is released here."""
    gate = worker.hold("answer")
    result = pool.submit(weave_one, answer)
    [run] = gate.wait_arrived(timeout=TIMEOUT)
    assert worker.wait_for("answer", "held", timeout=TIMEOUT).last is run
    gate.release()
    assert result.result() == 42


def test_gate_that_a_person_released(
    worker: ControlledWorker, client: ControlClient, pool: ThreadPoolExecutor
) -> None:
    """A gate says that it was released on the page."""
    gate = worker.hold("answer")
    result = pool.submit(weave_one, answer)
    gate.wait_arrived(timeout=TIMEOUT)
    client.release(client.holds()[0]["id"])
    assert (gate.released, result.result()) == (True, 42)


def test_end(theirs: HttpWorker, client: ControlClient) -> None:
    """At the end nothing that was made here is in force there."""
    with controlled(client, theirs) as worker:
        worker.inject("hang")
        worker.stub("t", result=1)
        worker.hold()
    state = theirs._state
    assert (state.faults.active, state.stubs.active, state.gates.tasks) == ([], [], [])


def test_end_of_what_is_gone(theirs: HttpWorker, client: ControlClient) -> None:
    """A person's reset of the worker is no error at the end of a test."""
    with controlled(client, theirs) as worker:
        worker.inject("hang")
        worker.stub("t", result=1)
        worker.hold()
        client.reset()


def test_interrupted_end(
    theirs: HttpWorker, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while what was made is removed leaves nothing."""
    remove = client.remove_injection
    interrupts = [KeyboardInterrupt()]

    def interrupted(number: int) -> None:
        if interrupts:
            raise interrupts.pop()
        remove(number)

    worker = controlled(client, theirs).__enter__()
    worker.inject("hang")
    monkeypatch.setattr(client, "remove_injection", interrupted)
    with pytest.raises(KeyboardInterrupt):
        worker.__exit__()
    assert theirs.injections == []


MADE: dict[str, Callable[[ControlledWorker], Any]] = {
    "inject": lambda worker: worker.inject("hang"),
    "stub": lambda worker: worker.stub("t", result=1),
    "hold": lambda worker: worker.hold("t"),
}


@pytest.mark.parametrize("name", MADE)
def test_interrupted_request(
    theirs: HttpWorker, client: ControlClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is made there while Ctrl-C keeps its id from the test is removed as well, and nothing
    that is like it and was there before."""
    person = client.inject("hang"), client.stub("t", result=1), client.hold("t")
    real = getattr(client, name)

    def interrupted(*args: Any, **words: Any) -> None:
        real(*args, **words)
        raise KeyboardInterrupt

    monkeypatch.setattr(client, name, interrupted)
    with controlled(client, theirs) as worker, pytest.raises(KeyboardInterrupt):
        MADE[name](worker)
    left = client.injections(), client.stubs(), [h for h in client.holds() if not h["released"]]
    assert left == tuple([each] for each in person)


def test_serve_has_ended(theirs: HttpWorker) -> None:
    """A ``serve`` that ended during the test is no error at the end of it."""
    with inspector(theirs) as served:
        client = ControlClient(f"http://127.0.0.1:{served.port}", TOKEN)
        worker = controlled(client, theirs).__enter__()
        worker.inject("hang")
    worker.__exit__()


@contextmanager
def restart_during_a_test(theirs: HttpWorker) -> Iterator[tuple[ControlledWorker, HttpWorker]]:
    """A test's worker, which has put a fault in force before its ``serve`` ended, and the worker of
    the ``serve`` that was started instead, in which a person has put one in force."""
    port = Port("localhost", 0)
    with Inspector(theirs, port, TOKEN):
        client = ControlClient(f"http://127.0.0.1:{port.number}", TOKEN)
        worker = controlled(client, theirs).__enter__()
        worker.inject("hang", unused_ok=True)
    again = Port("localhost", port.number)
    with HttpWorker(inspected=True) as other, Inspector(other, again, TOKEN):
        client.inject("status")
        yield worker, other


@pytest.mark.parametrize(
    "act",
    [
        lambda worker: worker.runs,
        lambda worker: worker.exchanges,
        lambda worker: worker.wait_for("task", timeout=TIMEOUT),
        lambda worker: worker.inject("hang"),
        lambda worker: worker.hold("task"),
        lambda worker: worker.check(),
    ],
    ids=["runs", "exchanges", "wait_for", "inject", "hold", "check"],
)
def test_serve_was_restarted(theirs: HttpWorker, act: Callable[[ControlledWorker], Any]) -> None:
    """A ``serve`` that was restarted during the test is one clear error: what it has now is not of
    the test."""
    with (
        restart_during_a_test(theirs) as (worker, _),
        pytest.raises(ServeRestartedError, match=r"was restarted during the test: .*run the test"),
    ):
        act(worker)


def test_restart_is_in_the_report(theirs: HttpWorker) -> None:
    """The report of a failed test says so, too."""
    with restart_during_a_test(theirs) as (worker, _):
        assert "was restarted during the test" in worker.report()


def test_end_of_a_test_after_a_restart(theirs: HttpWorker) -> None:
    """At the end of the test, what others have put in force meanwhile stays."""
    with restart_during_a_test(theirs) as (worker, other):
        worker.__exit__()
        assert len(other.injections) == 1


def test_redirected(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """An injection knows how many requests followed to the second origin."""
    injection = worker.inject("redirect", unused_ok=True)
    theirs.injections[0].record_redirected(Exchange(1, 1.0))
    assert len(worker.injections[0].redirected) == 1 == len(injection.redirected)


STARTED, STOP = threading.Event(), threading.Event()


def blocked() -> None:
    STARTED.set()
    STOP.wait(TIMEOUT)  # it hangs here


def test_stack(worker: ControlledWorker, theirs: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """The report of a test says where a running body is."""
    pool.submit(signed_request, theirs, run_frame(blocked))
    assert STARTED.wait(TIMEOUT)
    try:
        assert "STOP.wait(TIMEOUT)  # it hangs here" in worker.report()
    finally:
        STOP.set()


def test_distributions(worker: ControlledWorker, wove_http_worker: HttpWorker) -> None:
    """What is drawn there is what a worker of this process draws for the same test session."""
    numbers = []
    for each in (worker, wove_http_worker):
        each._state.faults.seed, each._state.faults.label = 5, "this test"
        each.inject("slow-response delay=0.001..0.002")
        with each.configured():
            weave_one(answer)
        numbers.append((each.runs.last.drawn, each.exchanges[-1].drawn))
    assert numbers[0] == numbers[1]
    assert numbers[0][0]["slow-response delay=0.001..0.002"]
