"""The outcome of one task of a weave: a result, an error, or an exception that left the weave
itself.

The behaviour table, the conformance cases, ``assert_contained`` and the tests all use this module,
so that "an error of Wove's own" and "escapes" mean the same everywhere.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from wove.result import WoveResult

Kind = Literal["result", "error", "raised", "nothing"]


def wove_errors() -> tuple[type[Exception], ...]:
    """Return the errors that Wove raises when a remote task cannot be delivered or does not come
    back.

    An application that handles these three handles every failure of a worker that Wove reports.
    """
    from wove.environment import (
        DeliveryOrphanedError,
        DeliveryTimeoutError,
        EnvironmentExecutionError,
    )

    return EnvironmentExecutionError, DeliveryTimeoutError, DeliveryOrphanedError


@dataclass(frozen=True)
class WeaveOutcome:
    """How one task of a weave ended: its value, its error, or the exception that left the weave.

    ``kind`` is ``result``; ``error`` when reading the result raises; ``raised`` when an exception
    left the weave itself; ``nothing`` when the weave has neither a result nor an error.
    """

    kind: Kind
    value: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    """Seconds from the start of the weave to its end."""

    def result(self) -> Any:
        """Return the task's value, or raise its error, as reading the result of a weave does."""
        if self.error is not None:
            raise self.error
        if self.kind == "nothing":
            raise LookupError("the weave has neither a result nor an error for the task")
        return self.value

    @property
    def is_wove_error(self) -> bool:
        """Whether the error is one of :func:`wove_errors`."""
        return isinstance(self.error, wove_errors())

    @property
    def timed_out(self) -> bool:
        """Whether the task's ``delivery_timeout`` has ended it."""
        from wove.environment import DeliveryTimeoutError

        return isinstance(self.error, DeliveryTimeoutError)

    @property
    def escapes(self) -> bool:
        """Whether the error is no ``Exception`` but, for example, a ``CancelledError`` or
        ``SystemExit``. Such an error ends the program that runs the weave, regardless of
        ``error_mode`` and ``retries``."""
        return self.error is not None and not isinstance(self.error, Exception)

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payload of Wove's normalized error; empty for any other error."""
        payload = getattr(self.error, "payload", None)
        return payload if isinstance(payload, Mapping) else {}

    @property
    def text(self) -> str:
        """The error's message and the values of its payload except ``traceback``, one per line, as
        one string."""
        values = (str(value) for name, value in self.payload.items() if name != "traceback")
        return "\n".join([str(self.error), *values])

    @property
    def log_text(self) -> str:
        """The text that a log of the error may contain: repr, payload, notes, causes,
        tracebacks."""
        if self.error is None:
            return ""
        chain = "".join(traceback.format_exception(self.error))
        return f"{self.error!r} {self.error} {dict(self.payload)!r} {chain}"

    def __str__(self) -> str:
        if self.kind == "result":
            return f"the result {self.value!r:.200}"
        if self.kind == "nothing":
            return "neither a result nor an error"
        where = " out of the weave" if self.kind == "raised" else ""
        text = str(self.error)[:300]
        return f"{type(self.error).__name__}{where}" + (f": {text}" if text else "")


def read_outcome(result: WoveResult, task: str, seconds: float = 0.0) -> WeaveOutcome:
    """Return the outcome of ``task``; ``result`` is the ``w.result`` of a weave that has ended."""
    value, error = _read(result, task)
    if error is None:
        return WeaveOutcome("result", value, seconds=seconds)
    # A task's own error is the same object at each reading; that of an unknown name is a new one.
    if isinstance(error, KeyError) and _read(result, task)[1] is not error:
        return WeaveOutcome("nothing", seconds=seconds)
    return WeaveOutcome("error", error=error, seconds=seconds)


def _read(result: WoveResult, task: str) -> tuple[Any, BaseException | None]:
    try:
        return result[task], None
    except BaseException as exc:
        return None, exc


def task_returning(value: Any, name: str = "task") -> Callable[[], Any]:
    """Return a task called ``name`` that returns ``value``. It is pickled by value, so a worker
    need not be able to import it."""

    def body() -> Any:
        return value

    body.__name__ = name
    return body


def run_one_weave(
    value_or_function: Any, environment: str | None = "workers", task: str = "task", **options: Any
) -> WeaveOutcome:
    """Run a weave of one task and return its outcome; block until the weave has ended.

    If ``value_or_function`` is a function, it is the task, under its own name; otherwise the task
    is called ``task`` and returns that value. ``environment=None`` is Wove's default environment;
    ``options`` are passed to Wove's ``w.do``. Only ``KeyboardInterrupt`` is raised.
    """
    from wove import weave

    is_function = callable(value_or_function)
    function = value_or_function if is_function else task_returning(value_or_function, task)
    begin = time.monotonic()
    try:
        with weave() as w:
            w.do(environment=environment, **options)(function)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        return WeaveOutcome("raised", error=exc, seconds=time.monotonic() - begin)
    return read_outcome(w.result, function.__name__, time.monotonic() - begin)
