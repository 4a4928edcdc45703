"""``assert_contained``: assert that an application survives the faults in force."""

from __future__ import annotations

import importlib.metadata
import reprlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, NoReturn

from wove_http_dev.argument_checks import check_count, check_seconds
from wove_http_dev.call_site import at, call_site
from wove_http_dev.client_side import ClientSide
from wove_http_dev.errors import UsageError
from wove_http_dev.exception_text import message_of
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.weave_outcome import wove_errors
from wove_http_dev.worker import HttpWorker

Errors = type[BaseException] | tuple[type[BaseException], ...]


class Contained:
    """The outcome of a block that survived: its error, if any, and the duration."""

    error: BaseException | None = None
    """The error that ended the block, Wove's own or an expected one; ``None`` if it ended without
    one."""
    seconds: float = 0.0
    """The duration of the block in seconds."""


def assert_contained(
    worker: HttpWorker,
    *,
    within: float = 5.0,
    attempts: int = 1,
    expect: Errors | Literal["result"] | None = None,
) -> AbstractContextManager[Contained]:
    """Return a context manager that fails unless its block survives the faults in force.

    The block must end within ``within`` seconds, with a result or with one of Wove's errors
    (``EnvironmentExecutionError``, ``DeliveryTimeoutError``, ``DeliveryOrphanedError``), which is
    caught and stored as ``.error``. With ``expect="result"`` it must end without an error; with
    ``expect=`` one or several types of exceptions, with one of those. In the block no task may run
    more than ``attempts`` times with the same arguments: pass ``attempts=retries + 1`` if Wove
    retries; equal items of a mapped task count together. No answer may come from another server, to
    which a fault redirected the client.

    Everything else is an ``AssertionError``: a ``CancelledError`` that escapes the weave,
    ``SystemExit``, an error that is not Wove's. Its message says so if the installed Wove itself
    cannot contain the fault. Exceptions of ``pytest.skip()`` and the like pass through. Raises
    :class:`UsageError` for a negative ``within``, an ``attempts`` below 1 or another ``expect``.
    Strict mode reports a call without a block.
    """
    _check_arguments(worker, within, attempts)
    _expected(expect)
    call = at("assert_contained()", call_site())
    worker._never_entered.append(call)
    return _contained(worker, within, attempts, expect, call)


@contextmanager
def _contained(
    worker: HttpWorker,
    within: float,
    attempts: int,
    expect: Errors | Literal["result"] | None,
    call: str,
) -> Iterator[Contained]:
    if call in worker._never_entered:  # not after a reset()
        worker._never_entered.remove(call)
    types, expected = _expected(expect)
    contained = Contained()
    redirected_before = _redirected(worker)
    executions_before = {run: run.executions for run in worker.runs}
    begin = time.monotonic()
    try:
        yield contained
    except _never_caught():
        raise
    except types as exc:
        contained.error = exc
    except AssertionError:
        raise
    except BaseException as exc:
        what = f"{type(exc).__name__}: {message_of(exc)}"
        _fail(worker, f"{what} left the block, which is not {expected}", exc)
    contained.seconds = time.monotonic() - begin
    if expect not in (None, "result") and contained.error is None:
        _fail(worker, f"the block ended without an error, which is not {expected}")
    if contained.seconds > within:
        _fail(worker, f"it took {contained.seconds:.2f} s, more than {within:g} s")
    _assert_not_redirected(worker, redirected_before)
    _assert_executions(worker, executions_before, attempts)


def _check_arguments(worker: Any, within: Any, attempts: Any) -> None:
    if not isinstance(worker, ClientSide):
        raise UsageError(
            f"assert_contained takes a worker, as in assert_contained(wove_http_worker), not"
            f" {reprlib.repr(worker)}"
        )
    check_seconds("within", within)
    check_count("attempts", attempts, "runs")


def _never_caught() -> tuple[type[BaseException], ...]:
    """Return the exceptions that pass through the block's end, whatever ``expect`` says."""
    import pytest

    return (
        KeyboardInterrupt,
        pytest.skip.Exception,
        pytest.fail.Exception,
        pytest.exit.Exception,
    )


def _expected(expect: Any) -> tuple[tuple[type[BaseException], ...], str]:
    """Return the errors that may end the block, and ``expect`` in words."""
    if expect is None:
        return wove_errors(), "an error of Wove's own"
    if expect == "result":
        return (), "a result"
    types = expect if isinstance(expect, tuple) else (expect,)
    if not types or not all(isinstance(t, type) and issubclass(t, BaseException) for t in types):
        raise UsageError(
            'expect takes a type of exception, a tuple of them, or "result", not'
            f" {reprlib.repr(expect)}"
        )
    return types, " or ".join(each.__name__ for each in types)


def _redirected(worker: HttpWorker) -> list[Exchange]:
    return [exchange for injection in worker.injections for exchange in injection.redirected]


def _assert_not_redirected(worker: HttpWorker, before: list[Exchange]) -> None:
    """Fail if a request other than those in ``before`` was answered by another server."""
    for exchange in _redirected(worker):
        if not any(exchange is each for each in before):
            _fail(worker, "an answer came from another server, to which the client was redirected")


def _assert_executions(worker: HttpWorker, before: Mapping[Run, int], attempts: int) -> None:
    """Fail if a task was executed more than ``attempts`` times, not counting the executions
    ``before`` the block."""
    executions: Counter[tuple[str, bytes | str | None]] = Counter()
    for run in worker.runs:
        # A worker of another process tells the arguments as text only.
        arguments = run.args_pickle or run.args_text
        executions[run.task_id, arguments] += run.executions - before.get(run, 0)
    for (task, _), count in executions.items():
        if count > attempts:
            _fail(
                worker,
                f"{task!r} ran {count} times with the same arguments, more than"
                f" attempts={attempts}",
            )


def _fail(worker: HttpWorker, text: str, cause: BaseException | None = None) -> NoReturn:
    lines = [f"not contained: {text}", *_by_wove(worker), worker.journal.render()]
    raise AssertionError("\n".join(lines)) from cause


def _by_wove(worker: HttpWorker) -> list[str]:
    """Return a line for each fault that had an effect and that the installed Wove cannot
    contain."""
    wove = importlib.metadata.version("wove")
    return [
        f"Wove {wove} itself cannot contain {fault.name}: {fault.why_uncontained(wove)}"
        for injection in worker.injections
        for fault in injection.faults
        if injection.hits and fault.why_uncontained(wove) is not None
    ]
