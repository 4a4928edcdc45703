"""What a stub answers, as the JSON that the control API takes."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any, NoReturn

from wove_http_dev.runs.records import Run
from wove_http_dev.runs.stubs import UNSET, StubAnswer, make_source


class CannotBeSentError(Exception):
    """The answer cannot be made in the process of the worker. The message says why."""


@dataclass(frozen=True)
class JsonAnswer:
    """The source of a stub that answers in another process."""

    words: dict[str, Any]
    """``result``, or ``error``, as the control API takes it."""

    def __call__(self, run: Run) -> StubAnswer:
        """Never called: no run arrives in this process."""
        raise NotImplementedError


def json_answer(*, result: Any = UNSET, error: Any = UNSET, events: Any = UNSET) -> JsonAnswer:
    """Return the answer of ``stub()`` with these arguments.

    Raises :class:`CannotBeSentError` for one that is more than JSON, and :class:`UsageError` for
    arguments that no stub takes.
    """
    make_source(result=result, error=error, events=events)
    if events is not UNSET:
        _refuse("events= needs a worker of this process; result= and error= work")
    if error is not UNSET:
        return JsonAnswer({"error": _error(error)})
    if isinstance(result, list):
        _refuse("a list, the results of several runs in order, needs a worker of this process")
    if callable(result) or not _is_json(result):
        kind = type(result).__qualname__
        _refuse(f"result= travels as JSON to the worker, which a {kind} like this is not")
    return JsonAnswer({"result": result})


def _is_json(value: Any) -> bool:
    """Whether the worker gets exactly ``value``; not if it has tuples, sets, or keys that are not
    text."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return value == value and value not in (float("inf"), float("-inf"))
    if type(value) is list:
        return all(map(_is_json, value))
    return type(value) is dict and all(
        type(key) is str and _is_json(each) for key, each in value.items()
    )


def _error(error: Any) -> dict[str, str]:
    if isinstance(error, list):
        _refuse("a list, the errors of several runs in order, needs a worker of this process")
    if isinstance(error, type):
        error = error()
    kind, args = type(error), error.args
    if len(args) > 1 or not all(type(each) is str for each in args):
        _refuse(
            "error= travels as its class and one text, and this exception has other arguments;"
            f" {kind.__name__}('…') works"
        )
    name = kind.__qualname__
    if getattr(builtins, name, None) is not kind:
        name = f"{kind.__module__}.{name}"
    return {"type": name, **({"message": args[0]} if args else {})}


def _refuse(why: str) -> NoReturn:
    raise CannotBeSentError(why)
