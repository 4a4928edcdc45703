"""Lets a body begin only once on a Dask cluster, even if its worker is lost.

Dask runs a task again if its worker is lost (``allowed-failures``, 3 times), closes or has lost the
result. So a task asks the scheduler before the body begins (:func:`run_once`), where a plugin of
:func:`once_plugin` lets the first one through. The plugin also says which bodies were lost with a
worker, and lets the client take a body back that has not begun.

The plugin and the task travel by value: a scheduler needs no installation of this package.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from wove_http_dev.runners.remote_body import RemoteResult, run_remote_body

UNKNOWN = "unknown"
"""Returned instead of a result if the scheduler has no plugin: the body has not begun."""
REFUSED = "refused"
"""Returned instead of a result if the body has begun before, on another worker, or was taken
back."""
BEGIN_TIMEOUT = 30.0
"""Seconds that a task waits for the scheduler's answer."""


def once_plugin(name: str, owner: str) -> Any:
    """Return a scheduler plugin that answers the operation ``name``, until the client with the id
    ``owner`` has gone or the operation ``end`` comes. It sends ``("begun", key, worker)`` to the
    topic ``name`` when the body of the task ``key`` begins, and ``("lost", key, worker)`` if it was
    lost with its worker after that."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    class BegunTasks(SchedulerPlugin):  # type: ignore[misc, unused-ignore]
        """Knows which tasks have begun, each with its worker's address, which is empty if the task
        was taken back."""

        def __init__(self) -> None:
            self.name = name
            self.begun: dict[str, str] = {}
            self.scheduler: Any = None

        async def start(self, scheduler: Any) -> None:
            self.scheduler = scheduler
            scheduler.handlers[name] = self.answer

        def answer(self, action: str, key: str = "", worker: str = "") -> bool:
            if action == "end":
                self.end()
                return True
            # Nor may a task begin that was released meanwhile, which is forgotten here.
            if key in self.begun or (worker and key not in self.scheduler.tasks):
                return False
            self.begun[key] = worker
            if worker:
                self.scheduler.log_event(name, ("begun", key, worker))
            return True

        def transition(self, key: str, start: str, finish: str, *_: Any, **__: Any) -> None:
            if finish == "forgotten":
                self.begun.pop(key, None)

        def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
            for key, holder in list(self.begun.items()):
                task = scheduler.tasks.get(key)
                if holder == worker and task is not None and task.state != "memory":
                    scheduler.log_event(name, ("lost", key, worker))

        def remove_client(self, scheduler: Any, client: str, **_: Any) -> None:
            if client == owner:
                self.end()

        def end(self) -> None:
            if self.scheduler.handlers.pop(name, None) is not None:
                self.scheduler.remove_plugin(name)

    return BegunTasks()


def once_call() -> Callable[[str, str, bytes], RemoteResult | str]:
    """Return :func:`run_once` as a function that is pickled by value."""

    def run_body(name: str, key: str, body: bytes) -> RemoteResult | str:
        from wove_http_dev.runners.dask_once import run_once

        return run_once(name, key, body)

    return run_body


def run_once(name: str, key: str, body: bytes) -> RemoteResult | str:
    """Run ``body``, the pickle of a ``RemoteBody``, on a Dask worker, if it has not begun before.
    Returns :data:`UNKNOWN` or :data:`REFUSED` if it is not run."""
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    first = sync(
        worker.loop,
        getattr(worker.scheduler, name),
        action="begin",
        key=key,
        worker=worker.address,
        callback_timeout=BEGIN_TIMEOUT,
    )
    if first is None:  # what a scheduler answers to an operation that it does not know
        return UNKNOWN
    return run_remote_body(pickle.loads(body)) if first else REFUSED
