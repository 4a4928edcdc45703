"""Runs and cancels through a worker in front of an upstream service, with faults of all families:
``python -m tests.soak upstream``.

Both journals must agree on what ran and how often. Upstream is an isolated worker, so that
whatever this process unpickles was unpickled by the worker in front.
"""

from __future__ import annotations

import base64
import pickle
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.runners.upstreams import options_in_front_of
from tests.support import (
    MODES,
    HttpResponse,
    cancel_frame,
    connect,
    parse_responses,
    run_frame,
    signed_bytes,
)
from tests.worker_process import process_figures
from wove_http_dev.faults import FAULTS, Fault
from wove_http_dev.runners.upstream import UpstreamRunner
from wove_http_dev.runs.forwarding import ABANDONED, UpstreamLeg
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.records import FINISHED, Exchange, Run
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

CLIENTS = 8
PATIENCE = 30.0
"""Seconds for an answer where nothing delays it, and for all runs to end."""
STALLED = 0.5
"""Seconds for an answer that a fault may stall."""
LONGEST = 0.06
"""Seconds that a body takes at most, and after which a client cancels or hangs up at the latest."""
LARGE = 2**20
RST = struct.pack("ii", 1, 0)
CHANGES_RESULTS = ("events", "response", "wire")
"""The stages whose faults may change the result that a client gets."""


@dataclass(frozen=True)
class _Plan:
    """What one client does, all of it drawn from the seed and the number of the run."""

    number: int
    coroutine: bool
    large: bool
    fails: bool
    seconds: float
    then: str
    """What the client does after it has sent the run: ``wait``, ``hang up``, or a cancel mode."""
    after: float
    fault: type[Fault] | None

    @property
    def name(self) -> str:
        return f"task-{self.number}"

    @property
    def result(self) -> str:
        return f"{self.name:16}" * (LARGE // 16 if self.large else 1)


def _plan(number: int, seed: int, usable: list[type[Fault]]) -> _Plan:
    rng = random.Random(f"{seed}-{number}")
    return _Plan(
        number,
        coroutine=rng.random() < 0.5,
        large=rng.random() < 0.15,
        fails=rng.random() < 0.15,
        seconds=rng.choice([0.0, rng.random() * LONGEST]),
        then=rng.choices(["wait", "hang up", *MODES], [4, 1, 1.5, 1.5])[0],
        after=rng.random() * LONGEST,
        fault=rng.choice(usable) if rng.random() < 0.5 else None,
    )


def _body(plan: _Plan, log: str) -> Callable[[], Any]:
    name, repeated, seconds = f"{plan.name:16}", len(plan.result) // 16, plan.seconds

    class PlannedError(Exception):
        pass

    def result() -> str:
        if fails:
            raise PlannedError(name)
        return name * repeated

    def began() -> None:
        import os

        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, f"{name}\n".encode())
        os.close(descriptor)

    def sync() -> str:
        import time

        began()
        time.sleep(seconds)
        return result()

    async def coroutine() -> str:
        import asyncio

        began()
        await asyncio.sleep(seconds)
        return result()

    fails = plan.fails
    return coroutine if plan.coroutine else sync


class _Watcher(JournalObserver):
    """Keeps what a journal forgets when it has grown large."""

    def __init__(self) -> None:
        self.runs: defaultdict[str, list[Run]] = defaultdict(list)
        self.legs: defaultdict[str, list[UpstreamLeg]] = defaultdict(list)
        self.failures: list[str] = []

    def run_added(self, run: Run) -> None:
        self.runs[run.run_id].append(run)

    def exchange_closed(self, exchange: Exchange) -> None:
        if exchange.frame_type == "run_task":
            self.legs[exchange.run_id or ""] += exchange.upstream
        if exchange.internal_error:
            self.failures.append(exchange.line())

    def executions(self, run_id: str) -> int:
        return sum(run.executions for run in self.runs.get(run_id, []))

    def states(self, run_id: str) -> set[str]:
        return {run.state for run in self.runs.get(run_id, [])}

    def open(self) -> int:
        runs = [run for each in list(self.runs.values()) for run in each]
        return sum(run.state not in FINISHED for run in runs)


