"""``Body``: the body of a task as it was sent, in pickles, and :func:`run_body`, which loads it and
runs it in the calling thread."""

from __future__ import annotations

import contextvars
import inspect
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wove_http_dev.exception_text import message_of
from wove_http_dev.protocol.dynamic_code import load_with_sources
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.forwarding import ForwardedCommand
from wove_http_dev.runs.outcome import CANCELLED, Outcome, asyncio_error, error_outcome


class Display(Protocol):
    """Makes the texts of a run, as :class:`~wove_http_dev.runs.display.RunDisplay` does."""

    def show_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Make the text of the arguments, before the body can change them."""

    def context(self) -> contextvars.Context:
        """Return a new context for the body."""

    def result(self, value: Any) -> str | None:
        """Return the text of the result."""


@dataclass
class Body:
    """The body of a task as the client sent it. Nothing of it was loaded.

    With ``tracebacks`` the exception of a task travels with its traceback (see
    :func:`~wove_http_dev.runs.outcome.error_outcome`). ``display`` makes the texts of arguments and
    result; without it, none are made. ``forwarded`` is the request that brought the body.
    """

    callable_pickle: bytes = field(repr=False)
    args_pickle: bytes = field(repr=False)
    tracebacks: bool = True
    display: RunDisplay | None = None
    forwarded: ForwardedCommand | None = None


def run_body(execution: Execution, body: Body) -> Outcome:
    """Load the callable and its arguments, call it in this thread, and return its pickled result as
    an outcome. Any failure becomes an error outcome. What was cancelled by then is not called."""
    return run_displayed(execution, body, body.display)


def run_displayed(execution: Execution, body: Body, display: Display | None) -> Outcome:
    """Do what :func:`run_body` does, with ``display`` in place of the one of ``body``."""
    loaded = _load(body.callable_pickle, body.args_pickle)
    if isinstance(loaded, Outcome):
        return loaded
    if display is not None:
        display.show_arguments(loaded[1])
    context = contextvars.Context() if display is None else display.context()
    try:
        value = context.run(_call, execution, *loaded)
    except _CancelledWhileLoaded:
        execution.uncount()
        return CANCELLED
    except BaseException as exc:  # SystemExit and KeyboardInterrupt end the task only
        if execution.cancel_requested and isinstance(exc, asyncio_error("CancelledError")):
            return CANCELLED
        return error_outcome(exc, source="task", tracebacks=body.tracebacks)
    try:
        payload = _result_pickle(value)
    except BaseException as exc:
        what = (
            f"the task's result, a {type(value).__qualname__}, cannot be pickled: {message_of(exc)}"
            "; return data, and keep locks, files and connections inside the task"
        )
        return error_outcome(exc, source="worker", message=what)
    text = display.result(value) if display is not None else None
    return Outcome("result", payload, result_text=text)


def _load(
    callable_pickle: bytes, args_pickle: bytes
) -> tuple[Callable[..., Any], dict[str, Any]] | Outcome:
    """Return the callable and its arguments, or the error outcome of payloads that cannot be
    used."""
    try:
        function = load_with_sources(callable_pickle)
    except BaseException as exc:  # a pickle may raise anything, SystemExit included
        return _unloadable("callable", exc)
    try:
        arguments = load_with_sources(args_pickle)
    except BaseException as exc:
        return _unloadable("arguments", exc)
    try:
        if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
            raise TypeError(
                f"args_pickle must hold a dict of names, not {type(arguments).__name__}"
            )
        if not callable(function):
            raise TypeError(f"callable_pickle holds a {type(function).__name__}, not a callable")
    except TypeError as exc:
        return error_outcome(exc, source="worker", message=str(exc))
    return function, arguments


def _call(execution: Execution, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    if execution.cancel_requested:  # it need not be abandoned
        raise _CancelledWhileLoaded
    value = function(**arguments)
    if inspect.isawaitable(value):
        return execution.drive(_awaiting(value))
    return value


class _CancelledWhileLoaded(BaseException):
    """The run was cancelled before its body began."""


async def _awaiting(value: Any) -> Any:
    return await value


# cloudpickle and pickle write the same for these; pickle does it forty times faster.
_PLAIN = (type(None), bool, int, float, str, bytes)


def _result_pickle(value: Any) -> bytes:
    if type(value) in _PLAIN:
        return pickle.dumps(value, protocol=pickle.DEFAULT_PROTOCOL)
    return dumps(value)


def _unloadable(what: str, exc: BaseException) -> Outcome:
    message = (
        f"the {what} could not be loaded on the worker: {type(exc).__name__}: {message_of(exc)}"
    )
    if isinstance(exc, (ImportError, AttributeError)):
        message += (
            " (what a module defines is sent by name only, so the worker must import it: give the"
            " module's directory to serve and exec with --app-dir, to an isolated worker with"
            " app_dir=)"
        )
    return error_outcome(exc, source="worker", message=message)
