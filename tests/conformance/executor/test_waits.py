"""How a case waits for conditions and runs."""

from __future__ import annotations

import asyncio

import pytest

from wove_http_dev.conformance.executor.waits import attempt, wait_until, wait_until_async


@pytest.mark.parametrize("holds", [True, False])
def test_waiting_for_a_condition(holds: bool) -> None:
    """wait_until() returns whether the condition is true."""
    assert wait_until(lambda: holds, 0.02) is holds


@pytest.mark.parametrize("holds", [True, False])
def test_waiting_for_a_condition_in_a_loop(holds: bool) -> None:
    """wait_until_async() returns whether the condition is true."""
    assert asyncio.run(wait_until_async(lambda: holds, 0.02)) is holds


@pytest.mark.parametrize(
    ("error", "kind"), [(ValueError(), "error"), (asyncio.CancelledError(), "raised")]
)
def test_a_run_that_fails(error: BaseException, kind: str) -> None:
    """attempt() returns errors as outcomes and distinguishes a cancelled run from a task's
    error."""

    async def run() -> None:
        raise error

    assert asyncio.run(attempt(run())).kind == kind
