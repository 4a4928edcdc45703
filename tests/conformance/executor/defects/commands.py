"""Executors that send wrong command frames, or send frames too often."""

from __future__ import annotations

import asyncio
import http.client
import threading
import urllib.parse
from typing import Any

from wove.environment import (
    EnvironmentExecutor,
)

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Status
from tests.conformance.executor.defects.base import Defect
from tests.conformance.executor.defects.credentials import SignsThePathOnly


class DropsTheHeaders(ConformingExecutor):
    """Forgets executor_config.headers."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._headers = {}


class DropsTheDelivery(ConformingExecutor):
    """Sends the frame without its delivery options."""

    async def send(self, frame: Frame) -> None:
        await super().send({k: v for k, v in frame.items() if k != "delivery"})


class DropsTheQuery(SignsThePathOnly):
    """Sends to the URL's path without its query, and signs the path."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        return parts.path


class OneAtATime(ConformingExecutor):
    """Sends a run only after the one before it has been answered."""

    turn = threading.Lock()

    def _run(self, frame: Frame) -> None:
        with self.turn:
            super()._run(frame)


class TriesAgainByItself(ConformingExecutor):
    """Sends a run once more when its answer is lost."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except http.client.HTTPException:
            return super().post(frame)


class TriesAgainWhatWasCutOff(ConformingExecutor):
    """Sends a run once more when its answer is incomplete."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except http.client.IncompleteRead:
            return super().post(frame)


class TriesAgainAfterAGatewayError(ConformingExecutor):
    """Sends a run again after a 502 or a 504."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Status as exc:
            if exc.status not in (502, 504):
                raise
        return super().post(frame)


class SaysNothing(EnvironmentExecutor):
    """Sends and delivers nothing."""

    async def start(self, **config: Any) -> None:
        """Do nothing."""

    async def send(self, frame: Frame) -> None:
        """Do nothing."""

    async def recv(self) -> Frame:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError

    async def stop(self) -> None:
        """Do nothing."""


DEFECTS = (
    Defect(DropsTheHeaders, "frames.08", "without the header"),
    Defect(DropsTheDelivery, "frames.07", "delivery options did not arrive"),
    Defect(DropsTheQuery, "frames.06", "sent to .*; the URL's path and query are .*tenant"),
    Defect(OneAtATime, "routing.10", "only 1 arrived at the worker"),
    Defect(TriesAgainByItself, "retries.02", "2 run_task frames arrived"),
    Defect(TriesAgainWhatWasCutOff, "retries.02", "after bad-chunk 2 run_task frames arrived"),
    Defect(TriesAgainAfterAGatewayError, "retries.02", "after status code=502 2 run_task frames"),
    Defect(SaysNothing, "frames.01", "the worker saw: nothing"),
)
