"""``worker.order()`` and ``worker.orders()``, with Wove's real executor."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from wove import weave
from wove.environment import HttpEnvironmentExecutor

from tests.support import TIMEOUT, MakeWorker, answer, lasting, run_frame, signed_request
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.orders.order import Order
from wove_http_dev.worker import HttpWorker

BODIES: list[Any] = []
"""The arguments of the bodies that have run, in order."""


@pytest.fixture(autouse=True)
def no_bodies() -> None:
    BODIES.clear()


def body(item: Any) -> Any:
    BODIES.append(item)
    return item


def convert(items: Sequence[Any], function: Callable[[Any], Any] = body, **options: Any) -> Any:
    """Run a weave that maps ``function`` over ``items`` on the worker; return the results."""
    with weave() as w:

        @w.do(items, environment="workers", **options)
        def render(item: Any) -> Any:
            return function(item)

    return w.result.render


def failing(item: Any) -> Any:
    raise ValueError(f"of {item}")


def failing_once(item: Any) -> Any:
    BODIES.append(item)
    if BODIES.count(item) == 1:
        raise ValueError(item)


def expire_when(order: Order, condition: Callable[[], bool]) -> None:
    """Let the time limit of ``order`` pass as soon as ``condition`` is true, and not before."""
    wait = order._changed.wait

    def until(timeout: float | None = None) -> bool:
        expired = timeout is not None and condition()
        return not expired and wait(None if timeout is None else TIMEOUT)

    order._changed.wait = until  # type: ignore[method-assign]


def text_of(error: BaseException) -> str:
    """What pytest shows of an error: notes are a part of it from Python 3.11 on."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


class TestOrder:
    """In which order runs complete."""

    @pytest.mark.parametrize("indices", [*permutations(range(3))], ids=str)
    def test_bodies(self, wove_http_worker: HttpWorker, indices: tuple[int, ...]) -> None:
        """The bodies run in the given order."""
        with wove_http_worker.order("render", indices):
            convert([0, 1, 2])
        assert [*indices] == BODIES

    @pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
    def test_the_client(self, make_worker: MakeWorker, isolated: bool) -> None:
        """The client has the outcomes in that order: Wove raises the first error that it gets."""

        def fail(item: int) -> int:
            raise ValueError(f"of {item}")

        fail.__module__ = "__main__"  # sent whole: the isolated worker cannot import this module
        worker = make_worker(isolated=isolated)
        with (
            worker.configured(),
            worker.order("render", (1, 2, 0)) as order,
            pytest.raises(ValueError, match="of b"),
        ):
            convert_with(fail, ["a", "b", "c"])
        assert order.completed[0] == 1  # another may come before the weave has ended

    def test_without_a_limit(self, wove_http_worker: HttpWorker) -> None:
        """An infinite time limit is allowed."""
        with wove_http_worker.order("render", (1, 0), timeout=math.inf):
            convert([0, 1])
        assert BODIES == [1, 0]

    def test_results(self, wove_http_worker: HttpWorker) -> None:
        """The results are those of the items, in the order of the items."""
        with wove_http_worker.order("render", (2, 1, 0)):
            assert convert(["a", "b", "c"]) == ["a", "b", "c"]

    def test_completed(self, wove_http_worker: HttpWorker) -> None:
        """``completed`` says in which order they have completed."""
        with wove_http_worker.order("render", (1, 0)) as order:
            convert(["a", "b"])
        assert order.completed == [1, 0]

    def test_as_sent(self, wove_http_worker: HttpWorker) -> None:
        """Without indices they complete as they are sent, also more than are in flight at once."""
        with wove_http_worker.order("render"):
            convert(range(50))
        assert [*range(50)] == BODIES

    def test_equal_items(self, wove_http_worker: HttpWorker) -> None:
        """Equal items are different runs."""
        with wove_http_worker.order("render", (1, 0, 2)) as order:
            convert([7, 7, 7])
        assert order.completed == [1, 0, 2]

    def test_an_async_weave(self, wove_http_worker: HttpWorker) -> None:
        """The runs of an async weave complete in the given order."""

        async def app() -> None:
            async with weave() as w:

                @w.do([0, 1, 2], environment="workers")
                async def render(item: int) -> Any:
                    return body(item)

        async def test() -> None:
            with wove_http_worker.order("render", (2, 0, 1)):
                await app()

        asyncio.run(test())
        assert BODIES == [2, 0, 1]

    def test_several_tasks(self, wove_http_worker: HttpWorker) -> None:
        """A glob orders the runs of several tasks, without Wove's initial values."""
        with wove_http_worker.order("*", (1, 0)) as order, weave(start=5) as w:

            @w.do(environment="workers")
            def first(start: int) -> Any:
                return body(f"first {start}")

            @w.do(environment="workers")
            def second(start: int) -> Any:
                return body(f"second {start}")

        assert (order.completed, sorted(BODIES)) == ([1, 0], ["first 5", "second 5"])

    def test_a_retry(self, wove_http_worker: HttpWorker) -> None:
        """A run's retries come before the next run."""
        with wove_http_worker.order("render", (1, 0)):
            convert(["a", "b"], failing_once, retries=1)
        assert BODIES == ["b", "b", "a", "a"]

    def test_a_fault(self, wove_http_worker: HttpWorker) -> None:
        """A run that a fault refuses has its turn when it arrives; its retry is in order."""
        wove_http_worker.inject("reject-auth", times=1)
        with wove_http_worker.order("render", (1, 0)):
            convert(["a", "b"], retries=1)
        assert BODIES == ["b", "a"]

    def test_an_error_ends_the_weave(self, wove_http_worker: HttpWorker) -> None:
        """A weave that ends with an error is not kept waiting by the runs that are still held."""
        with (
            wove_http_worker.order("render", (1, 0, 2)),
            pytest.raises(ValueError, match="of 1"),
        ):
            convert([0, 1, 2], failing)

    def test_other_tasks_are_free(self, wove_http_worker: HttpWorker) -> None:
        """Runs of other tasks are not held."""
        with wove_http_worker.order("render", (0,)):
            convert([0])
            with weave() as w:
                w.do(environment="workers")(answer)
        assert w.result.answer == 42

    def test_two_orders(self, wove_http_worker: HttpWorker) -> None:
        """Two tasks can have an order each."""
        with wove_http_worker.order("render", (1, 0)), wove_http_worker.order("answer"):
            convert([0, 1])
            with weave() as w:
                w.do(environment="workers")(answer)
        assert BODIES == [1, 0]


