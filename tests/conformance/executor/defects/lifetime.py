"""Executors that wait too long or leave resources behind."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import ssl
import sys
import threading
import time
import traceback
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect, MakesItsSockets


class BlocksTheLoop(ConformingExecutor):
    """Sends requests in the event loop's thread."""

    def _in_thread(self, action: Any) -> None:
        action()


class WaitsForTerminal(ConformingExecutor):
    """Keeps waiting after an answer without a terminal frame."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        try:
            return super().read(frame, body)
        except ValueError:
            return []


class TakesNullForNoEvents(ConformingExecutor):
    """Keeps waiting after an answer whose events are null."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        return [] if b'"events": null' in body else super().read(frame, body)


class StopsWhenAllIsAnswered(ConformingExecutor):
    """Stops only after each run has its terminal frame, even if Wove has abandoned it."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.waiting: set[str] = set()

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.waiting.add(frame["run_id"])
        await super().send(frame)

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        events = super().read(frame, body)
        self.waiting.discard(frame["run_id"])
        return events

    async def stop(self) -> None:
        while self.waiting:
            await asyncio.sleep(0.01)
        await super().stop()


class WaitsForItsThreads(ConformingExecutor):
    """Stops only after each of its requests has been answered."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self.threads: list[threading.Thread] = []

    def _in_thread(self, action: Any) -> None:
        self.threads.append(threading.Thread(target=action, daemon=True))
        self.threads[-1].start()

    async def stop(self) -> None:
        while any(thread.is_alive() for thread in self.threads):
            await asyncio.sleep(0.01)

    def _abandon(self, run_id: str) -> None:
        """Do nothing: the request continues."""


class _WithoutReadTimeout(http.client.HTTPSConnection):
    def getresponse(self) -> http.client.HTTPResponse:
        sock = self.sock
        response = super().getresponse()
        sock.settimeout(None)
        return response


class TimesTheHeadOnly(ConformingExecutor):
    """Applies its timeout to the head of an answer only."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        return _WithoutReadTimeout(
            parts.hostname or "", parts.port, timeout=self._timeout, context=self._context
        )

    def deadline(self, sock: socket.socket) -> threading.Timer:
        return threading.Timer(0.0, int)  # not started


class LeavesThreads(ConformingExecutor):
    """Leaves a thread behind for each request."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        threading.Thread(target=threading.Event().wait, args=(20.0,), daemon=True).start()
        super().close(connection)


RECURSION_LIMIT = sys.getrecursionlimit()
left: list[http.client.HTTPConnection] = []
kept: list[socket.socket] = []


class LeavesConnections(ConformingExecutor):
    """Keeps its connections open and never reuses them."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        left.append(connection)


class LeavesFailedConnections(ConformingExecutor):
    """Keeps the connection of a request open that failed after it was made."""

    def close(self, connection: http.client.HTTPConnection) -> None:
        if sys.exc_info()[0] is None:
            super().close(connection)
        else:
            left.append(connection)


class LeavesFailedHandshakes(MakesItsSockets):
    """Keeps the socket open on which a TLS handshake failed."""

    def connected(self, address: Any, timeout: Any, *more: Any) -> socket.socket:
        sock = super().connected(address, timeout, *more)
        kept.append(sock.dup())
        return sock

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        for sock in kept:
            sock.close()
        kept.clear()
        return super()._answer(response)


class StartsOnce(ConformingExecutor):
    """Cannot be started again."""

    async def stop(self) -> None:
        await super().stop()
        self.start = None  # type: ignore[assignment]


class UnverifiesTheProcess(ConformingExecutor):
    """Turns certificate verification off for the whole process."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        ssl._create_default_https_context = ssl._create_unverified_context  # type: ignore[assignment]  # its point


class ChangesTheEnvironment(ConformingExecutor):
    """Sets an environment variable."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        os.environ["A_FLAWED_EXECUTOR"] = str(time.monotonic_ns())


class TurnsProxiesOff(ConformingExecutor):
    """Sets an environment variable, always to the same value."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        os.environ["A_FLAWED_EXECUTOR"] = "*"


