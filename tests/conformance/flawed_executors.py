"""Executors with one planted defect each, and the case that is to flag it, in which words."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import urllib.parse
from dataclasses import dataclass
from typing import Any

from wove.environment import EnvironmentExecutor, HttpEnvironmentExecutor
from wove.security import _canonical_http_target

from tests.conformance.careful_executor import CarefulExecutor, Frame, Status


class MixesRunIds(CarefulExecutor):
    """Gives every answer to the run that was sent last."""

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.last = frame["run_id"]
        await super().send(frame)

    def deliver(self, event: Frame) -> None:
        super().deliver({**event, "run_id": self.last})


class NeverCancels(CarefulExecutor):
    """Drops cancel_task."""

    async def send(self, frame: Frame) -> None:
        if frame["type"] != "cancel_task":
            await super().send(frame)


class CancelsUnsigned(CarefulExecutor):
    """Signs run_task only."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        return super().credentials(frame, body) if frame["type"] == "run_task" else {}


class CancelsEverything(CarefulExecutor):
    """Cancels all that is open, for one run that was given up."""

    async def _cancel(self, frame: Frame) -> None:
        with self._mine:
            runs = list(self._open)
        for run_id in runs:
            await super()._cancel({**frame, "run_id": run_id})


class ForgetsTheMode(CarefulExecutor):
    """Cancels with best_effort whatever was asked for."""

    async def _cancel(self, frame: Frame) -> None:
        await super()._cancel({**frame, "delivery_cancel_mode": "best_effort"})


class SwallowsErrors(CarefulExecutor):
    """Tells nobody when the transport fails."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return []


class AnswersNone(CarefulExecutor):
    """Makes a result of every failure of the transport."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        ids = {"run_id": frame["run_id"], "task_id": frame["task_id"]}
        return [{"type": "task_result", "result": None, **ids}]


class HidesTheStatus(CarefulExecutor):
    """Has one text for every HTTP error."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return super().failure(frame, RuntimeError("no") if isinstance(exc, Status) else exc)


class FollowsRedirects(HttpEnvironmentExecutor):
    """Leaves redirects to urllib, as Wove's own executor does."""


class BlocksTheLoop(CarefulExecutor):
    """Sends in the event loop."""

    def _in_thread(self, action: Any) -> None:
        action()


class WaitsForTerminal(CarefulExecutor):
    """Takes an answer without a terminal frame for one that is still to come."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        try:
            return super().read(frame, body)
        except ValueError:
            return []


class StopsWhenAllIsAnswered(CarefulExecutor):
    """Does not stop before each run has its terminal frame, whatever Wove has given up."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.waiting: set[str] = set()

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.waiting.add(frame["run_id"])
        await super().send(frame)

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        events = super().read(frame, body)
        self.waiting.discard(frame["run_id"])
        return events

    async def stop(self) -> None:
        while self.waiting:
            await asyncio.sleep(0.01)
        await super().stop()


class TrustsAnybody(CarefulExecutor):
    """Verifies no certificate."""

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


