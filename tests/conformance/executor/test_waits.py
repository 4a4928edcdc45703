"""How a case waits for conditions and runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from wove_http_dev.conformance.executor.time_limits import watch_time_limits
from wove_http_dev.conformance.executor.waits import (
    attempt,
    give_up,
    wait_until,
    wait_until_async,
    watch,
    watch_async,
)


@pytest.mark.parametrize("holds", [True, False])
def test_waiting_for_a_condition(holds: bool) -> None:
    """wait_until() returns whether the condition is true."""
    assert wait_until(lambda: holds, 0.02) is holds


@pytest.mark.parametrize("holds", [True, False])
def test_waiting_for_a_condition_in_a_loop(holds: bool) -> None:
    """wait_until_async() returns whether the condition is true."""
    assert asyncio.run(wait_until_async(lambda: holds, 0.02)) is holds


@pytest.mark.parametrize("happens", [True, False])
def test_watching_for_what_should_not_happen(happens: bool) -> None:
    """watch() returns whether it has happened."""
    assert watch(lambda: happens, 0.02) is happens


@pytest.mark.parametrize("happens", [True, False])
def test_watching_in_a_loop(happens: bool) -> None:
    """watch_async() returns whether it has happened."""
    assert asyncio.run(watch_async(lambda: happens, 0.02)) is happens


def test_a_condition_that_stays_false_is_late() -> None:
    """A wait that runs out is a time limit that passed."""
    limits = watch_time_limits()
    wait_until(lambda: False, 0.0)
    assert limits.passed


def test_nothing_happened_is_not_late() -> None:
    """That what should not happen does not happen is no sign of a busy machine."""
    limits = watch_time_limits()
    watch(lambda: False, 0.0)
    asyncio.run(watch_async(lambda: False, 0.0))
    assert not limits.passed


@pytest.mark.parametrize(("wait", "late"), [(attempt, True), (give_up, False)])
def test_a_run_that_times_out(wait: Callable[[Any], Any], late: bool) -> None:
    """A timeout is a time limit, except for a run that is meant to be given up."""
    limits = watch_time_limits()

    async def run() -> None:
        raise TimeoutError

    asyncio.run(wait(run()))
    assert limits.passed is late


@pytest.mark.parametrize(
    ("error", "kind"), [(ValueError(), "error"), (asyncio.CancelledError(), "raised")]
)
def test_a_run_that_fails(error: BaseException, kind: str) -> None:
    """attempt() returns errors as outcomes and distinguishes a cancelled run from a task's
    error."""

    async def run() -> None:
        raise error

    assert asyncio.run(attempt(run())).kind == kind
