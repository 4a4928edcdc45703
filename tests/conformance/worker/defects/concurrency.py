"""Workers that run one task at a time, or mix up runs that overlap."""

from __future__ import annotations

import io
import queue
import sys
import threading
from typing import Any

from tests.conformance.worker.defects.base import Hanging, flagged_by, plant
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    PlainWorker,
    Run,
)


class Serial(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.turn = threading.Lock()

    def call(self, run: Run) -> Any:
        with self.turn:
            return super().call(run)


plant(Serial, "concurrency.01", "the runs are not parallel: of 2 tasks")


plant(Serial, "concurrency.02", "the runs are not parallel: of 8 tasks")


plant(Serial, "concurrency.04", "while another task .async. runs")


class FourAtOnce(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.places = threading.Semaphore(4)

    def call(self, run: Run) -> Any:
        with self.places:
            return super().call(run)


plant(FourAtOnce, "concurrency.02", "only 4 ran at once")


@flagged_by(
    "concurrency.03", "parallel runs are mixed up: run 1 of 2 was answered with a frame of another"
)
class LastFrameCounts(PlainWorker):
    """Keeps the current frame in one attribute, where the next frame replaces it."""

    last: Frame

    def run(self, frame: Frame) -> list[Event]:
        self.last = frame
        return super().run(frame)

    def ids(self, frame: Frame) -> Event:
        return super().ids(self.last)


@flagged_by("concurrency.03", "run 2 of 2 ended, and the other was answered|runs are mixed up")
class AnswersWhoeverWaitsLongest(PlainWorker):
    """Keeps the results of all runs in one queue."""

    def __init__(self) -> None:
        super().__init__()
        self.results: queue.Queue[Event] = queue.Queue()

    def run(self, frame: Frame) -> list[Event]:
        run = Run(frame)
        threading.Thread(target=self.work, args=(run,), daemon=True).start()
        return [{**self.results.get(), **self.ids(frame)}]

    def work(self, run: Run) -> None:
        super().work(run)
        self.results.put(run.outcome)


@flagged_by("concurrency.03", r"parallel runs are mixed up: run \d+ of 40 got .*, not ")
class KeepsFortyResults(PlainWorker):
    """Keeps the results of runs in places that it uses again too early."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Any] = []

    def result(self, value: Any) -> Event:
        if len(self.runs) < 20:
            return super().result(value)
        self.values.append(value)
        return super().result(self.values[len(self.values) // 2])


@flagged_by("concurrency.03", "parallel runs are mixed up: two tasks got the arguments of run ")
class KeepsSixteenArguments(PlainWorker):
    def run(self, frame: Frame) -> list[Event]:
        if len(self.runs) > 16:
            first = next(iter(self.runs.values())).frame
            frame = {**frame, "args_pickle": first["args_pickle"]}
        return super().run(frame)


@flagged_by(
    "concurrency.03",
    r"run \d+ of 40(, which was not cancelled, ended in task_cancelled| ended while it waited)",
)
class CancelsTheOldestOfMany(PlainWorker):
    def cancel(self, frame: Frame) -> list[Event]:
        if len(self.runs) > 16:
            frame = {**frame, "run_id": next(iter(self.runs))}
        return super().cancel(frame)


@flagged_by("concurrency.03", r"the task of run \d+ of 40 had ended, and within")
class LosesAnAnswerOfMany(Hanging):
    def work(self, run: Run) -> None:
        last = len(self.runs) > 38 and run.frame["run_id"] == list(self.runs)[-1]
        super().work(Run(run.frame) if last else run)


@flagged_by("concurrency.04", "while another task .sync. runs")
class RunsNoCoroutineBesideAFunction(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.function_runs = threading.Lock()

    def call(self, run: Run) -> Any:
        with self.function_runs:
            value = self.load(run)()
        return self.await_value(run, value)


@flagged_by(
    "concurrency.04", r"a task .async. ended after others that came later, and its run: no complete"
)
class AnswersTheNewestRun(Hanging):
    newest = ""

    def run(self, frame: Frame) -> list[Event]:
        self.newest = frame["run_id"]
        events = super().run(frame)
        if frame["run_id"] != self.newest:
            self.never.wait(30)
        return events


@flagged_by("concurrency.05", "while the callable of a run is loaded: ")
class LoadsOneAtATime(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.loads = threading.Lock()

    def call(self, run: Run) -> Any:
        with self.loads:
            function = self.load(run)
        return self.await_value(run, function())


@flagged_by("concurrency.05", "while a result is pickled: ")
class PicklesOneAtATime(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.pickles = threading.Lock()

    def result(self, value: Any) -> Event:
        with self.pickles:
            return super().result(value)


@flagged_by("concurrency.06", "the answer to run . of 2 holds what run . of 2 printed")
class RedirectsTheOutputOfAll(PlainWorker):
    """Captures what tasks print as if there were only one at a time."""

    def call(self, run: Run) -> Any:
        captured = io.StringIO()
        before, sys.stdout = sys.stdout, captured
        try:
            return super().call(run)
        finally:
            sys.stdout = before
            run.frame["printed"] = captured.getvalue()

    def events(self, run: Run) -> list[Event]:
        return [{"type": "log", "message": run.frame["printed"]}, *super().events(run)]
