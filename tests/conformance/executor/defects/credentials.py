"""Executors that send wrong credentials."""

from __future__ import annotations

import threading
import time
import urllib.parse
from typing import Any
from unittest import mock

from wove.security import NetworkExecutorSecurity, _canonical_http_target

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame, Status
from tests.conformance.executor.defects.base import Defect


class KeepsItsNonce(ConformingExecutor):
    """Reuses the signature headers of its first request."""

    kept: dict[str, str] | None = None

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        self.kept = self.kept or super().credentials(frame, body)
        return self.kept


class SignsThePathOnly(ConformingExecutor):
    """Leaves the query out of the signature."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        target = _canonical_http_target(self._url or "").partition("?")[0]
        headers: dict[str, str] = self._security.headers_for(
            transport="http", target=target, body=body
        )
        return headers


class SignsItDecoded(ConformingExecutor):
    """Signs the target without its escapes."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        target = urllib.parse.unquote(_canonical_http_target(self._url or ""))
        headers: dict[str, str] = self._security.headers_for(
            transport="http", target=target, body=body
        )
        return headers


class SignsAQueryThatItDrops(ConformingExecutor):
    """Signs the target with its query but sends it without."""

    def target(self, parts: urllib.parse.SplitResult) -> str:
        return parts.path


class KnowsOneKey(ConformingExecutor):
    """Signs with the key name "default" instead of the configured one."""

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        headers = super().credentials(frame, body)
        return {n: "default" if n == "X-Wove-Key" else v for n, v in headers.items()}


class DoesWithoutASecret(ConformingExecutor):
    """Sends requests without credentials if the configured secret is missing."""

    async def start(self, **config: Any) -> None:
        settings = dict(config.pop("environment_config"))
        try:
            NetworkExecutorSecurity.from_config(settings.get("security"))
        except Exception:
            settings["security"] = None
        await super().start(environment_config=settings, **config)


class TriesWithoutCredentials(ConformingExecutor):
    """Repeats a refused run without credentials."""

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


class _SignsAt(ConformingExecutor):
    def now(self) -> float:
        """Return the time that is signed."""
        raise NotImplementedError

    def credentials(self, frame: Frame, body: bytes) -> dict[str, str]:
        # Only wove.security reads the time through this name.
        with mock.patch("wove.security.time", _Clock(self.now())):
            return super().credentials(frame, body)


class _Clock:
    def __init__(self, now: float) -> None:
        self._now = now

    def time(self) -> float:
        return self._now


class SignsTheTimeOfItsStart(_SignsAt):
    """Takes the timestamp once, at its start."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._started = time.time()

    def now(self) -> float:
        return self._started


class SignsAnOldTime(_SignsAt):
    """Signs timestamps that are two minutes old."""

    def now(self) -> float:
        return time.time() - 120.0


DEFECTS = (
    Defect(KeepsItsNonce, "security.17", "a nonce was used again"),
    Defect(SignsThePathOnly, "security.16", "covers the path without its query"),
    Defect(SignsItDecoded, "security.16", "covers path and query decoded"),
    Defect(SignsAQueryThatItDrops, "security.16", "it covers the URL's path and query"),
    Defect(KnowsOneKey, "security.30", "with a key a run_task was refused: key: unknown key"),
    Defect(DoesWithoutASecret, "security.31", "does not exist, but a run_task was sent"),
    Defect(TriesWithoutCredentials, "security.32", "after an answer of 401 a request came without"),
    Defect(SignsTheTimeOfItsStart, "security.34", "1.1 s apart have the same timestamp"),
    Defect(SignsAnOldTime, "security.34", r"X-Wove-Timestamp is 1[12]\d s off"),
)
