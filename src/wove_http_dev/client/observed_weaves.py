"""Observes the weaves of this process: when each begins and ends, what each of its tasks ended
with, and which exception left it."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

from wove_http_dev.client.restore import restored_by
from wove_http_dev.client.wove_config import sends_over_http
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.weave_outcome import WeaveOutcome, read_outcome


@dataclass(frozen=True)
class Attempt:
    """One delivery of a task to an environment: a retry is another one."""

    run_id: str
    task: str
    environment: str
    value: Any = None
    error: BaseException | None = None

    @property
    def delivered(self) -> bool:
        """Whether Wove accepted a result as that of the task."""
        return self.error is None


@dataclass(eq=False)
class ObservedWeave:
    """One weave of this process. Times are seconds of ``time.monotonic()``."""

    begun: float
    ended: float | None = None
    outcomes: dict[str, WeaveOutcome] = field(default_factory=dict)
    """What each task ended with, by name, without initial values; empty until the weave has
    ended."""
    attempts: list[Attempt] = field(default_factory=list)
    retries: dict[str, int] = field(default_factory=dict)
    """How often Wove repeats each task that was delivered, those of ``merge()`` as well."""
    sent: dict[str, set[bytes]] = field(default_factory=dict)
    """By task, hashes of what was sent to worker services: the callable with its arguments."""
    error: BaseException | None = None
    """The exception that left the weave."""
    names: tuple[str, ...] = ()
    """The names of the tasks, in the order of their definition."""

    @property
    def escaped(self) -> BaseException | None:
        """The exception that left the weave, if it is not an ``Exception``."""
        return None if isinstance(self.error, Exception) else self.error


class WeaveObserver:
    """Base class for observers of weaves; every method does nothing. The methods are called in the
    thread of the weave, and must not raise."""

    def weave_begun(self, weave: ObservedWeave, frame: FrameType | None) -> None:
        """Called when the tasks of ``weave`` are about to run; ``frame`` leaves the ``with``
        block."""

    def attempt_ended(self, weave: ObservedWeave, attempt: Attempt) -> None:
        """Called when Wove has the outcome of ``attempt``, before the application has it."""


_lock = threading.RLock()
_observers: list[WeaveObserver] = []
_open: dict[int, tuple[Any, ObservedWeave]] = {}
"""The weaves that run, by the ``id`` of Wove's object."""
_installed: list[tuple[type, str, Any, Any]] = []
"""Owner and name of each method that is replaced, the method that was there, and the new one."""


@contextmanager
def observed(observer: WeaveObserver) -> Iterator[None]:
    """Call the methods of ``observer`` for each weave that begins until the block ends. A method of
    Wove's that other code has replaced meanwhile is kept.

    A weave that Wove runs in a child process (``fork=True``) is not observed; one that it runs in a
    background thread is observed there.
    """

    def restore() -> None:
        with _lock:
            if observer in _observers:
                _observers.remove(observer)
            while _installed and not _observers:
                owner, name, original, replacement = _installed[-1]
                if getattr(owner, name, None) is replacement:
                    setattr(owner, name, original)
                _installed.pop()

    with restored_by(restore):
        with _lock:
            if not _installed:
                _install()
            _observers.append(observer)
        yield


def _install() -> None:
    from wove.context import WoveContextManager
    from wove.environment import ExecutorRuntime

    for owner, name, make in (
        (WoveContextManager, "__exit__", _exit),
        (WoveContextManager, "__aexit__", _aexit),
        (ExecutorRuntime, "run_task", _run_task),
        (ExecutorRuntime, "_await_result", _await_result),  # private, in 2.0.0 to 2.0.3
    ):
        original = getattr(owner, name, None)
        if original is not None:
            replacement = make(original)
            _installed.append((owner, name, original, replacement))
            setattr(owner, name, replacement)


def _exit(original: Callable[..., Any]) -> Callable[..., Any]:
    def __exit__(self: Any, exc_type: Any, exc: Any, traceback: Any) -> Any:
        with _recorded(self, exc_type, sys._getframe(1)):
            return original(self, exc_type, exc, traceback)

    return __exit__


def _aexit(original: Callable[..., Any]) -> Callable[..., Any]:
    async def __aexit__(self: Any, exc_type: Any, exc: Any, traceback: Any) -> Any:
        with _recorded(self, exc_type, sys._getframe(1)):
            return await original(self, exc_type, exc, traceback)

    return __aexit__


def _run_task(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run_task(self: Any, **words: Any) -> Any:
        _, weave = _weave_of(self)
        name, info = words.get("task_name"), words.get("task_info") or {}
        if weave is not None and name is not None and not info.get("seed"):
            weave.retries[name] = max(info.get("retries") or 0, weave.retries.get(name, 0))
            if sends_over_http(self._environment_definitions.get(info.get("environment"))):
                weave.sent.setdefault(name, set()).add(_hash(words))
        return await original(self, **words)

    return run_task


def _hash(words: Mapping[str, Any]) -> bytes:
    try:
        payload = dumps((words.get("task_func"), words.get("task_args")))
    except Exception:  # the executor reports it when it sends them
        return b""
    return hashlib.sha256(payload).digest()


def _await_result(original: Callable[..., Any]) -> Callable[..., Any]:
    async def _await_result(self: Any, **words: Any) -> Any:
        context, weave = _weave_of(self)
        task = words.get("task_name", "")
        if weave is None or context._tasks.get(task, {}).get("seed"):
            return await original(self, **words)
        attempt = Attempt(words.get("run_id", ""), task, words.get("environment_name", ""))
        try:
            value = await original(self, **words)
        except BaseException as error:
            _attempted(weave, replace(attempt, error=error))
            raise
        _attempted(weave, replace(attempt, value=value))
        return value

    return _await_result


@contextmanager
def _recorded(context: Any, exc_type: Any, frame: FrameType) -> Iterator[None]:
    weave = None if exc_type or context._background else _begin(context, frame)
    if weave is None:
        yield
        return
    try:
        yield
    except BaseException as error:
        weave.error = error
        raise
    finally:
        _end(context, weave)


def _begin(context: Any, frame: FrameType | None) -> ObservedWeave | None:
    """Return the record of a weave that begins; ``None`` if it has one: a sync weave calls the
    methods of an async one."""
    names = tuple(name for name, task in context._tasks.items() if not task.get("seed"))
    weave = ObservedWeave(time.monotonic(), names=names)
    with _lock:
        if id(context) in _open:
            return None
        _open[id(context)] = (context, weave)
    for observer in list(_observers):
        observer.weave_begun(weave, frame)
    return weave


def _end(context: Any, weave: ObservedWeave) -> None:
    weave.ended = time.monotonic()
    seconds = weave.ended - weave.begun
    errors = getattr(context.result, "_errors", {})
    for name, task in context._tasks.items():  # those of a Weave class were added meanwhile
        if task.get("seed"):
            continue
        outcome = read_outcome(context.result, name, seconds)
        if outcome.kind == "result" and name in errors:  # error_mode="return"
            outcome = WeaveOutcome("error", error=errors[name], seconds=seconds)
        weave.outcomes[name] = outcome
    with _lock:
        _open.pop(id(context), None)


def _weave_of(runtime: Any) -> tuple[Any, ObservedWeave | None]:
    with _lock:
        for context, weave in _open.values():
            if context._executor_runtime is runtime:
                return context, weave
    return None, None


def _attempted(weave: ObservedWeave, attempt: Attempt) -> None:
    weave.attempts.append(attempt)
    for observer in list(_observers):
        observer.attempt_ended(weave, attempt)
