"""Executors that keep what they do not need, wait in the wrong place, or not long enough."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any, ClassVar

from wove.environment import _dump_network_executor_message
from wove.security import NetworkExecutorSecurity, _canonical_http_target

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class HasATimeoutOfItsOwn(ConformingExecutor):
    """Has a timeout if none is configured."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._timeout = self._timeout or 0.1


class PicklesInTheLoop(ConformingExecutor):
    """Pickles a command before it starts a thread for it."""

    async def send(self, frame: Frame) -> None:
        _dump_network_executor_message(frame, reason="the test's executor sends frames")
        await super().send(frame)


class AsksForEvents(ConformingExecutor):
    """Looks for events again and again."""

    async def recv(self) -> Frame:
        events = self._events
        assert events is not None
        while events.empty():
            await asyncio.sleep(0)
        event: Frame = events.get_nowait()
        return event


class KeepsAnswers(ConformingExecutor):
    """Keeps every answer."""

    kept: ClassVar[list[bytes]] = []

    def post(self, frame: Frame) -> bytes:
        answer = super().post(frame)
        if len(answer) > 2**20:
            self.kept.append(answer)
        return answer


class SignsInLocalTime(ConformingExecutor):
    """Takes the time of UTC for local time when it signs."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        headers = super().credentials(frame, body)
        security: NetworkExecutorSecurity = self._security
        if "X-Wove-Timestamp" in headers:
            naive = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            stamp = headers["X-Wove-Timestamp"] = str(int(naive.timestamp()))
            headers["X-Wove-Signature"] = security._signature(
                transport="http",
                target=_canonical_http_target(self._url or ""),
                body=body,
                timestamp=stamp,
                nonce=headers["X-Wove-Nonce"],
            )
        return headers


DEFECTS = (
    Defect(HasATimeoutOfItsOwn, "time.30", "no timeout was configured, and a run .* ended: "),
    Defect(PicklesInTheLoop, "time.31", "event loop was blocked .* while an argument was pickled"),
    Defect(AsksForEvents, "time.32", "the event loop called functions"),
    Defect(KeepsAnswers, "time.33", r"8 runs .* MiB more than before are in use"),
    Defect(SignsInLocalTime, "security.45", r"X-Wove-Timestamp is \d+ s off the time"),
)
