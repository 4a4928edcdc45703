"""A fault that changes nothing, but records every request with its body. The worker's own record
(the journal) has no bodies, and a case needs them to check signatures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import AuthStage
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.messages import Request


@dataclass(frozen=True)
class RequestRecorder(Fault):
    """Records each request and leaves the verdict to the worker."""

    stage: ClassVar[str] = "auth"
    requests: list[Request] = field(default_factory=list, repr=False)

    def on_auth(self, stage: AuthStage) -> Verdict:
        """Record the request, and return what the worker itself decides about it."""
        self.requests.append(stage.request)
        return stage.proceed()

    def __str__(self) -> str:
        return self.name
