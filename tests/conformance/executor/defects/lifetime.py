"""Executors that wait too long or leave resources behind."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import ssl
import threading
import time
import urllib.parse
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class BlocksTheLoop(ConformingExecutor):
    """Sends requests in the event loop's thread."""

    def _in_thread(self, action: Any) -> None:
        action()


class WaitsForTerminal(ConformingExecutor):
    """Keeps waiting after an answer without a terminal frame."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        try:
            return super().read(frame, body)
        except ValueError:
            return []


class StopsWhenAllIsAnswered(ConformingExecutor):
    """Stops only after each run has its terminal frame, even if Wove has abandoned it."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.waiting: set[str] = set()

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.waiting.add(frame["run_id"])
        await super().send(frame)

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        events = super().read(frame, body)
        self.waiting.discard(frame["run_id"])
        return events

    async def stop(self) -> None:
        while self.waiting:
            await asyncio.sleep(0.01)
        await super().stop()


class WaitsForItsThreads(ConformingExecutor):
    """Stops only after each of its requests has been answered."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.threads: list[threading.Thread] = []

    def _in_thread(self, action: Any) -> None:
        self.threads.append(threading.Thread(target=action, daemon=True))
        self.threads[-1].start()

    async def stop(self) -> None:
        while any(thread.is_alive() for thread in self.threads):
            await asyncio.sleep(0.01)

    def _abandon(self, run_id: str) -> None:
        """Do nothing: the request continues."""


class _WithoutReadTimeout(http.client.HTTPSConnection):
    def getresponse(self) -> http.client.HTTPResponse:
        sock = self.sock
        response = super().getresponse()
        sock.settimeout(None)
        return response


class TimesTheHeadOnly(ConformingExecutor):
    """Applies its timeout to the head of an answer only."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        return _WithoutReadTimeout(
            parts.hostname or "", parts.port, timeout=self._timeout, context=self._context
        )

    def deadline(self, sock: socket.socket) -> threading.Timer:
        return threading.Timer(0.0, int)  # not started


class LeavesThreads(ConformingExecutor):
    """Leaves a thread behind for each request."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        threading.Thread(target=threading.Event().wait, args=(20.0,), daemon=True).start()
        super().close(connection)


left: list[http.client.HTTPConnection] = []


class LeavesConnections(ConformingExecutor):
    """Keeps its connections open and never reuses them."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        left.append(connection)


class StartsOnce(ConformingExecutor):
    """Cannot be started again."""

    async def stop(self) -> None:
        await super().stop()
        self.start = None  # type: ignore[assignment]


class UnverifiesTheProcess(ConformingExecutor):
    """Turns certificate verification off for the whole process."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        ssl._create_default_https_context = ssl._create_unverified_context  # type: ignore[assignment]  # its point


class ChangesTheEnvironment(ConformingExecutor):
    """Sets an environment variable."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        os.environ["A_FLAWED_EXECUTOR"] = str(time.monotonic_ns())


DEFECTS = (
    Defect(BlocksTheLoop, "time.08", "event loop was blocked"),
    Defect(WaitsForTerminal, "time.06", "without a terminal frame .* waiting for ever"),
    Defect(StopsWhenAllIsAnswered, "outcome.missing-terminal", "missing-terminal the weave hangs"),
    Defect(WaitsForItsThreads, "time.01", "had not ended"),
    Defect(TimesTheHeadOnly, "time.12", "had not ended: half of the answer arrives"),
    Defect(LeavesThreads, "time.14", r"there are \d+ more threads"),
    Defect(LeavesConnections, "time.14", r"there are \d+ more open descriptors"),
    Defect(StartsOnce, "time.14", "one of several weaves in a row with one executor has"),
    Defect(UnverifiesTheProcess, "time.15", "verification of certificates was changed"),
    Defect(ChangesTheEnvironment, "time.15", "os.environ was changed"),
)
