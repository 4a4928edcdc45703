"""Faults of the run: what a worker does between accepting a command and having an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.faults.base import CancelStage, Fault, RunStage, option
from wove_http_dev.frames import Event
from wove_http_dev.runner import Outcome


@dataclass(frozen=True)
class SlowResponse(Fault):
    """The worker sits on the command for a while, then runs it and answers."""

    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "run_task"
    effect: ClassVar[str] = (
        "the executor's timeout, if shorter, ends it as a transport error; a delivery_timeout, if"
        " shorter, as DeliveryTimeoutError; else the result arrives late"
    )
    delay: float = option(1.0, "how long the command lies", "seconds")

    def on_run(self, stage: RunStage) -> Outcome:
        stage.wait(self.delay)
        return stage.proceed()

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        stage.wait(self.delay)
        return stage.proceed()
