"""Faults of authentication: a worker that refuses, and proxies that spoil a signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.auth import Step, Verdict
from wove_http_dev.faults.base import AuthStage, Fault, option


@dataclass(frozen=True)
class RejectAuth(Fault):
    """The worker refuses the credentials, right or wrong."""

    stage: ClassVar[str] = "auth"
    effect: ClassVar[str] = "a transport error: HTTP Error 401: Unauthorized"
    status: int = option(401, "the HTTP status of the refusal")
    reason: str = option("rejected by a fault", "the reason in the JSON body")

    def on_auth(self, stage: AuthStage) -> Verdict:
        step = Step("fault", False, self.reason)
        return Verdict(False, self.reason, (step,), status=self.status)
