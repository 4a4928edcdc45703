"""Stubs: they answer for tasks, which are then not run.

The value of a stub is pickled once, when the stub is made, so a value that cannot be pickled is an
error in the test's own code.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wove_http_dev.call_site import call_site
from wove_http_dev.errors import UsageError, cannot_travel
from wove_http_dev.exception_text import message_of
from wove_http_dev.printable import shortened
from wove_http_dev.protocol.frames import Event, dumps
from wove_http_dev.runs.outcome import Outcome, error_outcome
from wove_http_dev.runs.records import Run
from wove_http_dev.runs.task_names import check_matching, matches_task

UNSET: Any = object()
_REPR_LIMIT = 300
"""Characters of a stub's ``repr``."""


@dataclass(frozen=True)
class StubAnswer:
    """What a stub answers: an outcome, or event frames to send instead."""

    outcome: Outcome
    events: tuple[Event, ...] | None = None


Source = Callable[[Run], StubAnswer]


def _result(value: Any) -> StubAnswer:
    return StubAnswer(Outcome("result", result_pickle=dumps(value)))


def _given_result(value: Any) -> StubAnswer:
    try:
        return _result(value)
    except Exception as exc:  # a user's __reduce__ may raise anything
        kind = type(value).__qualname__
        raise UsageError(
            f"stub result=, a {kind}, cannot be pickled, as an answer must be: {message_of(exc)}"
        ) from None


def _error(value: Any) -> StubAnswer:
    if isinstance(value, type) and issubclass(value, BaseException):
        value = value()
    if not isinstance(value, BaseException):
        raise UsageError(f"stub error= takes an exception, not {type(value).__name__}")
    return StubAnswer(error_outcome(value, source="task"))


def _events(events: Any) -> StubAnswer:
    if isinstance(events, (str, bytes)) or not isinstance(events, Sequence):
        raise UsageError("stub events= takes a list of event frames (dicts)")
    if not all(isinstance(event, Mapping) for event in events):
        raise UsageError("stub events= takes a list of event frames (dicts)")
    ready = tuple(dict(event) for event in events)
    try:
        json.dumps(ready)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"stub events= must fit JSON, payloads as *_pickle fields: {exc}") from exc
    return StubAnswer(Outcome("result"), ready)


def _in_order(what: str, values: Sequence[Any], encode: Callable[[Any], StubAnswer]) -> Source:
    if not values:
        hint = "; for an empty list as the result say result=[[]]" if what == "result" else ""
        raise UsageError(f"stub {what}=[] would answer nothing{hint}")
    ready = [encode(value) for value in values]
    lock = threading.Lock()
    used = 0

    def source(run: Run) -> StubAnswer:
        nonlocal used
        with lock:
            used += 1
            index = used - 1
        if index >= len(ready):
            spent = f"the stub for {run.task_id!r} has no {what} left: it was given {len(ready)}"
            return StubAnswer(error_outcome(LookupError(spent), source="worker"))
        return ready[index]

    return source


def _computed(call: Callable[[Run], Any]) -> Source:
    def source(run: Run) -> StubAnswer:
        try:
            return _result(call(run))
        except BaseException as exc:  # like an exception of the task itself
            return StubAnswer(error_outcome(exc, source="task"))

    return source


def make_source(*, result: Any = UNSET, error: Any = UNSET, events: Any = UNSET) -> Source:
    """Return a function that makes a stub's answer for each run. Raises :class:`UsageError` unless
    exactly one argument is given.

    A ``list`` of results or errors is used in order, one for each run; a callable ``result`` is
    called with the run.
    """
    given = [value for value in (result, error, events) if value is not UNSET]
    if len(given) != 1:
        raise UsageError("stub() takes exactly one of result=, error= and events=")
    if result is not UNSET:
        if isinstance(result, list):
            return _in_order("result", result, _given_result)
        if inspect.iscoroutinefunction(result):
            raise UsageError("result= is called, not awaited: give stub() a plain function")
        if callable(result):
            return _computed(result)
        answer = _given_result(result)
    elif error is not UNSET:
        if isinstance(error, list):
            return _in_order("error", error, _error)
        answer = _error(error)
    else:
        answer = _events(events)
    return lambda run: answer


class Stub:
    """Answers for the tasks that match a name or glob. As a context manager, it removes itself at
    the end of the block."""

    def __init__(self, task: str, source: Source, stubs: Stubs, *, unused_ok: bool) -> None:
        self.task = task
        self.source = source
        self.unused_ok = unused_ok
        """Whether strict mode accepts that no run matches."""
        self.place = call_site()
        """File and line of the call that made this stub, for example ``test_app.py:12``."""
        self._matched = False
        self._stubs = stubs

    def __repr__(self) -> str:
        return shortened(f"<Stub {self.task!r}>", _REPR_LIMIT)

    @property
    def matched(self) -> bool:
        """Whether a run has matched while the stub was in force."""
        if not self._matched:
            self._stubs.fetch()
        return self._matched

    def note_match(self) -> None:
        """Record that a run has matched."""
        self._matched = True

    @property
    def call(self) -> str:
        """The call of ``stub()`` that made this stub, without its answer."""
        return f"stub({self.task!r})"

    def remove(self) -> None:
        """Remove the stub: the task runs again, or an older stub answers it."""
        self._stubs.remove(self)

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()

    def __reduce__(self) -> Any:
        raise cannot_travel(self)


class Stubs:
    """All stubs of a worker. If several match a task, the newest answers."""

    def __init__(self) -> None:
        self._stubs: tuple[Stub, ...] = ()  # never changed in place: find() needs no lock
        self._made: list[Stub] = []
        self._lock = threading.Lock()
        self.on_change: Callable[[], None] = lambda: None
        """Called when a stub was added or removed."""
        self.fetch: Callable[[], None] = lambda: None
        """Called before a stub says that it has not matched: asks the process that answers."""

    @property
    def active(self) -> list[Stub]:
        """The stubs in force, oldest first."""
        return list(self._stubs)

    @property
    def tasks(self) -> list[str]:
        """The tasks (names or globs) that are stubbed."""
        return [stub.task for stub in self._stubs]

    @property
    def made(self) -> list[Stub]:
        """Every stub made since the last :meth:`clear`."""
        with self._lock:
            return list(self._made)

    def add(self, task: str, source: Source, *, unused_ok: bool = False) -> Stub:
        """Add a stub, in force from now on, and return it."""
        check_matching(task, unused_ok)
        stub = Stub(task, source, self, unused_ok=unused_ok)
        with self._lock:
            self._made.append(stub)
            self._stubs += (stub,)
        self.on_change()
        return stub

    def remove(self, stub: Stub) -> None:
        """Remove ``stub``; does nothing if it was removed before."""
        with self._lock:
            self._stubs = tuple(each for each in self._stubs if each is not stub)
        self.on_change()

    def forget(self, stub: Stub) -> None:
        """Remove ``stub``, and do not count it among those that were made."""
        self.remove(stub)
        with self._lock:
            if stub in self._made:
                self._made.remove(stub)

    def find(self, run: Run) -> Source | None:
        """Return the function that answers for ``run``; ``None`` if no stub does. Runs that only
        deliver an initial value of a weave (``data``, ``weave(x=…)``) are never stubbed."""
        if run.initial_value:
            return None
        matching = [stub for stub in self._stubs if matches_task(stub.task, run.task_id)]
        for stub in matching:  # an older one too: its name is right
            stub.note_match()
        return matching[-1].source if matching else None

    def clear(self) -> None:
        """Remove and forget every stub."""
        with self._lock:
            self._stubs = ()
            self._made.clear()
        self.on_change()
