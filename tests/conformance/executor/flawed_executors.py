"""Executors with one planted defect each, and the case that is to flag it, in which words."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
import urllib.parse
from dataclasses import dataclass
from typing import Any

from wove.environment import EnvironmentExecutor, HttpEnvironmentExecutor
from wove.security import _canonical_http_target

from tests.conformance.executor.careful_executor import CarefulExecutor, Frame, Status


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


class CancelsWithoutHeaders(CarefulExecutor):
    """Sends executor_config.headers with run_task only."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        every = super().headers(frame, body)
        cancels = frame["type"] == "cancel_task"
        return {k: v for k, v in every.items() if not (cancels and k in self._headers)}


class CancelsInTheLoop(CarefulExecutor):
    """Waits in the event loop for what a cancel_task is answered."""

    async def _cancel(self, frame: Frame) -> None:
        with contextlib.suppress(Exception):
            self.post(frame)
        self._give_up(frame["run_id"])


class FailsAnother(CarefulExecutor):
    """Makes an error of a cancel_task that failed, of whichever run is open."""

    async def _cancel(self, frame: Frame) -> None:
        def cancel() -> None:
            try:
                self.post(frame)
            except Exception as exc:
                with self._mine:
                    other = next((run for run in self._open if run != frame["run_id"]), "")
                self._call(self.deliver, self.failure({**frame, "run_id": other}, exc)[0])

        self._in_thread(cancel)


class LetsThreadsDie(CarefulExecutor):
    """Catches nothing in the thread that cancels."""

    async def _cancel(self, frame: Frame) -> None:
        self._in_thread(lambda: (self.post(frame), None)[1])


class OneAtATime(CarefulExecutor):
    """Sends a run when the one before it has been answered."""

    turn = threading.Lock()

    def _run(self, frame: Frame) -> None:
        with self.turn:
            super()._run(frame)


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


class SignsItDecoded(CarefulExecutor):
    """Signs the target without its escapes."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        target = urllib.parse.unquote(_canonical_http_target(self._url or ""))
        headers: dict[str, str] = self._security.headers_for(
            transport="http", target=target, body=body
        )
        return headers


class SignsAQueryThatItDrops(CarefulExecutor):
    """Sends to the path alone."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        return parts.path


class DropsTheQuery(SignsThePathOnly):
    """Sends to the path alone, and signs that."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        return parts.path


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


class TellsTheSecretOfFailures(TellsTheSecret):
    """The same, where there was no answer that it understood."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, Status):
            return CarefulExecutor.failure(self, frame, exc)
        return super().failure(frame, exc)


class TriesAgainWhatWasCutOff(CarefulExecutor):
    """Sends a run once more when its answer is incomplete."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except http.client.IncompleteRead:
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


class ReadsLatin1(CarefulExecutor):
    """Takes an answer for latin-1."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        return super().read(frame, body.decode("latin-1").encode("utf-8"))


class _Patient(http.client.HTTPSConnection):
    def getresponse(self) -> http.client.HTTPResponse:
        sock = self.sock
        response = super().getresponse()
        sock.settimeout(None)
        return response


class TimesTheHeadOnly(CarefulExecutor):
    """Has no timeout any more once the head of an answer is there."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        return _Patient(
            parts.hostname or "", parts.port, timeout=self._timeout, context=self._context
        )

    def deadline(self, sock: socket.socket) -> threading.Timer:
        return threading.Timer(0.0, int)  # not started


class LeavesThreads(CarefulExecutor):
    """Has a thread for each request that does not end with it."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        threading.Thread(target=threading.Event().wait, args=(20.0,), daemon=True).start()
        super().close(connection)


