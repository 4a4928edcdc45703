"""Executors that send wrong cancel_tasks, or none."""

from __future__ import annotations

import contextlib

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


class CancelsWhatHasEnded(ConformingExecutor):
    """Sends a cancel_task after each result."""

    def _run(self, frame: Frame) -> None:
        super()._run(frame)
        ended = {name: frame[name] for name in ("run_id", "task_id")}
        with contextlib.suppress(Exception):
            self.post({"type": "cancel_task", **ended})


DEFECTS = (
    Defect(NeverCancels, "cancel.01", "was not sent for run 1 of 5"),
    Defect(NeverCancels, "cancel.04", "got no cancel_task"),
    Defect(CancelsUnsigned, "security.14", "a cancel_task was not authenticated"),
    Defect(CancelsUnsigned, "security.15", "a cancel_task was not authenticated"),
    Defect(CancelsUnsigned, "cancel.03", "was refused with 401.*X-Wove-Key is missing"),
    Defect(CancelsUnsigned, "cancel.07", "was refused, but the task was sent again"),
    Defect(CancelsEverything, "cancel.02", "another one in flight|was not abandoned"),
    Defect(ForgetsTheMode, "cancel.03", "require_ack did not carry that mode"),
    Defect(FailsAnother, "cancel.05", "code=500, and another run, which was in flight, ended"),
    Defect(CancelsWithoutHeaders, "frames.08", "a cancel_task came without the header"),
    Defect(CancelsInTheLoop, "time.13", "blocked for .* while a cancel_task was not answered"),
    Defect(LetsThreadsDie, "errors.18", "uncaught exception, the first by Status: HTTP 500"),
    Defect(CancelsElsewhere, "cancel.08", "cancel_task was sent with '/wove/tasks' instead"),
    Defect(CancelsWhatHasEnded, "cancel.09", "'merge:works', which had ended by itself"),
)
