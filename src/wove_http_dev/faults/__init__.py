"""The faults, by name. One room per stage of a request; this table is written by hand, and a test
holds it against the rooms."""

from __future__ import annotations

from wove_http_dev.faults import auth, events, run
from wove_http_dev.faults.base import Fault

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for fault in (
        auth.RejectAuth,
        run.SlowResponse,
        events.MissingTerminal,
    )
}

__all__ = ["FAULTS", "Fault"]
