"""Executors that send wrong cancel_tasks, or none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class NeverCancels(ConformingExecutor):
    """Drops cancel_task."""

    async def send(self, frame: Frame) -> None:
        if frame["type"] != "cancel_task":
            await super().send(frame)


class CancelsUnsigned(ConformingExecutor):
    """Signs run_task only."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        return super().credentials(frame, body) if frame["type"] == "run_task" else {}


class CancelsEverything(ConformingExecutor):
    """Cancels every open run when one is abandoned."""

    async def _cancel(self, frame: Frame) -> None:
        with self._mine:
            runs = list(self._open)
        for run_id in runs:
            await super()._cancel({**frame, "run_id": run_id})


class ForgetsTheMode(ConformingExecutor):
    """Cancels every run with best_effort, even those with another mode."""

    async def _cancel(self, frame: Frame) -> None:
        await super()._cancel({**frame, "delivery_cancel_mode": "best_effort"})


class FailsAnother(ConformingExecutor):
    """Reports a failed cancel_task as the error of another open run."""

    async def _cancel(self, frame: Frame) -> None:
        def cancel() -> None:
            try:
                self.post(frame)
            except Exception as exc:
                with self._mine:
                    other = next((run for run in self._open if run != frame["run_id"]), "")
                self._call_in_loop(self.deliver, self.failure({**frame, "run_id": other}, exc)[0])

        self._in_thread(cancel)


class CancelsWithoutHeaders(ConformingExecutor):
    """Sends executor_config.headers with run_task only."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        every = super().headers(frame, body)
        cancels = frame["type"] == "cancel_task"
        return {k: v for k, v in every.items() if not (cancels and k in self._headers)}


class CancelsInTheLoop(ConformingExecutor):
    """Waits in the event loop for the answer to a cancel_task."""

    async def _cancel(self, frame: Frame) -> None:
        with contextlib.suppress(Exception):
            self.post(frame)
        self._abandon(frame["run_id"])


class LetsThreadsDie(ConformingExecutor):
    """Catches no exception in the thread that sends a cancel_task."""

    async def _cancel(self, frame: Frame) -> None:
        self._in_thread(lambda: (self.post(frame), None)[1])


class CancelsElsewhere(ConformingExecutor):
    """Sends a cancel_task to the URL without its query."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "cancel_task":
            self._url = (self._url or "").partition("?")[0]
        return super().post(frame)


class CancelsAtAnotherPath(ConformingExecutor):
    """Sends a cancel_task to a path below the URL."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "cancel_task":
            self._url = (self._url or "").partition("?")[0] + "/cancel"
        return super().post(frame)


class CancelsWhatHasEnded(ConformingExecutor):
    """Sends a cancel_task after each result."""

    def _run(self, frame: Frame) -> None:
        super()._run(frame)
        ended = {name: frame[name] for name in ("run_id", "task_id")}
        with contextlib.suppress(Exception):
            self.post({"type": "cancel_task", **ended})


class CancelsTwice(ConformingExecutor):
    """Sends each cancel_task twice."""

    async def _cancel(self, frame: Frame) -> None:
        await super()._cancel(frame)
        await super()._cancel(frame)


class StopsItsCancels(ConformingExecutor):
    """Sends a cancel_task a moment later, and none after its stop."""

    stopped = False

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True
        await super().stop()

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "cancel_task":
            time.sleep(0.05)
            if self.stopped:
                raise RuntimeError("stopped")
        return super().post(frame)


class CancelsAgainAtTheEnd(ConformingExecutor):
    """Sends a cancel_task for each open run when it stops, also for those that have had one."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.frames: list[Frame] = []

    async def _cancel(self, frame: Frame) -> None:
        self.frames.append(frame)
        await super()._cancel(frame)

    async def stop(self) -> None:
        for frame in self.frames:  # the weave ends once they are answered
            await super()._cancel({**frame, "delivery_cancel_mode": "require_ack"})
        await super().stop()


