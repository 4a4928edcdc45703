"""``GET /health`` of the task port: whether the worker serves, for whatever starts or watches it.

It needs no credentials. It is not in the journal, so strict mode never reports it, and no fault of
a request acts on it; those of the connection and of TLS do, because they act before anything is
read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.plan import NO_PLAN
from wove_http_dev.protocol.messages import Reply, Request
from wove_http_dev.runs.journal import Journal
from wove_http_dev.service.failures import record_failure

PATH = "/health"


def is_health_check(request: Request) -> bool:
    """Whether ``request``, of which the head is enough, asks for the worker's health. One with a
    body does not: a body is read only with credentials."""
    return (
        request.method in ("GET", "HEAD")
        and request.target.partition("?")[0] == PATH
        and request.headers.get("Content-Length", "0") == "0"
        and "Transfer-Encoding" not in request.headers
    )


@dataclass
class HealthReply:
    """A :class:`wove_http_dev.service.handler.PendingReply`: the reply to a health check."""

    journal: Journal
    """Records only what the service itself cannot do."""
    reply: Reply = field(
        default_factory=lambda: Reply(
            body=b'{"status": "ok"}', headers=[("Content-Type", "application/json")]
        )
    )
    ends_early: bool = False

    def on_wire(self, wire: Wire) -> None:
        wire.send_all()

    def wait(self, seconds: Duration | None) -> bool:
        return NO_PLAN.wait("wire")(seconds)

    def done(self, error: str = "", code: str = "", *, written: bool = False) -> None:
        """Do nothing: the exchange is not recorded."""

    def failed(self, exc: BaseException) -> None:
        record_failure(self.journal, exc)
