"""Runs and outcomes made without a service, for tests of the journal and its users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import Outcome, error_outcome
from wove_http_dev.runs.records import Run

SECRET = "correct-horse"
FAILED = error_outcome(ValueError("no"), source="task")


def make_run(
    task_id: str = "task",
    *,
    run_id: str = "run-1",
    initial_value: bool = False,
    args: Mapping[str, Any] | None = None,
    args_pickle: bytes | None = None,
    callable_pickle: bytes | None = None,
    exchange_number: int | None = None,
) -> Run:
    """A run that was accepted and has not started."""
    return Run(
        run_id,
        task_id,
        delivery={},
        initial_value=initial_value,
        args_pickle=dumps(dict(args or {})) if args_pickle is None else args_pickle,
        callable_pickle=callable_pickle,
        received=0.0,
        exchange_number=exchange_number,
    )


def returned(value: Any) -> Outcome:
    """The outcome of a task that returned ``value``."""
    return Outcome("result", result_pickle=dumps(value))


def finished_run(journal: Journal, outcome: Outcome, task_id: str = "task") -> Run:
    """A run that was added to ``journal`` and ended in ``outcome``."""
    run = make_run(task_id)
    journal.add_run(run)
    journal.change(run, "running")
    journal.finish(run, outcome)
    return run
