"""Executors with one planted defect each, second part: credentials, verification, what is said of
an error, and what is not the executor's to do."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import ssl
import threading
import time
import urllib.parse
from typing import Any
from unittest import mock

from wove.environment import _deserialize_network_executor_frame, normalize_exception
from wove.security import NetworkExecutorSecurity

from tests.conformance.executor.careful_executor import CarefulExecutor, Frame, Status
from tests.conformance.executor.flawed_executors import Defect


class KnowsOneKey(CarefulExecutor):
    """Signs with the key "default", whatever is configured."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        headers = super().credentials(frame, body)
        return {n: "default" if n == "X-Wove-Key" else v for n, v in headers.items()}


class DoesWithoutASecret(CarefulExecutor):
    """Where the configured secret is missing it goes on without one."""

    async def start(self, **config: Any) -> None:
        settings = dict(config.pop("environment_config"))
        try:
            NetworkExecutorSecurity.from_config(settings.get("security"))
        except Exception:
            settings["security"] = None
        await super().start(environment_config=settings, **config)


class TriesWithoutCredentials(CarefulExecutor):
    """After a refusal it sends the run once more, without credentials."""

    _bare = threading.local()

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        return {} if getattr(self._bare, "now", False) else super().credentials(frame, body)

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Status as exc:
            if exc.status not in (401, 403):
                raise
        self._bare.now = True
        try:
            return super().post(frame)
        finally:
            self._bare.now = False


class PutsTheTokenInTheQuery(CarefulExecutor):
    """The bearer token stands in the URL as well."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        token = self._security.token
        return super().target(parts) + (f"?access_token={token}" if token else "")


class SendsTheSecret(CarefulExecutor):
    """The signing secret itself goes along."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        secret = (self._security.secret or b"").decode()
        return {**super().headers(frame, body), **({"X-Secret": secret} if secret else {})}


class _SignsAt(CarefulExecutor):
    def now(self) -> float:
        """The time that is signed."""
        raise NotImplementedError

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        # The times of other rooms stay what they are: wove.security alone looks here.
        with mock.patch("wove.security.time", _Clock(self.now())):
            return super().credentials(frame, body)


class _Clock:
    def __init__(self, now: float) -> None:
        self._now = now

    def time(self) -> float:
        return self._now


class SignsTheTimeOfItsStart(_SignsAt):
    """The timestamp is taken once."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._started = time.time()

    def now(self) -> float:
        return self._started


class SignsAnOldTime(_SignsAt):
    """Its timestamps are two minutes old."""

    def now(self) -> float:
        return time.time() - 120.0


class VerifiesOnce(CarefulExecutor):
    """A host that was verified is not verified again."""

    _verified: frozenset[str] = frozenset()

    def connection(self, parts: urllib.parse.SplitResult) -> Any:
        if parts.netloc in self._verified:
            self._context = ssl._create_unverified_context()
        return super().connection(parts)

    def post(self, frame: Frame) -> bytes:
        body = super().post(frame)
        self._verified |= {urllib.parse.urlsplit(self._url or "").netloc}
        return body


class CancelsUnverified(CarefulExecutor):
    """Certificates are verified for run_task only."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "cancel_task":
            self._context = ssl._create_unverified_context()
        return super().post(frame)


class TakesInsecureForUnverified(CarefulExecutor):
    """insecure=True turns the verification of certificates off."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        if config["environment_config"].get("insecure"):
            self._context = ssl._create_unverified_context()


class LogsItsSecurity(CarefulExecutor):
    """A failure is logged with the credentials."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        said = {**vars(self._security)}
        logging.getLogger("a.flawed.executor").debug("failed: %s with %r", exc, said)
        return super().failure(frame, exc)


class TellsTheSecretInNotes(CarefulExecutor):
    """An exception of the task is given a note with the credentials."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        told = super()._terminal(frame, event)
        exception = told.get("exception")
        if exception is not None:
            exception.args = (*exception.args, str(vars(self._security)))
        return told


class TellsTheSecretOfHandshakes(CarefulExecutor):
    """A handshake that fails is told with the credentials."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, ssl.SSLError):
            exc = RuntimeError(f"{exc} with {vars(self._security)}")
        return super().failure(frame, exc)


class LoadsForeignErrors(CarefulExecutor):
    """Exceptions are unpickled before anyone looks whose they are."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        for event in document.get("events", []) if isinstance(document, dict) else []:
            if isinstance(event, dict) and event.get("type") == "task_error":
                with contextlib.suppress(Exception):
                    _deserialize_network_executor_frame(event, reason="a test's defect")
        return super().read(frame, body)


class ComparesTheName(CarefulExecutor):
    """Of run ids only the part before the number is compared."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document, run_id = json.loads(body), frame["run_id"]
        for event in document.get("events", []) if isinstance(document, dict) else []:
            if str(event.get("run_id")).rpartition(":")[0] == run_id.rpartition(":")[0]:
                event["run_id"] = run_id
        return super().read(frame, json.dumps(document).encode())


