"""Workers that run one task at a time, or mix up runs that overlap."""

from __future__ import annotations

import queue
import threading
from typing import Any

from tests.conformance.worker.defects.base import flagged_by, plant
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


plant(Serial, "concurrency.04", "while another task runs")


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


@flagged_by("concurrency.03", "a wrong value: run 4 of 16 got 1003, not 3")
class Miscounts(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(1000 + value if type(value) is int and value > 2 else value)
