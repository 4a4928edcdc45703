"""What is kept alike in a test's process and in the worker of a control API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.controlled.helpers import controlled
from tests.inspector.calls import TOKEN, inspector
from tests.support import answer, weave_one
from wove_http_dev.controlled.worker import ControlledWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.runs.records import Exchange
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
    [run] = gate.wait_arrived()
    assert worker.wait_for("answer", "held").last is run
    gate.release()
    assert result.result() == 42


def test_gate_that_a_person_released(
    worker: ControlledWorker, client: ControlClient, pool: ThreadPoolExecutor
) -> None:
    """A gate says that it was released on the page."""
    gate = worker.hold("answer")
    result = pool.submit(weave_one, answer)
    gate.wait_arrived()
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


def test_serve_has_ended(theirs: HttpWorker) -> None:
    """A ``serve`` that ended during the test is no error at the end of it."""
    with inspector(theirs) as served:
        client = ControlClient(f"http://127.0.0.1:{served.port}", TOKEN)
        worker = controlled(client, theirs).__enter__()
        worker.inject("hang")
    worker.__exit__()


def test_redirected(worker: ControlledWorker, theirs: HttpWorker) -> None:
    """An injection knows how many requests followed to the second origin."""
    injection = worker.inject("redirect", unused_ok=True)
    theirs.injections[0].record_redirected(Exchange(1, 1.0))
    assert len(worker.injections[0].redirected) == 1 == len(injection.redirected)
