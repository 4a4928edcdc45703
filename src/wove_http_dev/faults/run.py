"""Faults of the run: from the accepted command frame to its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.errors import RefusedError, UnavailableError
from wove_http_dev.faults.distributions import Duration, drawn
from wove_http_dev.faults.fault import CancelStage, Fault, RunStage
from wove_http_dev.fields import field
from wove_http_dev.protocol.frames import Event
from wove_http_dev.runs.outcome import CANCELLED, Outcome

__all__ = [
    "CrashAfterRun",
    "CrashBeforeRun",
    "DuplicateRun",
    "Hang",
    "IgnoreCancel",
    "LostResponse",
    "RefuseCancel",
    "Saturated",
    "SlowCancel",
    "SlowResponse",
    "TaskCancelled",
]


@dataclass(frozen=True)
class _RunFault(Fault):
    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "run_task"


@dataclass(frozen=True)
class _CancelFault(Fault):
    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "cancel_task"


@dataclass(frozen=True)
class SlowResponse(_RunFault):
    """The worker waits before it runs the task, then answers as usual."""

    effect: ClassVar[str] = (
        "the executor's timeout, if shorter, ends it as a transport error; a delivery_timeout, if"
        " shorter, as DeliveryTimeoutError; else the result arrives late"
    )
    delay: Duration = field(1.0, "seconds to wait before the task starts", "seconds")

    def on_run(self, stage: RunStage) -> Outcome:
        stage.wait(self.delay)
        return stage.proceed()

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        stage.wait(self.delay)
        return stage.proceed()


@dataclass(frozen=True)
class Hang(_RunFault):
    """The worker accepts the command and does nothing until released."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = (
        "a transport error after the executor's timeout; DeliveryTimeoutError if delivery_timeout"
        " is shorter, but the weave returns only when its HTTP thread does; a hang without both"
    )

    def on_run(self, stage: RunStage) -> Outcome:
        stage.wait(None)
        return stage.proceed()


@dataclass(frozen=True)
class CrashBeforeRun(_RunFault):
    """The worker crashes when the command arrives; the task does not run."""

    effect: ClassVar[str] = "a transport error: connection reset, then connection refused"
    crashes: ClassVar[bool] = True

    def on_run(self, stage: RunStage) -> Outcome:
        stage.crash()


@dataclass(frozen=True)
class CrashAfterRun(_RunFault):
    """The worker runs the task and crashes before it answers."""

    effect: ClassVar[str] = "a transport error, though the task ran; retries run it again"
    crashes: ClassVar[bool] = True

    def on_run(self, stage: RunStage) -> Outcome:
        stage.proceed()
        stage.crash()


@dataclass(frozen=True)
class LostResponse(_RunFault):
    """The task runs, and its response is lost: the connection closes without one."""

    effect: ClassVar[str] = (
        "a transport error (Remote end closed connection), though the task ran; retries run it"
        " again"
    )

    def on_run(self, stage: RunStage) -> Outcome:
        stage.proceed()
        stage.hang_up()


@dataclass(frozen=True)
class DuplicateRun(_RunFault):
    """The task runs twice for one command, as after a redelivery; the first outcome is sent."""

    effect: ClassVar[str] = "the result; side effects happen twice"
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "its executor does not see that the task ran twice; only an idempotent task survives"
        " that, and attempts=2 allows it"
    }

    def on_run(self, stage: RunStage) -> Outcome:
        outcome = stage.proceed()
        stage.again()
        return outcome


@dataclass(frozen=True)
class Saturated(_RunFault):
    """The worker is busy: 503 with Retry-After; the task does not run."""

    effect: ClassVar[str] = (
        "a transport error: HTTP Error 503; Retry-After is ignored, retries follow at once"
    )
    retry_after: Duration = field(1.0, "seconds in the Retry-After header", "seconds")

    def on_run(self, stage: RunStage) -> Outcome:
        raise UnavailableError("every worker is busy", drawn(self.retry_after))


@dataclass(frozen=True)
class TaskCancelled(_RunFault):
    """The worker answers task_cancelled without a cancel_task; the task does not run."""

    effect: ClassVar[str] = "CancelledError leaves the weave, regardless of error_mode and retries"
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "it cancels the weave itself: CancelledError, regardless of error_mode"
    }

    def on_run(self, stage: RunStage) -> Outcome:
        return CANCELLED


@dataclass(frozen=True)
class IgnoreCancel(_CancelFault):
    """The worker accepts cancel_task, but the task keeps running."""

    effect: ClassVar[str] = "none: the executor ignores the response to a cancel_task"

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        return []


@dataclass(frozen=True)
class SlowCancel(_CancelFault):
    """The worker waits before it carries out a cancel_task."""

    effect: ClassVar[str] = "the weave returns only when the cancel's HTTP thread does"
    delay: Duration = field(1.0, "seconds to wait before the run is cancelled", "seconds")

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        stage.wait(self.delay)
        return stage.proceed()


@dataclass(frozen=True)
class RefuseCancel(_CancelFault):
    """The worker refuses cancel_task with an HTTP error, and the task keeps running."""

    effect: ClassVar[str] = "none: the executor ignores the response to a cancel_task"
    status: int = field(409, "HTTP status of the refusal", least=400, most=599)

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        raise RefusedError("this run cannot be cancelled", self.status)
