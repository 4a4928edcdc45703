"""Changes to Wove's own configuration, and restoring it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import wove
from wove.runtime import runtime

from tests.support import MakeWorker, answer, process_state, weave_one
from wove_http_dev.client import wove_config
from wove_http_dev.worker import HttpWorker


def timeout_inside(*workers: HttpWorker) -> Any:
    with ExitStack() as stack:
        for one in workers:
            stack.enter_context(one.configured())
        return runtime.global_defaults["delivery_timeout"]


def test_wove_config_inside_is_undone(worker: HttpWorker) -> None:
    """Changes that a test makes to Wove's configuration are undone with the worker's."""
    before = process_state()
    with worker.configured():
        wove.config(
            default_environment="mine",
            environments={"mine": {"executor": "local"}},
            max_workers=7,
            retries=3,
        )
    assert process_state() == before


def test_existing_environment_is_restored(worker: HttpWorker) -> None:
    """An environment of the same name is replaced and then restored."""
    with wove_config.preserved():
        wove.config(environments={"workers": {"executor": "local", "retries": 2}})
        with worker.configured():
            pass
        assert runtime.environments["workers"] == {"executor": "local", "retries": 2}


def test_global_delivery_timeout_is_set(make_worker: MakeWorker) -> None:
    """If no global delivery timeout was set, the worker's is used."""
    assert timeout_inside(make_worker(delivery_timeout=3.5)) == 3.5


def test_global_delivery_timeout_of_the_user_stays(make_worker: MakeWorker) -> None:
    """A global delivery timeout that was set before is not changed."""
    with wove_config.preserved():
        wove.config(delivery_timeout=99.0)
        assert timeout_inside(make_worker(delivery_timeout=3.5)) == 99.0


@pytest.mark.parametrize("timeouts", [(2.0, 5.0), (5.0, 2.0)])
def test_largest_delivery_timeout_wins(
    make_worker: MakeWorker, timeouts: tuple[float, float]
) -> None:
    """Of several workers' delivery timeouts the largest is set."""
    workers = [make_worker(delivery_timeout=t, environment=f"w{t:g}") for t in timeouts]
    assert timeout_inside(*workers) == 5.0


def test_delivery_timeout_may_be_left_out(make_worker: MakeWorker) -> None:
    """With ``delivery_timeout=None`` the global one stays unset."""
    assert timeout_inside(make_worker(delivery_timeout=None)) is None


class TestDefaultEnvironment:
    """The option ``default``."""

    def test_a_task_without_an_environment(self, make_worker: MakeWorker) -> None:
        """A task without ``environment=`` runs on the worker."""
        worker = make_worker(default=True)
        with worker.configured():
            weave_one(answer, environment=None)
        worker.assert_ran("answer", times=1)

    def test_it_is_restored(self, make_worker: MakeWorker) -> None:
        """After the block the default environment is that from before."""
        with wove_config.preserved():
            with make_worker(default=True).configured():
                inside = runtime.default_environment
            assert (inside, runtime.default_environment) == ("workers", "default")

    def test_another_one_that_is_set_inside_stays(self, make_worker: MakeWorker) -> None:
        """A default environment that is set meanwhile is kept, until everything is restored."""
        with wove_config.preserved():
            with make_worker(default=True).configured():
                runtime.default_environment = "mine"
            assert runtime.default_environment == "mine"

    def test_not_without_the_option(self, worker: HttpWorker) -> None:
        """Without the option the default environment stays as it is."""
        with worker.configured():
            assert runtime.default_environment == "default"
