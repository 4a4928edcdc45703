"""Faults of the event frames: the run is over, and the worker tells it wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from wove_http_dev.faults.base import EventsStage, Fault
from wove_http_dev.frames import TERMINAL_TYPES, Event


@dataclass(frozen=True)
class MissingTerminal(Fault):
    """The answer has task_started, and no frame that says how the run ended."""

    stage: ClassVar[str] = "events"
    command: ClassVar[str | None] = "run_task"
    effect: ClassVar[str] = (
        "the weave waits until delivery_timeout (DeliveryTimeoutError), for ever without one;"
        " the executor's own timeout does not help"
    )

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [event for event in events if event["type"] not in TERMINAL_TYPES]
