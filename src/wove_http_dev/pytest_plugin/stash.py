"""The keys under which the plugin's hooks and fixtures share data on a test item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide

WORKERS: pytest.StashKey[list[ClientSide]] = pytest.StashKey()
"""The running workers of the test."""
PASSED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether the test's body passed."""


class TrialRun(Protocol):
    """One run of a test under ``--wove-http-faults``."""

    faulted: bool
    """Whether a fault is injected."""

    def join(self, worker: ClientSide, *, own_limits: bool) -> None:
        """Observe ``worker``, which the test uses from now on, and inject the fault there.
        ``own_limits``: the test itself set a time limit, which is kept."""


RUN: pytest.StashKey[TrialRun] = pytest.StashKey()
"""The run under ``--wove-http-faults``; missing without that option."""


def join_run(item: pytest.Item, worker: ClientSide, *, own_limits: bool = False) -> None:
    """Let ``worker`` take part in the run of the test under ``--wove-http-faults``, if it is
    one."""
    run = item.stash.get(RUN, None)
    if run is not None:
        run.join(worker, own_limits=own_limits)


def is_faulted(item: pytest.Item) -> bool:
    """Whether this run of the test is one with a fault under ``--wove-http-faults``: what a fault
    causes is then no failure of strict mode, and needs no report."""
    run = item.stash.get(RUN, None)
    return run is not None and run.faulted
