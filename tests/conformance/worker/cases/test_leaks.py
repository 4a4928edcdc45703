"""How the case about leaks counts, which must not take garbage for a leak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.plain_worker import SECRET, PlainWorker, Run
from wove_http_dev.conformance.worker.cases.limits.leaks import _Counter
from wove_http_dev.conformance.worker.context import CaseContext


class LeavesGarbage(PlainWorker):
    """Leaves an open file in a reference cycle after each run."""

    def call(self, run: Run) -> Any:
        class Holder:
            def __init__(self) -> None:
                self.myself = self
                self.file = open("/dev/null", "rb")  # noqa: SIM115 (that it stays open is meant)

            def __del__(self) -> None:
                self.file.close()

        Holder()
        return super().call(run)


def test_garbage_is_no_leak() -> None:
    """Files that the garbage collector would close are not counted."""
    with LeavesGarbage() as worker:
        results = check(worker.url, "limits.07", secret=SECRET)
    assert failures(results) == []


class Counts:
    """A context whose worker has so many threads, one number for each time it is asked."""

    def __init__(self, *threads: int) -> None:
        self._threads = list(threads)
        self.collected: list[bool] = []

    def value(self, function: Callable[..., Any], args: Mapping[str, Any]) -> dict[str, int]:
        self.collected.append(args["collect"])
        return {"threads": self._threads.pop(0)}


def test_a_number_that_stays_needs_no_collection() -> None:
    """Garbage is collected before the first count, and not as long as the number stays about the
    same."""
    context = Counts(4, 6, 3)
    counter = _Counter(cast(CaseContext, context))
    counter.count(), counter.count()
    assert context.collected == [True, False, False]


def test_a_number_that_grows_is_counted_without_garbage() -> None:
    """A larger number is counted again after garbage was collected."""
    context = Counts(4, 7, 5)
    counter = _Counter(cast(CaseContext, context))
    assert (counter.count(), context.collected) == ({"threads": 5}, [True, False, True])