class LeavesConnections(CarefulExecutor):
    """Keeps its connections, and never uses them again."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        left.append(connection)


left: list[http.client.HTTPConnection] = []


class StartsOnce(CarefulExecutor):
    """Cannot be started again."""

    async def stop(self) -> None:
        await super().stop()
        self.start = None  # type: ignore[assignment]


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
    Defect(MixesRunIds, "routing.09", "given to another run"),
    Defect(OneAtATime, "routing.10", "only 1 came to the worker"),
    Defect(NeverCancels, "cancel.01", "was not sent for run 1 of 5"),
    Defect(NeverCancels, "cancel.04", "got no cancel_task"),
    Defect(CancelsUnsigned, "security.14", "a cancel_task was not authenticated"),
    Defect(CancelsUnsigned, "security.15", "a cancel_task was not authenticated"),
    Defect(CancelsEverything, "cancel.02", "another that was in flight|had not been given up"),
    Defect(CancelsUnsigned, "cancel.03", "was refused with 401.*X-Wove-Key is missing"),
    Defect(CancelsUnsigned, "cancel.07", "was refused, and the task was sent again"),
    Defect(ForgetsTheMode, "cancel.03", "require_ack asked for something else"),
    Defect(FailsAnother, "cancel.05", "code=500, and another run, which was in flight, has"),
    Defect(CancelsWithoutHeaders, "frames.08", "a cancel_task came without the header"),
    Defect(CancelsInTheLoop, "time.13", "blocked for .* while a cancel_task was not answered"),
    Defect(LetsThreadsDie, "errors.18", "threads ended by an exception .* by Status: HTTP 500"),
    Defect(SwallowsErrors, "errors.03", "swallowed"),
    Defect(SwallowsErrors, "errors.09", "swallowed"),
    Defect(AnswersNone, "errors.01", "swallowed"),
    Defect(AnswersNone, "outcome.redirect", "not what the task returned"),
    Defect(HidesTheStatus, "errors.12", "does not name the status"),
    Defect(HidesTheStatus, "errors.13", "thrown away"),
    Defect(FollowsRedirects, "security.02", "a 302 redirect was followed.*X-Wove-Signature"),
    Defect(FollowsRedirects, "security.07", "was believed"),
    Defect(FollowsRedirects, "security.11", "in plain text"),
    Defect(BlocksTheLoop, "time.08", "event loop was blocked"),
    Defect(WaitsForTerminal, "time.06", "without a terminal frame .* waiting for ever"),
    Defect(StopsWhenAllIsAnswered, "outcome.missing-terminal", "missing-terminal the weave hangs"),
    Defect(TrustsAnybody, "security.20", "a run_task was sent to .*untrusted-ca"),
    Defect(TrustsAnybody, "security.24", "a run_task was sent to .*wrong-hostname"),
    Defect(FallsBackToPlaintext, "security.27", "a plaintext request was sent to an https URL"),
    Defect(IgnoresThePolicy, "security.28", "a plain http request was sent to"),
    Defect(IgnoresThePolicy, "security.29", "an unauthenticated request was sent to"),
    Defect(KeepsItsNonce, "security.17", "a nonce was used again"),
    Defect(SignsThePathOnly, "security.16", "covers the path without its query"),
    Defect(SignsItDecoded, "security.16", "covers path and query decoded"),
    Defect(SignsAQueryThatItDrops, "security.16", "it covers the URL's path and query"),
    Defect(DropsTheQuery, "frames.06", "sent to .*; the URL's path and query are .*tenant"),
    Defect(TellsTheSecret, "security.18", "reject-auth tells the signed secret"),
    Defect(TellsTheSecretOfFailures, "security.18", "invalid-json tells the signed secret"),
    Defect(TriesAgainByItself, "retries.02", "2 run_task frames arrived"),
    Defect(TriesAgainWhatWasCutOff, "retries.02", "after bad-chunk 2 run_task frames arrived"),
    Defect(BelievesAnyRun, "routing.03", "took its result: runs were mixed up"),
    Defect(BelievesAnyRun, "security.19", "was loaded"),
    Defect(TakesAllDown, "routing.06", "was taken down with it"),
    Defect(DropsTheHeaders, "frames.08", "without the header"),
    Defect(DropsTheDelivery, "frames.07", "delivery options were lost"),
    Defect(ReadsLatin1, "frames.17", "came in raw UTF-8, and its author is told .*Ã"),
    Defect(WaitsForItsThreads, "time.01", "had not ended"),
    Defect(TimesTheHeadOnly, "time.12", "had not ended: half of the answer comes"),
    Defect(LeavesThreads, "time.14", "there are 10 more threads"),
    Defect(LeavesConnections, "time.14", r"there are \d+ more open descriptors"),
    Defect(StartsOnce, "time.14", "one of several weaves in a row on one executor has"),
    Defect(SaysNothing, "frames.01", "the worker saw: nothing"),
)
