"""Helpers that make Wove abandon a held run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.executor.checks import authority
from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.cancels import NeverCancels
from tests.support import TIMEOUT
from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    abandon_run,
    cancels_of,
    wait_for_answer,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.context import CaseContext, Session
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.own_process import trusted_ca
from wove_http_dev.conformance.executor.waits import watch_async
from wove_http_dev.runs.records import Exchange


@pytest.fixture
def check_without_cancels() -> Iterator[CaseContext]:
    """The context of a case for an executor that sends no cancel_task."""
    subject = ExecutorUnderTest("never cancels", NeverCancels)
    with trusted_ca(authority()) as ca, Session(subject, ca).case() as check:
        yield check


def test_the_cancel_task_of_the_run_is_returned(check: CaseContext) -> None:
    """abandon_run() returns the cancel_task that names the held run."""
    worker = check.worker()
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> Exchange | None:
        return await abandon_run(check, worker, remote)

    cancel = check.run_script(worker, script)
    assert cancels_of(worker, worker.runs.last.run_id) == [cancel]


def test_a_run_that_is_given_up_as_planned_is_not_late(check: CaseContext) -> None:
    """The timeout by which abandon_run() has a run given up is no time limit of the case."""
    worker = check.worker()
    gate = worker.hold(ABANDONED)

    async def script(remote: Remote) -> None:
        async def times_out_when_held(name: str, **_: Any) -> None:
            run = asyncio.ensure_future(remote(name))
            await watch_async(lambda: bool(gate.runs), TIMEOUT)
            run.cancel()
            raise TimeoutError

        await abandon_run(check, worker, times_out_when_held)

    check.run_script(worker, script)
    assert not check.late


def test_a_missing_cancel_task_is_none(
    check_without_cancels: CaseContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """abandon_run() returns None if no cancel_task arrives in time."""
    worker = check_without_cancels.worker()
    worker.hold(ABANDONED)
    monkeypatch.setattr("wove_http_dev.conformance.executor.abandoned_runs.CANCEL_WITHIN", 0.1)

    async def script(remote: Remote) -> Exchange | None:
        return await abandon_run(check_without_cancels, worker, remote)

    assert check_without_cancels.run_script(worker, script) is None


class FirstRunIsLate(ConformingExecutor):
    """Sends its first run after the cancel_task for it, as on a busy machine."""

    late = True

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "run_task" and self.late:
            self.late = False
            self.cancelled.wait(30)
            self._abandoned.clear()
        try:
            return super().post(frame)
        finally:
            if frame["type"] == "cancel_task":
                self.cancelled.set()

    def _abandon(self, run_id: str) -> None:
        """Do nothing."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.cancelled = threading.Event()


def test_a_cancel_task_that_came_before_its_run_is_not_returned() -> None:
    """abandon_run() tries again if a run came only after the cancel_task for it."""
    subject = ExecutorUnderTest("late", FirstRunIsLate)
    with trusted_ca(authority()) as ca, Session(subject, ca).case() as check:
        worker = check.worker()
        worker.hold(ABANDONED)

        async def script(remote: Remote) -> Exchange | None:
            return await abandon_run(check, worker, remote)

        cancel = check.run_script(worker, script)
        (run,) = (run for run in worker.runs if run.run_id == cancel.run_id)
        assert run.received < cancel.received


def test_a_run_that_never_arrives_fails_the_case(check: CaseContext) -> None:
    """abandon_run() raises CaseFailed if the run never arrives at the worker."""
    worker = check.worker()
    worker.inject("refuse-connections")

    async def script(remote: Remote) -> Exchange | None:
        return await abandon_run(check, worker, remote)

    with pytest.raises(CaseFailed, match="never arrived"):
        check.run_script(worker, script)
    assert check.late


def test_an_answer_is_waited_for(check: CaseContext) -> None:
    """wait_for_answer() returns after the worker has answered the cancel_task."""
    worker = check.worker()
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> bool:
        cancel = await abandon_run(check, worker, remote)
        return cancel is not None and await wait_for_answer(cancel, 5.0)

    assert check.run_script(worker, script) is True
