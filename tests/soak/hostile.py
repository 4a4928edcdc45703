"""Hostile requests by the million against three workers of one process, and what must not come of
them: ``python -m tests.soak hostile``.

A fifth of the client's connections are https, the rest http with signatures or a bearer token. The
clients are two processes; what they send is in ``mutations``.
"""

from __future__ import annotations

import json
import random
import re
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.soak.mutations import ACCEPTED, MAX_BODY, REFUSED, Attempt, Mutator, weighted
from tests.soak.recording import Recorded, record_requests
from tests.worker_process import ROOT, RemoteAddress, WorkerProcess
from wove_http_dev.weave_outcome import run_one_weave

WORKERS: dict[str, dict[str, Any]] = {
    "http-signed": {"tls": False, "security": "signed"},
    "http-bearer": {"tls": False, "security": "bearer"},
    "https-signed": {"tls": True, "security": "signed"},
}
SHARES = {"http-signed": 0.5, "http-bearer": 0.3, "https-signed": 0.2}
PATIENCE = 10.0
"""Seconds for the answer to a request whose client has closed its sending direction."""
WEAVES = 60
SETTLED = 15.0
"""Seconds for the threads and descriptors of ended connections to go."""
NONCE_SIZE = 320
"""Bytes that a remembered nonce takes."""
NONCE_BLOCKS = 3
"""Memory blocks of a remembered nonce: digest, time, tuple."""
JOURNAL_BYTES = 16 * 2**20
"""What the journal of each worker keeps: less than usual, so that it is full early."""
JUDGED = 100_000
"""Requests from which on memory is judged: the journals are full after a tenth of them."""
GROWTH = 24 * 2**20
"""Bytes that the process may grow from a tenth of the requests to the last, beside the nonces."""
BLOCKS = 50_000
"""Memory blocks that may be in use after ``reset()`` and were not before."""
RST = struct.pack("ii", 1, 0)


def soak_hostile(requests: int, seed: int, clients: int) -> list[str]:
    """Send the requests, print what came of them, and return what must not have."""
    wrong: list[str] = []
    recorded = record_requests()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stderr = stack.enter_context((directory / "stderr").open("w+b"))
        process = stack.enter_context(WorkerProcess(stderr=stderr))
        empty = process.figures()
        workers = {
            name: process.start(max_body=MAX_BODY, journal_bytes=JOURNAL_BYTES, **options)
            for name, options in WORKERS.items()
        }
        names = {name: stack.enter_context(each.configured()) for name, each in workers.items()}
        for environment in names.values():
            run_one_weave(42, environment)
        _teach(workers["http-bearer"], recorded)
        process.ask("stop_learning")
        started = process.figures()
        tallies, samples, seconds = _send_all(
            process, workers, recorded, requests, seed, clients, directory / "canary"
        )
        times = _compared(names)
        process.ask("reset")
        full = process.figures()
        process.ask("stop")
        ended = _settled(process, empty)
        stderr.seek(0)
        said = stderr.read().decode("utf-8", "replace")
        canary = (directory / "canary").exists()
    print(f"{requests} requests in {seconds:.0f} s ({requests / seconds:.0f}/s), seed {seed}")
    print("answers: " + _listed(tallies["statuses"]))
    print("expected: " + _listed(tallies["expected"]))
    print("journal: " + _listed(full["codes"]))
    for what, figures in (
        ("no worker", empty),
        ("before", started),
        *samples.items(),
        ("reset", full),
        ("stopped", ended),
    ):
        print(f"{what + ':':11}{_figures(figures)}")
    for name, (fresh, after) in times.items():
        print(
            f"honest weave afterwards, {name}: {after * 1000:.2f} ms;"
            f" with fresh workers: {fresh * 1000:.2f} ms ({after / fresh:.2f} x)"
        )
        if after > 2 * fresh:
            wrong.append(f"an honest weave over {name} takes {after / fresh:.1f} x as long")
    wrong += [f"{count} x {what}" for what, count in tallies["wrong"].items()]
    if full["foreign"] or canary:
        wrong.append(f"unpickled before acceptance: {full['foreign'] or 'the canary'}")
    wrong += [f"the service itself failed: {line}" for line in full["failures"][:5]]
    if said:
        wrong.append(f"stderr of the workers' process:\n{said[:3000]}")
    for what in ("threads", "descriptors"):
        if ended[what] > empty[what]:
            wrong.append(f"{ended[what] - empty[what]} {what} left")
    wrong += _growth({**samples, "before": started}, full)
    return wrong


