"""Time limits that are shortened for a block, seen through Wove's real executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import wove
from wove.environment import ExecutorRuntime

from wove_http_dev.client.time_limits import TimeLimits, shortened
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.weave_outcome import run_one_weave

SHORT = TimeLimits(600.0, 0.3)
"""Only the limit of a delivery is short: on a busy machine a request, too, may take 0.3 s."""


def message(**words: Any) -> str:
    """How a weave of one task ends."""
    return str(run_one_weave(1, **words))


def test_the_executors_limit(wove_http_worker_factory: WorkerFactory) -> None:
    """A request without an answer ends when the shorter limit does."""
    wove_http_worker_factory(timeout=600.0, delivery_timeout=600.0).inject("hang")
    with shortened(TimeLimits(0.2, 600.0)):
        assert "timed out" in message()


def test_the_limit_of_a_delivery(wove_http_worker_factory: WorkerFactory) -> None:
    """So does a delivery without an outcome."""
    wove_http_worker_factory(timeout=600.0, delivery_timeout=600.0).inject("missing-terminal")
    with shortened(SHORT):
        assert "(0.3s)" in message()


def test_the_limit_of_a_task(wove_http_worker_factory: WorkerFactory) -> None:
    """A task's own limit is shortened too."""
    wove_http_worker_factory(timeout=600.0, delivery_timeout=600.0).inject("missing-terminal")
    with shortened(SHORT):
        assert "(0.3s)" in message(delivery_timeout=500.0)


def test_a_limit_of_the_application(wove_http_worker_factory: WorkerFactory) -> None:
    """So is one that the application sets while the block runs."""
    worker = wove_http_worker_factory(timeout=600.0, delivery_timeout=600.0)
    worker.inject("missing-terminal")
    with shortened(SHORT):
        wove.config(environments={worker.environment: {"delivery_timeout": 400.0}})
        assert "(0.3s)" in message()


def test_a_shorter_limit_stays(wove_http_worker_factory: WorkerFactory) -> None:
    """A limit that is shorter already is kept."""
    wove_http_worker_factory(timeout=600.0, delivery_timeout=0.25).inject("missing-terminal")
    with shortened(SHORT):
        assert "(0.25s)" in message()


def test_kept_environments(wove_http_worker_factory: WorkerFactory) -> None:
    """An environment in ``kept`` has its own limits."""
    wove_http_worker_factory(timeout=600.0, delivery_timeout=0.4).inject("missing-terminal")
    with shortened(SHORT, kept=["workers"]):
        assert "(0.4s)" in message()


def test_no_limit_stays_none(wove_http_worker_factory: WorkerFactory) -> None:
    """Where there is no limit, none is set: an application without one must be found."""
    seen: list[Any] = []

    def note(original: Callable[..., Any]) -> Callable[..., Any]:
        async def noting(self: Any, *, task_info: Any, **words: Any) -> Any:
            seen.append(task_info["delivery_timeout"])
            return await original(self, task_info=task_info, **words)

        return noting

    wove_http_worker_factory(timeout=None, delivery_timeout=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExecutorRuntime, "run_task", note(ExecutorRuntime.run_task))
        with shortened(SHORT):
            run_one_weave(1)
    assert set(seen) == {None}


def test_restored() -> None:
    """After the block Wove has its own methods."""
    before = ExecutorRuntime.run_task, ExecutorRuntime.ensure_environment
    with shortened(SHORT):
        pass
    assert (ExecutorRuntime.run_task, ExecutorRuntime.ensure_environment) == before


def test_a_later_patch_is_kept() -> None:
    """A method that other code has replaced meanwhile stays."""
    later: Any = object()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExecutorRuntime, "run_task", ExecutorRuntime.run_task)  # what it restores
        with shortened(SHORT):
            patch.setattr(ExecutorRuntime, "run_task", later)
        assert ExecutorRuntime.run_task is later
