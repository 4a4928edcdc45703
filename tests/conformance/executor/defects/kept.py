"""Executors that keep something of a weave: its secret, its connections, its tasks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

from wove.security import NetworkExecutorSecurity

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class RemembersTheSecret(ConformingExecutor):
    """Reads the secret of a variable once in the process."""

    known: ClassVar[dict[str, NetworkExecutorSecurity]] = {}

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        variable = str(config["environment_config"].get("security"))
        if variable.startswith("env:"):
            self._security = self.known.setdefault(variable, self._security)


class KeepsItsFirstSecret(ConformingExecutor):
    """Reads its security when it is started for the first time."""

    first: NetworkExecutorSecurity | None = None

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.first = self._security = self.first or self._security


class KeepsConnections(ConformingExecutor):
    """Leaves the connections of abandoned runs open, without a limit."""

    def _abandon(self, run_id: str) -> None:
        """Do nothing."""

    def deadline(self, sock: Any) -> threading.Timer:
        return threading.Timer(0.0, int)  # not started


class LeavesATask(ConformingExecutor):
    """Leaves an asyncio task behind for each run."""

    async def send(self, frame: Frame) -> None:
        self.task = asyncio.ensure_future(asyncio.sleep(3600.0))
        await super().send(frame)


class UnpicklesInTurn(ConformingExecutor):
    """Unpickles one payload at a time."""

    turn: ClassVar[threading.Lock] = threading.Lock()

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        with self.turn:
            return super()._terminal(frame, event)


DEFECTS = (
    Defect(RemembersTheSecret, "time.17", "changed before the second weave, and its run was"),
    Defect(KeepsItsFirstSecret, "time.17", "changed before the second weave, and its run was"),
    Defect(KeepsConnections, "time.18", r"there are .*more .* what was open .* is not closed"),
    Defect(LeavesATask, "time.19", r"\d tasks of it are left .* the first: .*sleep"),
    Defect(UnpicklesInTurn, "time.20", "another run did not have its result; then"),
)
