"""The log of ``serve``: a line when a run starts and one when it ends, a line for each refusal and
each connection that never became a request, and what ``serve`` itself does.

Each is an entry, a dict of JSON values that ``cli/README.md`` documents. ``log_lines`` makes a line
of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wove_http_dev.cli.log_lines import Entry
from wove_http_dev.cut_text import cut_end
from wove_http_dev.explain.remedies import remedy
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import FINISHED, Exchange, Run

TEXT_LIMIT = 2000
"""Characters of a text in an entry."""
_ID_LIMIT = 200
_EVENTS = 20
"""Events of an answer in an entry."""


class ServeLog(JournalObserver):
    """Gives ``write`` an entry for each thing that is logged.

    ``clean`` redacts secrets and shortens a text to a number of characters (``Redaction.clean``);
    ``clock`` returns seconds since the epoch.
    """

    def __init__(
        self,
        write: Callable[[Entry], object],
        *,
        clean: Callable[[str, int], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._clean = clean
        self._clock = clock
        self._lock = threading.Lock()
        self._started: set[Run] = set()
        """The runs whose start is in the log, and whose end is not."""
        self._in_force: dict[object, str] = {}
        self._reloaded: dict[str, str | None] = {}
        """The digest of each file that was logged as reloaded, as it was then."""

    def log(self, event: str, **values: Any) -> None:
        """Log ``event`` now, with further keys."""
        self._write({"time": self._clock(), "event": event, **values})

    def reloaded(self, changes: Mapping[str, str | None]) -> None:
        """Log that files of the application have changed, and are imported again. ``changes`` has
        the digest of each; what another process has reported already is left out."""
        with self._lock:
            files = [
                file
                for file, digest in sorted(changes.items())
                if file not in self._reloaded or self._reloaded[file] != digest
            ]
            self._reloaded.update(changes)
        if files:
            self.log("reloaded", files=files)

    def in_force(self, calls: Mapping[object, str]) -> None:
        """Log which faults, holds and stubs have come into force since the last call, and which are
        in force no more. ``calls`` has what is in force now: objects, each with the call that makes
        it."""
        with self._lock:
            before, self._in_force = self._in_force, dict(calls)
            for event, some, others in (
                ("removed", before, calls),
                ("in-force", calls, before),
            ):
                for each, call in some.items():
                    if each not in others:
                        self.log(event, call=cut_end(call, TEXT_LIMIT))

    def stopping(self, runs: Iterable[Run]) -> None:
        """Log that the service is about to stop, and the ``runs`` that have not ended."""
        self.log("stopping", runs=[_identity(run) for run in runs])

    def run_changed(self, run: Run) -> None:
        """Log that ``run`` is held, or that its body starts, as soon as its arguments are known."""
        if run.initial_value or run.state in FINISHED:
            return
        with self._lock:
            if run.state == "held":
                self.log("run-held", **_identity(run), held_by=list(run.held_by))
            elif run.state == "running" and run.args_text is not None:
                self._log_start(run)

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        """Log how ``run`` ended."""
        self._log_end(run)

    def run_lost(self, run: Run) -> None:
        """Log that ``run`` ended without an outcome."""
        self._log_end(run)

    def exchange_closed(self, exchange: Exchange) -> None:
        """Log ``exchange`` if the lines of its run do not say it all."""
        event = _event_of(exchange)
        if event is None:
            return
        self.log(
            event,
            number=exchange.number,
            run_id=exchange.run_id and cut_end(exchange.run_id, _ID_LIMIT),
            task_id=exchange.task_id and cut_end(exchange.task_id, _ID_LIMIT),
            type=exchange.frame_type,
            method=exchange.method,
            target=exchange.target,
            status=exchange.status,
            code=exchange.code,
            reason=self._text(exchange.refusal or exchange.error),
            hint=remedy(exchange),
            events=_first(exchange.events),
            faults=exchange.faults,
            drawn=exchange.drawn,
            seconds=_seconds(exchange.duration),
        )

    # Runs

    def _log_start(self, run: Run) -> None:
        if run not in self._started:
            self._started.add(run)
            self.log("run-started", **_identity(run), args=run.args_text)

    def _log_end(self, run: Run) -> None:
        if run.initial_value and run.state in ("succeeded", "cancelled"):
            return
        with self._lock:
            # It has no arguments if it could not be loaded, or a stub answered.
            if run.started is not None and not run.initial_value:
                self._log_start(run)
            self._started.discard(run)
            self.log(
                "run-ended",
                **_identity(run),
                state=run.state,
                args=run.args_text,
                result=run.result_text,
                error_place=run.error_place,
                error=self._text(run.error_text),
                stubbed=run.stubbed,
                faults=run.faults,
                drawn=run.drawn,
                seconds=_seconds(run.duration),
            )

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._clean(text, TEXT_LIMIT)


def still_open(runs: Iterable[Run]) -> list[Run]:
    """Return those of ``runs`` that have not ended."""
    return [run for run in runs if run.state not in FINISHED]


def _event_of(exchange: Exchange) -> str | None:
    """Return the event to log for ``exchange``; ``None`` if the lines of its run say it all."""
    if exchange.internal_error:
        return "worker-failed"
    if exchange.kind == "connection":
        return "no-request"
    if exchange.refusal:
        return "refused"
    if exchange.frame_type == "cancel_task":
        return "cancel"
    plain = exchange.status == 200 and not exchange.faults and not exchange.error
    return None if plain else "answered"


def _identity(run: Run) -> Entry:
    return {"run_id": cut_end(run.run_id, _ID_LIMIT), "task_id": cut_end(run.task_id, _ID_LIMIT)}


def _first(events: list[str]) -> list[str]:
    left_out = len(events) - _EVENTS
    return events if left_out <= 0 else [*events[:_EVENTS], f"{left_out:,} more"]


def _seconds(duration: float | None) -> float | None:
    return None if duration is None else round(duration, 6)
