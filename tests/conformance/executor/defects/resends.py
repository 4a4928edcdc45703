"""Executors that resend a run by themselves, or wait too long before they report a refusal."""

from __future__ import annotations

import asyncio
import http.client
import threading
import urllib.parse
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Status
from tests.conformance.executor.defects.base import Defect

HELD = 30.0
"""Seconds, so that no thread outlives the tests."""


class ResendsOnAUsedConnection(ConformingExecutor):
    """Sends a frame again if a connection that was used before fails, because
    the worker may have closed it."""

    used = False

    def post(self, frame: Frame) -> bytes:
        try:
            body = super().post(frame)
        except (http.client.HTTPException, OSError):
            if not self.used:
                raise
            return super().post(frame)
        self.used = True
        return body


class ResendsWhatWasRefused(ConformingExecutor):
    """Sends a frame again after a 503."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Status as exc:
            if exc.status != 503:
                raise
            return super().post(frame)


class SignsAgainAfterARefusal(ConformingExecutor):
    """Sends a frame again after a 401, with a new signature."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Status as exc:
            if exc.status != 401:
                raise
            return super().post(frame)


class WaitsAsLongAsItIsTold(ConformingExecutor):
    """Waits for as long as Retry-After says."""

    def pause(self, seconds: float) -> None:
        threading.Event().wait(min(seconds, HELD))


class StopsAfterRetryAfter(WaitsAsLongAsItIsTold):
    """Stops only when no Retry-After is waited for."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.paused = 0

    def pause(self, seconds: float) -> None:
        self.paused += 1
        super().pause(seconds)
        self.paused -= 1

    async def stop(self) -> None:
        while self.paused:
            await asyncio.sleep(0.01)
        await super().stop()


class ExpectsANumberInRetryAfter(ConformingExecutor):
    """Reads every Retry-After as a number of seconds."""

    @staticmethod
    def retry_after(text: str) -> float:
        return max(0.0, float(text or 0))


class SleepsANegativeTime(ConformingExecutor):
    """Reports no error where Retry-After is negative, because the thread of the run ends."""

    @staticmethod
    def retry_after(text: str) -> float:
        return -5.0 if text == "-5" else ConformingExecutor.retry_after(text)


class ConnectsWithoutALimit(ConformingExecutor):
    """Applies no timeout to the TLS handshake, and looks only before it whether a run was given
    up."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        connection = super().connection(parts)
        connection.timeout = None
        return connection

    async def _cancel(self, frame: Frame) -> None:
        self._in_thread(lambda: (self.post(frame), None)[1])

    async def stop(self) -> None:
        """Do nothing."""


DEFECTS = (
    Defect(ConnectsWithoutALimit, "retries.09", "its run_task was sent after the executor's"),
    Defect(ResendsOnAUsedConnection, "retries.02", "lost-response 2 run_task frames arrived"),
    Defect(ResendsWhatWasRefused, "retries.06", "after 503 2 run_task frames arrived within"),
    Defect(SignsAgainAfterARefusal, "retries.06", "after 401 2 run_task frames arrived within"),
    Defect(StopsAfterRetryAfter, "retries.07", "Retry-After of an hour keeps the weave"),
    Defect(ExpectsANumberInRetryAfter, "retries.07", "does not name the status: .*float"),
    Defect(SleepsANegativeTime, "retries.07", "Retry-After: -5, the error does not name"),
    Defect(WaitsAsLongAsItIsTold, "retries.08", "Retry-After: 3600, a run had not ended"),
)
