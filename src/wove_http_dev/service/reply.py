"""``ServiceReply``: a reply of the pipeline, which records in the journal how its writing ended."""

from __future__ import annotations

from dataclasses import dataclass

from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.plan import Plan
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange
from wove_http_dev.service.failures import record_failure


@dataclass
class ServiceReply:
    """A reply, with the faults that act on it and the exchange that records it."""

    reply: Reply
    plan: Plan
    exchange: Exchange
    journal: Journal
    hung_up: bool = False
    """Whether a fault closes the connection in place of a reply."""

    @property
    def ends_early(self) -> bool:
        return self.hung_up or bool(self.exchange.faults)

    def on_wire(self, wire: Wire) -> None:
        if self.hung_up:
            wire.close()
        self.plan.fault("wire").on_wire(wire)

    def wait(self, seconds: Duration | None) -> bool:
        return self.plan.wait("wire")(seconds)

    def done(self, error: str = "", code: str = "", *, written: bool = False) -> None:
        self.exchange.written = written
        if error:
            self.exchange.error = error
            self.exchange.code = self.exchange.code or code
        self.journal.close(self.exchange)

    def failed(self, exc: BaseException) -> None:
        record_failure(self.journal, exc, exchange=self.exchange)
        self.journal.close(self.exchange)
