"""Executors that take credentials and headers from elsewhere than their configuration, or send them
elsewhere."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from typing import Any

from wove.environment import _deserialize_network_executor_frame

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect
from tests.conformance.executor.defects.commands import DropsEmptyParameters
from tests.conformance.executor.defects.credentials import TriesWithoutCredentials
from tests.conformance.executor.defects.verification import FollowsRedirects


class FollowsRedirectsOfCancels(ConformingExecutor):
    """Lets urllib send a cancel_task, and so follow redirects."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] != "cancel_task":
            return super().post(frame)
        answer: bytes = FollowsRedirects._post_json(self, frame)
        return answer


class WritesHeadersAsTheyAre(ConformingExecutor):
    """Writes headers as they are configured, with their line breaks."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        made = super().connection(parts)

        def write(header: Any, *values: Any) -> None:
            made._output(f"{header}: {values[0]}".encode("latin-1"))  # type: ignore[attr-defined]

        made.putheader = write  # type: ignore[method-assign]
        return made


class CancelsWithTheNonceOfItsRun(ConformingExecutor):
    """Sends a cancel_task with the credentials of its run."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.made: dict[str, dict[str, str]] = {}

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        return self.made.setdefault(frame["run_id"], super().credentials(frame, body))


class UnpicklesTheAnswerToACancel(ConformingExecutor):
    """Unpickles what the answer to a cancel_task holds."""

    def post(self, frame: Frame) -> bytes:
        body = super().post(frame)
        if frame["type"] == "cancel_task" and body:
            for event in json.loads(body)["events"]:
                _deserialize_network_executor_frame(event, reason="a test's defect")
        return body


class UnpicklesLogs(ConformingExecutor):
    """Unpickles log and run_task frames before it compares their run_id."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        for event in document.get("events", []) if isinstance(document, dict) else []:
            if event.get("type") in ("log", "run_task"):
                with contextlib.suppress(Exception):
                    _deserialize_network_executor_frame(event, reason="a test's defect")
        return super().read(frame, body)


DEFECTS = (
    Defect(FollowsRedirectsOfCancels, "security.39", "of a cancel_task was followed to another"),
    Defect(WritesHeadersAsTheyAre, "security.40", "in a header's value made a header of its own"),
    Defect(CancelsWithTheNonceOfItsRun, "security.17", "a nonce was used again"),
    Defect(UnpicklesLogs, "security.19", "for a run that does not exist was loaded"),
    Defect(UnpicklesTheAnswerToACancel, "security.19", "in the answer to a cancel_task was loaded"),
    Defect(TriesWithoutCredentials, "security.14", "a cancel_task was not authenticated"),
    Defect(DropsEmptyParameters, "security.16", "does not cover the target on its request line"),
)