def convert_with(function: Callable[[Any], Any], items: Sequence[Any]) -> Any:
    """Like :func:`convert`, with ``function`` itself as the task ``render``."""
    function.__name__ = "render"
    with weave() as w:
        w.do(items, environment="workers")(function)
    return w.result.render


class TestEnd:
    """What an order leaves behind."""

    def test_strict(self, wove_http_worker: HttpWorker) -> None:
        """Strict mode has nothing to report of a hold."""
        with wove_http_worker.order("render"):
            convert([0, 1])
        wove_http_worker.check()

    def test_gates(self, wove_http_worker: HttpWorker) -> None:
        """No gate is left."""
        with wove_http_worker.order("render"):
            convert([0])
        assert wove_http_worker.gates == []

    def test_wove(self, wove_http_worker: HttpWorker) -> None:
        """Wove's executor has the methods that it had."""
        before = [getattr(HttpEnvironmentExecutor, name) for name in ("send", "recv", "stop")]
        with wove_http_worker.order("render"):
            convert([0])
        after = [getattr(HttpEnvironmentExecutor, name) for name in ("send", "recv", "stop")]
        assert after == before

    def test_threads(self, wove_http_worker: HttpWorker) -> None:
        """No thread is left."""
        with wove_http_worker.order("render"):
            convert([0])
        names = [thread for thread in threading.enumerate() if "-order" in thread.name]
        assert lasting(names) == []


def failure_in(order: Order, error: Exception, **options: Any) -> Exception:
    """Raise ``error`` in the block of ``order``, after a weave of two runs; return it."""
    try:
        with order:
            convert([0, 1], **options)
            raise error
    except type(error) as exc:
        return exc


