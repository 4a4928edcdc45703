"""Executors that send wrong command frames, or send frames too often."""

from __future__ import annotations

import asyncio
import http.client
import pickle
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


class DropsEmptyParameters(ConformingExecutor):
    """Parses the query and makes it anew."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        query = urllib.parse.urlencode(urllib.parse.parse_qsl(parts.query))
        return (parts.path or "/") + (f"?{query}" if query else "")


class SendsTheFragment(ConformingExecutor):
    """Sends the URL's fragment."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        return super().target(parts) + (f"#{parts.fragment}" if parts.fragment else "")


class DropsTheOrphanPolicy(ConformingExecutor):
    """Sends a cancel_task without its orphan policy."""

    async def send(self, frame: Frame) -> None:
        await super().send({k: v for k, v in frame.items() if k != "delivery_orphan_policy"})


class KeepsTheTimeoutOnly(ConformingExecutor):
    """Sends only the timeout of the delivery options."""

    async def send(self, frame: Frame) -> None:
        timeout = {"delivery_timeout": frame.get("delivery", {}).get("delivery_timeout")}
        await super().send({**frame, **({"delivery": timeout} if "delivery" in frame else {})})


class AsksFirst(ConformingExecutor):
    """Sends a GET to the URL before the first command."""

    asked = False

    def post(self, frame: Frame) -> bytes:
        if not self.asked:
            self.asked = True
            parts = urllib.parse.urlsplit(self._url or "")
            connection = self.connection(parts)
            connection.request("GET", self.target(parts))
            connection.getresponse()
            connection.close()
        return super().post(frame)


class PicklesArgumentsByName(ConformingExecutor):
    """Pickles arguments with pickle, which sends functions by name."""

    def post(self, frame: Frame) -> bytes:
        if "args" in frame:
            pickle.dumps(frame["args"])
        return super().post(frame)


class SendsHeadersTwice(ConformingExecutor):
    """Sends executor_config.headers twice."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        made = super().connection(parts)
        put = made.putheader

        def repeat(header: Any, *values: Any) -> None:
            for _ in range(1 + (header in self._headers)):
                put(header, *values)

        made.putheader = repeat  # type: ignore[method-assign]
        return made


class HasNoPortInHost(ConformingExecutor):
    """Sends the URL's host without its port as Host."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        host = urllib.parse.urlsplit(self._url or "").hostname or ""
        return {**super().headers(frame, body), "Host": host}


class SaysTwiceWhatItSends(ConformingExecutor):
    """Sends two Content-Types."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        return {**super().headers(frame, body), "content-type": "application/json"}


class SendsChunks(ConformingExecutor):
    """Sends the body of a request in chunks."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        made = super().connection(parts)
        request = made.request

        def in_chunks(method: str, url: str, body: bytes, headers: dict[str, str]) -> None:
            request(method, url, iter([body]), headers)

        made.request = in_chunks  # type: ignore[assignment,method-assign]
        return made


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
    Defect(DropsTheDelivery, "frames.07", "a run_task came without delivery"),
    Defect(DropsTheQuery, "frames.06", "sent to .*; the URL's path and query are .*tenant"),
    Defect(DropsEmptyParameters, "frames.06", "sent to .*; the URL's path and query are"),
    Defect(SendsTheFragment, "frames.06", "sent to .*#fragment'; the URL's path and query are"),
    Defect(DropsTheOrphanPolicy, "frames.07", "a cancel_task came without delivery_orphan_policy"),
    Defect(KeepsTheTimeoutOnly, "frames.07", "options of a run_task did not arrive: .*key"),
    Defect(SendsHeadersTwice, "frames.08", "with 2 times the header of executor_config.headers"),
    Defect(PicklesArgumentsByName, "frames.05", "argument was a function without a name, and the"),
    Defect(AsksFirst, "frames.16", "a GET arrived that is not a command"),
    Defect(HasNoPortInHost, "frames.33", r"a request to localhost:\d+ has the Host 'localhost'"),
    Defect(SaysTwiceWhatItSends, "frames.33", "has more than one Content-Type"),
    Defect(SendsChunks, "frames.34", "no Content-Length; its Transfer-Encoding is 'chunked'"),
    Defect(OneAtATime, "routing.10", "only 1 arrived at the worker"),
    Defect(TriesAgainByItself, "retries.02", "2 run_task frames arrived"),
    Defect(TriesAgainWhatWasCutOff, "retries.02", r"after (reset-mid-body|bad-chunk) 2 run_task"),
    Defect(TriesAgainAfterAGatewayError, "retries.02", "after status code=502 2 run_task frames"),
    Defect(SaysNothing, "frames.01", "the worker saw: nothing"),
)
