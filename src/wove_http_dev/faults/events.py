"""Faults of the event frames: frames that are missing, wrong, or contradict how the run ended."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from wove_http_dev.faults.distributions import Duration, drawn
from wove_http_dev.faults.fault import EventsStage, Fault
from wove_http_dev.fields import field
from wove_http_dev.protocol import frames
from wove_http_dev.protocol.frames import TERMINAL_TYPES, Event
from wove_http_dev.protocol.plain_pickle import NotPlainError, read_plain

__all__ = [
    "ConflictingTerminal",
    "CorruptBase64",
    "DuplicateTerminal",
    "EmptyEvents",
    "ErrorNotAnObject",
    "EventNotAnObject",
    "EventsNotAList",
    "ExtraHeartbeats",
    "ForeignRun",
    "MissingRunId",
    "MissingStarted",
    "MissingTerminal",
    "PlainJsonResult",
    "ResultBeforeStarted",
    "TimeoutException",
    "TruncatedPickle",
    "UnhashableRunId",
    "UnimportableResult",
    "UnknownEventType",
    "UnpicklableException",
    "WrongRunId",
    "WrongTaskId",
]

_LOST = "the run never ends: DeliveryTimeoutError after delivery_timeout, a hang without one"
_TRANSPORT = "a transport error, kind "
_LOOK_AGAIN = 0.02
"""Seconds."""


@dataclass(frozen=True)
class _EventsFault(Fault):
    stage: ClassVar[str] = "events"
    command: ClassVar[str | None] = "run_task"


def _is_terminal(event: Event) -> bool:
    return event.get("type") in TERMINAL_TYPES


@dataclass(frozen=True)
class MissingTerminal(_EventsFault):
    """The response has task_started, but no frame that says how the run ended."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = _LOST + "; the executor's own timeout does not help"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [event for event in events if not _is_terminal(event)]


@dataclass(frozen=True)
class MissingStarted(_EventsFault):
    """The response has no task_started."""

    effect: ClassVar[str] = "the result: the executor does not need it"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [event for event in events if event.get("type") != "task_started"]


@dataclass(frozen=True)
class EmptyEvents(_EventsFault):
    """The response has no event frame."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = _LOST

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return []


@dataclass(frozen=True)
class DuplicateTerminal(_EventsFault):
    """The terminal frame comes twice."""

    effect: ClassVar[str] = "the result: the first terminal frame wins"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [*events, *filter(_is_terminal, events)]


@dataclass(frozen=True)
class ConflictingTerminal(_EventsFault):
    """A second terminal frame contradicts the first."""

    effect: ClassVar[str] = "the first terminal frame wins; the second is ignored"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        run_id, task_id = stage.run.run_id, stage.run.task_id
        if stage.outcome.kind == "error":
            other = frames.task_result(run_id, task_id, frames.dumps(None))
        else:
            error = {"kind": "Conflict", "message": "the same run failed", "source": "worker"}
            other = frames.task_error(run_id, task_id, error)
        return [*events, other]


@dataclass(frozen=True)
class ResultBeforeStarted(_EventsFault):
    """The terminal frame comes before task_started."""

    effect: ClassVar[str] = "the result: order does not matter to the executor"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return sorted(events, key=_is_terminal, reverse=True)


@dataclass(frozen=True)
class WrongRunId(_EventsFault):
    """Every frame names a run that does not exist."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = _LOST
    run_id: str = field("nobody:0", "run_id in the event frames")

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [{**event, "run_id": self.run_id} for event in events]


@dataclass(frozen=True)
class MissingRunId(_EventsFault):
    """No frame has a run_id."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = _LOST

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [{k: v for k, v in event.items() if k != "run_id"} for event in events]


@dataclass(frozen=True)
class UnhashableRunId(_EventsFault):
    """Every frame's run_id is a list, which is not hashable."""

    effect: ClassVar[str] = (
        "the executor's receiver dies: every pending run of the environment fails with TypeError"
    )
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "it ends the executor's receiver: TypeError for every pending run"
    }

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [{**event, "run_id": [event["run_id"]]} for event in events]


@dataclass(frozen=True)
class WrongTaskId(_EventsFault):
    """Every frame names another task."""

    effect: ClassVar[str] = "the result: the executor looks only at run_id"
    task_id: str = field("another_task", "task_id in the event frames")

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [{**event, "task_id": self.task_id} for event in events]


@dataclass(frozen=True)
class ForeignRun(_EventsFault):
    """The response also ends every other run that was not answered yet, with this run's result."""

    effect: ClassVar[str] = (
        "other pending runs get the result of this one; with none pending, no effect"
    )
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "it knows events by their run id alone, and takes a run's result for another's"
    }
    wait: Duration = field(0.3, "seconds to wait for another run, if there is none", "seconds")

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        # Tasks that a weave starts at once arrive a moment apart.
        rest = drawn(self.wait)
        while rest > 0 and not stage.other_runs and not stage.wait(min(rest, _LOOK_AGAIN)):
            rest -= _LOOK_AGAIN
        stolen = stage.outcome.result_pickle or frames.dumps(None)
        foreign = [frames.task_result(run.run_id, run.task_id, stolen) for run in stage.other_runs]
        return [*foreign, *events]


@dataclass(frozen=True)
class UnknownEventType(_EventsFault):
    """A frame of an unknown type comes before the terminal one."""

    effect: ClassVar[str] = "RuntimeError: Unknown executor frame type; the result is lost"
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "Wove's runtime raises RuntimeError for it, and the task's outcome is lost"
    }
    type: str = field("task_paused", "type of the extra event frame")

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        unknown = {**frames.task_started(stage.run.run_id, stage.run.task_id), "type": self.type}
        return sorted([*events, unknown], key=_is_terminal)


