"""Workers whose event frames are wrong, or that accept wrong command frames."""

from __future__ import annotations

import base64
import gzip
import io
import json
import pickle
import re
import threading
import traceback
import unicodedata
from typing import Any

from tests.conformance.worker.defects.base import Hanging, flagged_by, is_async, plant
from tests.conformance.worker.defects.limits import Mortal
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Run,
)


@flagged_by("frames.01", "there are no event frames in HTTP 200")
class TellsNothingOfNothing(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [] if run.outcome == self.result(None) else super().events(run)


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


class Encodes(PlainWorker):
    """A base class for workers that encode a document in another way."""

    header, value = "X-Plain", "1"

    def encoded(self, document: Any) -> bytes:
        return json.dumps(document).encode()

    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = self.encoded(document)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(self.length(document, data)))
        handler.send_header(self.header, self.value)
        handler.end_headers()
        handler.wfile.write(data)

    def length(self, document: Any, data: bytes) -> int:
        return len(data)


@flagged_by("frames.05", "has a wrong run_id")
class AsciiIds(PlainWorker):
    def ids(self, frame: Frame) -> Event:
        return {
            name: value.encode("ascii", "replace").decode()
            for name, value in super().ids(frame).items()
        }


@flagged_by("frames.05", "ends in the middle, after .* does Content-Length count characters")
class CountsCharacters(Encodes):
    def encoded(self, document: Any) -> bytes:
        return json.dumps(document, ensure_ascii=False).encode()

    def length(self, document: Any, data: bytes) -> int:
        return len(data.decode())


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
    """Answers a bad frame with status 200 and an empty object."""

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 200 if status == 400 else status, document if status == 200 else {})


@flagged_by("frames.09", "an empty body was not rejected")
class AnswersMalformedJson(Lenient):
    pass


