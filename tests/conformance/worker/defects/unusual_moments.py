"""Workers that do not expect a cancel_task at every moment, or twice."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import time
from typing import Any

from tests.conformance.worker.defects.base import (
    KnowsWhatIsLoaded,
    KnowsWhatReturned,
    flagged_by,
    plant,
)
from tests.conformance.worker.defects.cancel import SaysTwoThings
from tests.conformance.worker.plain_worker import Event, Frame, Handler, PlainWorker, Run


@flagged_by("cancel.01", r"a best_effort cancel_task: no complete answer within \S+ s")
class WaitsForCoroutines(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        run = self.runs.get(frame["run_id"])
        if run is not None and run.task is not None:
            self.stop(run)
            run.ended.wait(30)
        return super().cancel(frame)


@flagged_by(
    "cancel.03", r"a function that returned a coroutine still ran \S+ s after its cancel_ta"
)
class CancelsCoroutineFunctions(PlainWorker):
    def call(self, run: Run) -> Any:
        function = pickle.loads(run.frame["callable_pickle"])
        value = function(**pickle.loads(run.frame["args_pickle"]))
        if not inspect.isawaitable(value):
            return value
        known = inspect.iscoroutinefunction(function)
        return asyncio.run(self.drive(run if known else Run(run.frame), value))


class Loads(KnowsWhatIsLoaded):
    """A base class for workers that treat a cancel_task for a run that is loaded in a way of their
    own."""

    def cancel(self, frame: Frame) -> list[Event]:
        run = self.runs.get(frame["run_id"])
        if run is not None and frame["run_id"] not in self.loaded:
            return self.cancel_early(run, frame)
        return super().cancel(frame)

    def cancel_early(self, run: Run, frame: Frame) -> list[Event]:
        raise NotImplementedError


@flagged_by("cancel.15", "while the callable of its run loaded, the run_task POST was not answered")
class DropsRunsThatWereCancelledEarly(Loads):
    def cancel_early(self, run: Run, frame: Frame) -> list[Event]:
        run.cancelled = True
        return []

    def work(self, run: Run) -> None:
        dropped = Run(run.frame)
        super().work(dropped)
        if not run.cancelled:
            run.settle(dropped.outcome)
            run.ended.set()


@flagged_by("cancel.15", "task_cancelled while the .* of the run loaded, and then its body ran")
class AcknowledgesWhatHasNotBegun(Loads):
    def cancel_early(self, run: Run, frame: Frame) -> list[Event]:
        run.cancelled = True
        run.settle({"type": "task_cancelled"})
        return [{"type": "task_cancelled", **self.ids(frame)}]


@flagged_by(
    "cancel.20", "a best_effort cancel_task while the argument of .* was lost: the task run"
)
class ForgetsCancelsOfRunsThatLoad(Loads):
    def cancel_early(self, run: Run, frame: Frame) -> list[Event]:
        return []


@flagged_by("cancel.20", r"its run .sync. loaded was answered, and afterwards the task started")
class StartsWhatWasCancelled(PlainWorker):
    def call(self, run: Run) -> Any:
        return self.await_value(run, self.load(run)())


@flagged_by("cancel.16", "was pickled: the cancel_task was answered with 'task_cancelled', and the")
class AcknowledgesWhatHasEnded(KnowsWhatReturned):
    def cancel(self, frame: Frame) -> list[Event]:
        run = self.runs.get(frame["run_id"])
        if run is not None and frame["run_id"] in self.returned:
            return [{"type": "task_cancelled", **self.ids(frame)}]
        return super().cancel(frame)


@flagged_by(
    "cancel.17", "for an async task that then returns a value, the run ended in 'task_error"
)
class ExpectsThatCancelledTasksRaise(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        return super().cancel({**frame, "delivery_cancel_mode": "require_ack"})

    def work(self, run: Run) -> None:
        try:
            event = self.result(self.call(run))
            if run.cancelled:
                event = self.error(RuntimeError("a cancelled task returned"))
        except BaseException as exc:
            event = self.error(exc)
        run.settle(event)
        run.ended.set()


plant(SaysTwoThings, "cancel.17", "require_ack.* returns a value: the cancel_task was answered wit")


@flagged_by("cancel.18", "a cancel_task made the service fail: HTTP 500")
class CancelsOnce(PlainWorker):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        run = self.runs.get(frame["run_id"])
        if run is not None and run.cancelled:
            self.write(handler, 500, {})
        else:
            super().answer_cancel(handler, frame)


@flagged_by("cancel.18", r"for a sync task: the cancel_task was not answered: no complete answer")
class KeepsOneCancel(PlainWorker):
    """Answers a cancel_task for a run that is already cancelled only after half a minute."""

    def cancel(self, frame: Frame) -> list[Event]:
        run = self.runs.get(frame["run_id"])
        if run is not None and run.cancelled and run.loop is None:
            time.sleep(30)
        return super().cancel(frame)


@flagged_by("cancel.19", "cancel_task came before it was answered without a terminal frame")
class DropsRunsWhoseCancelCameFirst(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.early: set[str] = set()

    def cancel(self, frame: Frame) -> list[Event]:
        self.early.add(frame["run_id"])
        return super().cancel(frame)

    def events(self, run: Run) -> list[Event]:
        return [] if run.frame["run_id"] in self.early else super().events(run)


@flagged_by("cancel.19", "a run whose best_effort cancel_task came before it ended in task_error: ")
class RefusesRunsWhoseCancelCameFirst(DropsRunsWhoseCancelCameFirst):
    def events(self, run: Run) -> list[Event]:
        return super().events(run) or [self.error(RuntimeError("cancelled"))]
