"""The catalogue of faults, every fault by its class name, and what a fault of a user's own is
written with: the base class, :func:`field`, and the types of its methods."""

# ruff: noqa: F403 (the names are in the ``__all__`` of each module, where a checker finds them too)

from __future__ import annotations

from wove_http_dev.faults import auth, connection, events, response, run, wire
from wove_http_dev.faults.auth import *
from wove_http_dev.faults.catalogue import FAULTS
from wove_http_dev.faults.connection import *
from wove_http_dev.faults.distributions import (
    DISTRIBUTIONS,
    Distribution,
    Duration,
    Exponential,
    LogNormal,
    Normal,
    Uniform,
    drawn,
)
from wove_http_dev.faults.events import *
from wove_http_dev.faults.fault import (
    AuthStage,
    CancelStage,
    Connection,
    EventsStage,
    Fault,
    Recipe,
    ResponseStage,
    RunStage,
    Wire,
    Worker,
)
from wove_http_dev.faults.response import *
from wove_http_dev.faults.run import *
from wove_http_dev.faults.wire import *
from wove_http_dev.fields import field
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.frames import Event
from wove_http_dev.protocol.messages import Reply, Request
from wove_http_dev.runs.outcome import Outcome

__all__ = [
    "DISTRIBUTIONS",
    "FAULTS",
    "AuthStage",
    "CancelStage",
    "Connection",
    "Distribution",
    "Duration",
    "Event",
    "EventsStage",
    "Exponential",
    "Fault",
    "LogNormal",
    "Normal",
    "Outcome",
    "Recipe",
    "Reply",
    "Request",
    "ResponseStage",
    "RunStage",
    "Uniform",
    "Verdict",
    "Wire",
    "Worker",
    "drawn",
    "field",
]
__all__ += connection.__all__
__all__ += auth.__all__
__all__ += run.__all__
__all__ += events.__all__
__all__ += response.__all__
__all__ += wire.__all__
