"""Bodies of tasks for the tests of ``runs``, and how they are started."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from typing import Any

from wove_http_dev.protocol.frames import dumps, loads
from wove_http_dev.runs.body import Body, run_body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.thread_pool import ThreadPool

TIMEOUT = 10.0
THREADS = "test-pool"

# Bodies are pickled by reference, so what they share with their test is global here.
begun = threading.Event()
release = threading.Event()
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class TwoArguments(Exception):
    """An exception that does not survive pickling: its ``__init__`` takes more arguments than
    ``args`` has."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


class Unprintable(Exception):
    """An exception that raises another one when it is printed."""

    def __str__(self) -> str:
        raise self.args[0]


class ExitsWhenPickled(Exception):
    """An object that raises SystemExit when it is pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise SystemExit("pickled")


class ExitsWhenLoaded:
    """An object that raises SystemExit when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, ("loaded",)


class Waitable:
    """An awaitable that is not a coroutine."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return "awaited"


def add(a: int, b: int) -> int:
    return a + b


async def add_later(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


def waitable() -> Waitable:
    return Waitable()


def fail(exception: BaseException) -> None:
    raise exception


async def fail_later(exception: BaseException) -> None:
    await asyncio.sleep(0)
    raise exception


def fail_unprintably(second: BaseException) -> None:
    raise Unprintable(second)


def set_variable() -> str:
    before = variable.get()
    variable.set("left behind")
    return before


async def set_variable_later() -> str:
    return set_variable()


def unpicklable() -> Any:
    return threading.Lock()


def name_of_thread() -> str:
    return threading.current_thread().name


def blocked() -> str:
    begun.set()
    release.wait(TIMEOUT)
    return "late"


async def waits_for_ever() -> None:
    begun.set()
    await asyncio.Event().wait()


class Local:
    """An object that a body has in a local variable."""


locals_of_bodies: list[weakref.ref[Local]] = []


def fail_with_a_local() -> None:
    local = Local()
    locals_of_bodies.append(weakref.ref(local))
    raise ValueError("no")


async def fail_with_a_local_later() -> None:
    await asyncio.sleep(0)
    fail_with_a_local()


async def refuses_to_stop() -> str:
    begun.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "anyway"
    return "never"


def run(function: Any, **args: Any) -> Outcome:
    """Run ``function(**args)`` on this thread; return its outcome."""
    return run_body(Execution("body"), Body(dumps(function), dumps(args)))


def error_of(outcome: Outcome) -> dict[str, Any]:
    """The error of a failed outcome."""
    assert outcome.kind == "error"
    assert outcome.error is not None
    return dict(outcome.error)


def result_of(outcome: Outcome | None) -> Any:
    """The result of an outcome."""
    assert outcome is not None
    assert outcome.result_pickle is not None, outcome
    return loads(outcome.result_pickle)


def exception_of(outcome: Outcome) -> BaseException:
    """The exception that a failed outcome carries."""
    assert outcome.exception_pickle is not None, outcome
    exception: BaseException = loads(outcome.exception_pickle)
    return exception


def start(pool: ThreadPool, function: Callable[..., Any], name: str = "body") -> Execution:
    """Start ``function`` on a thread of ``pool``."""
    execution = Execution(name)

    def body() -> Outcome:
        if not execution.begin():
            return CANCELLED
        return run_body(execution, Body(dumps(function), dumps({})))

    pool.start(execution, body)
    return execution


def started(pool: ThreadPool, function: Callable[..., Any]) -> Execution:
    """Start ``function`` on a thread of ``pool`` and wait until its body has begun."""
    execution = start(pool, function)
    assert begun.wait(TIMEOUT)
    return execution