def _growth(samples: dict[str, dict[str, Any]], full: dict[str, Any]) -> list[str]:
    before, first, last = samples["before"], samples["10 %"], samples["100 %"]
    if not first["full"]:
        print(f"memory: not judged with fewer than {JUDGED} requests")
        return []
    nonces = last["nonces"] - first["nonces"]
    growth = last["resident"] - first["resident"] - nonces * NONCE_SIZE
    blocks = full["blocks"] - before["blocks"] - full["nonces"] * NONCE_BLOCKS
    print(
        f"memory beside the nonces: {growth / 2**20:+.0f} MiB from 10 % to 100 %;"
        f" {blocks:+} blocks in use after reset()"
    )
    wrong = []
    if growth > GROWTH:
        wrong.append(f"memory grew by {growth / 2**20:.0f} MiB")
    if blocks > BLOCKS:
        wrong.append(f"{blocks} blocks of memory are in use after reset()")
    return wrong


def _listed(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name or '-'} {count}" for name, count in ordered)


def _figures(figures: dict[str, Any]) -> str:
    return (
        f"{figures['resident'] / 2**20:.0f} MiB, {figures['threads']} threads,"
        f" {figures['descriptors']} descriptors, {figures['nonces']} nonces,"
        f" {figures['journals'] / 2**20:.0f} MiB in journals"
    )


def _compared(names: dict[str, str]) -> dict[str, tuple[float, float]]:
    """The median seconds of a weave over each worker, the first with fresh workers, measured in
    turn."""
    times = {}
    with ExitStack() as stack:
        process = stack.enter_context(WorkerProcess())
        for name, environment in names.items():
            worker = process.start(**WORKERS[name])
            fresh = stack.enter_context(worker.configured())
            run_one_weave(42, fresh)
            pairs = [(_weave(fresh), _weave(environment)) for _ in range(WEAVES)]
            medians = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
            times[name] = (next(medians), next(medians))
    return times


def _weave(environment: str) -> float:
    outcome = run_one_weave(42, environment)
    outcome.result()
    return outcome.seconds


def _teach(worker: RemoteAddress, recorded: list[Recorded]) -> None:
    """Run the recorded frames once, and one that fails, so that what unpickling them looks up is
    known."""
    mutator = Mutator(
        random.Random(0), recorded, secret=worker.secret, security="bearer", canary=""
    )
    failing = [
        Recorded(
            each.headers, {name: each.frame[name] for name in each.frame if name != "args_pickle"}
        )
        for each in recorded
    ]
    with socket.create_connection(("127.0.0.1", worker.port)) as sock:
        for each in [*recorded, *failing]:
            _answer(sock, mutator.right_request(each))