class _Soak:
    def __init__(self, front: HttpWorker, seed: int, log: Path) -> None:
        self._front = front
        self._log = str(log)
        self._seed = seed
        self._usable = [kind for kind in FAULTS.values() if front.why_not(kind()) is None]
        self.answers: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.crashes = 0
        self.done = threading.Event()

    def once(self, number: int) -> None:
        """Be the client of one run."""
        plan = _plan(number, self._seed, self._usable)
        with ExitStack() as stack:
            injection = None
            if plan.fault is not None:
                selected: dict[str, Any] = {"task": plan.name}
                if plan.fault.stage == "connection":  # it has no task yet
                    selected = {} if plan.fault.listener else {"times": 1}
                injection = stack.enter_context(self._front.inject(plan.fault(), **selected))
            what = self._converse(plan)
        if injection is not None:
            self.hits[injection.faults[0].stage] += injection.hits > 0
        self.answers[f"{plan.then}: {what}"] += 1

    def _converse(self, plan: _Plan) -> str:
        run_id = f"run-{plan.number}"
        frame = run_frame(_body(plan, self._log), task=plan.name, run_id=run_id)
        try:
            with self._connected(plan) as sock:
                sock.settimeout(PATIENCE if plan.fault is None else STALLED)
                with suppress(ConnectionError):  # it may have answered
                    sock.sendall(signed_bytes(self._front, frame))
                if plan.then != "wait":
                    time.sleep(plan.after)
                if plan.then == "hang up":
                    if plan.number % 2:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                    return "hung up"
                if plan.then in MODES:
                    self._cancel(plan, run_id)
                return self._judged(plan, run_id, _read(sock))
        except (OSError, ValueError) as exc:  # SSLError is an OSError
            return type(exc).__name__

    def _connected(self, plan: _Plan) -> socket.socket:
        """A connection; while the fault of another run keeps the worker down, wait."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return connect(self._front)
            except ConnectionRefusedError:
                own = plan.fault is not None and plan.fault.listener
                if own or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _cancel(self, plan: _Plan, run_id: str) -> None:
        frame = cancel_frame(run_id, mode=plan.then, task=plan.name)
        with suppress(OSError), connect(self._front) as sock:
            sock.settimeout(PATIENCE if plan.fault is None else STALLED)
            sock.sendall(signed_bytes(self._front, frame))
            _read(sock)

    def _judged(self, plan: _Plan, run_id: str, data: bytes) -> str:
        """What the client got, in a few words."""
        (response,) = parse_responses(data)
        if plan.fault is not None and plan.fault.stage in CHANGES_RESULTS:
            return f"{response.status}, changed"
        if response.status != 200:
            return f"{response.status} {_code(response)}"
        last = response.events[-1]
        expected = "task_error" if plan.fails else "task_result"
        allowed = {expected} if plan.then == "wait" else {expected, "task_cancelled"}
        if plan.fault is not None and plan.fault.name == "task-cancelled":
            allowed = {"task_cancelled"}
        if (last["run_id"], last["task_id"]) != (run_id, plan.name):
            self.wrong["an answer to another run"] += 1
        elif last["type"] not in allowed and not _stopped(last):
            self.wrong[f"{last['type']} instead of {expected}"] += 1
        elif last["type"] == "task_result":
            payload = base64.b64encode(pickle.dumps(plan.result)).decode()
            self.wrong["another result"] += last["result_pickle"] != payload
        return f"200 {last['type']}"

    def keep_running(self) -> None:
        """Start the worker in front again whenever a fault has crashed it."""
        while not self.done.wait(0.005):
            if not self._front.running:
                self.crashes += 1
                self._front.start()


def _read(sock: socket.socket) -> bytes:
    data = b""
    while chunk := sock.recv(2**18):
        data += chunk
    return data


def _code(response: HttpResponse) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(response.document["code"])
    return ""


def _stopped(event: dict[str, Any]) -> bool:
    """Whether a run ended because a fault crashed the worker in front."""
    return b"WorkerStopped" in base64.b64decode(event.get("error_pickle", ""))


def soak_upstream(runs: int, seed: int) -> list[str]:
    """Run and cancel, print what came of it, and return what must not have."""
    looked_up: Counter[str] = Counter()
    watching = threading.Event()

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class" and watching.is_set():
            looked_up[".".join(map(str, arguments))] += 1

    sys.addaudithook(audit)
    ours, theirs = _Watcher(), _Watcher()
    with CertificateAuthority() as ca, tempfile.NamedTemporaryFile() as file:
        log = Path(file.name)
        _warm_up(ca)
        before = process_figures()
        with HttpWorker(ca=ca, isolated=True, strict=False, environment="upstream") as upstream:
            upstream.journal.observe(theirs)
            words = options_in_front_of(upstream)
            with HttpWorker(ca=ca, inspected=True, strict=False, **words) as front:
                front.journal.observe(ours)
                watching.set()
                begin = time.monotonic()
                soak = _run_all(front, runs, seed, log)
                seconds = time.monotonic() - begin
                settled = _settle(ours, theirs)
                watching.clear()
            left = _left_in_pool(front)
        after = process_figures()
        began = Counter(log.read_text().split())
    wrong = [f"{count} x {what}" for what, count in soak.wrong.items() if count]
    wrong += left + settled
    print(f"{runs} runs in {seconds:.0f} s, seed {seed}; crashes of the worker: {soak.crashes}")
    print("answers: " + _listed(soak.answers))
    print(f"faults that hit, by stage: {_listed(soak.hits)}")
    wrong += _compared(ours, theirs, began)
    for what in ("threads", "descriptors"):
        print(f"{what}: {before[what]} before, {after[what]} after")
        if after[what] > before[what]:
            wrong.append(f"{after[what] - before[what]} {what} left")
    if looked_up:
        wrong.append(f"unpickled in front of upstream: {_listed(looked_up)}")
    wrong += [f"the service itself failed: {line}" for line in ours.failures[:5]]
    return wrong


def _warm_up(ca: CertificateAuthority) -> None:
    """Open what stays open in a process that has run workers."""
    for isolated in (True, False):
        with HttpWorker(ca=ca, isolated=isolated, strict=False):
            pass


def _run_all(front: HttpWorker, runs: int, seed: int, log: Path) -> _Soak:
    soak = _Soak(front, seed, log)
    keeper = threading.Thread(target=soak.keep_running)
    keeper.start()
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(soak.once, range(runs)):
                pass
    finally:
        soak.done.set()
        keeper.join()
    return soak


def _settle(*watchers: _Watcher) -> list[str]:
    """Wait until every run has ended; return a line for each journal where some have not."""
    deadline = time.monotonic() + PATIENCE
    while any(watcher.open() for watcher in watchers) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"{watcher.open()} runs have not ended" for watcher in watchers if watcher.open()]


def _left_in_pool(front: HttpWorker) -> list[str]:
    assert isinstance(front._runner, UpstreamRunner)
    pool = front._runner._connections
    left = {"kept connections": len(pool._idle), "open requests": len(pool._attempts)}
    return [f"{count} {what} left" for what, count in left.items() if count]


def _compared(ours: _Watcher, theirs: _Watcher, began: Counter[str]) -> list[str]:
    """Print how often tasks ran as the journals say, and return where they disagree with each
    other, or with how often the bodies ``began``."""
    agreed: Counter[int] = Counter()
    explained: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for run_id in sorted({*ours.runs, *theirs.runs}):
        here, there = ours.executions(run_id), theirs.executions(run_id)
        legs = ours.legs[run_id]
        ran = began[run_id.replace("run", "task")]
        if ran != there:
            wrong[f"ran {ran} times, and {there} times as upstream's journal says"] += 1
        codes.update(leg.code or f"{leg.status}" for leg in legs)
        if here == there:
            agreed[here] += 1
        elif why := _explanation(here, there, legs, theirs.states(run_id)):
            explained[why] += 1
        else:
            states = f"{ours.states(run_id)}, upstream {theirs.states(run_id)}"
            wrong[f"ran {here} times, upstream {there} times ({states})"] += 1
    legs = [leg for each in ours.legs.values() for leg in each]
    reused = sum(leg.reused for leg in legs)
    print(f"requests to upstream: {len(legs)}, {reused} on a kept connection; {_listed(codes)}")
    print(f"agreed, by how often it ran: {_listed(agreed)}; explained: {_listed(explained)}")
    return [f"{count} x {what}" for what, count in wrong.items()] + _unexplained(codes)


def _explanation(here: int, there: int, legs: list[UpstreamLeg], states: set[str]) -> str:
    """Why upstream may have run a task less often than this worker can know."""
    if there < here and "cancelled" in states:
        return "cancelled at upstream before it began"
    if there < here and any(leg.code == ABANDONED for leg in legs):
        return "crashed while upstream had not answered"
    return ""


def _unexplained(codes: Iterable[str]) -> list[str]:
    allowed = {"200", ABANDONED}
    return [f"a request to upstream ended with {code}" for code in codes if code not in allowed]


def _listed(counts: Counter[Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
