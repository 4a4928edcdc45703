"""Workers whose frames are wrong, or that take wrong frames."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.defects.base import flagged_by
from tests.conformance.plain_worker import Event, Frame, Handler, PlainWorker, Run


@flagged_by("frames.01", "the answer is not JSON")
class AnswersText(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = repr(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("frames.02", "no terminal frame: 'task_started'")
class NoTerminal(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}]


@flagged_by("frames.02", "2 terminal frames")
class TwoTerminals(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [*super().events(run), run.outcome]


@flagged_by("frames.03", "has a wrong run_id")
class OwnRunId(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {**super().ids(frame), "run_id": "run-1"}


@flagged_by("frames.03", "has no run_id")
class NoRunId(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {"task_id": frame["task_id"]}


@flagged_by("frames.04", "has a wrong task_id")
class OwnTaskId(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {**super().ids(frame), "task_id": "task"}


@flagged_by("frames.05", "has a wrong run_id")
class AsciiIds(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {
            name: value.encode("ascii", "replace").decode()
            for name, value in super().ids(frame).items()
        }


@flagged_by("frames.06", "the terminal frame is not the last one")
class StartedLast(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [run.outcome, {"type": "task_started"}]


@flagged_by("frames.07", "unknown event types: 'task_started', 'progress'")
class OwnEventTypes(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}, {"type": "progress"}, run.outcome]


@flagged_by("frames.08", "a run_task with more fields was answered with HTTP 400")
class KnowsAllFields(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = super().decode(body)
        if any("extra" in name for name in frame):
            raise ValueError("unknown field")
        return frame


class Lenient(PlainWorker):
    """Answers a bad frame with 200 and no word."""

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 200 if status == 400 else status, document if status == 200 else {})


@flagged_by("frames.09", "an empty body was not rejected")
class AnswersMalformedJson(Lenient):
    pass


@flagged_by("frames.10", "JSON that is a list was not rejected")
class AnswersLists(Lenient):
    pass


@flagged_by("frames.11", "a run_task without type was not rejected")
class AnswersMissingFields(Lenient):
    pass


@flagged_by("frames.12", "which is not base64, was not rejected")
class AnswersBadBase64(Lenient):
    pass


@flagged_by("frames.13", "a frame of unknown type 'run_everything' was not rejected")
class RunsEverything(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if isinstance(frame, dict) and frame.get("type") == "run_everything":
            frame["type"] = "run_task"
        return super().decode(json.dumps(frame).encode())


@flagged_by("frames.14", "malformed JSON: HTTP 500")
class BadFrameIs500(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 500 if status == 400 else status, document)


@flagged_by("frames.09", "the connection was closed without an answer")
class DiesOfMalformedJson(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except ValueError as exc:
            raise RuntimeError from exc
