"""What is observed of one run of a test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import wove
from wove import weave

from tests.support import weave_one
from wove_http_dev.survival.observation import JOURNAL_LIMIT, Observation, Observer
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def configured(worker: HttpWorker) -> Iterator[HttpWorker]:
    """A worker that Wove is configured for."""
    with worker.configured():
        yield worker


def executions(observation: Observation) -> list[tuple[str, int]]:
    """The executions of each run."""
    return [(run.task, run.executions) for run in observation.runs]


def test_runs(configured: HttpWorker) -> None:
    """The runs of a watched worker are observed, without initial values."""
    with Observer() as observer:
        observer.watch(configured)
        observer.watch(configured)
        weave_one(7)
    assert executions(observer.observation) == [("task", 1)]


def test_runs_of_before(configured: HttpWorker) -> None:
    """What a worker of a wider scope received before the run is not the run's."""
    weave_one(7)
    with Observer() as observer:
        observer.watch(configured)
        weave_one(8)
    assert executions(observer.observation) == [("task", 1)]


def test_reset(configured: HttpWorker) -> None:
    """What a worker received is observed though the test resets it."""
    with Observer() as observer:
        observer.watch(configured)
        weave_one(7)
        configured.reset()
    assert executions(observer.observation) == [("task", 1)]


def test_isolated_worker() -> None:
    """The runs and results of an isolated worker are observed."""
    with HttpWorker(isolated=True) as worker, worker.configured(), Observer() as observer:
        observer.watch(worker)
        weave_one([1.5])
    assert executions(observer.observation) == [("task", 1)]
    assert [each.task for each in observer.observation.delivered.values()] == ["task"] * 2


def test_equal_arguments(configured: HttpWorker) -> None:
    """Two runs with equal arguments have equal ones here."""
    with Observer() as observer:
        observer.watch(configured)
        with weave() as w:

            @w.do(["a", "b", "a"], environment="workers")
            def render(item: str) -> str:
                return item

    first, second, third = sorted(str(run.args) for run in observer.observation.runs)
    assert len({first, second, third}) == 2


