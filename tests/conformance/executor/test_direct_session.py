"""An executor that a case drives without Wove's runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.support import TIMEOUT
from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.context import Session
from wove_http_dev.conformance.executor.direct_session import DirectSession, words_of
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import wait_until_async
from wove_http_dev.worker import HttpWorker


class Slow(ConformingExecutor):
    """Never stops."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


class Refuses(ConformingExecutor):
    """Sends no cancel_task, and does not stop."""

    async def _cancel(self, frame: Frame) -> None:
        raise ValueError("no cancels here")

    async def stop(self) -> None:
        raise OSError("not stopped")


class LosesItsReceiver(ConformingExecutor):
    """Hands out nothing."""

    async def recv(self) -> Frame:
        raise RuntimeError("nothing to hand out")


def driven(
    session: Session,
    executor: type[ConformingExecutor],
    use: Callable[[DirectSession, HttpWorker], Awaitable[Any]],
) -> Any:
    """Drive an executor of the class ``executor`` in the loop of a weave as ``use`` does; return
    what that returns."""
    with session.case() as check:
        worker = check.worker(tls=False)

        async def script(_: Any) -> Any:
            session.subject = ExecutorUnderTest("driven", executor)
            async with DirectSession(check, worker) as direct:
                return await use(direct, worker)

        return check.run_script(worker, script, within=TIMEOUT)


def test_a_run_has_its_result(session: Session) -> None:
    """The frames of a run are kept, the terminal one last."""

    async def use(direct: DirectSession, _: HttpWorker) -> list[str]:
        run_id = await direct.run("task", 7)
        await direct.expect_result(run_id, 7, "started")
        return [frame["type"] for frame in direct.frames if frame["run_id"] == run_id]

    assert driven(session, ConformingExecutor, use)[-1] == "task_result"


def test_a_cancel_arrives(session: Session) -> None:
    """A cancel_task is sent for the run."""

    async def use(direct: DirectSession, worker: HttpWorker) -> tuple[str, list[str | None]]:
        worker.hold("task")
        run_id = await direct.run("task")
        await direct.cancel(run_id, "given up")
        await wait_until_async(lambda: bool(frames_of(worker, "cancel_task")), TIMEOUT)
        return run_id, [frame.run_id for frame in frames_of(worker, "cancel_task")]

    run_id, cancelled = driven(session, ConformingExecutor, use)
    assert cancelled == [run_id]


def test_only_ends_of_a_run(session: Session) -> None:
    """Terminal frames are those of the run that is asked for."""

    async def use(direct: DirectSession, _: HttpWorker) -> list[int]:
        ids = [await direct.run(name) for name in ("one", "two")]
        for run_id in ids:
            await direct.expect_result(run_id, "the result", "started")
        return [len(direct.ends_of(run_id)) for run_id in ids]

    assert driven(session, ConformingExecutor, use) == [1, 1]


@pytest.mark.parametrize(("executor", "stopped"), [(ConformingExecutor, True), (Slow, False)])
def test_stop(session: Session, executor: type[ConformingExecutor], stopped: bool) -> None:
    """stop() says whether the executor's stop() has returned."""

    async def use(direct: DirectSession, _: HttpWorker) -> bool:
        return await direct.stop(TIMEOUT if stopped else 0.05)

    assert driven(session, executor, use) is stopped


def test_stop_raises_what_the_executor_raises(session: Session) -> None:
    """An exception of the executor's stop() is raised."""

    async def use(direct: DirectSession, _: HttpWorker) -> None:
        await direct.stop(TIMEOUT)

    with pytest.raises(OSError, match="not stopped"):
        driven(session, Refuses, use)


def test_a_cancel_that_raises_fails_the_case(session: Session) -> None:
    """An exception of send() for a cancel_task fails the case, which says when it came."""

    async def use(direct: DirectSession, _: HttpWorker) -> None:
        await direct.cancel("task:1", "a run was unknown")

    said = r"a run was unknown, and send\(\) raised ValueError: no cancels here"
    with pytest.raises(CaseFailed, match=said):
        driven(session, Refuses, use)


def test_a_receiver_that_raises_fails_the_case(session: Session) -> None:
    """An exception of recv() fails a case that waits for a result."""

    async def use(direct: DirectSession, _: HttpWorker) -> None:
        await direct.expect_result(await direct.run("task"), "the result", "started")

    with pytest.raises(CaseFailed, match=r"started, and recv\(\) raised RuntimeError"):
        driven(session, LosesItsReceiver, use)


def test_another_result_fails_the_case(session: Session) -> None:
    """A run that ends in another way than expected fails the case, whose message says how."""

    async def use(direct: DirectSession, worker: HttpWorker) -> None:
        worker.stub("task", error=ValueError("boom"))
        await direct.expect_result(await direct.run("task"), 7, "started")

    with pytest.raises(CaseFailed, match="started, and a run ended with task_error: 'boom'"):
        driven(session, ConformingExecutor, use)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"type": "task_result", "result": 7}, "task_result: 7"),
        ({"type": "task_error", "error": {"message": "boom"}}, "task_error: 'boom'"),
        ({"type": "task_error", "error": "boom"}, "task_error: 'boom'"),
        ({"type": "task_cancelled"}, "task_cancelled"),
    ],
)
def test_a_frame_in_words(frame: Frame, words: str) -> None:
    """A terminal frame is shown with its result or the message of its error."""
    assert words_of(frame) == words
