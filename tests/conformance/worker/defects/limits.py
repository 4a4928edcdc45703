"""Workers that stop serving after a bad request, or keep resources of each run."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import pickle
import socket
import threading
from typing import Any

from tests.conformance.worker.defects.base import Hanging, RewritesHeads, flagged_by
from tests.conformance.worker.defects.transport import ReadsChunks
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Run,
    hang_up,
)


@flagged_by("limits.01", "deeply nested JSON: the connection was closed")
class DiesOfDepth(PlainWorker):
    def decode(self, body: bytes) -> Frame:
        try:
            return super().decode(body)
        except RecursionError as exc:
            raise RuntimeError from exc


class Mortal(PlainWorker):
    """Closes every connection without an answer once ``dead`` is set."""

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


@flagged_by("limits.14", "a head of 20 MB was not refused as too large: HTTP 401")
class ReadsAnyHead(RewritesHeads):
    """Reads a head to its end, however large it is, and then looks at the first headers."""

    def rewritten(self, lines: list[bytes]) -> list[bytes]:
        return lines[:50]


@flagged_by("limits.14", "a header of 20 MB was not refused as too large: HTTP 401")
class ReadsAnyLine(RewritesHeads):
    """Refuses more lines than a hundred, and reads each to its end, however long it is."""

    def rewritten(self, lines: list[bytes]) -> list[bytes]:
        return [line for line in lines if len(line) < 65536]


@flagged_by("limits.15", "128 MiB of a body without credentials were sent, and the service waits")
class ReadsAnyBody(PlainWorker):
    limit = 2**50

    def read(self, handler: Handler) -> bytes:
        left, body = int(handler.headers["Content-Length"]), b""
        while left > 0 and (piece := handler.rfile.read1(min(left, 2**20))):
            left, body = left - len(piece), (body + piece)[: 2**20]  # a test needs no such memory
        return body


@flagged_by("limits.03", "after a request that was cut off, the next task did not run")
class DiesOfHalfRequests(Mortal):
    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        self.dead = len(body) < int(handler.headers["Content-Length"])
        return body


@flagged_by("limits.11", "after a request that claims to have 1 TiB, the next task did not run")
class ReservesWhatIsClaimed(Mortal):
    def refuse_large(self, handler: Handler) -> None:
        self.dead = True
        hang_up(handler)


@flagged_by(
    "limits.12", r"Content-Length \d+: the connection was closed without an answer; its cli"
)
class DropsLargeBodies(PlainWorker):
    def refuse_large(self, handler: Handler) -> None:
        hang_up(handler)


@flagged_by("limits.12", "was answered with HTTP 500 .*MemoryError.*, before its body was sent")
class TakesTheBlameForLargeBodies(PlainWorker):
    def refuse_large(self, handler: Handler) -> None:
        handler.close_connection = True
        self.write(handler, 500, {"error": "MemoryError"})


@flagged_by("limits.12", "was answered with HTTP 200 .*, before its body was sent")
class SaysYesToLargeBodies(PlainWorker):
    def refuse_large(self, handler: Handler) -> None:
        handler.close_connection = True
        self.write(handler, 200, {"events": []})


@flagged_by(
    "limits.13", "Content-Length of 16777217 is refused, and as many bytes in chunks were read, "
)
class TakesAnyNumberOfChunks(ReadsChunks):
    """Has a limit for Content-Length only."""

    limit = 16 * 2**20


@flagged_by(
    "limits.13", "Content-Length of 67108865 is refused, and as many bytes in chunks were re"
)
class ReservesAChunk(ReadsChunks):
    """Has no memory for a chunk of 1 TiB, and takes every other one."""

    def chunk(self, handler: Handler, size: int) -> bytes:
        if size > 2**32:
            raise MemoryError
        return super().chunk(handler, size)


@flagged_by("limits.04", "after a client that disconnected, the next task did not run")
class DiesOfClientsThatLeave(Mortal):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        with contextlib.suppress(OSError):
            handler.connection.settimeout(0.05)
            self.dead = not handler.connection.recv(1, socket.MSG_PEEK)
        super().write(handler, status, document)


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


@flagged_by("limits.05", "the run_task POST: the connection was closed")
class DiesOfTheFiftiethRun(Mortal):
    served = 0

    def run(self, frame: Frame) -> list[Event]:
        self.served += 1
        self.dead = self.served > 50
        return super().run(frame)


@flagged_by("limits.06", "slower .processor time. after .* its time grows with the number of")
class ForgetsByLookingAtAll(PlainWorker):
    """Goes through all remembered nonces, as Wove's own verification does, forty times."""

    def check_nonce(self, nonce: str) -> None:
        for _ in range(40):
            for seen in list(self.nonces):
                if seen == "":
                    self.nonces.discard(seen)
        super().check_nonce(nonce)


@flagged_by("limits.06", "slower .processor time of an accepted request. after")
class ForgetsWhenItRemembers(PlainWorker):
    """Goes through all remembered nonces, a hundred times, with each request that it accepts."""

    def check_nonce(self, nonce: str) -> None:
        super().check_nonce(nonce)
        for _ in range(100):
            for seen in list(self.nonces):
                if seen == "":
                    self.nonces.discard(seen)


class Hoards(PlainWorker):
    """A base class for workers that keep resources of every run."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.kept: list[Any] = []

    def keep(self, thing: Any) -> None:
        with self.lock:  # a run whose client has gone may still start when the worker ends
            if not self.over.is_set():
                self.kept.append(thing)
                return
        thing.close()

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.over.set()
        for thing in self.kept:
            thing.close()
        super().__exit__()


@flagged_by("limits.07", r"the worker's open files grow with its runs: .* after \d+ sync runs")
class KeepsFilesOpen(Hoards):
    def call(self, run: Run) -> Any:
        self.keep(socket.socket())
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
        loop = asyncio.new_event_loop()
        self.keep(loop)
        return loop.run_until_complete(self.drive(run, value))


@flagged_by("limits.07", r"threads grow with its runs: .* failed runs")
class KeepsAThreadForEachFailure(Hanging):
    def error(self, exc: BaseException) -> Event:
        threading.Thread(target=self.never.wait, args=(30,), daemon=True).start()
        return super().error(exc)


@flagged_by("limits.07", r"threads grow with its requests: .* refused requests")
class KeepsAThreadForEachRefusal(Hanging):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        threading.Thread(target=self.never.wait, args=(30,), daemon=True).start()
        super().refuse(handler, error)


@flagged_by("limits.07", r"the worker's threads grow with its requests: .* cut off requests")
class KeepsAThreadForEachHalfRequest(Hanging):
    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        if len(body) < int(handler.headers["Content-Length"]):
            self.never.wait(30)
        return body


@flagged_by("limits.07", r"the worker's threads grow with its runs: .* cancelled runs")
class KeepsAThreadForEachCancel(Hanging):
    def stop(self, run: Run) -> None:
        threading.Thread(target=self.never.wait, args=(30,), daemon=True).start()
        super().stop(run)