class InstallsAnOpener(ConformingExecutor):
    """Installs an opener without proxies in urllib."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        without = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        urllib.request.install_opener(without)


class Prints(ConformingExecutor):
    """Prints what it sends."""

    async def send(self, frame: Frame) -> None:
        print("sent", frame["type"])
        await super().send(frame)


class PrintsToStderr(ConformingExecutor):
    """Prints what it sends to stderr."""

    async def send(self, frame: Frame) -> None:
        print("sent", frame["type"], file=sys.stderr)
        await super().send(frame)


class PrintsFailures(ConformingExecutor):
    """Prints the traceback of a failed request."""

    def post(self, frame: Frame) -> bytes:
        try:
            return super().post(frame)
        except Exception:
            traceback.print_exc()
            raise


class InheritsConnections(ConformingExecutor):
    """Lets child processes inherit its connections."""

    def deadline(self, sock: socket.socket) -> threading.Timer:
        sock.set_inheritable(True)
        return super().deadline(sock)


class RaisesTheRecursionLimit(ConformingExecutor):
    """Raises the recursion limit, so that deep results can be loaded."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        sys.setrecursionlimit(RECURSION_LIMIT + 1)


class SignsTheConfiguration(ConformingExecutor):
    """Collects the headers of requests in the configured dictionary."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        headers = config["environment_config"].setdefault("headers", {})
        headers["Accept"] = "application/json"


class SilencesTheLoop(ConformingExecutor):
    """Sets an exception handler in the event loop."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._loop.set_exception_handler(lambda loop, context: None)


class TakesTheDefaultPool(ConformingExecutor):
    """Makes a small pool the default one of the event loop."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        self._loop.set_default_executor(ThreadPoolExecutor(2))


class ResolvesToIpv4Only(ConformingExecutor):
    """Replaces the function that resolves names."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        original = socket.getaddrinfo
        socket.getaddrinfo = lambda *given, **named: original(*given, **named)


DEFECTS = (
    Defect(BlocksTheLoop, "time.08", "event loop was blocked"),
    Defect(WaitsForTerminal, "time.06", "without a terminal frame .* waiting for ever"),
    Defect(TakesNullForNoEvents, "time.06", r"waiting for ever \(null-events\)"),
    Defect(StopsWhenAllIsAnswered, "outcome.missing-terminal", "missing-terminal the weave hangs"),
    Defect(WaitsForItsThreads, "time.01", "had not ended"),
    Defect(TimesTheHeadOnly, "time.12", "had not ended: half of the answer arrives"),
    Defect(LeavesThreads, "time.14", r"there are \d+ more threads"),
    Defect(LeavesConnections, "time.14", r"there are \d+ more open descriptors"),
    Defect(LeavesFailedConnections, "errors.26", "have failed .* more open descriptors than"),
    Defect(LeavesFailedHandshakes, "errors.26", r"\(untrusted-ca\), and there are .* descriptors"),
    Defect(StartsOnce, "time.14", "one of several weaves in a row with one executor has"),
    Defect(UnverifiesTheProcess, "time.15", "verification of certificates was changed"),
    Defect(ChangesTheEnvironment, "time.15", "os.environ was changed"),
    Defect(TurnsProxiesOff, "time.15", "os.environ was changed"),
    Defect(InstallsAnOpener, "time.15", "urllib's opener was changed"),
    Defect(Prints, "time.15", "'sent run_task.*' was printed"),
    Defect(PrintsToStderr, "time.15", "'sent run_task.*' was printed"),
    Defect(PrintsFailures, "time.15", "Traceback .* was printed"),
    Defect(InheritsConnections, "time.34", "socket of a run is inheritable"),
    Defect(RaisesTheRecursionLimit, "time.15", "getrecursionlimit.* was changed"),
    Defect(SignsTheConfiguration, "time.15", "executor_config was changed"),
    Defect(SilencesTheLoop, "time.15", "loop's exception handler was changed"),
    Defect(TakesTheDefaultPool, "time.15", "loop's default pool was changed"),
    Defect(ResolvesToIpv4Only, "time.15", "socket.getaddrinfo was changed"),
)
