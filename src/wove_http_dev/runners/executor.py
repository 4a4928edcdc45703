"""``ExecutorRunner``: runs bodies on the user's own ``concurrent.futures.Executor``, in threads of
this process or wherever the executor runs what it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.exception_text import message_of
from wove_http_dev.forks import ForkedChildExits
from wove_http_dev.runners.remote_body import (
    RemoteBody,
    RemoteResult,
    import_advice,
    run_remote_body,
    shown_outcome,
)
from wove_http_dev.runs.body import Body, run_body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome, failure
from wove_http_dev.runs.runner import Runner


class ExecutorRunner(Runner):
    """Runs a body on ``executor``, which is the user's: it is never shut down here. Raises
    :class:`UsageError` if it was shut down already."""

    def __init__(self, executor: Executor) -> None:
        check_open(executor)
        self._executor = executor
        self.place = f"the executor {type(executor).__name__}"

    def run(self, execution: Execution, body: Body) -> Outcome:
        """Run ``body`` on the executor, block until it has ended, and return its outcome. A cancel
        before the body begins keeps it from beginning; a body that runs is waited for."""
        execution.where = f"in {self.place}"
        try:
            future = self._executor.submit(BodyCall(execution, body))
        except BaseException as exc:
            execution.uncount()
            return _not_taken(exc)
        if not hasattr(future, "add_done_callback"):  # that of gevent has no base class
            return failure(
                "ExecutorFailed",
                f"the executor's submit() returned {type(future).__qualname__}; it must return a"
                " concurrent.futures.Future",
            )
        if execution.on_withdraw(lambda: _is_withdrawn(future)):
            return CANCELLED
        return self._outcome(execution, future, body)

    def _outcome(self, execution: Execution, future: Future[Any], body: Body) -> Outcome:
        ended = threading.Event()
        # Not result(), nor exception(): an executor that breaks can set another class of its own
        # future's state first, and Python 3.10 then waits for ever.
        future.add_done_callback(lambda _: ended.set())
        ended.wait()
        try:
            result = future.result(0)
        except CancelledError:
            if not execution.cancel_requested:
                execution.uncount()
            return _CANCELLED_BY_EXECUTOR
        except BrokenExecutor as exc:
            return _broken(exc)
        except BaseException as exc:
            return _not_run(exc)
        if isinstance(result, Outcome):
            return result
        if isinstance(result, RemoteResult):
            return shown_outcome(result, body.display)
        return failure(
            "ExecutorFailed",
            f"the executor answered {type(result).__qualname__}, and not what it was given to run;"
            " its submit() must call the function and return its result",
        )


class BodyCall:
    """What an executor is given to call. Called in this process, it runs the body as a thread of
    the service does; pickled, it becomes a call of what runs a body in another process."""

    def __init__(self, execution: Execution, body: Body) -> None:
        self._execution = execution
        self._body = body

    def __call__(self) -> Outcome:
        """Run the body in this thread."""
        self._execution.runs_here()
        with ForkedChildExits():
            return run_body(self._execution, self._body)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return RemoteCall, (RemoteBody.of(self._body),)


class RemoteCall:
    """Runs a body where it is unpickled."""

    def __init__(self, body: RemoteBody) -> None:
        self._body = body

    def __call__(self) -> RemoteResult:
        """Run the body in this thread."""
        return run_remote_body(self._body)


def check_open(executor: Executor) -> None:
    """Raise :class:`UsageError` if ``executor`` is known to take nothing more. There is no public
    way to ask; these names are those of the standard library, of loky and of Dask."""
    flags = getattr(executor, "_flags", None)
    for owner, name in (
        (executor, "_broken"),
        (flags, "broken"),
        (executor, "_shutdown"),
        (executor, "_shutdown_thread"),
        (flags, "shutdown"),
    ):
        value = getattr(owner, name, None)
        if value and isinstance(value, (bool, str, BaseException)):
            state = "broken" if name.endswith("broken") else "shut down"
            raise UsageError(
                f"runner: this {type(executor).__name__} was {state}; give the worker an open one,"
                " and shut it down after the worker"
            )


_CANCELLED_BY_EXECUTOR = failure(
    "ExecutorCancelled",
    "the executor cancelled the task before it ran: was it shut down with cancel_futures=True?",
    retryable=True,
)


def _is_withdrawn(future: Future[Any]) -> bool:
    try:
        return future.cancel()
    except Exception:  # a cancel, and the end of the worker, go on
        return False


def _not_taken(exc: BaseException) -> Outcome:
    if isinstance(exc, BrokenExecutor):
        return failure(
            "BrokenExecutor",
            f"the executor took no task, because it is broken: {_named(exc)}; a broken executor"
            " stays broken: give the worker a new one",
            retryable=True,
        )
    return failure(
        "ExecutorFailed",
        f"the executor took no task: {_named(exc)}; keep it open while the worker runs",
    )


def _broken(exc: BaseException) -> Outcome:
    return failure(
        "BrokenExecutor",
        f"the executor broke while it had the task: {_named(exc)}. Its initializer has failed, or"
        " one of its processes has ended: by os._exit(), a segmentation fault, the system (no"
        " memory), or because it could not import wove_http_dev. All tasks that the executor had"
        " are lost with it; with runner='processes' only that of the process that ended would be",
        retryable=True,
    )


def _not_run(exc: BaseException) -> Outcome:
    advice = import_advice(exc, "the executor's process")
    return failure("ExecutorFailed", advice or f"the executor did not run the task: {_named(exc)}")


def _named(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {message_of(exc)}"