class TestMessages:
    """What is said when runs cannot complete in the order."""

    @pytest.mark.parametrize(
        ("error", "message"),
        [(AssertionError("total"), "total"), (AssertionError(), ""), (KeyError(3), "3")],
        ids=["message", "empty", "other"],
    )
    def test_the_order_of_a_failure(
        self, wove_http_worker: HttpWorker, error: Exception, message: str
    ) -> None:
        """An error that leaves the block has a note with the order, as code."""
        failure = failure_in(wove_http_worker.order("render", (1, 0)), error)
        text = text_of(failure)
        assert message in text
        assert "worker.order('render', (1, 0))" in text or not hasattr(error, "add_note")

    def test_the_order_as_sent(self, wove_http_worker: HttpWorker) -> None:
        """The note of an order as sent has the numbers, too."""
        failure = failure_in(wove_http_worker.order("render"), AssertionError("total"))
        assert "worker.order('render', (0, 1))" in text_of(failure)

    def test_fewer(self, wove_http_worker: HttpWorker) -> None:
        """Fewer runs than the order has are an error that says how many."""
        with (
            pytest.raises(UsageError, match=r"\(1, 0, 2\)\): it is for 3 runs, and 2"),
            wove_http_worker.order("render", (1, 0, 2)),
        ):
            convert([0, 1])

    def test_more(self, wove_http_worker: HttpWorker) -> None:
        """More runs than the order has are an error."""
        with (
            pytest.raises(UsageError, match="it is for 2 runs, and 3 were sent"),
            wove_http_worker.order("render", (1, 0)),
        ):
            convert([0, 1, 2])

    def test_more_run(self, wove_http_worker: HttpWorker) -> None:
        """Those that are more run at the end."""
        with pytest.raises(UsageError), wove_http_worker.order("render", (1, 0)):
            convert([0, 1, 2, 3])
        assert BODIES == [1, 0, 2, 3]

    def test_none(self, wove_http_worker: HttpWorker) -> None:
        """If no run was sent, the message has the tasks seen and the nearest name."""
        with (
            pytest.raises(UsageError, match=r"no run was sent .*did you mean 'render'"),
            wove_http_worker.order("rander"),
        ):
            convert([0])

    def test_one_that_is_not_sent(self, wove_http_worker: HttpWorker) -> None:
        """A run that waits for another that is held: the others are released, and it is said."""
        with (
            pytest.raises(WaitTimeoutError, match=r"run 2 was not sent within 0\.05 s, while 1 of"),
            wove_http_worker.order("render", (2, 0, 1), timeout=0.05),
        ):
            convert([0, 1, 2], workers=1)

    def test_one_that_does_not_arrive(self, wove_http_worker: HttpWorker) -> None:
        """A run for which the client has no thread: the message says how many there are."""

        async def app() -> None:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
            async with weave() as w:

                @w.do([0, 1], environment="workers")
                def render(item: int) -> Any:
                    return body(item)

        order = wove_http_worker.order("render", (1, 0))
        expire_when(order, lambda: len(order.needs) == 2)
        with (
            pytest.raises(WaitTimeoutError, match="run 1 did not arrive within"),
            order,
        ):
            asyncio.run(app())

    def test_the_body_of_a_stall(self, wove_http_worker: HttpWorker) -> None:
        """An error of the body says that its order was not kept."""
        order = wove_http_worker.order("render", (1, 0), timeout=0.05)
        failure = failure_in(order, AssertionError("total"), workers=1)
        assert "(run 1 was not sent within" in text_of(failure)

    def test_a_report(self, wove_http_worker: HttpWorker) -> None:
        """A report says why a run is held."""
        with (
            pytest.raises(WaitTimeoutError, match=r"held by order\(.*: its turn comes when"),
            wove_http_worker.order("render", (1, 0), timeout=0.05),
        ):
            convert([0, 1], workers=1)

    def test_a_report_locks_nothing(
        self,
        wove_http_worker: HttpWorker,
        pool: ThreadPoolExecutor,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """While the report of a stall is made, other threads can ask for the runs that are held."""

        def held() -> str:
            runs = pool.submit(lambda: wove_http_worker.gates[0].runs)
            return f"held: {len(runs.result(TIMEOUT))}"

        monkeypatch.setattr(wove_http_worker.journal, "explain", held)
        with (
            pytest.raises(WaitTimeoutError, match="held: 1"),
            wove_http_worker.order("render", (1, 0), timeout=0.05),
        ):
            convert([0, 1], workers=1)

    def test_another_client(self, wove_http_worker: HttpWorker) -> None:
        """A run of another client is let through, and is an error."""
        with (
            pytest.raises(UsageError, match="came from no weave of this process"),
            wove_http_worker.order("task"),
        ):
            signed_request(wove_http_worker, run_frame(answer))

    def test_reset(self, wove_http_worker: HttpWorker) -> None:
        """A reset inside the block, which releases the runs, is an error."""
        order = wove_http_worker.order("render").__enter__()
        convert([0])
        wove_http_worker.reset()
        with pytest.raises(UsageError, match="was reset or stopped inside the block"):
            order.__exit__(None, None, None)

    @pytest.mark.parametrize("indices", [(1, 2), (0, 0), (0, 2), ("a",), (True, False)], ids=str)
    def test_no_order(self, worker: HttpWorker, indices: Any) -> None:
        """What is no permutation is a usage error."""
        with pytest.raises(UsageError, match="each once"):
            worker.order("render", indices)

    @pytest.mark.parametrize("words", [{"task": ""}, {"task": "a", "timeout": -1}])
    def test_wrong_words(self, worker: HttpWorker, words: dict[str, Any]) -> None:
        """A wrong task or timeout is a usage error."""
        with pytest.raises(UsageError):
            worker.order(**words)

    def test_twice(self, wove_http_worker: HttpWorker) -> None:
        """An order is for one block."""
        order = wove_http_worker.order("render")
        with order:
            convert([0])
        with pytest.raises(UsageError, match="was used already"), order:
            pass


class TestOrders:
    """``worker.orders()``."""

    def test_all(self, wove_http_worker: HttpWorker) -> None:
        """Every order of three runs is tried, the one as sent first."""
        for order in wove_http_worker.orders("render"):
            with order:
                convert([0, 1, 2])
        assert [index for indices in permutations(range(3)) for index in indices] == BODIES

    def test_limit(self, wove_http_worker: HttpWorker) -> None:
        """At most ``limit`` orders are tried."""
        tried = 0
        for order in wove_http_worker.orders("render", limit=4):
            tried += 1
            with order:
                convert([0, 1, 2, 3])
        assert tried == 4

    def test_the_task_has_a_limit(self, wove_http_worker: HttpWorker) -> None:
        """Only orders that ``workers=`` of the task allows are tried."""
        tried = []
        for order in wove_http_worker.orders("render"):
            with order:
                convert([0, 1, 2], workers=2)
            tried.append(tuple(order.completed))
        assert tried == [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0)]

    def test_two_weaves(self, wove_http_worker: HttpWorker) -> None:
        """Runs of a second weave come after those of the first."""
        tried = []
        for order in wove_http_worker.orders("render"):
            with order:
                convert([0, 1])
                convert([2, 3])
            tried.append(tuple(order.completed))
        assert tried == [(0, 1, 2, 3), (0, 1, 3, 2), (1, 0, 2, 3), (1, 0, 3, 2)]

    def test_at_once(self, wove_http_worker: HttpWorker) -> None:
        """``at_once`` is the number of requests that the client has in flight."""

        async def app() -> None:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
            async with weave() as w:

                @w.do([0, 1, 2], environment="workers")
                def render(item: int) -> Any:
                    return body(item)

        tried = []
        for order in wove_http_worker.orders("render", at_once=2):
            with order:
                asyncio.run(app())
            tried.append(tuple(order.completed))
        assert tried == [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0)]

    def test_not_entered(self, wove_http_worker: HttpWorker) -> None:
        """A loop that does not use the order is a usage error."""
        with pytest.raises(UsageError, match="write `with order:`"):
            for _order in wove_http_worker.orders("render"):
                pass

    @pytest.mark.parametrize("words", [{"limit": 0}, {"limit": "3"}, {"at_once": 0}], ids=str)
    def test_wrong_words(self, worker: HttpWorker, words: dict[str, Any]) -> None:
        """A wrong limit is a usage error, raised at once."""
        with pytest.raises(UsageError, match="1 or more"):
            worker.orders("render", **words)
