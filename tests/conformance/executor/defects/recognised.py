"""Executors that take a run for another one that looks like it."""

from __future__ import annotations

import base64
import threading
from typing import Any

from wove.serialization import dispatch_dumps

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


def _content(frame: Frame) -> bytes:
    what = (frame["task_id"], frame["callable"], frame["args"])
    return base64.b64encode(dispatch_dumps(what, reason="the test's executor sends frames"))


class SharesOpenRequests(ConformingExecutor):
    """Sends equal runs that are open at the same time once, and gives the answer to each."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._waiting: dict[bytes, list[Frame]] = {}
        self._shared = threading.Lock()

    def _run(self, frame: Frame) -> None:
        content = _content(frame)
        with self._shared:
            if content in self._waiting:
                self._waiting[content].append(frame)
                return
            self._waiting[content] = [frame]
        super()._run(frame)

    def deliver(self, event: Frame) -> None:
        super().deliver(event)
        for frames in list(self._waiting.values()):
            if frames[0]["run_id"] == event["run_id"]:
                for frame in frames[1:]:
                    super().deliver({**event, "run_id": frame["run_id"]})


class RemembersResults(ConformingExecutor):
    """Sends a run only if it has not yet had the result of an equal one."""

    def __init__(self) -> None:
        super().__init__()
        self._results: dict[bytes, list[Frame]] = {}

    def _run(self, frame: Frame) -> None:
        content = _content(frame)
        if content in self._results:
            for event in self._results[content]:
                self._call_in_loop(self.deliver, {**event, "run_id": frame["run_id"]})
            return
        super()._run(frame)

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        events = self._results[_content(frame)] = super().read(frame, body)
        return events


class RemembersArguments(ConformingExecutor):
    """Pickles arguments that look the same once."""

    def __init__(self) -> None:
        super().__init__()
        self._arguments: dict[str, Any] = {}

    def post(self, frame: Frame) -> bytes:
        if "args" in frame:
            known = self._arguments.setdefault(repr(frame["args"]), frame["args"])
            frame = {**frame, "args": known}
        return super().post(frame)


DEFECTS = (
    Defect(SharesOpenRequests, "routing.20", "2 runs of 'equal' in 1 weaves .* and 1 run_task"),
    Defect(RemembersResults, "routing.20", "4 runs of 'equal' in 2 weaves have .* and 2 run_task"),
    Defect(RemembersArguments, "routing.20", "runs of 'alike' have .*: runs were mixed up"),
)
