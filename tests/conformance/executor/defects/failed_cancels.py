"""Executors that make the failure of a cancel_task an error of its run, or expect each cancel_task
at one time only."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

from tests.conformance.executor.conforming_executor import NO_TIMEOUT, ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class RaisesWhatACancelRaised(ConformingExecutor):
    """Raises out of send() what went wrong with a cancel_task."""

    async def _cancel(self, frame: Frame) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.post, frame)
        finally:
            self._abandon(frame["run_id"])


class RaisesWhenUnreachable(RaisesWhatACancelRaised):
    """Raises out of send() that no connection could be made for a cancel_task."""

    async def _cancel(self, frame: Frame) -> None:
        try:
            await super()._cancel(frame)
        except (ConnectionRefusedError, ssl.SSLError):
            raise
        except Exception:
            return


class RaisesWhenUnanswered(ConformingExecutor):
    """Raises out of send() that a require_ack cancel_task was not answered in time."""

    async def _cancel(self, frame: Frame) -> None:
        began = time.monotonic()
        await super()._cancel(frame)
        if time.monotonic() - began > 0.8 * (self._timeout or NO_TIMEOUT):
            raise asyncio.TimeoutError


class ReportsFailedCancels(ConformingExecutor):
    """Hands out the failure of a cancel_task as the error of its run."""

    async def _cancel(self, frame: Frame) -> None:
        def cancel() -> None:
            try:
                self.post(frame)
            except Exception as exc:
                self._call_in_loop(self.deliver, self.failure(frame, exc)[0])

        self._in_thread(cancel)


class ReportsUnreachableCancels(ConformingExecutor):
    """Hands out that a cancel_task could not be sent as the error of its run, and then the outcome
    of the run as well."""

    async def _cancel(self, frame: Frame) -> None:
        def cancel() -> None:
            try:
                self.post(frame)
            except ConnectionRefusedError as exc:
                self._call_in_loop(self.deliver, self.failure(frame, exc)[0])
            except Exception:
                return

        self._in_thread(cancel)


class ReportsUnansweredCancels(ConformingExecutor):
    """Hands out that a cancel_task was not answered in time as the error of its run."""

    async def _cancel(self, frame: Frame) -> None:
        def cancel() -> None:
            began = time.monotonic()
            try:
                self.post(frame)
            except Exception as exc:
                if time.monotonic() - began > 0.8 * (self._timeout or NO_TIMEOUT):
                    self._call_in_loop(self.deliver, self.failure(frame, exc)[0])

        self._in_thread(cancel)


class ForgetsWhatItCancelled(ConformingExecutor):
    """Keeps a note of each run until its cancel_task, and finds none for a second one."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.notes: dict[str, Frame] = {}

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.notes[frame["run_id"]] = frame
        else:
            del self.notes[frame["run_id"]]
        await super().send(frame)


class CancelsWhatHasItsResult(ConformingExecutor):
    """Ends a run with task_cancelled when its cancel_task is sent, even if it has ended."""

    async def _cancel(self, frame: Frame) -> None:
        ended = {name: frame[name] for name in ("run_id", "task_id")}
        self.deliver({"type": "task_cancelled", **ended})
        await super()._cancel(frame)


class NeedsItsRun(ConformingExecutor):
    """Raises for a cancel_task whose run was not sent."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.sent: set[str] = set()

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.sent.add(frame["run_id"])
        elif frame["run_id"] not in self.sent:
            raise LookupError(f"unknown run {frame['run_id']}")
        await super().send(frame)


DEFECTS = (
    Defect(RaisesWhatACancelRaised, "cancel.12", r"\(status code=500\), and instead of .*HTTP 500"),
    Defect(RaisesWhenUnreachable, "cancel.12", r"\(refuse-connections\), and instead of Cancelled"),
    Defect(RaisesWhenUnanswered, "cancel.12", r"slow-cancel .*instead of DeliveryTimeoutError"),
    Defect(ReportsFailedCancels, "cancel.13", r"\(refuse-cancel status=599\), and 2 terminal"),
    Defect(ReportsUnreachableCancels, "cancel.13", r"\(refuse-connections\), and 2 terminal"),
    Defect(ReportsUnansweredCancels, "cancel.13", "cancel_task was not answered, and 2 terminal"),
    Defect(ForgetsWhatItCancelled, "cancel.14", r"was sent twice, and send\(\) raised KeyError"),
    Defect(CancelsWhatHasItsResult, "cancel.14", "after the result of its run, and 2 terminal"),
    Defect(NeedsItsRun, "cancel.15", r"never sent, and send\(\) raised LookupError: unknown run"),
    Defect(CancelsWhatHasItsResult, "cancel.15", "that was never sent, and 1 terminal frames"),
)
