"""Authentication faults: a worker that refuses requests, and proxies that break a signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from wove_http_dev.faults.distributions import Duration, drawn
from wove_http_dev.faults.fault import AuthStage, Fault
from wove_http_dev.fields import field
from wove_http_dev.protocol.authenticator import Verdict

__all__ = [
    "ClockSkew",
    "RejectAuth",
    "RewrittenPath",
    "StrippedHeaders",
    "WrongSecret",
]

_REFUSED = "a transport error: HTTP Error 401: Unauthorized; it is retried"


@dataclass(frozen=True)
class RejectAuth(Fault):
    """The worker refuses every request, even with valid credentials."""

    stage: ClassVar[str] = "auth"
    effect: ClassVar[str] = _REFUSED
    status: int = field(401, "HTTP status of the refusal", least=400, most=599)
    reason: str = field("rejected by a fault", "reason in the JSON body")

    def on_auth(self, stage: AuthStage) -> Verdict:
        return Verdict(False, self.reason, status=self.status, code="refused-by-fault")


@dataclass(frozen=True)
class WrongSecret(Fault):
    """The worker has another secret (or bearer token) than the executor."""

    stage: ClassVar[str] = "auth"
    effect: ClassVar[str] = _REFUSED
    needs: ClassVar[Mapping[str, Any]] = {"security": ("signed", "bearer")}

    def on_auth(self, stage: AuthStage) -> Verdict:
        return stage.proceed(secret=b"another secret than the executor's")


@dataclass(frozen=True)
class ClockSkew(Fault):
    """The worker's clock is ahead by more than its allowed clock skew."""

    stage: ClassVar[str] = "auth"
    effect: ClassVar[str] = _REFUSED
    needs: ClassVar[Mapping[str, Any]] = {"security": "signed"}
    seconds: Duration = field(600.0, "seconds that the worker's clock is ahead", "seconds")

    def on_auth(self, stage: AuthStage) -> Verdict:
        return stage.proceed(clock_offset=drawn(self.seconds))


@dataclass(frozen=True)
class StrippedHeaders(Fault):
    """A proxy removes the headers that authenticate a request."""

    stage: ClassVar[str] = "auth"
    effect: ClassVar[str] = _REFUSED
    needs: ClassVar[Mapping[str, Any]] = {"security": ("signed", "bearer")}
    headers: str = field(
        "X-Wove-Key,X-Wove-Timestamp,X-Wove-Nonce,X-Wove-Signature,Authorization",
        "names of the headers, separated by commas",
    )

    def on_auth(self, stage: AuthStage) -> Verdict:
        names = [name.strip() for name in self.headers.split(",")]
        return stage.proceed(replace(stage.request, headers=stage.request.headers.without(*names)))


@dataclass(frozen=True)
class RewrittenPath(Fault):
    """A proxy puts a prefix before the path, so that the signature no longer covers it."""

    stage: ClassVar[str] = "auth"
    effect: ClassVar[str] = _REFUSED
    needs: ClassVar[Mapping[str, Any]] = {"security": "signed"}
    prefix: str = field("/internal", "text put before the path")

    def on_auth(self, stage: AuthStage) -> Verdict:
        return stage.proceed(replace(stage.request, target=self.prefix + stage.request.target))