@dataclass(frozen=True)
class ExtraHeartbeats(_EventsFault):
    """Heartbeats come between task_started and the terminal frame."""

    effect: ClassVar[str] = "the result"
    count: int = field(3, "number of heartbeats")

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        beat = frames.heartbeat(stage.run.run_id, stage.run.task_id)
        return sorted([*events, *[beat] * self.count], key=_is_terminal)


@dataclass(frozen=True)
class EventsNotAList(_EventsFault):
    """The response's "events" is an object."""

    effect: ClassVar[str] = _TRANSPORT + "TypeError: response events must be a list"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return {"events": {str(event.get("type")): event for event in events}}


@dataclass(frozen=True)
class EventNotAnObject(_EventsFault):
    """One of the frames is a string."""

    effect: ClassVar[str] = (
        _TRANSPORT + "TypeError: events must be dictionaries; the result is lost"
    )

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return {"events": [*events, "task_result"]}


@dataclass(frozen=True)
class PlainJsonResult(_EventsFault):
    """The result is plain JSON instead of a pickle, as a worker in another language sends it."""

    effect: ClassVar[str] = "the result, with JSON's types (a tuple becomes a list)"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        # Only a pickle of this worker's own is loaded, not one that came from upstream.
        load = frames.loads if stage.outcome.answer is None else _read_plain
        return [self._plain(event, load) for event in events]

    @staticmethod
    def _plain(event: Event, load: Callable[[bytes], Any]) -> Event:
        if "result_pickle" not in event:
            return event
        value = load(base64.b64decode(event["result_pickle"]))
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            value = repr(value)
        return {**{k: v for k, v in event.items() if k != "result_pickle"}, "result": value}


def _read_plain(payload: bytes) -> Any:
    try:
        return read_plain(payload)
    except NotPlainError:
        return f"<a pickle of {len(payload)} bytes>"


@dataclass(frozen=True)
class _PayloadFault(_EventsFault):
    """Replaces the payload of the terminal frame."""

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return [
            {k: self.spoil(v) if k.endswith("_pickle") else v for k, v in event.items()}
            for event in events
        ]

    def spoil(self, payload: str) -> str:
        """Return the base64 text to send instead of ``payload``."""
        raise NotImplementedError


@dataclass(frozen=True)
class CorruptBase64(_PayloadFault):
    """The payload is not base64."""

    effect: ClassVar[str] = (
        _TRANSPORT + "Error: Invalid base64-encoded string (or Incorrect padding)"
    )

    def spoil(self, payload: str) -> str:
        return "A" + payload.rstrip("=")[: len(payload) // 4 * 4 - 4]


@dataclass(frozen=True)
class TruncatedPickle(_PayloadFault):
    """The payload is cut in half."""

    effect: ClassVar[str] = _TRANSPORT + "UnpicklingError: pickle data was truncated (or EOFError)"

    def spoil(self, payload: str) -> str:
        raw = base64.b64decode(payload)
        return frames.encode_payload(raw[: len(raw) // 2])


@dataclass(frozen=True)
class UnimportableResult(_PayloadFault):
    """The payload is an object whose module the client does not have."""

    effect: ClassVar[str] = _TRANSPORT + "ModuleNotFoundError"
    module: str = field("no_such_module_of_the_worker", "name of the missing module")

    def spoil(self, payload: str) -> str:
        return frames.encode_payload(f"c{self.module}\nThing\n.".encode())


class TwoArguments(Exception):
    """An exception that can be pickled, but not unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second


def _failed(events: list[Event], stage: EventsStage, error: Any, exc: object = None) -> list[Event]:
    failed = frames.task_error(
        stage.run.run_id,
        stage.run.task_id,
        {},
        frames.dumps(exc) if exc is not None else None,
    )
    failed["error_pickle"] = frames.encode_payload(frames.dumps(error))
    return [*(event for event in events if not _is_terminal(event)), failed]


@dataclass(frozen=True)
class UnpicklableException(_EventsFault):
    """The run failed, with an exception that the client cannot unpickle."""

    effect: ClassVar[str] = _TRANSPORT + "TypeError: the real error is lost with it"

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        error = {"kind": "TwoArguments", "message": "the real error", "source": "task"}
        return _failed(events, stage, error, TwoArguments("the real error", "lost"))


@dataclass(frozen=True)
class TimeoutException(_EventsFault):
    """The run failed with a TimeoutError, pickled as its exception."""

    effect: ClassVar[str] = (
        "Python 3.11 and newer: CancelledError leaves the weave, not retried; 3.10: TimeoutError"
    )
    # Python 3.11 made asyncio.TimeoutError the built-in one (asyncio docs, "Exceptions").
    uncontained: ClassVar[Mapping[str, str]] = {
        "2.0": "Wove takes it for the task's own timeout, and cancels the weave: CancelledError"
        if sys.version_info >= (3, 11)
        else "Wove raises it as the task's own exception: TimeoutError"
    }

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        error = {"kind": "TimeoutError", "message": "the task timed out", "source": "task"}
        return _failed(events, stage, error, TimeoutError("the task timed out"))


@dataclass(frozen=True)
class ErrorNotAnObject(_EventsFault):
    """The run failed, and its error is text instead of an object."""

    effect: ClassVar[str] = "EnvironmentExecutionError with that text, kind ExecutionError"
    text: str = field("it went wrong", "text in place of the error object")

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        return _failed(events, stage, self.text)
