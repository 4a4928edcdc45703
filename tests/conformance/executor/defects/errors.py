"""Executors that report errors wrongly."""

from __future__ import annotations

from wove.environment import (
    normalize_exception,
)

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Status
from tests.conformance.executor.defects.base import Defect


class SwallowsErrors(ConformingExecutor):
    """Reports no failure of the transport."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return []


class AnswersNone(ConformingExecutor):
    """Reports every failure of the transport as the result None."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        ids = {"run_id": frame["run_id"], "task_id": frame["task_id"]}
        return [{"type": "task_result", "result": None, **ids}]


class HidesTheStatus(ConformingExecutor):
    """Reports every HTTP error with the same text."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return super().failure(frame, RuntimeError("no") if isinstance(exc, Status) else exc)


class BlamesTheTask(ConformingExecutor):
    """Reports a timeout as an error of the task."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, Status):
            return super().failure(frame, exc)
        return [self.error_for(frame, normalize_exception(exc, source="task"))]


class KeepsTheMessageOnly(ConformingExecutor):
    """Keeps only the kind and message of a task's error."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        decoded = super()._terminal(frame, event)
        if isinstance(decoded.get("error"), dict):
            decoded["error"] = {name: decoded["error"].get(name) for name in ("kind", "message")}
        return decoded


DEFECTS = (
    Defect(SwallowsErrors, "errors.03", "swallowed"),
    Defect(SwallowsErrors, "errors.09", "swallowed"),
    Defect(AnswersNone, "errors.01", "swallowed"),
    Defect(AnswersNone, "outcome.redirect", "not what the task returned"),
    Defect(HidesTheStatus, "errors.12", "does not name the status"),
    Defect(HidesTheStatus, "errors.13", "is not in the error"),
    Defect(BlamesTheTask, "errors.19", "the error says source 'task'"),
    Defect(KeepsTheMessageOnly, "errors.20", "traceback: 'File worker.py.* sees None"),
)
