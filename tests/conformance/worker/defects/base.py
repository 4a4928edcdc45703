"""`Defect`, the table of all planted defects, the functions that add to it, and base classes."""

from __future__ import annotations

import inspect
import io
import itertools
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conformance.worker.plain_worker import Handler, PlainWorker, Run


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


class RewritesHeads(PlainWorker):
    """Reads the head of a request to its end, and parses other lines instead. The base class of
    defects."""

    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.parse_request = lambda it: self._parsed(it)

    def rewritten(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines to parse instead of the header ``lines``."""
        raise NotImplementedError

    def _parsed(self, handler: Any) -> bool:
        lines = list(itertools.takewhile(lambda line: line != b"\r\n", handler.rfile))
        head = b"".join(self.rewritten(lines)) + b"\r\n"
        rest, handler.rfile = handler.rfile, io.BytesIO(head)
        parsed: bool = Handler.parse_request(handler)
        handler.rfile = rest
        return parsed
