"""Traps of Wove's that a test has stepped into: what a worker saw is right, and yet is not what the
author of the weave meant."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import groupby

from wove_http_dev.client_side import ClientSide
from wove_http_dev.printable import printable
from wove_http_dev.runs.records import Run
from wove_http_dev.worker_side import WorkerSide

SHOWN = 5
"""Tasks that a text names."""


def traps(workers: Iterable[ClientSide]) -> list[str]:
    """Return a text for each kind of trap: what happened, why, and what to do."""
    workers = list(workers)
    runs = [
        run
        for worker in workers
        if isinstance(worker, WorkerSide)  # a remote one has no journal here
        for run in worker.journal.runs
    ]
    return [
        *_forked([name for worker in workers for name in worker.forked_tasks]),
        *_late([run for run in runs if _outlived_its_heartbeat(run)]),
        *_repeated(runs),
    ]


def _forked(names: list[str]) -> Iterator[str]:
    if names:
        yield (
            f"a weave with fork=True has the task {_listed(names)}: it runs in a child process,"
            " which has no wove.config, so the task never reaches the worker; use background=True"
            " alone"
        )


def _late(runs: list[Run]) -> Iterator[str]:
    if runs:
        seconds = runs[0].delivery["delivery_heartbeat_seconds"]
        yield (
            f"the task {_listed([run.task_id for run in runs])} took longer than its"
            f" delivery_heartbeat_seconds={seconds:g}, and failed: over http its heartbeats come"
            " with its result, so none can be in time; leave that setting out"
        )


def _outlived_its_heartbeat(run: Run) -> bool:
    seconds = run.delivery.get("delivery_heartbeat_seconds")
    if not isinstance(seconds, (int, float)) or seconds <= 0:
        return False
    lasted = (run.finished or time.time()) - run.received
    # A cancelled run ends when Wove gives it up. The worker received it later than Wove sent it.
    return lasted >= seconds or (run.cancel_requested and lasted >= seconds / 2)


def _repeated(runs: list[Run]) -> Iterator[str]:
    keyed = [(key, run) for run in runs if (key := _key(run)) is not None]
    keyed.sort(key=lambda each: each[0])  # stable: runs of a key stay in order
    for (task, key), group in groupby(keyed, lambda each: each[0]):
        ran = [run for _, run in group]
        if _ran_after_success(ran):
            times = sum(run.executions for run in ran)
            yield printable(
                f"the task {task[:200]!r} ran {times} times for delivery_idempotency_key="
                f"{key[:80]!r}: Wove only sends the key; a worker must answer a repeated one from"
                " its first outcome, as this one does with idempotency=True"
            )
            return


def _key(run: Run) -> tuple[str, str] | None:
    key = run.delivery.get("delivery_idempotency_key")
    return (run.task_id, key) if isinstance(key, str) else None


def _ran_after_success(runs: list[Run]) -> bool:
    # After a failure the retry is meant to run.
    done = next((index for index, run in enumerate(runs) if run.state == "succeeded"), None)
    if done is None:
        return False
    return runs[done].executions > 1 or any(run.executions for run in runs[done + 1 :])


def _listed(names: list[str]) -> str:
    different = list(dict.fromkeys(names))
    shown = ", ".join(repr(name[:200]) for name in different[:SHOWN])
    return printable(shown + (", …" if len(different) > SHOWN else ""))
