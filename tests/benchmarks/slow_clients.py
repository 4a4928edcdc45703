"""What crowds of slow clients cost an honest one: ``python -m tests.benchmarks slow-clients``.

The worker, the crowd and the honest client are three processes. Each client of the crowd opens a
connection and uses it as its kind says; when the worker ends it, the client opens another one after
``PAUSE`` seconds. The honest client runs weaves of one task, before the crowd and beside it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from wove import NetworkExecutorSecurity

from tests.support import TARGET, request_bytes, run_frame
from tests.worker_process import ROOT, RemoteAddress, WorkerProcess
from wove_http_dev.weave_outcome import WeaveOutcome, run_one_weave

CLIENTS = 1000
PAUSE = 1.0
"""Seconds before a client whose connection ended opens another one."""
TICK = 1.0
"""Seconds between two bytes of a slow head, body or reader."""
WEAVES = 60
SPACING = 0.2
"""Seconds between two weaves, so that those beside a crowd meet every phase of it."""
PATIENCE = 60.0
"""Seconds for the weaves beside one crowd. Those that do not fit are left out."""
_HEAD = {
    "X-Wove-Key": "default",
    "X-Wove-Nonce": "0" * 32,
    "X-Wove-Signature": "v1=" + "0" * 64,
}


# The honest client


def measure_slow_clients(clients: int = CLIENTS) -> None:
    """Print the table."""
    print(
        f"\nslow clients: seconds of a one-task weave over https, beside {clients} of them\n"
        f"{'crowd':16}{'median':>9}{'p95':>9}{'worst':>9}{'failed':>9}"
        f"{'alone':>10}{'worst':>9}{'ratio of medians':>18}{'of worsts':>11}   connections",
        flush=True,
    )
    for kind in KINDS:
        with WorkerProcess() as process:
            worker = process.start()
            with worker.configured() as environment:
                run_one_weave(42, environment)
                alone = _weaves(environment)
                with _crowd(kind, worker, clients) as counts:
                    beside = _weaves(environment)
        print(_row(kind, alone, beside, counts), flush=True)


def _weaves(environment: str) -> list[WeaveOutcome]:
    outcomes: list[WeaveOutcome] = []
    deadline = time.monotonic() + PATIENCE
    while len(outcomes) < WEAVES and time.monotonic() < deadline:
        outcomes.append(run_one_weave(42, environment))
        time.sleep(SPACING)
    return outcomes


def _row(
    kind: str,
    alone: Sequence[WeaveOutcome],
    beside: Sequence[WeaveOutcome],
    counts: dict[str, int],
) -> str:
    before = sorted(each.seconds for each in alone)
    after = sorted(each.seconds for each in beside)
    median, base = statistics.median(after), statistics.median(before)
    failed = [each for each in beside if each.kind != "result"]
    return (
        f"{kind:16}{median:9.4f}{after[int(len(after) * 0.95)]:9.4f}{after[-1]:9.4f}"
        f"{f'{len(failed)}/{len(beside)}':>9}{base:10.4f}{before[-1]:9.4f}"
        f"{median / base:16.1f} x{after[-1] / before[-1]:9.1f} x"
        f"   {counts['open']} open, {counts['opened']} opened"
        f"{'; ' + str(failed[0]) if failed else ''}"
    )


@contextmanager
def _crowd(kind: str, worker: RemoteAddress, clients: int) -> Iterator[dict[str, int]]:
    """Run the crowd's process; the yielded dict has its counts at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    counts: dict[str, int] = {}
    try:
        line = json.dumps([kind, worker.port, worker.ca_file, worker.secret, clients])
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        yield counts
        process.stdin.close()
        counts.update(json.loads(process.stdout.readline()))
        process.wait(10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(OSError):
            process.stdin.close()


# The crowd


@dataclass
class _Crowd:
    """Clients of one kind; how many connections are open, and how many there have been."""

    kind: str
    port: int
    secret: str
    context: ssl.SSLContext | None
    open: int = 0
    opened: int = 0

    def count(self, change: int) -> None:
        self.open += change
        self.opened += change > 0

    async def client(self) -> None:
        """Open one connection after the other."""
        while True:
            with suppress(OSError):
                await self._connection()
            await asyncio.sleep(PAUSE)

    async def _connection(self) -> None:
        with socket.socket() as sock:
            sock.setblocking(False)
            if self.kind == "slow-reader":
                # The worker's kernel then buffers little of what it cannot send.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
            if self.kind == "slow-reader":
                await self._read_slowly(sock)
            else:
                await self._write(sock)

    async def _write(self, sock: socket.socket) -> None:
        tls: dict[str, Any] = {}
        if self.context is not None:
            tls = {"ssl": self.context, "server_hostname": "localhost"}
            tls["ssl_handshake_timeout"] = 600.0
        reader, writer = await asyncio.open_connection(sock=sock, **tls)
        self.count(1)
        try:
            await WRITERS[self.kind](reader, writer)
        finally:
            self.count(-1)
            writer.transport.abort()

    async def _read_slowly(self, sock: socket.socket) -> None:
        """A signed run with a large result, of which one byte is read each tick. Not with asyncio's
        streams: they read ahead."""
        assert self.context is not None
        with self.context.wrap_socket(
            sock, server_hostname="localhost", do_handshake_on_connect=False
        ) as tls:
            await _ready(tls.do_handshake)
            self.count(1)
            try:
                tls.sendall(self._large_run())
                while await _ready(lambda: tls.recv(1)):
                    await asyncio.sleep(TICK)
            finally:
                self.count(-1)

    def _large_run(self) -> bytes:
        frame = run_frame(_large)
        security = NetworkExecutorSecurity(mode="signed", secret=self.secret)
        return request_bytes(
            security.headers_for(transport="http", target=TARGET, body=frame), frame
        )


async def _ready(operation: Callable[[], Any]) -> Any:
    while True:
        with suppress(ssl.SSLWantReadError):
            return operation()
        await asyncio.sleep(TICK / 4)


async def _until_the_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send one byte each tick until the worker ends the connection."""
    while True:
        try:
            if not await asyncio.wait_for(reader.read(65536), TICK):
                return
        except asyncio.TimeoutError:
            writer.write(b"x")


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _until_the_end(reader)


async def _half_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    hello = _client_hello()
    writer.write(hello[: len(hello) // 2])
    await _until_the_end(reader)


async def _slow_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /wove/tasks HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    await _drip(reader, writer)


async def _slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Credentials of which only the signature is wrong: it cannot be checked before the end."""
    headers = {**_HEAD, "X-Wove-Timestamp": str(time.time()), "Content-Length": str(2**20)}
    writer.write(request_bytes(headers))
    await _drip(reader, writer)


async def _idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One refused request, and no second one."""
    writer.write(request_bytes({"Connection": ""}, method="GET"))
    await _until_the_end(reader)


WRITERS = {
    "silent": _silent,
    "half-handshake": _half_handshake,
    "slow-head": _slow_head,
    "slow-body": _slow_body,
    "idle": _idle,
}
KINDS = (*WRITERS, "slow-reader")
_WITHOUT_TLS = ("silent", "half-handshake")


def _large() -> bytes:
    return bytes(2**18)


@functools.cache
def _client_hello() -> bytes:
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


async def _be_a_crowd(kind: str, port: int, ca_file: str, secret: str, clients: int) -> None:
    context = None if kind in _WITHOUT_TLS else ssl.create_default_context(cafile=ca_file)
    crowd = _Crowd(kind, port, secret, context)
    _tasks = [asyncio.create_task(crowd.client()) for _ in range(clients)]
    deadline = time.monotonic() + 5.0
    while crowd.open < clients and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"open": crowd.open, "opened": crowd.opened}), flush=True)
    os._exit(0)  # the kernel ends the connections sooner than asyncio does


if __name__ == "__main__":
    asyncio.run(_be_a_crowd(*json.loads(sys.stdin.readline())))
