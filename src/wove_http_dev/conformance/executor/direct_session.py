"""Drives an executor itself, without Wove's runtime between: starts it, sends it frames, keeps the
frames that it hands out, and stops it. So a case sees what the runtime ignores, e.g. frames for a
run that was given up, and what each call does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.waits import wait_until_async
from wove_http_dev.weave_outcome import task_returning
from wove_http_dev.worker import HttpWorker

Frame = Mapping[str, Any]
TERMINAL = ("task_result", "task_error", "task_cancelled")
RUN_CONFIG = {"error_mode": "raise", "max_pending": None}
"""What Wove's runtime gives to ``start()`` as ``run_config``, besides settings of delivery."""


class DirectSession:
    """An executor for ``worker`` that a case drives itself, from ``async with`` to its end. Use it
    in a script of :meth:`CaseContext.run_script`."""

    def __init__(self, check: CaseContext, worker: HttpWorker) -> None:
        self.frames: list[Frame] = []
        """The frames that ``recv()`` of the executor has returned."""
        self._check = check
        self._definition = check.definition(worker, {})

    async def __aenter__(self) -> DirectSession:
        from wove.environment import coerce_executor

        self._executor = coerce_executor(self._definition["executor"])
        await self._executor.start(
            environment_name="conformance-direct",
            environment_config=self._definition["executor_config"],
            run_config=dict(RUN_CONFIG),
        )
        self._receiver = asyncio.ensure_future(self._receive())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the executor; one that does not stop is left to itself."""
        self._receiver.cancel()
        await asyncio.wait([asyncio.ensure_future(self._executor.stop())], timeout=0.2)

    async def _receive(self) -> None:
        while True:
            self.frames.append(await self._executor.recv())

    async def run(self, task: str, value: Any = "the result") -> str:
        """Send a run_task for a task called ``task`` that returns ``value``; return its run_id."""
        run_id = f"{task}:{uuid4().hex}"
        await self._executor.send(
            {
                "type": "run_task",
                "run_id": run_id,
                "task_id": task,
                "callable": task_returning(value, task),
                "args": {},
                "delivery": {
                    "delivery_cancel_mode": "best_effort",
                    "delivery_orphan_policy": "cancel",
                },
            }
        )
        return run_id

    async def cancel(self, run_id: str, when: str) -> None:
        """Send a best_effort cancel_task for ``run_id``. Raises :class:`CaseFailed` if the executor
        raises; ``when`` begins the message."""
        try:
            await self._executor.send(
                {
                    "type": "cancel_task",
                    "run_id": run_id,
                    "task_id": run_id.partition(":")[0],
                    "delivery_cancel_mode": "best_effort",
                    "delivery_orphan_policy": "cancel",
                }
            )
        except Exception as exc:
            self._check.fail(f"{when}, and send() raised {type(exc).__name__}: {exc}")

    async def stop(self, seconds: float) -> bool:
        """Stop the executor as Wove's runtime does, which no longer receives then. Return whether
        ``stop()`` has returned within ``seconds``; raises what it raises."""
        self._receiver.cancel()
        stopping = asyncio.ensure_future(self._executor.stop())
        await asyncio.wait([stopping], timeout=seconds)
        if stopping.done():
            stopping.result()
        return stopping.done()

    def ends_of(self, run_id: str) -> list[Frame]:
        """Return the terminal frames for ``run_id`` that the executor has handed out."""
        return [
            frame
            for frame in self.frames
            if frame.get("run_id") == run_id and frame.get("type") in TERMINAL
        ]

    async def expect_result(self, run_id: str, value: Any, when: str) -> None:
        """Wait until the run ``run_id`` has ended. Raises :class:`CaseFailed` unless it ended with
        ``value``; ``when`` begins the message."""
        limit = self._check.seconds(PATIENCE)
        await wait_until_async(lambda: bool(self.ends_of(run_id)) or self._receiver.done(), limit)
        if self._receiver.done():
            self._check.fail(f"{when}, and recv() raised {self._receiver.exception()!r}")
        for frame in self.ends_of(run_id)[:1]:
            if frame["type"] != "task_result" or frame.get("result") != value:
                self._check.fail(f"{when}, and a run ended with {words_of(frame)}")
        if not self.ends_of(run_id):
            self._check.fail(f"{when}, and a run had not ended {limit:.1f} s later", late=True)


def words_of(frame: Frame) -> str:
    """Return a terminal frame in words, of limited length."""
    if frame["type"] == "task_cancelled":
        return "task_cancelled"
    error = frame.get("error")
    said = error.get("message") if isinstance(error, Mapping) else frame.get("result", error)
    return f"{frame['type']}: {said!r:.200}"
