"""Executors whose timeout does not cover every stage of a run, and executors that wait at their end
for what is still going on."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect, MakesItsSockets
from tests.conformance.executor.defects.lifetime import StopsWhenAllIsAnswered
from tests.conformance.executor.defects.resends import ConnectsWithoutALimit

Report = Callable[[list[Frame]], None]


class LoadsWithoutALimit(ConformingExecutor):
    """Applies its timeout to the bytes of an answer, and not to the loading of its payloads."""

    @contextlib.contextmanager
    def loading(self, frame: Frame, seconds: float, report: Report) -> Iterator[None]:
        yield


class LoadsErrorsWithoutALimit(ConformingExecutor):
    """Ends only the loading of a result at its timeout."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, TimeoutError) and "loaded" in str(exc):
            return [] if frame["task_id"] == "exception_pickle" else super().failure(frame, exc)
        return super().failure(frame, exc)


class StopsAfterLoading(ConformingExecutor):
    """Stops only when everything that arrived has been loaded."""

    loads = 0

    @contextlib.contextmanager
    def loading(self, frame: Frame, seconds: float, report: Report) -> Iterator[None]:
        self.loads += 1
        try:
            with super().loading(frame, seconds, report):
                yield
        finally:
            self.loads -= 1

    async def stop(self) -> None:
        while self.loads:
            await asyncio.sleep(0.01)
        await super().stop()


class TimesEachRead(ConformingExecutor):
    """Applies its timeout to each read of the socket, not to the whole request."""

    def deadline(self, sock: socket.socket) -> threading.Timer:
        return threading.Timer(0.0, int)  # not started


class _SendsWithoutALimit(http.client.HTTPConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        self.sock.settimeout(None)
        super().request(*arguments, **options)
        self.sock.settimeout(self.timeout)


class TimesTheAnswerOnly(TimesEachRead):
    """Applies its timeout from the moment at which a request has been sent."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        if parts.scheme == "https":
            return super().connection(parts)
        return _SendsWithoutALimit(parts.hostname or "", parts.port, timeout=self._timeout)


class StopsAfterItsRuns(ConformingExecutor):
    """Stops only when its requests have ended, at the latest at their timeout."""

    def _abandon(self, run_id: str) -> None:
        """Do nothing: the request continues."""

    async def stop(self) -> None:
        while self._open:
            await asyncio.sleep(0.01)


class StopsOnlyOnce(ConformingExecutor):
    """Cannot be stopped when it has been stopped."""

    async def stop(self) -> None:
        await super().stop()
        del self._open


class TimesNoHandshake(MakesItsSockets):
    """Applies its timeout only before and after the TLS handshake."""

    def connected(self, address: Any, timeout: Any, *more: Any) -> socket.socket:
        sock = super().connected(address, timeout, *more)
        sock.settimeout(None)
        return sock


DEFECTS = (
    Defect(TimesNoHandshake, "time.35", "handshake was not answered, its connection is still open"),
    Defect(LoadsWithoutALimit, "time.21", "still loading its result_pickle .*no timeout ends"),
    Defect(LoadsErrorsWithoutALimit, "time.21", "still loading its exception_pickle, and"),
    Defect(StopsAfterLoading, "time.22", "still loading its result_pickle .*delivery_timeout 0.5"),
    Defect(StopsAfterItsRuns, "time.23", r"stop\(\) had not returned .* it waits for runs"),
    Defect(StopsOnlyOnce, "time.24", r"the second stop\(\) raised AttributeError"),
    Defect(StopsAfterItsRuns, "time.25", "one of whose tasks failed had not ended"),
    Defect(StopsWhenAllIsAnswered, "time.25", "one of whose tasks failed had not ended"),
    Defect(ConnectsWithoutALimit, "time.26", "had not ended: the TLS handshake never begins"),
    Defect(TimesTheAnswerOnly, "time.27", "read nothing of a request, .* had not ended"),
    Defect(TimesEachRead, "time.28", "had not ended: the head of the answer drips"),
    Defect(TimesEachRead, "time.29", r"had not ended: an interim answer \(100\) comes"),
    Defect(TimesEachRead, "time.05", "had not ended: the answer drips"),
)
