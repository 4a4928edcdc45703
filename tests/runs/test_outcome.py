"""Outcomes of failed tasks: what of an exception travels, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from wove_http_dev.exception_text import MESSAGE_LIMIT, TRACEBACK_LIMIT
from wove_http_dev.protocol.frames import loads
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.forwarding import UpstreamAnswer
from wove_http_dev.runs.outcome import EXCEPTION_LIMIT, Outcome, error_outcome, failure

NOTE = 60
"""More characters than a note of what is left out has."""


class Endless(Exception):
    """An exception whose pickle never ends."""

    def __reduce__(self) -> tuple[Any, ...]:
        items: Iterator[bytes] = repeat(b"x" * 1000)
        return list, (), None, items


class Loud(Exception):
    """An exception that is small and has a long text."""

    def __str__(self) -> str:
        return "x" * 10**7


def error_of(outcome: Outcome) -> dict[str, Any]:
    """The error of a failed outcome."""
    assert outcome.error is not None
    return dict(outcome.error)


@pytest.mark.parametrize("exc", [ValueError("x" * 10**7), Loud()], ids=["argument", "text"])
@pytest.mark.parametrize(
    ("field", "limit"), [("message", MESSAGE_LIMIT), ("traceback", TRACEBACK_LIMIT)]
)
def test_long_text_is_shortened(exc: Exception, field: str, limit: int) -> None:
    """Message and traceback of an exception are limited, and say that they were shortened."""
    text = error_of(error_outcome(exc, source="task"))[field]
    assert len(text) < limit + NOTE
    assert "characters left out" in text


def test_long_message_of_the_worker_is_shortened() -> None:
    """A message in place of the exception's own is limited as well."""
    error = error_of(error_outcome(ValueError(), source="worker", message="x" * 10**6))
    assert len(error["message"]) < MESSAGE_LIMIT + NOTE


def test_long_name_is_shortened() -> None:
    """The name of an exception's class is limited."""
    exc = type("N" * 10**6, (Exception,), {})()
    assert len(error_of(error_outcome(exc, source="task"))["kind"]) < 300


def test_large_exception_stays() -> None:
    """An exception whose pickle is too large is not in the outcome."""
    assert error_outcome(ValueError("x" * EXCEPTION_LIMIT), source="task").exception_pickle is None


def test_exception_of_some_size_travels() -> None:
    """An exception below the limit is in the outcome, whole."""
    text = "x" * (EXCEPTION_LIMIT - 1000)
    payload = error_outcome(ValueError(text), source="task").exception_pickle
    assert payload is not None
    assert str(loads(payload)) == text


def test_endless_exception_stays() -> None:
    """An exception whose pickle would never end is not in the outcome."""
    assert error_outcome(Endless(), source="task").exception_pickle is None


def raised() -> Exception:
    """An exception with a traceback."""
    try:
        raise ValueError("too large")
    except ValueError as exc:
        return exc


def test_exception_travels_with_its_traceback() -> None:
    """The cause of the loaded exception is the traceback's text."""
    payload = error_outcome(raised(), source="task", tracebacks=True).exception_pickle
    cause = loads(payload or b"").__cause__
    assert 'raise ValueError("too large")' in str(cause)


def test_exception_with_a_traceback_keeps_type_and_message() -> None:
    """The exception itself is the same as without its traceback."""
    payload = error_outcome(raised(), source="task", tracebacks=True).exception_pickle
    assert repr(loads(payload or b"")) == "ValueError('too large')"


def test_pickle_names_only_the_standard_library() -> None:
    """A client that does not have this package can load the exception and its traceback."""
    payload = error_outcome(raised(), source="task", tracebacks=True).exception_pickle
    assert b"wove_http_dev" not in (payload or b"").replace(__file__.encode(), b"")


def test_exception_travels_alone() -> None:
    """Without ``tracebacks`` the exception has no cause."""
    payload = error_outcome(raised(), source="task").exception_pickle
    assert loads(payload or b"").__cause__ is None


def test_failure_without_an_exception() -> None:
    """A lost task has the fields of an error that has an exception, without a traceback."""
    error = error_of(failure("WorkerLost", "it was lost", retryable=True))
    assert error == {
        "kind": "WorkerLost",
        "message": "it was lost",
        "traceback": "",
        "retryable": True,
        "source": "worker",
    }


@pytest.mark.parametrize(
    "answer", [None, UpstreamAnswer(Reply(), "run-1")], ids=["none", "answered"]
)
def test_failure_of_upstream_is_unknown(answer: UpstreamAnswer | None) -> None:
    """How a task ended upstream is unknown if its answer does not say it."""
    assert failure("UpstreamError", "lost", answer=answer).unknown is (answer is not None)
