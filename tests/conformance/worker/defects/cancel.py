"""Workers that cancel wrongly, or acknowledge a cancel_task before the task has stopped."""

from __future__ import annotations

import threading

from tests.conformance.worker.defects.base import Hanging, flagged_by, plant
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Run,
)


class NeverAnswersCancel(Hanging):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        self.never.wait(30)


plant(NeverAnswersCancel, "cancel.01", "a best_effort cancel_task: no complete answer")


plant(NeverAnswersCancel, "cancel.04", "a best_effort cancel_task: no complete answer")


@flagged_by("cancel.01", "the answer to the cancel_task does not hold event frames")
class AnswersOk(PlainWorker):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        self.cancel(frame)
        self.write(handler, 200, "ok")


@flagged_by("cancel.02", "was answered without a terminal frame")
class ForgetsCancelledRuns(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [{"type": "task_started"}] if run.cancelled else super().events(run)


@flagged_by("cancel.02", "two terminal frames .'task_cancelled', 'task_result'.")
@flagged_by("cancel.08", "two terminal frames .'task_cancelled', 'task_result'.")
class ResultsAfterCancelling(PlainWorker):
    def events(self, run: Run) -> list[Event]:
        return [*super().events(run), *([self.result(None)] if run.cancelled else [])]


@flagged_by("cancel.03", r"an async task still ran \S+ s after its cancel_task")
@flagged_by("cancel.08", "did not stop an async task")
class IgnoresCancels(PlainWorker):
    grace = 0.05

    def stop(self, run: Run) -> None:
        return


@flagged_by("cancel.04", "made the service fail: HTTP 500")
class UnknownRunIs500(PlainWorker):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        if frame["run_id"] not in self.runs:
            self.write(handler, 500, {})
        else:
            super().answer_cancel(handler, frame)


@flagged_by("cancel.05", "had finished was acknowledged as cancelled")
class AcknowledgesEverything(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        super().cancel(frame)
        return [{"type": "task_cancelled", **self.ids(frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the cancel_task")
@flagged_by("cancel.07", "require_ack was answered before the task had stopped: the cancel_task")
class AcknowledgesEarly(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        return [{"type": "task_cancelled", **self.ids(run.frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the cancel_task")
class AcknowledgesAfterAGrace(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        run.ended.wait(1.0)
        return [{"type": "task_cancelled", **self.ids(run.frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the cancel_task")
class AcknowledgesAfterALongGrace(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        run.ended.wait(0.9)  # longer than EARLY at the quickest pace
        return [{"type": "task_cancelled", **self.ids(run.frame)}]


@flagged_by("cancel.06", "require_ack was answered before the task had stopped: the run_task")
class SettlesEarly(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        run.settle({"type": "task_cancelled"})
        return []


@flagged_by("cancel.06", "before the task had stopped: the second cancel_task POST says")
@flagged_by("cancel.07", "before the task had stopped: the second cancel_task POST says")
class AcknowledgesTheSecondTime(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        run = self.runs.get(frame["run_id"])
        if run is not None and run.cancelled:
            return [{"type": "task_cancelled", **self.ids(frame)}]
        return super().cancel(frame)


@flagged_by("cancel.06", "answered with 'task_error'.*, and the run ended in 'task_cancelled'")
@flagged_by("cancel.07", "answered with 'task_error'.*, and the run ended in 'task_cancelled'")
class AcknowledgesWithAnError(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        error = {**self.error(TimeoutError("still running")), **self.ids(run.frame)}
        return super().acknowledge(run) or [error]


@flagged_by(
    "cancel.21", r"\(sync\) that runs on was not answered within \S+ s, as if it waited for "
)
class WaitsForTheEnd(PlainWorker):
    grace = 30


@flagged_by(
    "cancel.21", r"\(async\) that runs on was not answered within \S+ s, as if it waited for"
)
class WaitsForTheEndOfCoroutines(PlainWorker):
    def acknowledge(self, run: Run) -> list[Event]:
        run.ended.wait(30 if run.task is not None else 0)
        return super().acknowledge(run)


@flagged_by("cancel.21", r"\(sync\) that runs on was answered with HTTP 409")
class RefusesWhatDoesNotStop(PlainWorker):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        run, events = self.runs.get(frame["run_id"]), self.cancel(frame)
        late = run is not None and not run.ended.is_set()
        self.write(handler, 409 if late else 200, self.shape(events))


@flagged_by("cancel.22", "best_effort cancel_task for a run that never existed was .* HTTP 404")
class UnknownRunIs404(PlainWorker):
    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        if frame["run_id"] not in self.runs:
            self.write(handler, 404, {"error": "no such run"})
        else:
            super().answer_cancel(handler, frame)


@flagged_by("cancel.22", "a best_effort cancel_task for a finished run was answered with HTTP 410")
class FinishedRunIs410(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()

    def answer_run(self, handler: Handler, frame: Frame) -> None:
        self.known.add(frame["run_id"])
        super().answer_run(handler, frame)

    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        if frame["run_id"] in self.known and frame["run_id"] not in self.runs:
            self.write(handler, 410, {})
        else:
            super().answer_cancel(handler, frame)


@flagged_by("cancel.22", "cancel_task for a r.* was answered with HTTP 409")
class CancelledRunIs409(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def answer_cancel(self, handler: Handler, frame: Frame) -> None:
        run_id = frame["run_id"]
        if run_id in self.asked and frame["delivery_cancel_mode"] == "require_ack":
            self.write(handler, 409, {})
        elif run_id in self.runs:
            self.asked.add(run_id)
            super().answer_cancel(handler, frame)
        else:
            self.write(handler, 200, self.shape([]))


@flagged_by("cancel.08", "answered with task_cancelled, and the run_task with 'task_error'")
class SaysTwoThings(PlainWorker):
    def work(self, run: Run) -> None:
        try:
            event = self.result(self.call(run))
        except BaseException as exc:
            event = self.error(exc)
        run.settle(event)
        run.ended.set()

    def acknowledge(self, run: Run) -> list[Event]:
        ended = run.ended.wait(self.grace)
        return [{"type": "task_cancelled", **self.ids(run.frame)}] if ended else []


@flagged_by("cancel.09", "cancel_task for .* (stopped the other|ended another)")
class CancelsEverything(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        for run in list(self.runs.values()):
            self.stop(run)
            run.settle({"type": "task_cancelled"})
        return []


@flagged_by("cancel.09", "the newer one of two runs stopped the other")
class CancelsTheOldest(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        known = frame["run_id"] in self.runs
        oldest = next(iter(self.runs), "") if known else frame["run_id"]
        return super().cancel({**frame, "run_id": oldest})


@flagged_by(
    "cancel.10", "a cancel_task without run_id made the service fail|closed without an answer"
)
class MalformedCancelKills(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except KeyError as exc:
            raise RuntimeError from exc


@flagged_by("cancel.11", "a best_effort cancel_task was answered after .* s, as if it waited")
class WaitsForTheTask(PlainWorker):
    grace = 0.9

    def cancel(self, frame: Frame) -> list[Event]:
        return super().cancel({**frame, "delivery_cancel_mode": "require_ack"})


@flagged_by("cancel.12", "run_id without its last letter stopped a run")
class CancelsByTheBeginning(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        found = [run_id for run_id in self.runs if run_id.startswith(frame["run_id"])]
        return super().cancel({**frame, "run_id": (*found, frame["run_id"])[0]})


@flagged_by("cancel.13", "answered with 'task_result', and the run ended in 'task_cancelled'")
class AnswersCancelsWithResults(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        known = frame["run_id"] in self.runs
        super().cancel({**frame, "delivery_cancel_mode": "best_effort"})
        return [{**self.result(None), **self.ids(frame)}] if known else []


@flagged_by("cancel.14", "while 8 tasks ran, a cancel_task was not answered")
class HasEightHands(PlainWorker):
    number = 8

    def __init__(self) -> None:
        super().__init__()
        self.hands = threading.Semaphore(self.number)

    def serve(self, handler: Handler) -> None:
        with self.hands:
            super().serve(handler)


@flagged_by(
    "cancel.09", "while two tasks ran, a cancel_task for one of them was not answered: .*left"
)
class HasTwoHands(HasEightHands):
    """Serves two requests at a time, like two processes that do one thing each."""

    number = 2
