"""What is forwarded to an upstream worker service, and what it answers.

``ForwardedCommand`` is the request, ``UpstreamLeg`` its record in the journal, ``UpstreamAnswer``
what came back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from wove_http_dev.protocol.frames import CancelTask, Event, RunTask
from wove_http_dev.protocol.messages import Reply, Request

ABANDONED = "upstream-abandoned"
"""The code of a leg that the worker itself ended, because it stopped or was reset."""


@dataclass
class UpstreamLeg:
    """One request that was forwarded to upstream, as the journal records it."""

    status: int | None = None
    """The status of upstream's answer; ``None`` if there was none."""
    seconds: float | None = None
    """From the moment it was forwarded until the whole answer was there, or until it failed;
    ``None`` until then."""
    sent: int = 0
    """Bytes of the request's body that were written."""
    received: int = 0
    """Bytes of the answer's body."""
    reused: bool = False
    """Whether the connection had served a request before."""
    error: str = ""
    """What was wrong with the answer, or why there was none, in words; otherwise empty."""
    code: str = ""
    """The same as one of ``runs.records.CODES``."""

    @property
    def failed(self) -> bool:
        """Whether upstream failed, or could not be reached."""
        return bool(self.code) and self.code != ABANDONED

    @property
    def text(self) -> str:
        """The leg for a person to read, of one line."""
        if self.error:
            return self.error
        if self.seconds is None:
            return "upstream has not answered"
        kept = ", kept connection" if self.reused else ""
        return f"upstream {self.status} in {self.seconds * 1000:.1f} ms{kept}"


@dataclass
class ForwardedCommand:
    """A command in the request that brought it. A runner that forwards it adds to ``legs``, those
    of the command's exchange."""

    request: Request = field(repr=False)
    command: RunTask | CancelTask
    legs: list[UpstreamLeg]


@dataclass(frozen=True)
class UpstreamAnswer:
    """What a client gets for a forwarded request, unless a fault changes it: upstream's answer, or
    the reply that says why there is none."""

    relayed: Reply
    run_id: str
    events: list[Event] | None = field(default=None, repr=False)
    """The event frames in the answer; ``None`` if it has none that can be read."""
    shape: str = "events"
    """The form in which the answer has them, as the option ``response_shape``."""

    def reply(self) -> Reply:
        """Return a copy of the reply, which faults may change."""
        return replace(self.relayed, headers=list(self.relayed.headers))
