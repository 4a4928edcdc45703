"""Executors that share state: between runs, between answers, and between executors."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, ClassVar

from tests.conformance.executor.conforming_executor import (
    TERMINAL,
    ConformingExecutor,
    Frame,
    Response,
)
from tests.conformance.executor.defects.base import Defect
from tests.conformance.executor.defects.http_answers import KeepsWhatIsClosed


class AnswersTheOldest(ConformingExecutor):
    """Gives each answer to the run that waits longest."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.waiting: list[str] = []

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.waiting.append(frame["run_id"])
        await super().send(frame)

    def deliver(self, event: Frame) -> None:
        run_id = self.waiting.pop(0) if event["type"] in TERMINAL else event["run_id"]
        super().deliver({**event, "run_id": run_id})


class SharesItsBody(ConformingExecutor):
    """Keeps the body of the last answer, which every thread that was woken reads."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "run_task":
            self.asked = frame
        return super().post(frame)

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        own, asked = frame["run_id"], self.asked["run_id"]
        return super().read(self.asked, body.replace(own.encode(), asked.encode()))


class _DeliversSiblings(ConformingExecutor):
    kinds: tuple[str, ...] = ()

    def siblings(self, frame: Frame, document: Any) -> list[Frame]:
        """The frames of ``document`` that are for other runs, ready for Wove."""
        raw = document.get("events", [document]) if isinstance(document, dict) else document
        found = [e for e in raw if e.get("type") in self.kinds and e["run_id"] != frame["run_id"]]
        return [self._terminal({"run_id": e["run_id"], "task_id": "x"}, e) for e in found]


class DeliversForeignCancels(_DeliversSiblings):
    """Delivers a task_cancelled whichever run it names."""

    kinds = ("task_cancelled",)

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        return [*super().read(frame, body), *self.siblings(frame, json.loads(body))]


class DeliversFramesOfErrors(_DeliversSiblings):
    """Delivers the frames in the body of an HTTP error."""

    kinds = TERMINAL

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if response.status != 500:
            return super()._answer(response)
        for event in self.siblings({"run_id": ""}, json.loads(response.read())):
            self._call_in_loop(self.deliver, event)
        raise ValueError("HTTP 500")


class DeliversTheAnswerToACancel(_DeliversSiblings):
    """Delivers the frames in the answer to a cancel_task."""

    kinds = TERMINAL

    def post(self, frame: Frame) -> bytes:
        body = super().post(frame)
        if frame["type"] == "cancel_task" and body:
            for event in self.siblings(frame, json.loads(body)):
                self._call_in_loop(self.deliver, event)
        return body


class NeedsAWaitingRun(ConformingExecutor):
    """Raises where an answer has a frame for a run that does not wait."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        with self._mine:
            waiting = {frame["run_id"], *self._open}
        for event in json.loads(body).get("events", []):
            if event["run_id"] not in waiting:
                raise KeyError(event["run_id"])
        return super().read(frame, body)


class StopsAtAnUnhashableType(ConformingExecutor):
    """Delivers an event that stops Wove's receiver when a frame's type is no text."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        if b'"type": ["x"]' in body:
            return [{"type": "task_error", "run_id": ["not", "hashable"]}]
        return super().read(frame, body)


class _Unbuffered(Response):
    def __init__(self, sock: socket.socket, *arguments: Any, **words: Any) -> None:
        super().__init__(sock, *arguments, **words)
        self.fp.close()
        self.fp = sock.makefile("rb", 0)  # type: ignore[assignment]  # reads no byte ahead


class ReadsOnAfterAnAnswer(KeepsWhatIsClosed):
    """Takes what followed an answer for the answer to the next request on the connection, whose
    run_id it does not compare."""

    response = _Unbuffered

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        frames = [{**event, "run_id": frame["run_id"]} for event in document["events"]]
        return super().read(frame, json.dumps(frames).encode())


class KeepsFailedConnections(ReadsOnAfterAnAnswer):
    """Uses a connection again after a request on it failed."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.idle: list[http.client.HTTPConnection] | None = []

    def connection(self, parts: Any) -> http.client.HTTPConnection:
        with self._mine:
            if not self.idle:
                return ConformingExecutor.connection(self, parts)
            made = self.idle.pop()
        made.connect = lambda: None  # type: ignore[method-assign]
        return made

    def close(self, connection: http.client.HTTPConnection) -> None:
        # http.client forgets the answer that was not read.
        connection._HTTPConnection__state = "Idle"  # type: ignore[attr-defined]
        connection._HTTPConnection__response = None  # type: ignore[attr-defined]
        with self._mine:
            if self.idle is not None and connection.sock is not None:
                self.idle.append(connection)
                return
        connection.close()

    async def stop(self) -> None:
        await super().stop()
        with self._mine:
            idle, self.idle = self.idle or [], None
        for connection in idle:
            connection.close()


class SharesItsSettings(ConformingExecutor):
    """Keeps its configuration in the class."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        kind = type(self)
        for name in ("_url", "_headers", "_security"):
            setattr(kind, name, getattr(self, name))
            delattr(self, name)


class SharesItsHeaders(ConformingExecutor):
    """Collects executor_config.headers in one dictionary."""

    every: ClassVar[dict[str, str]] = {}

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.every.update(self._headers)
        self._headers = self.every


class StopsAll(ConformingExecutor):
    """Ends the runs of every executor when one stops."""

    started: ClassVar[list[ConformingExecutor]] = []

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.started.append(self)

    async def stop(self) -> None:
        for executor in list(self.started):
            await ConformingExecutor.stop(executor)
        self.started.clear()


class KeepsItsFirstConfiguration(ConformingExecutor):
    """Reads its configuration once."""

    config: Any = None

    async def start(self, **config: Any) -> None:
        self.config = self.config or config
        await super().start(**self.config)


DEFECTS = (
    Defect(AnswersTheOldest, "routing.01", r"item \d+ got the result .*: runs were mixed up"),
    Defect(SharesItsBody, "routing.01", "given to other runs|got the result .* mixed up"),
    Defect(
        DeliversForeignCancels, "routing.14", "sibling's task_cancelled .* ended that other run"
    ),
    Defect(DeliversFramesOfErrors, "routing.14", "of 500 with a sibling's result ended that other"),
    Defect(DeliversTheAnswerToACancel, "routing.15", "answer to a cancel_task ended another run"),
    Defect(NeedsAWaitingRun, "routing.16", "of a run that had ended, and run 2 of 3 ended with"),
    Defect(StopsAtAnUnhashableType, "routing.13", r"\(unhashable-type\), and a run that waited"),
    Defect(ReadsOnAfterAnAnswer, "routing.17", "answered twice, and run 2 of 3 has"),
    Defect(KeepsFailedConnections, "routing.21", "a run failed .*, and the next run after it has"),
    Defect(
        SharesItsSettings,
        "routing.18",
        "ran at once, and 1 of the 2 runs for the first worker arrived",
    ),
    Defect(SharesItsHeaders, "routing.18", "to the first worker had the headers of another"),
    Defect(StopsAll, "routing.18", "was stopped, and the weave of the second one ended with"),
    Defect(
        KeepsItsFirstConfiguration,
        "routing.19",
        "again with other settings, and 0 of the 2 runs for",
    ),
)