class GivesUpWhenUnreachable(FailsAnother):
    """Reports a cancel_task that could not be sent as the error of another open run."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        found = super().failure(frame, exc)
        return found if isinstance(exc, (ConnectionRefusedError, ssl.SSLError)) else [{}]


class CancelsOnTimeoutOnly(ConformingExecutor):
    """Cancels only runs that have a delivery_timeout."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.limited: set[str] = set()

    async def send(self, frame: Frame) -> None:
        if "delivery_timeout" in frame.get("delivery", {}):
            self.limited.add(frame["run_id"])
        await super().send(frame)

    async def _cancel(self, frame: Frame) -> None:
        if frame["run_id"] in self.limited:
            await super()._cancel(frame)


class FailsAnotherWhenCutOff(FailsAnother):
    """Reports a cancel_task whose answer is cut off as the error of another open run."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return super().failure(frame, exc) if isinstance(exc, OSError) else [{}]


class WaitsForEverForAnAnswer(ConformingExecutor):
    """Waits without a limit for the answer to a require_ack cancel_task."""

    async def _cancel(self, frame: Frame) -> None:
        answered = asyncio.Event()

        def cancel() -> None:
            for _ in range(100):
                try:
                    self.post(frame)
                except ConnectionRefusedError:  # the worker was stopped: the weave must end
                    break
                except Exception:
                    continue
                break
            self._call_in_loop(answered.set)

        self._in_thread(cancel)
        if frame["delivery_cancel_mode"] == "require_ack":
            await answered.wait()


DEFECTS = (
    Defect(CancelsTwice, "cancel.01", "2 cancel_tasks were sent for a run whose delivery_timeout"),
    Defect(CancelsAgainAtTheEnd, "cancel.10", "2 cancel_tasks were sent for a run whose waiting"),
    Defect(CancelsOnTimeoutOnly, "cancel.04", "of a weave that was cancelled got no cancel_task"),
    Defect(CancelsOnTimeoutOnly, "cancel.10", "and 2 of these runs got no cancel_task"),
    Defect(GivesUpWhenUnreachable, "cancel.11", r"\(refuse-connections\), and another run, which"),
    Defect(StopsItsCancels, "cancel.04", "runs in flight .* got no cancel_task"),
    Defect(FailsAnotherWhenCutOff, "cancel.05", "with close-without-response, and another run"),
    Defect(WaitsForEverForAnAnswer, "time.16", "waits for the answer to a cancel_task, which"),
    Defect(NeverCancels, "cancel.01", "was not sent for run 1 of 5"),
    Defect(NeverCancels, "cancel.04", "got no cancel_task"),
    Defect(CancelsUnsigned, "security.14", "a cancel_task was not authenticated"),
    Defect(CancelsUnsigned, "security.15", "a cancel_task was not authenticated"),
    Defect(CancelsUnsigned, "cancel.03", "was refused with 401.*X-Wove-Key is missing"),
    Defect(CancelsUnsigned, "cancel.07", "was refused, but the task was sent again"),
    Defect(CancelsEverything, "cancel.02", "another one in flight|was not abandoned"),
    Defect(ForgetsTheMode, "cancel.03", "require_ack did not carry that mode"),
    Defect(FailsAnother, "cancel.05", "code=400, and another run, which was in flight, ended"),
    Defect(CancelsWithoutHeaders, "frames.08", "a cancel_task came without the header"),
    Defect(CancelsInTheLoop, "time.13", "blocked for .* while a cancel_task was not answered"),
    Defect(LetsThreadsDie, "errors.18", "uncaught exception, the first by Status: HTTP 500"),
    Defect(CancelsElsewhere, "cancel.08", "cancel_task was sent with '/wove/tasks' instead"),
    Defect(CancelsAtAnotherPath, "cancel.08", "but a POST to '/wove/tasks/cancel' did"),
    Defect(CancelsWhatHasEnded, "cancel.09", "'merge:works', which had ended by itself"),
)
