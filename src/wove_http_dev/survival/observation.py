"""``Observer``: what the client and the workers saw of one run of a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.worker_side import WorkerSide


@dataclass
class Observation:
    """What was seen of one run of a test. It keeps references to the values, so that their
    identities stay valid; forget it when the test has been tried with every fault."""

    seconds: float = 0.0
    hits: int = 0
    """Requests and connections that the injected faults hit."""
    journal: str = ""
    """The reports of the workers."""
    extra: dict[str, Any] = field(default_factory=dict)


class Observer:
    """Observes one run of a test, clean or with a fault, until the block ends.

    ``function`` is the test's function: what the functions that it calls return is observed in the
    thread that enters the block. ``clean`` is the observation of the run without a fault. The end
    of the block waits until the bodies of abandoned runs have ended, or are known to be stalled;
    ``observation`` is complete then.
    """

    def __init__(
        self, clean: Observation | None = None, *, function: Callable[..., Any] | None = None
    ) -> None:
        self.observation = Observation()
        self._workers: list[WorkerSide] = []

    def watch(self, worker: WorkerSide) -> None:
        """Observe ``worker`` too, from now on. Does nothing if it is observed already."""
        if worker not in self._workers:
            self._workers.append(worker)

    def watchdog_fired(self) -> None:
        """Note that the run did not end by itself: call this just before its stalled requests are
        released. Thread-safe."""

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *exc_info: object) -> None: ...
