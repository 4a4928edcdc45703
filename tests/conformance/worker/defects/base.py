"""`Defect`, the table of all planted defects, and the functions that add to it."""

from __future__ import annotations

import inspect
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conformance.worker.plain_worker import PlainWorker, Run


@dataclass(frozen=True)
class Defect:
    """A worker with a planted defect: with it, ``case`` must fail with a message that matches
    ``says``. The cases ``after`` are run before it, if it judges their answers."""

    worker: type[PlainWorker]
    case: str
    says: str
    after: tuple[str, ...] = ()


DEFECTS: list[Defect] = []
Plant = Callable[[type[PlainWorker]], type[PlainWorker]]


def plant(worker: type[PlainWorker], case: str, says: str, *after: str) -> None:
    """Add a defect of ``worker`` to the table."""
    DEFECTS.append(Defect(worker, case, says, after))


def flagged_by(case: str, says: str, *after: str) -> Plant:
    """Like :func:`plant`, as a decorator of the worker class."""

    def note(worker: type[PlainWorker]) -> type[PlainWorker]:
        plant(worker, case, says, *after)
        return worker

    return note


class Hanging(PlainWorker):
    """A worker with an event, ``never``, that is set only at the end of the test."""

    def __init__(self) -> None:
        super().__init__()
        self.never = threading.Event()

    def __exit__(self, *_: object) -> None:
        self.never.set()
        super().__exit__()


class KnowsWhatIsLoaded(PlainWorker):
    """A worker that knows the ids of the runs whose pickles have been loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: set[str] = set()

    def call(self, run: Run) -> Any:
        function = self.load(run)
        self.loaded.add(run.frame["run_id"])
        return self.await_value(run, function())


class KnowsWhatReturned(PlainWorker):
    """A worker that knows the ids of the runs whose task has returned."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: set[str] = set()

    def call(self, run: Run) -> Any:
        value = super().call(run)
        self.returned.add(run.frame["run_id"])
        return value


def is_async(run: Run) -> bool:
    """Return whether the task of ``run`` is a coroutine function."""
    return inspect.iscoroutinefunction(pickle.loads(run.frame["callable_pickle"]))