@flagged_by("frames.09", "the connection was closed without an answer")
class DiesOfMalformedJson(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except ValueError as exc:
            raise RuntimeError from exc


@flagged_by("frames.10", "JSON that is a list was not rejected")
class AnswersLists(Lenient):
    pass


@flagged_by("frames.11", "a run_task without type was not rejected")
class AnswersMissingFields(Lenient):
    pass


@flagged_by("frames.12", r"\(not base64\) was not rejected")
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


@flagged_by("frames.15", "the answer to a plain run is not JSON .JSONDecodeError.: HTTP 200")
class AnswersText(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = repr(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("frames.15", "a plain run was answered with no terminal frame: 'task_started'")
class NoTerminal(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}]


@flagged_by("frames.15", "has Content-Encoding: gzip, which Wove does not decode")
class Compresses(Encodes):
    header, value = "Content-Encoding", "gzip"

    def encoded(self, document: Any) -> bytes:
        return gzip.compress(super().encoded(document))


@flagged_by("frames.15", "the answer to a plain run holds more than one JSON value")
class AnswersLines(Encodes):
    def encoded(self, document: Any) -> bytes:
        return b"".join(json.dumps(event).encode() + b"\n" for event in document.get("events", []))


@flagged_by("frames.15", 'HTTP 200 b\'{"status": "accepted"}\', which is not an event frame')
class AnswersLater(PlainWorker):
    def shape(self, events: list[Event]) -> Any:
        return {"status": "accepted"}


@flagged_by("frames.15", "does the service run Python 3.*, like this check, and have cloudpickle")
class LoadsNothing(PlainWorker):
    def call(self, run: Run) -> Any:
        raise ValueError("bad marshal data")


@flagged_by("frames.16", r"a callable_pickle with '.' in it \(not base64\) was not")
class SkipsCharacters(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if isinstance(frame, dict) and isinstance(frame.get("callable_pickle"), str):
            loose = base64.b64decode(frame["callable_pickle"])
            frame["callable_pickle"] = base64.b64encode(loose).decode()
        return super().decode(json.dumps(frame).encode())


@flagged_by("frames.17", r"1 of \d+ answers: run.07, POST run_task .echo.* no event", "run.07")
class TellsNothingOfLargeResults(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        events = super().events(run)
        return events if len(json.dumps(events)) < 100_000 else []


@flagged_by("frames.17", "run.02, .* holds more than one JSON value", "run.02")
class AnswersLinesIfAsync(PlainWorker):
    def run(self, frame: Frame) -> list[Event]:
        self.lines = is_async(Run(frame))
        return super().run(frame)

    def write(self, handler: Handler, status: int, document: Any) -> None:
        if "events" in document and self.lines:
            AnswersLines.write(self, handler, status, document)  # type: ignore[arg-type]
        else:
            super().write(handler, status, document)

    header, value, encoded, length = "X-Plain", "1", AnswersLines.encoded, Encodes.length


@flagged_by("frames.17", "cancel.04, .* the answer is not JSON", "cancel.04")
class AnswersCancelsWithText(AnswersText):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        if document == {"events": []}:
            super().write(handler, status, document)
        else:
            PlainWorker.write(self, handler, status, document)


@flagged_by("frames.18", "run.02, .* the 'task_result' frame has no task_id", "run.02")
class NoTaskIdIfAsync(PlainWorker):
    def run(self, frame: Frame) -> list[Event]:
        events = super().run(frame)
        if is_async(Run(frame)):
            del events[-1]["task_id"]
        return events


@flagged_by("frames.18", "cancel.02, .* the 'task_cancelled' frame has a wrong run_id", "cancel.02")
class NoIdsInCancelled(PlainWorker):
    def run(self, frame: Frame) -> list[Event]:
        events = super().run(frame)
        if events[-1]["type"] == "task_cancelled":
            events[-1]["run_id"] = None
        return events


@flagged_by(
    "frames.19", "errors.01, .* 2 terminal frames: .*'task_error', 'task_error'", "errors.01"
)
class TwoErrors(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        failed = run.outcome["type"] == "task_error"
        return super().events(run) + ([run.outcome] if failed else [])


@flagged_by("frames.19", "the terminal frame is not the last one: 'task_result', 'log'", "run.02")
class LogsAfterAsyncResults(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [run.outcome, {"type": "log"}] if is_async(run) else super().events(run)


@flagged_by("frames.19", "cancel.01, .* an unknown event type: 'cancelling'", "cancel.01")
class CancelsInItsOwnWords(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        super().cancel(frame)
        return [{"type": "cancelling", **self.ids(frame)}]


class ChangesIds(PlainWorker):
    """A base class for workers that send ids back in another form."""

    def changed(self, text: str) -> Any:
        return text

    def ids(self, frame: Frame) -> Event:
        return {name: self.changed(value) for name, value in super().ids(frame).items()}


@flagged_by("frames.20", "an id of 2000 letters: the 'task_started' frame has a wrong run_id")
class CutsIds(ChangesIds):
    def changed(self, text: str) -> str:
        return text[:255]


@flagged_by("frames.20", "an id of digits: the 'task_started' frame has a wrong run_id: [0-9]")
class ReadsIdsAsNumbers(ChangesIds):
    def changed(self, text: str) -> Any:
        return int(text) if text.isdecimal() else text


@flagged_by("frames.20", "an id 'null': the 'task_started' frame has a wrong run_id: None")
class ReadsIdsAsJson(ChangesIds):
    def changed(self, text: str) -> Any:
        return None if text == "null" else text


@flagged_by("frames.20", "an id with blanks around it: .* has a wrong run_id")
class StripsIds(ChangesIds):
    def changed(self, text: str) -> str:
        return text.strip()


@flagged_by("frames.20", "an id in decomposed letters: .* has a wrong run_id")
class NormalisesIds(ChangesIds):
    def changed(self, text: str) -> str:
        return unicodedata.normalize("NFC", text)


@flagged_by("frames.20", "an id with dots and slashes was answered with HTTP 500")
class KeepsRunsInFiles(PlainWorker):
    def serve(self, handler: Handler) -> None:
        body = self.read(handler)
        if b'"run_id":"../' in body:
            self.write(handler, 500, {"error": "FileNotFoundError"})
        else:
            handler.rfile = io.BufferedReader(io.BytesIO(body))
            super().serve(handler)


class RemembersKeys(PlainWorker):
    """Answers a run with the frames of an earlier one that had the same idempotency key."""

    kinds: tuple[str, ...] = ("task_result", "task_error")

    def __init__(self) -> None:
        super().__init__()
        self.remembered: dict[str, list[Event]] = {}

    def run(self, frame: Frame) -> list[Event]:
        key = str(frame.get("delivery", {}).get("delivery_idempotency_key"))
        if key in self.remembered:
            return self.remembered[key]
        events = super().run(frame)
        if key != "None" and events[-1]["type"] in self.kinds:
            self.remembered[key] = events
        return events


plant(RemembersKeys, "frames.21", "idempotency key of another: .* has a wrong run_id")


@flagged_by("frames.21", "idempotency key of another: the 'task_started' frame has a wrong run_id")
class RemembersFailures(RemembersKeys):
    kinds = ("task_error",)


@flagged_by("frames.21", "the idempotency key of one that still runs: .* has a wrong run_id")
class JoinsByKey(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, threading.Event] = {}
        self.answered: dict[str, list[Event]] = {}

    def run(self, frame: Frame) -> list[Event]:
        key = str(frame.get("delivery", {}).get("delivery_idempotency_key"))
        if key in self.running:
            self.running[key].wait(30)
            return self.answered[key]
        if key != "None":
            self.running[key] = threading.Event()
        try:
            self.answered[key] = events = super().run(frame)
        finally:
            self.running.pop(key, threading.Event()).set()
        return events


@flagged_by("frames.11", "a run_task with a number as args_pickle was not rejected")
class TakesArgumentsOfAnyType(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if isinstance(frame, dict) and not isinstance(frame.get("args_pickle", ""), str):
            frame["args_pickle"] = base64.b64encode(pickle.dumps({})).decode()
        return super().decode(json.dumps(frame).encode())


class ReadsTypes(PlainWorker):
    """A base class for workers that read the type of a frame in their own way."""

    def kind(self, kind: Any) -> Any:
        return kind

    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if isinstance(frame, dict) and "type" in frame:
            frame["type"] = self.kind(frame["type"])
        return super().decode(json.dumps(frame).encode())


@flagged_by("frames.13", "a frame of unknown type 'RUN_TASK' was not rejected")
class IgnoresCaseOfTypes(ReadsTypes):
    def kind(self, kind: Any) -> Any:
        return kind.lower() if isinstance(kind, str) else kind


@flagged_by("frames.13", "the task in a frame of unknown type 'run_everything' ran, though the fr")
class RunsAndRejects(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if isinstance(frame, dict) and frame.get("type") == "run_everything":
            self.run(super().decode(json.dumps({**frame, "type": "run_task"}).encode()))
        return super().decode(body)


@flagged_by("frames.14", r"\[\] as the whole body: HTTP 500")
@flagged_by("frames.26", "frames.10, .* it holds a traceback: HTTP 500", "frames.10")
class ShowsWhereListsFail(PlainWorker):
    def serve(self, handler: Handler) -> None:
        try:
            super().serve(handler)
        except AttributeError:
            self.write(handler, 500, {"error": traceback.format_exc()})

    def decode(self, body: bytes) -> Frame:
        if body.startswith(b"["):
            raise AttributeError("'list' object has no attribute 'get'")
        return super().decode(body)


@flagged_by("frames.14", "a list as run_id: HTTP 500")
class ListsAre500(PlainWorker):
    listed = False

    def decode(self, body: bytes) -> Frame:
        self.listed = b'"run_id":["x"]' in body
        return super().decode(body)

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, 500 if status == 400 and self.listed else status, document)


@flagged_by("frames.22", "a cancel_task without run_id ended a run that it does not name")
class CancelsAllOfNothing(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = json.loads(body)
        if (
            isinstance(frame, dict)
            and frame.get("type") == "cancel_task"
            and not frame.get("run_id")
        ):
            for run in list(self.runs.values()):
                self.stop(run)
        return super().decode(body)


@flagged_by("frames.23", "JSON with escapes in the type was answered with HTTP 400")
class SearchesForTheType(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        if not re.search(rb'"type": ?"(run|cancel)_task"', body):
            raise ValueError("no type")
        return super().decode(body)


@flagged_by("frames.23", "JSON with white space was answered with HTTP 400")
class LooksForABrace(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        if not body.startswith(b"{"):
            raise ValueError("not an object")
        return super().decode(body)


@flagged_by("frames.08", "a cancel_task with more fields was answered with HTTP 400")
class KnowsAllFieldsOfCancels(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        frame = super().decode(body)
        if frame["type"] == "cancel_task" and "extra" in frame:
            raise ValueError("unknown field")
        return frame


@flagged_by(
    "frames.17", "the result_pickle of the 'task_error' frame is not base64 of", "errors.01"
)
class SendsEveryField(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}, {"result_pickle": None, **run.outcome}]


@flagged_by("frames.20", "an id with line feeds: a line of it became a header of the answer")
class SendsIdsAsHeaders(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        events = document.get("events") or [{}]
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header(
            "X-Run-Id", events[0].get("run_id", "").encode("latin-1", "replace").decode("latin-1")
        )
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("frames.14", "a list as type: the connection was closed without an answer")
class LooksTypesUp(ReadsTypes):
    def kind(self, kind: Any) -> Any:
        try:
            return {"run": "run_task"}.get(kind, kind)
        except TypeError as exc:
            raise RuntimeError from exc


class DiesOf(Mortal):
    """A base class for workers that stop serving after a body that :meth:`kills` them."""

    def kills(self, body: bytes) -> bool:
        return False

    def decode(self, body: bytes) -> Frame:
        self.dead = self.dead or self.kills(body)
        return super().decode(body)


DEAD_AFTER_FIELDS = "after frames with fields of wrong types, the next task did not run"


@flagged_by("frames.22", DEAD_AFTER_FIELDS)
class DiesOfUnhashableIds(DiesOf):
    def kills(self, body: bytes) -> bool:
        return b'"run_id":["x"]' in body


@flagged_by("frames.22", DEAD_AFTER_FIELDS)
class DiesOfFramesWithoutDelivery(DiesOf):
    def kills(self, body: bytes) -> bool:
        return b"run_task" in body and b'"delivery":' not in body


@flagged_by("frames.22", "a cancel_task with a list as delivery_cancel_mode: no complete answer wi")
class WaitsForUnknownModes(Hanging):
    def cancel(self, frame: Frame) -> list[Event]:
        if isinstance(frame["delivery_cancel_mode"], list):
            self.never.wait(30)
        return super().cancel(frame)


DEAD_AFTER_JSON = "after JSON that parsers disagree about, the next task did not run"


@flagged_by("frames.14", "a number of 5000 digits: the connection was closed without an answer")
class CountsDigits(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        if b"1" * 5000 in body:
            raise RuntimeError
        return super().decode(body)


@flagged_by("frames.14", "a field nested 50000 levels deep: HTTP 500")
class NestsToAnError(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except RecursionError:
            return {"type": "", "run_id": ""}

    def answer_run(self, handler: Handler, frame: Frame) -> None:
        if frame["type"]:
            super().answer_run(handler, frame)
        else:
            self.write(handler, 500, {"error": "RecursionError"})


@flagged_by("frames.24", DEAD_AFTER_JSON)
class DiesOfMarks(DiesOf):
    def kills(self, body: bytes) -> bool:
        return not body.isascii()


@flagged_by("frames.24", DEAD_AFTER_JSON)
class DiesOfDeepCancels(DiesOf):
    def kills(self, body: bytes) -> bool:
        return b"[[[" in body and b"cancel_task" in body


@flagged_by("frames.24", DEAD_AFTER_JSON)
class TakesShutdown(DiesOf):
    def kills(self, body: bytes) -> bool:
        return b'"type":"shutdown"' in body


@flagged_by("frames.09", "a body that is not UTF-8 was not rejected")
class ReplacesWhatIsNotUtf8(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        return super().decode(body.decode("utf-8", "replace").encode())


@flagged_by(
    "frames.06", "task_started more than once: 'task_started', 'task_started', 'task_result'"
)
class StartsTwice(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}, {"type": "task_started"}, run.outcome]


@flagged_by("frames.25", "an async task with an id with blanks around it still ran")
class StripsIdsOfCancels(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        return super().cancel({**frame, "run_id": frame["run_id"].strip()})
