"""Executors that understand the JSON of an answer only in the form that they know."""

from __future__ import annotations

import http.client
import json

from tests.conformance.executor.conforming_executor import TERMINAL, ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class ReadsTheFirstLine(ConformingExecutor):
    """Reads only the first line of an answer."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        return super().read(frame, body.strip().splitlines()[0])


class SearchesTheBytes(ConformingExecutor):
    """Searches the bytes of an answer for its run_id."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        if frame["run_id"].encode() not in body:
            raise ValueError("an answer to another request")
        return super().read(frame, body)


class RefusesUnknownFields(ConformingExecutor):
    """Refuses a document with other fields than "events"."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        if isinstance(document, dict) and len(document) > 1 and "events" in document:
            raise ValueError("unknown fields")
        return super().read(frame, body)


class FindsFramesAnywhere(ConformingExecutor):
    """Takes every object with a type for a frame, wherever it is in the answer."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        found: list[Frame] = []

        def notice(value: Frame) -> Frame:
            if "type" in value:
                found.append(value)
            return value

        json.loads(body, object_hook=notice)
        return super().read(frame, json.dumps(found).encode())


class KnowsErrorsInOneShape(ConformingExecutor):
    """Finds an error only in an object with a list of frames."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        if isinstance(document, list):
            document = [event for event in document if event.get("type") != "task_error"]
        return super().read(frame, json.dumps(document).encode())


class DropsCancelled(ConformingExecutor):
    """Drops a task_cancelled."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        events = super().read(frame, body)
        return [] if b'"task_cancelled"' in body else events


class TakesCancelledForAResult(ConformingExecutor):
    """Ends a run with None when it is answered with task_cancelled."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        if event["type"] == "task_cancelled":
            event = {**event, "type": "task_result"}
        return super()._terminal(frame, event)


class ReadsTheNamedCharset(ConformingExecutor):
    """Decodes an answer as its Content-Type says."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        charset = response.headers.get_content_charset() or "utf-8"
        return super()._answer(response).decode(charset).encode()


class TakesAnyResult(ConformingExecutor):
    """Takes each frame with a result for a task_result."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        for event in document.get("events", []) if isinstance(document, dict) else []:
            if "result_pickle" in event:
                event["type"] = "task_result"
        return super().read(frame, json.dumps(document).encode())


class TakesTheLastFrame(ConformingExecutor):
    """Takes the last frame of an answer for the terminal one."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        frames = document.get("events", [document]) if isinstance(document, dict) else document
        if frames and frames[-1].get("type") not in TERMINAL:
            raise ValueError("no terminal frame")
        return super().read(frame, body)


DEFECTS = (
    Defect(ReadsTheFirstLine, "frames.25", "is indented, .* was not understood"),
    Defect(SearchesTheBytes, "frames.25", "every character is escaped .* was not understood"),
    Defect(RefusesUnknownFields, "frames.26", "with fields that Wove does not know, .*not underst"),
    Defect(FindsFramesAnywhere, "frames.26", "with fields that Wove does not know, .*not underst"),
    Defect(
        KnowsErrorsInOneShape, "frames.27", "in an answer that is a list of frames, and the run"
    ),
    Defect(DropsCancelled, "frames.28", "task_cancelled, .* the frame was dropped"),
    Defect(TakesCancelledForAResult, "frames.28", "task_cancelled was taken for the result None"),
    Defect(ReadsTheNamedCharset, "frames.17", "with a charset in its Content-Type, and its author"),
    Defect(TakesAnyResult, "frames.31", "of the type task_progress was taken for the result"),
    Defect(TakesTheLastFrame, "frames.15", "answered with log frames around the result: "),
)