class _Falling(http.client.HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError:
            self.sock.close()
            self.sock = socket.create_connection((self.host, self.port), 3.0)


class FallsBackToPlaintext(CarefulExecutor):
    """Tries plain http where TLS fails."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        return _Falling(parts.hostname or "", parts.port, timeout=3.0, context=self._context)


class IgnoresThePolicy(CarefulExecutor):
    """Sends in plain text to other machines."""

    async def start(self, **config: Any) -> None:
        settings = {**config.pop("environment_config"), "insecure": True}
        await super().start(environment_config=settings, **config)


class KeepsItsNonce(CarefulExecutor):
    """Makes its signature headers once."""

    kept: dict[str, str] | None = None

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        self.kept = self.kept or super().credentials(frame, body)
        return self.kept


class SignsThePathOnly(CarefulExecutor):
    """Leaves the query out of the signature."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        target = _canonical_http_target(self._url or "").partition("?")[0]
        headers: dict[str, str] = self._security.headers_for(
            transport="http", target=target, body=body
        )
        return headers


class TellsTheSecret(CarefulExecutor):
    """Puts its configuration into its errors."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return super().failure(frame, RuntimeError(f"{exc} with {vars(self._security)}"))


class TriesAgainByItself(CarefulExecutor):
    """Sends a run once more when its answer is lost."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except http.client.HTTPException:
            return super().post(frame)


class BelievesAnyRun(CarefulExecutor):
    """Reads what an answer says of other runs."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        import json

        own = super().read(frame, body)
        raw = json.loads(body)["events"]
        foreign = [e for e in raw if e.get("run_id") != frame["run_id"] and "error" not in e]
        return [*(self._terminal(frame, e) for e in foreign if e["type"] == "task_result"), *own]


class TakesAllDown(CarefulExecutor):
    """Stops receiving when one answer is no good."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return [{"type": "task_error", "run_id": ["not", "hashable"]}]


class DropsTheHeaders(CarefulExecutor):
    """Forgets executor_config.headers."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._headers = {}


class DropsTheDelivery(CarefulExecutor):
    """Sends the frame without its delivery options."""

    async def send(self, frame: Frame) -> None:
        await super().send({k: v for k, v in frame.items() if k != "delivery"})


class WaitsForItsThreads(CarefulExecutor):
    """Does not stop before each of its requests has been answered."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.threads: list[threading.Thread] = []

    def _in_thread(self, action: Any) -> None:
        self.threads.append(threading.Thread(target=action, daemon=True))
        self.threads[-1].start()

    async def stop(self) -> None:
        while any(thread.is_alive() for thread in self.threads):
            await asyncio.sleep(0.01)

    def _give_up(self, run_id: str) -> None:
        """It goes on."""


class SaysNothing(EnvironmentExecutor):
    """Sends nothing and hears nothing."""

    async def start(self, **config: Any) -> None:
        """Nothing to do."""

    async def send(self, frame: Frame) -> None:
        """Nothing to do."""

    async def recv(self) -> Frame:
        """Nothing comes."""
        await asyncio.Event().wait()
        raise AssertionError

    async def stop(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class Defect:
    """An executor, a case that falls for it, and what it says then (a regular expression)."""

    executor: type[Any]
    case: str
    says: str


DEFECTS = (
    Defect(MixesRunIds, "routing.09", "mixed up"),
    Defect(NeverCancels, "cancel.01", "was not sent for run 1 of 5"),
    Defect(NeverCancels, "cancel.04", "got no cancel_task"),
    Defect(CancelsUnsigned, "security.14", "a cancel_task was not authenticated"),
    Defect(CancelsUnsigned, "security.15", "a cancel_task was not authenticated"),
    Defect(CancelsEverything, "cancel.02", "another that was in flight|had not been given up"),
    Defect(ForgetsTheMode, "cancel.03", "require_ack asked for something else"),
    Defect(SwallowsErrors, "errors.03", "swallowed"),
    Defect(SwallowsErrors, "errors.09", "swallowed"),
    Defect(AnswersNone, "errors.01", "swallowed"),
    Defect(AnswersNone, "outcome.53", "not what the task returned"),
    Defect(HidesTheStatus, "errors.12", "does not name the status"),
    Defect(HidesTheStatus, "errors.13", "thrown away"),
    Defect(FollowsRedirects, "security.02", "a 302 redirect was followed.*X-Wove-Signature"),
    Defect(FollowsRedirects, "security.07", "was believed"),
    Defect(FollowsRedirects, "security.11", "in plain text"),
    Defect(BlocksTheLoop, "time.08", "event loop was blocked"),
    Defect(WaitsForTerminal, "time.06", "without a terminal frame .* waiting for ever"),
    Defect(StopsWhenAllIsAnswered, "outcome.30", "missing-terminal the weave hangs"),
    Defect(TrustsAnybody, "security.20", "a run_task was sent to .*untrusted-ca"),
    Defect(TrustsAnybody, "security.24", "a run_task was sent to .*wrong-hostname"),
    Defect(FallsBackToPlaintext, "security.27", "a plaintext request was sent to an https URL"),
    Defect(IgnoresThePolicy, "security.28", "a plain http request was sent to"),
    Defect(IgnoresThePolicy, "security.29", "an unauthenticated request was sent to"),
    Defect(KeepsItsNonce, "security.17", "a nonce was used again"),
    Defect(SignsThePathOnly, "security.16", "was not authenticated"),
    Defect(TellsTheSecret, "security.18", "tells the signed secret"),
    Defect(TriesAgainByItself, "retries.02", "2 run_task frames arrived"),
    Defect(BelievesAnyRun, "routing.03", "took its result: runs were mixed up"),
    Defect(BelievesAnyRun, "security.19", "was loaded"),
    Defect(TakesAllDown, "routing.06", "was taken down with it"),
    Defect(DropsTheHeaders, "frames.08", "without the header"),
    Defect(DropsTheDelivery, "frames.07", "delivery options were lost"),
    Defect(WaitsForItsThreads, "time.01", "had not ended"),
    Defect(SaysNothing, "frames.01", "the worker saw: nothing"),
)