class TakesABareFrameForItsOwn(CarefulExecutor):
    """A frame that comes alone is not asked whose it is."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        if isinstance(document, dict) and "events" not in document:
            document["run_id"] = frame["run_id"]
        return super().read(frame, json.dumps(document).encode())


class CancelsElsewhere(CarefulExecutor):
    """A cancel_task goes to the URL without its query."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "cancel_task":
            self._url = (self._url or "").partition("?")[0]
        return super().post(frame)


class CancelsWhatHasEnded(CarefulExecutor):
    """After each result it cancels, to be sure."""

    def _run(self, frame: Frame) -> None:
        super()._run(frame)
        ended = {name: frame[name] for name in ("run_id", "task_id")}
        with contextlib.suppress(Exception):
            self.post({"type": "cancel_task", **ended})


class BlamesTheTask(CarefulExecutor):
    """A timeout is told as an error of the task."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        if isinstance(exc, Status):
            return super().failure(frame, exc)
        return [self.error_for(frame, normalize_exception(exc, source="task"))]


class KeepsTheMessageOnly(CarefulExecutor):
    """Of a task's error it keeps kind and message."""

    def _terminal(self, frame: Frame, event: Frame) -> Frame:
        told = super()._terminal(frame, event)
        if isinstance(told.get("error"), dict):
            told["error"] = {name: told["error"].get(name) for name in ("kind", "message")}
        return told


class TriesAgainAfterAGateway(CarefulExecutor):
    """Sends a run again after a 502 or a 504."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Status as exc:
            if exc.status not in (502, 504):
                raise
        return super().post(frame)


class UnverifiesTheProcess(CarefulExecutor):
    """Turns verification off for everybody who uses urllib."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        ssl._create_default_https_context = ssl._create_unverified_context  # type: ignore[assignment]  # its point


class ChangesTheEnvironment(CarefulExecutor):
    """Sets a variable."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        os.environ["A_FLAWED_EXECUTOR"] = str(time.monotonic_ns())


DEFECTS = (
    Defect(KnowsOneKey, "security.30", "with a key a run_task was refused: key: unknown key"),
    Defect(DoesWithoutASecret, "security.31", "does not exist, and a run_task was sent without"),
    Defect(TriesWithoutCredentials, "security.32", "after an answer of 401 a request came without"),
    Defect(PutsTheTokenInTheQuery, "security.33", "bearer secret was sent in the URL"),
    Defect(SendsTheSecret, "security.33", "signed secret was sent in the header X-Secret"),
    Defect(SignsTheTimeOfItsStart, "security.34", "1.6 s apart have one timestamp"),
    Defect(SignsAnOldTime, "security.34", r"X-Wove-Timestamp is 1[12]\d s off"),
    Defect(VerifiesOnce, "security.35", "because an earlier one at this address had been verified"),
    Defect(CancelsUnverified, "security.36", "a cancel_task was sent to a server whose"),
    Defect(TakesInsecureForUnverified, "security.37", "with insecure=True .* is not verified"),
    Defect(LogsItsSecurity, "security.38", "signed secret was logged or printed"),
    Defect(TellsTheSecretInNotes, "security.18", "whose task raised tells the signed secret"),
    Defect(TellsTheSecretOfHandshakes, "security.18", "untrusted-ca tells the signed secret"),
    Defect(LoadsForeignErrors, "security.19", "for a run that nobody waits for was loaded"),
    Defect(ComparesTheName, "routing.11", "runs were mixed up"),
    Defect(TakesABareFrameForItsOwn, "routing.12", "runs were mixed up"),
    Defect(CancelsElsewhere, "cancel.08", "cancel_task was sent with '/wove/tasks' in the place"),
    Defect(CancelsWhatHasEnded, "cancel.09", "'merge:works', which had ended by itself"),
    Defect(BlamesTheTask, "errors.19", "the error says source 'task'"),
    Defect(KeepsTheMessageOnly, "errors.20", "traceback: 'File worker.py.* is told None"),
    Defect(TriesAgainAfterAGateway, "retries.02", "after status code=502 2 run_task frames"),
    Defect(UnverifiesTheProcess, "time.15", "verification of certificates is not what it was"),
    Defect(ChangesTheEnvironment, "time.15", "os.environ is not what it was"),
)
