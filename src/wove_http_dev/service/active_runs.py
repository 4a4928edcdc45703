"""``ActiveRuns``: the runs whose requests are being served, and how one of them is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wove_http_dev.errors import DuplicateRunError, UnavailableError
from wove_http_dev.protocol import frames
from wove_http_dev.protocol.frames import CancelTask, Event
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.records import Run

CANCEL_GRACE = 1.0
"""Seconds that a require_ack cancel waits for the body to end. After that the reply has no event
frame."""
KILL_GRACE = 10.0
"""Seconds that such a cancel waits where the runner kills the body, which on a busy machine may
take long."""


class ActiveRuns:
    """The active runs of a service, each with its execution. Thread-safe."""

    def __init__(self) -> None:
        self.life = 0
        """The number of the current start: a fault's crash ends only the life in which its request
        arrived."""
        self._by_id: dict[str, tuple[Run, Execution]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def add(self, run: Run, execution: Execution, life: int) -> None:
        """Add ``run``, whose request arrived in ``life``. Raises :class:`UnavailableError` if that
        life has ended, and :class:`DuplicateRunError` if a run with the same id is active."""
        with self._lock:
            if self._closed or life != self.life:
                raise UnavailableError("the worker service is stopping")
            if run.run_id in self._by_id:
                raise DuplicateRunError(f"run {run.run_id!r} is still running here")
            self._by_id[run.run_id] = (run, execution)

    @contextmanager
    def executed_by(self, run: Run, execution: Execution) -> Iterator[None]:
        """Let a cancel of ``run``, and the end of the service, act on ``execution``, a further one
        of the run, until the block ends. It is cancelled now if the run already was."""
        with self._lock:
            _, first = self._by_id[run.run_id]
            self._by_id[run.run_id] = (run, execution)
            cancelled = self._closed or run.cancel_requested or first.cancel_requested
        if cancelled:
            execution.cancel(wait_for_end=False)
        try:
            yield
        finally:
            with self._lock:
                self._by_id[run.run_id] = (run, first)

    def remove(self, run: Run) -> None:
        """Remove ``run``, which has ended."""
        with self._lock:
            self._by_id.pop(run.run_id, None)

    def is_forwarded(self, command: CancelTask) -> bool:
        """Return whether upstream has to cancel the run that ``command`` names, because it was
        forwarded, or is not known here. If not, the run is not forwarded from now on."""
        with self._lock:
            entry = self._by_id.get(command.run_id)
            if entry is None:
                return True
            entry[0].cancel_requested = True
        return not entry[1].keep_from_forwarding()

    def cancel(self, command: CancelTask) -> tuple[list[Event], bool]:
        """Cancel the run that ``command`` names. Returns the event frames of the reply, and whether
        this call waited for the run to end.

        Blocks only for a command with mode ``require_ack``, for at most :data:`CANCEL_GRACE`
        seconds (:data:`KILL_GRACE` where the runner kills).
        """
        with self._lock:
            entry = self._by_id.get(command.run_id)
            if entry is None:
                return [], False
            run, execution = entry
            run.cancel_requested = True
        if command.cancel_mode == "best_effort":
            execution.cancel(wait_for_end=False)
            return [], False
        execution.cancel(wait_for_end=True)
        grace = KILL_GRACE if execution.kills else CANCEL_GRACE
        outcome = execution.wait(grace) if execution.wait_for_end(grace) else None
        # A body that had returned when the cancel came has its own outcome, which its run has got.
        if outcome is not None and outcome.kind == CANCELLED.kind:
            return [frames.task_cancelled(run.run_id, run.task_id)], True
        return [], True

    def stack(self, run_id: str) -> str:
        """Return where the body of the run is at this moment, as the lines of a traceback; empty if
        it does not run."""
        with self._lock:
            entry = self._by_id.get(run_id)
        return entry[1].stack() if entry is not None else ""

    def close(self, outcome: Outcome) -> None:
        """Refuse further runs, and end all unfinished ones with ``outcome``, even if their bodies
        still run."""
        with self._lock:
            self._closed = True
            active = list(self._by_id.values())
        for _, execution in active:
            execution.cancel(wait_for_end=False, outcome=outcome)

    def end_what_runs(self, outcome: Outcome) -> None:
        """End with ``outcome`` the runs whose bodies run, or wait for room, outside this process.
        Those that gates hold are not ended."""
        with self._lock:
            found = [execution for _, execution in self._by_id.values() if execution.where]
        for execution in found:
            execution.cancel(wait_for_end=False, outcome=outcome)

    def reopen(self) -> None:
        """Accept runs again, in a new life."""
        with self._lock:
            self._closed = False
            self.life += 1