def _settled(process: WorkerProcess, empty: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + SETTLED
    while True:
        figures = process.figures()
        left = any(figures[what] > empty[what] for what in ("threads", "descriptors"))
        if not left or time.monotonic() > deadline:
            return figures
        time.sleep(0.2)


def _send_all(
    process: WorkerProcess,
    workers: dict[str, RemoteAddress],
    recorded: list[Recorded],
    requests: int,
    seed: int,
    clients: int,
    canary: Path,
) -> tuple[dict[str, Counter[str]], dict[str, dict[str, Any]], float]:
    """Run the client processes. Returns their counts, the worker process's figures at three points,
    and the seconds it took."""
    done = [0] * clients
    tallies: dict[str, Counter[str]] = {
        "statuses": Counter(),
        "expected": Counter(),
        "wrong": Counter(),
    }
    problems: list[str] = []

    def follow(index: int, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            message = json.loads(line)
            if isinstance(message, int):
                done[index] = message
                continue
            for name, counts in message.items():
                tallies[name].update(counts)
        if child.wait():
            problems.append(f"client {index} ended with {child.returncode}")

    begin = time.monotonic()
    children, threads = [], []
    plan = {
        "workers": {name: vars(each) for name, each in workers.items()},
        "recorded": [[each.headers, each.frame] for each in recorded],
        "canary": str(canary),
    }
    for index in range(clients):
        child = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        share = requests // clients + (index < requests % clients)
        line = json.dumps({**plan, "requests": share, "seed": f"{seed}-{index}"})
        child.stdin.write(line.encode() + b"\n")
        child.stdin.close()
        children.append(child)
        threads.append(threading.Thread(target=follow, args=(index, child)))
        threads[-1].start()
    samples: dict[str, dict[str, Any]] = {}
    try:
        for point, part in (("10 %", 0.1), ("50 %", 0.5), ("100 %", 1.0)):
            while sum(done) < requests * part and any(each.is_alive() for each in threads):
                time.sleep(0.2)
            samples[point] = {**process.figures(), "full": requests >= JUDGED}
            print(f"{point}, {time.monotonic() - begin:.0f} s", flush=True)
        for thread in threads:
            thread.join()
    finally:
        for child in children:
            child.kill()
            child.wait()
    if problems:
        raise RuntimeError("; ".join(problems))
    return tallies, samples, time.monotonic() - begin


# In a client's process


class _Client:
    """Sends hostile requests to one worker, and judges the answers."""

    def __init__(self, name: str, worker: dict[str, Any], mutator: Mutator, tally: Any) -> None:
        self._name = name
        self._port = worker["port"]
        self._context = (
            ssl.create_default_context(cafile=worker["ca_file"]) if worker["ca_file"] else None
        )
        self._mutator = mutator
        self._tally = tally
        self._kept: socket.socket | None = None

    def once(self, random: random.Random) -> None:
        """Send one request and count what came of it."""
        attempt = self._mutator.attempt()
        leaves = not attempt.whole and random.random() < 0.1
        try:
            statuses = self._send(attempt, leaves)
        except TimeoutError:
            statuses = ["stalled"]
        except (ConnectionError, ssl.SSLError):
            statuses = ["reset"]
        self._tally["statuses"].update(statuses)
        self._tally["expected"][attempt.expected] += 1
        if leaves:
            return
        if problem := _problem(attempt, statuses):
            self._tally["wrong"][f"{problem} ({self._name}: {attempt.what})"] += 1

    def _send(self, attempt: Attempt, leaves: bool) -> list[str]:
        if attempt.whole and self._kept is not None:
            sock, self._kept = self._kept, None
            with suppress(ConnectionError, ssl.SSLError, EOFError):
                return self._converse(sock, attempt)
        sock = self._connect()
        if attempt.whole:
            return self._converse(sock, attempt)
        with sock:
            with suppress(ConnectionError, ssl.SSLError):  # refused before it was all sent
                for piece in attempt.pieces:
                    sock.sendall(piece)
            if leaves:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                return ["left"]
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_WR)  # below TLS
            return statuses_in(_read_to_end(sock)) or ["closed"]

    def _converse(self, sock: socket.socket, attempt: Attempt) -> list[str]:
        """Send a whole request and read one answer; keep the connection if the worker does."""
        try:
            status, open_ = _answer(sock, attempt)
        except BaseException:
            sock.close()
            raise
        if open_:
            self._kept = sock
        else:
            sock.close()
        return [status]

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            return sock
        try:
            return self._context.wrap_socket(sock, server_hostname="localhost")
        except BaseException:
            sock.close()
            raise


def _problem(attempt: Attempt, statuses: list[str]) -> str:
    if "stalled" in statuses:
        return "no answer in time"
    if any(status.startswith("5") for status in statuses):
        return f"status {statuses}"
    if attempt.expected == REFUSED and any(status.startswith("2") for status in statuses):
        return "a forged request was accepted"
    if attempt.expected == ACCEPTED and statuses != ["200"]:
        return f"an honest request was answered {statuses}"
    return ""


def _answer(sock: socket.socket, attempt: Attempt) -> tuple[str, bool]:
    """Send ``attempt``; return the status of its answer, and whether the connection stays open."""
    for piece in attempt.pieces:
        sock.sendall(piece)
    data = b""
    while True:
        chunk = sock.recv(65536)
        if not chunk:
            raise EOFError
        data += chunk
        head, end, rest = data.partition(b"\r\n\r\n")
        if end and len(rest) >= _length(head):
            return head[9:12].decode("latin-1"), b"\r\nconnection: close" not in head.lower()


_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def statuses_in(data: bytes) -> list[str]:
    """The status of each final answer in ``data``, all that came back on one connection."""
    statuses: list[str] = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            return [*statuses, "no-http"]
        if head[9:10] != b"1":
            statuses.append(head[9:12].decode("latin-1"))
            rest = rest[_length(head) :]
        data = rest
    return statuses


def _read_to_end(sock: socket.socket) -> bytes:
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except (ConnectionError, ssl.SSLError):
        if not data:
            raise
    return data


def _be_a_client(plan: dict[str, Any]) -> None:
    rng = random.Random(plan["seed"])
    tally = {"statuses": Counter[str](), "expected": Counter[str](), "wrong": Counter[str]()}
    recorded = [
        Recorded([(n, v) for n, v in headers], frame) for headers, frame in plan["recorded"]
    ]
    clients = {}
    for name, worker in plan["workers"].items():
        mutator = Mutator(
            rng,
            recorded,
            secret=worker["secret"],
            security=worker["security"],
            canary=plan["canary"],
        )
        clients[name] = _Client(name, worker, mutator, tally)
    for number in range(plan["requests"]):
        clients[weighted(rng, SHARES)].once(rng)
        if number % 1000 == 999:
            print(number + 1, flush=True)
    print(plan["requests"], flush=True)
    print(json.dumps(tally), flush=True)


if __name__ == "__main__":
    _be_a_client(json.loads(sys.stdin.readline()))
