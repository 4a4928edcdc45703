"""Runs a body in another process, in which this package can be imported: :func:`run_remote_body`
there, and :func:`shown_outcome` in the service's process, which shows what it wrote and returns its
outcome, as if it had run in a thread.

The other process gets pickles of the client and plain values, and never a secret: texts that it
makes are cut there, and redacted here.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from wove_http_dev.exception_text import message_of
from wove_http_dev.runners.remote_output import (
    BoundedOutput,
    PrintedOutput,
    RemoteCapture,
    show_output,
    streams_replaced,
)
from wove_http_dev.runs.body import Body, run_displayed
from wove_http_dev.runs.display import RunDisplay, arguments_text, value_text
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import Outcome


@dataclass(frozen=True)
class RemoteBody:
    """What another process needs to run a body. Can be pickled."""

    callable_pickle: bytes = field(repr=False)
    args_pickle: bytes = field(repr=False)
    tracebacks: bool
    texts: bool
    """Whether the texts of arguments and result are wanted."""

    @classmethod
    def of(cls, body: Body) -> RemoteBody:
        """Return what another process needs of ``body``."""
        return cls(
            body.callable_pickle, body.args_pickle, body.tracebacks, body.display is not None
        )


@dataclass(frozen=True)
class RemoteResult:
    """How a body ended in another process, and what it wrote there. Can be pickled."""

    outcome: Outcome
    arguments_text: str | None = None
    printed: PrintedOutput = field(default=PrintedOutput(), repr=False)


class Reporter(Protocol):
    """Gets what happens while a body runs, in the process that runs it."""

    def write(self, stream: str, data: bytes) -> None:
        """Take what the body wrote to ``stream``: ``stdout``, ``stderr`` or ``log``."""

    def arguments(self, text: str) -> None:
        """Take the text of the arguments."""


class _CollectingReporter(BoundedOutput):
    """Keeps what is reported for the result."""

    arguments_text: str | None = None

    def arguments(self, text: str) -> None:
        self.arguments_text = text


class _ReportedTexts:
    """Makes the texts of a run where it runs: implements ``runs.body.Display``."""

    def __init__(self, reporter: Reporter, context: contextvars.Context, wanted: bool) -> None:
        self._reporter = reporter
        self._context = context
        self._wanted = wanted

    def show_arguments(self, arguments: Mapping[str, Any]) -> None:
        if self._wanted:
            self._reporter.arguments(arguments_text(arguments))

    def context(self) -> contextvars.Context:
        return self._context

    def result(self, value: Any) -> str | None:
        return value_text(value) if self._wanted else None


def run_remote_body(body: RemoteBody) -> RemoteResult:
    """Run ``body`` in this thread, and return its outcome with what it printed and logged, at most
    about 70,000 bytes. Other threads may run bodies at the same time."""
    collected = _CollectingReporter()
    outcome = run_with_reporter(body, collected, only_body=False)
    return RemoteResult(outcome, collected.arguments_text, collected.printed)


def run_with_reporter(body: RemoteBody, reporter: Reporter, *, only_body: bool) -> Outcome:
    """Run ``body`` in this thread, report to ``reporter`` what happens meanwhile, and return the
    outcome. ``only_body`` as for :func:`~wove_http_dev.runners.remote_output.streams_replaced`."""
    with streams_replaced(RemoteCapture(reporter.write), only_body=only_body) as context:
        return run_displayed(
            Execution("body"),
            Body(body.callable_pickle, body.args_pickle, tracebacks=body.tracebacks),
            _ReportedTexts(reporter, context, body.texts),
        )


def shown_outcome(result: RemoteResult, display: RunDisplay | None) -> Outcome:
    """Return the outcome in ``result``, after showing what the body wrote, and giving its texts to
    ``display``, without the secrets in them. Called in the thread of the run."""
    if display is not None and result.arguments_text is not None:
        display.show_arguments_text(result.arguments_text)
    show_output(display, result.printed)
    return redacted_outcome(result.outcome, display)


def redacted_outcome(outcome: Outcome, display: RunDisplay | None) -> Outcome:
    """Return ``outcome``, which another process has made, with the text of its result as
    ``display`` shows it."""
    text = display.result_text(outcome.result_text) if display is not None else None
    return replace(outcome, result_text=text)


def import_advice(exc: BaseException, where: str) -> str | None:
    """Return what to do if ``exc`` says that :func:`run_remote_body` could not be imported in
    ``where`` (``the Dask worker``); ``None`` if it says something else."""
    package = __name__.partition(".")[0]
    missing = getattr(exc, "name", None) or ""
    ours = f"{missing}.".startswith(f"{package}.") or f"'{package}" in message_of(exc)
    if isinstance(exc, (ImportError, AttributeError)) and ours:
        return (
            f"{where} cannot import {package} as it is here ({message_of(exc)}): install the same"
            f" version there, with pip install {package.replace('_', '-')}"
        )
    return None
