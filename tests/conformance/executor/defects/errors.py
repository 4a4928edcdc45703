"""Executors that report errors wrongly."""

from __future__ import annotations

import contextlib
import http.client
import socket

from wove.environment import _deserialize_network_executor_frame, normalize_exception

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Status
from tests.conformance.executor.defects.base import Defect


def _loaded(pickled: Frame) -> Frame:
    loaded: Frame = _deserialize_network_executor_frame(pickled, reason="a test's defect")
    return loaded


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


class TakesAnEmptyErrorForNone(ConformingExecutor):
    """Reports a task_error whose error is empty as the result None."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        if event["type"] == "task_error" and not (event.get("error") or "error_pickle" in event):
            event = {"type": "task_result", "result": None, **self.ids(frame)}
        return super()._terminal(frame, event)

    @staticmethod
    def ids(frame: Frame) -> Frame:
        return {name: frame[name] for name in ("run_id", "task_id")}


class LosesWhatItCannotRead(ConformingExecutor):
    """Ends the thread of a run whose payload cannot be read."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        try:
            return super()._terminal(frame, event)
        except Exception:
            frame["type"] = "unread"
            raise

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return [] if frame["type"] == "unread" else super().failure(frame, exc)


class NeedsTheException(ConformingExecutor):
    """Reports what goes wrong with the exception of a task instead of the task's error."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        if event.get("exception_pickle", "") != "":
            pickled = {"exception_pickle": event["exception_pickle"]}
            if not isinstance(_loaded(pickled)["exception"], Exception):
                raise TypeError("the exception of a task_error is none")
        return super()._terminal(frame, event)


class CatchesExceptionsOnly(ConformingExecutor):
    """Loads a payload as if it could raise nothing but an Exception."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        for name in ("result_pickle", "exception_pickle"):
            if name in event:
                with contextlib.suppress(Exception):
                    _loaded({name: event[name]})
        return super()._terminal(frame, event)

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return [] if "the answer raised" in str(exc) else super().failure(frame, exc)


class HandsExitsOn(ConformingExecutor):
    """Hands a task's exception to Wove's runtime, even one that ends the program."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        exception = {k: v for k, v in event.items() if k == "exception_pickle"}
        decoded = super()._terminal(frame, event)
        with contextlib.suppress(BaseException):
            decoded.update(_loaded(exception))
        return decoded


class TakesFalseForNoResult(ConformingExecutor):
    """Takes a result whose truth value is false for a missing one."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        decoded = super()._terminal(frame, event)
        if decoded["type"] == "task_result" and not decoded["result"]:
            raise ValueError("the answer has no result")
        return decoded


class RaisesResults(ConformingExecutor):
    """Raises a result that is an exception."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        decoded = super()._terminal(frame, event)
        if isinstance(decoded.get("result"), Exception):
            raise decoded["result"]
        return decoded


class ShowsResults(ConformingExecutor):
    """Makes a text of each result, as for a log."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        decoded = super()._terminal(frame, event)
        self.shown = repr(decoded.get("result"))
        return decoded


class RaisesWhatItCannotName(ConformingExecutor):
    """Reports a failed connection as an error of its own, without a source."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        events = super().failure(frame, exc)
        if isinstance(exc, socket.gaierror):
            events[0]["exception"] = exc
        return events


class ReadsATruncatedAnswer(ConformingExecutor):
    """Says that the task failed where the answer ends too early."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        events = super().failure(frame, exc)
        if isinstance(exc, http.client.IncompleteRead):
            events[0]["error"]["source"] = "task"
        return events


class DropsTexts(ConformingExecutor):
    """Drops an error that is not an object."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        if not isinstance(event.get("error"), dict):
            event = {name: value for name, value in event.items() if name != "error"}
        return super()._terminal(frame, event)


DEFECTS = (
    Defect(DropsTexts, "errors.15", "error of a task_error was the text 'no space left', and the"),
    Defect(RaisesWhatItCannotName, "errors.25", "does not resolve.* the task's error is gaierror"),
    Defect(ReadsATruncatedAnswer, "errors.25", r"\((bad-chunk|reset-mid-body)\), .* 'task'"),
    Defect(TakesAnEmptyErrorForNone, "errors.21", r"task_error with \{\}: .*swallowed"),
    Defect(LosesWhatItCannotRead, "errors.21", "was sent, and only the delivery_timeout"),
    Defect(NeedsTheException, "errors.22", "the task's real error was lost"),
    Defect(CatchesExceptionsOnly, "errors.23", "raises SystemExit when it is loaded was sent, and"),
    Defect(HandsExitsOn, "errors.23", "a task that failed with SystemExit"),
    Defect(TakesFalseForNoResult, "errors.24", "returned None, and its outcome"),
    Defect(RaisesResults, "errors.24", "returned ValueError.* and its outcome"),
    Defect(ShowsResults, "errors.24", "an object that raises when it is used"),
    Defect(SwallowsErrors, "errors.03", "swallowed"),
    Defect(SwallowsErrors, "errors.09", "swallowed"),
    Defect(AnswersNone, "errors.01", "swallowed"),
    Defect(AnswersNone, "outcome.redirect", "not what the task returned"),
    Defect(HidesTheStatus, "errors.12", "does not name the status"),
    Defect(HidesTheStatus, "errors.13", "is not in the error"),
    Defect(BlamesTheTask, "errors.19", "the error says source 'task'"),
    Defect(KeepsTheMessageOnly, "errors.20", "traceback: 'File worker.py.* sees None"),
)
