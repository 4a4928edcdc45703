"""Weaves that run in a separate thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import TIMEOUT
from wove_http_dev.conformance.executor.background_weave import (
    BackgroundWeave,
    Remote,
    ScriptedWeave,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wove.context import WoveContextManager as Weave

LOCAL: dict[str, Any] = {"executor": "local"}
"""The definition of an environment in this process."""


def returns_seven(w: Weave, environment: str) -> None:
    @w.do
    def task() -> int:
        return 7


def sleeps(w: Weave, environment: str) -> None:
    @w.do
    async def task() -> None:
        import asyncio

        await asyncio.sleep(30)


def raises(w: Weave, environment: str) -> None:
    raise SystemExit("from the weave")


def ended(define: Any) -> BackgroundWeave:
    """A weave that has ended."""
    weave = BackgroundWeave("background", LOCAL, define)
    assert weave.wait(TIMEOUT)
    return weave


def test_a_result_is_read_from_outside() -> None:
    """The outcome of a weave that has ended has the result of its task."""
    assert ended(returns_seven).outcome().value == 7


def test_a_task_that_does_not_exist_has_nothing() -> None:
    """The outcome of an unknown task is neither a result nor an error."""
    assert ended(returns_seven).outcome("other").kind == "nothing"


def test_what_leaves_the_weave_is_kept() -> None:
    """An exception that leaves the weave is kept as its outcome, including SystemExit."""
    outcome = ended(raises).outcome()
    assert (outcome.kind, type(outcome.error)) == ("raised", SystemExit)


def test_a_running_weave_has_not_ended() -> None:
    """wait() returns False after its time limit while the weave runs; cancel() ends the weave."""
    weave = BackgroundWeave("background", LOCAL, sleeps)
    assert not weave.wait(0.05)
    assert weave.cancel(TIMEOUT)


def test_the_seconds_of_a_weave() -> None:
    """``seconds`` is the duration of a weave that has ended."""

    def takes_its_time(w: Weave, environment: str) -> None:
        @w.do
        def task() -> None:
            time.sleep(0.05)

    assert ended(takes_its_time).outcome().seconds >= 0.05


def scripted(script: Any, runs: list[tuple[str, Mapping[str, Any]]] | None = None) -> ScriptedWeave:
    """A script that has ended."""
    seen = [] if runs is None else runs
    weave = ScriptedWeave("background", LOCAL, script, lambda *run: seen.append(run))
    assert weave.wait(TIMEOUT)
    return weave


def test_a_script_returns_a_value() -> None:
    """A script runs in the event loop of its weave, and its return value is kept."""

    async def script(remote: Remote) -> int:
        return 7

    assert scripted(script).value == 7


def test_a_script_runs_tasks() -> None:
    """A script can run a task on the worker by giving a name and a value."""

    async def script(remote: Remote) -> Any:
        return await remote("task", 7)

    assert scripted(script).value == 7


def test_a_run_of_a_script_is_reported() -> None:
    """``on_run`` is called with the name and options of each run that a script starts."""
    runs: list[tuple[str, Mapping[str, Any]]] = []

    async def script(remote: Remote) -> Any:
        return await remote("task", 7, retries=1)

    scripted(script, runs)
    assert runs == [("task", {"retries": 1})]


def test_what_a_script_raises_is_kept() -> None:
    """The exception of a script is kept for the thread of the case."""

    async def script(remote: Remote) -> None:
        raise ValueError("boom")

    assert str(scripted(script).error) == "boom"


@pytest.mark.parametrize("define", [returns_seven, raises])
def test_cancelling_a_weave_that_has_ended(define: Any) -> None:
    """cancel() returns True if the weave has already ended."""
    assert ended(define).cancel(0.0)
