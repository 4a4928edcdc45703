"""The weaves of this process are observed: tasks, attempts, and the exception that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from wove import merge, weave
from wove.context import WoveContextManager
from wove.environment import ExecutorRuntime

from tests.support import weave_one
from wove_http_dev.client.observed_weaves import Attempt, ObservedWeave, WeaveObserver, observed
from wove_http_dev.worker import HttpWorker


class Seen(WeaveObserver):
    """Keeps what is observed, in order."""

    def __init__(self) -> None:
        self.weaves: list[ObservedWeave] = []
        self.log: list[str] = []

    def weave_begun(self, weave: ObservedWeave, frame: object) -> None:
        self.weaves.append(weave)
        self.log.append("begun")

    def attempt_ended(self, weave: ObservedWeave, attempt: Attempt) -> None:
        self.log.append(attempt.task)


@pytest.fixture
def seen() -> Iterator[Seen]:
    """An observer of the weaves of the test."""
    observer = Seen()
    with observed(observer):
        yield observer


@pytest.fixture
def configured(worker: HttpWorker) -> Iterator[HttpWorker]:
    """A worker that Wove is configured for."""
    with worker.configured():
        yield worker


def test_one_weave(seen: Seen, configured: HttpWorker) -> None:
    """A sync weave is one weave, with its task, attempt and times."""
    assert weave_one(7) == 7
    (one,) = seen.weaves
    assert seen.log == ["begun", "task"]
    assert (one.names, one.outcomes["task"].value, one.error) == (("task",), 7, None)
    assert one.attempts[0].environment == "workers"
    assert one.ended is not None
    assert one.ended >= one.begun
    assert [attempt.run_id for attempt in one.attempts] == [configured.runs.last.run_id]


def test_async_weave(seen: Seen, configured: HttpWorker) -> None:
    """An async weave is one weave."""

    async def main() -> None:
        async with weave() as w:

            @w.do(environment="workers")
            def render() -> str:
                return "page"

    asyncio.run(main())
    assert [each.outcomes["render"].value for each in seen.weaves] == ["page"]


def test_nested_weave(seen: Seen) -> None:
    """A weave in a task of another one has a record of its own."""
    with weave() as w:

        @w.do
        def outer() -> int:
            with weave() as inside:

                @inside.do
                def inner() -> int:
                    return 1

            value: int = inside.result.inner
            return value

    assert [list(each.outcomes) for each in seen.weaves] == [["outer"], ["inner"]]


def test_each_attempt(seen: Seen, configured: HttpWorker) -> None:
    """Each retry is an attempt of its own, with its error or its value."""
    configured.inject("status code=503", times=1)
    weave_one(7, retries=2)
    (one,) = seen.weaves
    assert [attempt.delivered for attempt in one.attempts] == [False, True]
    assert one.retries == {"task": 2}


def test_what_was_sent(seen: Seen, configured: HttpWorker) -> None:
    """The same work has the same hash, work with other arguments another one."""
    for value in (7, 7, 8):
        weave_one(value)
    first, second, third = (each.sent["task"] for each in seen.weaves)
    assert first == second
    assert first.isdisjoint(third)


def test_nothing_was_sent(seen: Seen) -> None:
    """A task of this process is sent to no worker service."""
    weave_one(7, None)
    assert seen.weaves[0].sent == {}


def test_merged_task(seen: Seen, configured: HttpWorker) -> None:
    """A task of merge() is an attempt of the weave, with its retries."""

    def double(item: int) -> int:
        return item * 2

    with weave() as w:

        @w.do
        def total() -> int:
            return sum(merge(double, [1, 2], environment="workers", retries=3))

    assert seen.weaves[0].retries["merge:double"] == 3


def test_error(seen: Seen, configured: HttpWorker) -> None:
    """The outcome of a failed task is its error, also with error_mode="return"."""
    configured.inject("status code=503")
    with weave(error_mode="return") as w:

        @w.do(environment="workers")
        def render() -> str:
            return "page"

    outcome = seen.weaves[0].outcomes["render"]
    assert (outcome.kind, outcome.is_wove_error) == ("error", True)


def test_exception_that_leaves(seen: Seen, configured: HttpWorker) -> None:
    """The exception that leaves a weave is kept, and still leaves it."""
    configured.inject("task-cancelled")
    with pytest.raises(asyncio.CancelledError) as caught:
        weave_one(7)
    assert seen.weaves[0].escaped is caught.value


def test_weave_that_does_not_run(seen: Seen) -> None:
    """A weave whose block raises does not run, and is not observed."""
    with pytest.raises(LookupError), weave():
        raise LookupError
    assert seen.weaves == []


def test_policy_error(seen: Seen) -> None:
    """An error before any task runs is the weave's error."""
    with pytest.raises(NameError), weave() as w:

        @w.do(environment="nowhere")
        def render() -> str:
            return "page"

    assert isinstance(seen.weaves[0].error, NameError)


def test_restored() -> None:
    """Wove's methods are as before when the last observer has ended."""
    names = [(WoveContextManager, "__exit__"), (WoveContextManager, "__aexit__")]
    names += [(ExecutorRuntime, "run_task"), (ExecutorRuntime, "_await_result")]  # type: ignore[list-item]
    before = [getattr(owner, name) for owner, name in names]
    with observed(Seen()), observed(Seen()):
        assert [getattr(owner, name) for owner, name in names] != before
    assert [getattr(owner, name) for owner, name in names] == before


def test_method_that_others_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that other code replaced inside the block is kept."""
    monkeypatch.setattr(WoveContextManager, "__exit__", WoveContextManager.__exit__)

    def other(*_: object) -> None: ...

    with observed(Seen()):
        monkeypatch.setattr(WoveContextManager, "__exit__", other)
    assert WoveContextManager.__exit__ is other


def test_two_observers(seen: Seen) -> None:
    """Each observer sees each weave."""
    second = Seen()
    with observed(second):
        weave_one(1, None)
    weave_one(2, None)
    assert (len(second.weaves), len(seen.weaves)) == (1, 2)
