"""``Handler``: what a server asks for the requests that arrive on its connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.plan import NO_PLAN, Plan
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.messages import Reply, Request
from wove_http_dev.runs.steps import Steps


class PendingReply(Protocol):
    """A reply that has not been written yet, with the fault that may change how it is written."""

    reply: Reply

    @property
    def ends_early(self) -> bool:
        """Whether a fault may cut the reply short on purpose; a failed write is then no error."""

    def on_wire(self, wire: Wire) -> None:
        """Write the reply."""

    def done(self, error: str = "", code: str = "", *, written: bool = False) -> None:
        """Record the end of the exchange, and whether the reply was ``written``. If it was not,
        and no fault wanted that, ``error`` says why; ``code`` is then one of
        ``runs.records.CODES``."""

    def failed(self, exc: BaseException) -> None:
        """Record, in place of :meth:`done`, that the service or a fault raised ``exc`` while it
        wrote the reply."""

    def wait(self, seconds: Duration | None) -> bool:
        """Wait for a fault of the stage ``wire``; see
        :class:`wove_http_dev.faults.fault.Waiting`."""


class Handler(Protocol):
    """Serves the requests that arrive on a server's connections."""

    def plan_connection(self) -> Plan:
        """Return the faults that are to act on a new connection."""

    def judge(self, head: Request) -> Verdict | None:
        """Return the refusal of a request of which only the head has arrived; ``None`` if its body
        is needed."""

    def handle(
        self, request: Request, refusal: Verdict | None, on_accepted: Callable[[], None]
    ) -> Steps[PendingReply]:
        """Make the reply to a request, in steps. With ``refusal``, what :meth:`judge` returned, its
        body may be incomplete. Calls ``on_accepted`` once the request is authenticated. Never
        raises."""

    def connection_failed(self, error: str, *, code: str, status: int | None, plan: Plan) -> None:
        """Record a connection on which bytes arrived, but no complete request. ``code`` is one of
        ``runs.records.CODES``, ``status`` the HTTP status of the reply; ``None`` if there was no
        reply."""

    def service_failed(self, exc: BaseException, plan: Plan = NO_PLAN) -> None:
        """Record that ``exc`` kept the service, or a fault of ``plan``, from serving a connection.
        The cause is neither the client nor what the faults were injected to do."""
