"""Workers that cannot do two things at once, or not for long."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import pickle
import queue
import socket
import threading
import time
from typing import Any

from tests.conformance.worker.defects.base import flagged_by, plant
from tests.conformance.worker.plain_worker import Event, Frame, Handler, PlainWorker, Run, hang_up


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


@flagged_by("concurrency.03", "parallel runs are mixed up: run 1 of 2 was answered with another's")
class LastFrameCounts(PlainWorker):
    """Keeps the frame where the next one overwrites it."""

    last: Frame

    def run(self, frame: Frame) -> list[Event]:
        self.last = frame
        return super().run(frame)

    def ids(self, frame: Frame) -> Event:
        return super().ids(self.last)


@flagged_by("concurrency.03", "run 2 of 2 ended, and the other was answered|runs are mixed up")
class AnswersWhoeverWaitsLongest(PlainWorker):
    """Keeps results in one queue for all."""

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


@flagged_by("limits.01", "deeply nested JSON: the connection was closed")
class DiesOfDepth(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except RecursionError as exc:
            raise RuntimeError from exc


class Mortal(PlainWorker):
    """Hangs up on everybody once it was hurt."""

    dead = False

    def serve(self, handler: Handler) -> None:
        if self.dead:
            hang_up(handler)
        else:
            super().serve(handler)


@flagged_by("limits.02", "after an oversized request head, the next task did not run")
class DiesOfLargeHeads(Mortal):
    def rejects(self, code: int) -> None:
        self.dead = True


@flagged_by("limits.03", "after a request that was cut off, the next task did not run")
class DiesOfHalfRequests(Mortal):
    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        self.dead = len(body) < int(handler.headers["Content-Length"])
        return body


@flagged_by("limits.04", "after a client that disconnected, the next task did not run")
class DiesOfClientsThatLeave(Mortal):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        with contextlib.suppress(OSError):
            handler.connection.settimeout(0.05)
            self.dead = not handler.connection.recv(1, socket.MSG_PEEK)
        super().write(handler, status, document)


@flagged_by("limits.05", "the run_task POST: the connection was closed")
class DiesOfTheFiftiethRun(Mortal):
    served = 0

    def run(self, frame: Frame) -> list[Event]:
        self.served += 1
        self.dead = self.served > 50
        return super().run(frame)


class GrowingNonces(PlainWorker):
    """Takes 0.1 ms for every nonce it remembers; asleep, so that no load hides it."""

    def check_nonce(self, nonce: str) -> None:
        super().check_nonce(nonce)
        time.sleep(len(self.nonces) * 1e-4)


plant(GrowingNonces, "limits.06", "its time grows with the nonces remembered")


@flagged_by("concurrency.03", "a wrong value: run 4 of 16 got 1003, not 3")
class Miscounts(PlainWorker):
    def result(self, value: Any) -> Event:
        return super().result(1000 + value if type(value) is int and value > 2 else value)


@flagged_by(
    "limits.04", "after a client that reset its connection in the middle of an answer, the ne"
)
class DiesOfBrokenPipes(Mortal):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        try:
            super().write(handler, status, document)
            handler.wfile.flush()
        except OSError:
            self.dead = True


class Hoards(PlainWorker):
    """Keeps something of every run."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.kept: list[Any] = []

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thing in self.kept:
            thing.close()
        super().__exit__()


@flagged_by("limits.07", r"the worker's open files grow with its runs: .* after \d+ sync runs")
class KeepsFilesOpen(Hoards):
    def call(self, run: Run) -> Any:
        self.kept.append(socket.socket())
        return super().call(run)


@flagged_by("limits.07", r"the worker's threads grow with its runs: .* after \d+ sync runs")
class KeepsThreads(Hoards):
    def call(self, run: Run) -> Any:
        threading.Thread(target=self.over.wait, args=(30,), daemon=True).start()
        return super().call(run)


@flagged_by("limits.07", r"the worker's open files grow with its runs: .* after \d+ async runs")
class KeepsLoops(Hoards):
    def call(self, run: Run) -> Any:
        value = pickle.loads(run.frame["callable_pickle"])(**pickle.loads(run.frame["args_pickle"]))
        if not inspect.isawaitable(value):
            return value
        self.kept.append(asyncio.new_event_loop())
        return self.kept[-1].run_until_complete(self.drive(run, value))