def test_body_that_still_runs(configured: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """The end waits for a body that still runs when the test has ended."""
    started, release = threading.Event(), threading.Event()
    body = _body(started, release)
    observer = Observer()
    with observer:
        observer.watch(configured)
        ended = pool.submit(weave_one, body)
        assert started.wait(30)
        settled = pool.submit(observer.settle)
        assert not settled.done()
        release.set()
        settled.result(30)
        assert [run.state for run in configured.runs] == ["succeeded"]
        ended.result(30)


_EVENTS: dict[str, threading.Event] = {}


def _body(started: threading.Event, release: threading.Event) -> Any:
    _EVENTS.update(started=started, release=release)
    return wait_for_release


def wait_for_release() -> None:
    """Say that the body runs, and wait."""
    _EVENTS["started"].set()
    assert _EVENTS["release"].wait(30)


def test_stalled_run_is_not_waited_for(configured: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A run that a fault in force stalls does not keep the end waiting."""
    injection = configured.inject("hang")
    with Observer() as observer:
        observer.watch(configured)
        ended = pool.submit(weave_one)
        configured.wait_for("task", "received", timeout=30)
        observer.settle()
        assert executions(observer.observation) == []
        injection.remove()
        ended.result(30)


def test_hits(configured: HttpWorker) -> None:
    """The hits of each fault are observed."""
    with Observer() as observer:
        observer.watch(configured)
        injection = configured.inject("status code=503")
        with pytest.raises(Exception, match="503"):
            weave_one(7)
    assert observer.observation.hits == [(injection.faults[0], 1)]


def test_result_of_another_server(configured: HttpWorker) -> None:
    """A result that the task's run did not give is foreign."""
    with Observer() as observer:
        observer.watch(configured)
        configured.inject("redirect")
        weave_one(7)
    (foreign,) = observer.observation.foreign
    assert (foreign.task, foreign.reason) == ("task", "its run gave another value")
    assert observer.observation.redirected == 1


def test_environment_of_the_applications_own(configured: HttpWorker) -> None:
    """A result that an environment of the application's own has from the worker is compared too."""
    wove.config(environments={"own": configured.environment_definition})
    with Observer() as observer:
        observer.watch(configured)
        configured.inject("redirect")
        weave_one(7, "own")
    assert [each.reason for each in observer.observation.foreign] == ["its run gave another value"]


def test_impersonated_service(configured: HttpWorker) -> None:
    """And so is one that has a URL which the worker impersonates."""
    url = "https://jobs.example.com/wove"
    config = {"url": f"{url}?zone=b", "security": "env:WOVE_WORKER_SECRET", "timeout": 30}
    own = {"executor": "https", "executor_config": config}
    with configured.impersonate(url), Observer() as observer:
        wove.config(environments={"own": own})
        observer.watch(configured)
        configured.inject("redirect")
        weave_one(7, "own")
    assert [each.reason for each in observer.observation.foreign] == ["its run gave another value"]


def test_own_result_is_not_foreign(configured: HttpWorker) -> None:
    """A result that the task's run gave is not foreign, though the application changes it."""
    with Observer() as observer:
        observer.watch(configured)
        weave_one([3, 1, 2]).sort()
    assert observer.observation.foreign == []


@pytest.mark.parametrize(("value", "foreign"), [((1, 2), 0), ({1: 2}, 0), ({1, 2}, 1)])
def test_result_in_json(configured: HttpWorker, value: Any, foreign: int) -> None:
    """A result with the types of JSON is the run's; the text of one that JSON cannot hold is
    not."""
    configured.inject("plain-json-result")
    with Observer() as observer:
        observer.watch(configured)
        weave_one(value)
    assert len(observer.observation.foreign) == foreign


def test_result_of_a_stub(configured: HttpWorker) -> None:
    """What a stub answers is the run's result."""
    configured.stub("task", result=9)
    with Observer() as observer:
        observer.watch(configured)
        assert weave_one(7) == 9
    assert observer.observation.foreign == []


def test_worker_that_is_not_watched(configured: HttpWorker) -> None:
    """Of the tasks of another worker nothing is said."""
    with Observer() as observer:
        weave_one(7)
    assert (observer.observation.runs, observer.observation.foreign) == ([], [])
    assert len(observer.observation.weaves) == 1


def test_history(configured: HttpWorker) -> None:
    """A later run of the test knows what earlier ones delivered, with or without a fault."""
    with Observer() as clean:
        clean.watch(configured)
        first = weave_one([1.5])
    with Observer(clean.observation) as middle:
        middle.watch(configured)
        second = weave_one([2.5])
    with Observer(clean.observation) as last:
        last.watch(configured)
    history = last.observation.history.delivered
    assert [history[id(value)][1] for value in (first, second)] == ["task", "task"]
    assert id(first) not in middle.observation.delivered


def test_watchdog(configured: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """The weaves that have not ended when the watchdog fires are known."""
    with Observer() as observer:
        observer.watch(configured)
        weave_one(7)
        injection = configured.inject("hang")
        ended = pool.submit(weave_one, 8)
        configured.wait_for("task", "received", count=2, timeout=30)
        observer.watchdog_fired()
        injection.remove()
        ended.result(30)
    assert observer.observation.stuck
    assert observer.observation.released == observer.observation.weaves[1:]


def test_journal(configured: HttpWorker) -> None:
    """The workers' report is kept, of limited length and without the secret."""
    with Observer() as observer:
        observer.watch(configured)
        for _ in range(30):
            with pytest.raises(LookupError):
                weave_one(_failing)
    text = observer.observation.journal
    assert "task" in text or "_failing" in text
    assert len(text) <= JOURNAL_LIMIT
    assert str(configured.secret) not in text


def _failing() -> None:
    raise LookupError("\x1b[31m" + "x" * 5000)


def test_journal_is_printable(configured: HttpWorker) -> None:
    """Control characters of a task are escaped in the report."""
    with Observer() as observer:
        observer.watch(configured)
        with pytest.raises(LookupError):
            weave_one(_failing)
    assert "\x1b" not in observer.observation.journal


def test_nothing_is_left(configured: HttpWorker) -> None:
    """After the block, the worker's journal has no observer."""
    with Observer() as observer:
        observer.watch(configured)
    assert configured.journal._observers == ()
