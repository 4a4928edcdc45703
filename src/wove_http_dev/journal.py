"""What the worker saw: one :class:`Exchange` per request, and per connection that never became
one; one :class:`Run` per ``run_task`` that was let in.

Bounded by count and by payload bytes, safe between threads, waitable. Secrets are redacted as they
enter; payloads stay pickle bytes until the test asks. This room decides nothing.
"""

from __future__ import annotations

import fnmatch
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, overload

from wove_http_dev.auth import Verdict
from wove_http_dev.errors import PayloadDroppedError, UsageError, WaitTimeoutError
from wove_http_dev.frames import loads
from wove_http_dev.runner import Outcome

EXCHANGE_LIMIT = 10_000
PAYLOAD_LIMIT = 64 * 2**20
FINISHED = ("succeeded", "failed", "cancelled", "lost")
STATES = ("received", "held", "running", *FINISHED, "finished")
_KIND_STATE = {"result": "succeeded", "error": "failed", "cancelled": "cancelled"}
_PRIVATE_HEADER = re.compile(r"auth|cookie|token|secret|passw|credential|api-?key", re.IGNORECASE)
REDACTED = "[redacted]"


@dataclass
class Exchange:
    """One request and its answer, or one connection that never became a request.

    Times are seconds since the epoch (``received``) or seconds (``duration``).
    """

    number: int
    received: float
    duration: float | None = None
    kind: str = "request"
    """``request``, or ``connection`` for one that failed before a request was whole."""
    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body_size: int = 0
    frame_type: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    seed: bool = False
    accepted: bool | None = None
    """The authentication verdict; ``None`` if it never came to one."""
    refusal: str = ""
    verdict: Verdict | None = None
    """The authentication verdict, its ladder of steps included."""
    status: int | None = None
    """The HTTP status answered; ``None`` if none was."""
    faults: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    """The types of the event frames sent, in order."""
    error: str = ""
    """What ended it early, in words."""
    blames_us: bool = False
    """Whether the service itself failed (strict mode reports it)."""
    certificate_rejected: bool = False
    """Whether the client broke the handshake off over our certificate."""

    @property
    def unasked(self) -> bool:
        """Whether strict mode minds: refused, rejected or failed, and no fault asked for it."""
        return self.blames_us or (
            bool(self.refusal or self.certificate_rejected) and not self.faults
        )

    def line(self) -> str:
        """One line for a report or a log."""
        what = self.frame_type or (f"{self.method} {self.target}".strip() or self.kind)
        parts = [f"#{self.number}", what]
        if self.task_id:
            parts.append(self.task_id + (" (seed)" if self.seed else ""))
        if self.run_id:
            parts.append(self.run_id.rpartition(":")[2][:8])
        parts.append("->")
        parts.append(str(self.status) if self.status is not None else "no answer")
        if self.events:
            parts.append("+".join(self.events))
        if self.refusal:
            parts.append(f"refused: {self.refusal}")
        if self.verdict is not None and self.verdict.hint:
            parts.append(f"({self.verdict.hint})")
        if self.error and self.error != self.refusal:
            parts.append(self.error)
        if self.faults:
            parts.append(f"[fault: {', '.join(self.faults)}]")
        if self.duration is not None:
            parts.append(f"{self.duration * 1000:.1f} ms")
        return " ".join(parts)


class Run:
    """One ``run_task`` that was let in. ``args``, ``result`` and ``error`` decode on access."""

    def __init__(
        self,
        run_id: str,
        task_id: str,
        *,
        delivery: Mapping[str, Any],
        seed: bool,
        args_pickle: bytes,
        received: float,
    ) -> None:
        self.run_id = run_id
        self.task_id = task_id
        self.delivery = delivery
        self.seed = seed
        self.state = "received"
        self.received = received
        self.started: float | None = None
        self.finished: float | None = None
        self.cancel_requested = False
        self.executions = 0
        """How often its body was started (0: stubbed, refused, or cancelled before)."""
        self.abandoned = False
        """Whether an answer was given while the body still ran."""
        self.faults: list[str] = []
        self._args_pickle: bytes | None = args_pickle
        self._outcome: Outcome | None = None
        self._result_dropped = False

    def __repr__(self) -> str:
        return f"<Run {self.task_id} {self.run_id.rpartition(':')[2][:8]} {self.state}>"

    @property
    def args_pickle(self) -> bytes:
        """The arguments as they were sent, pickle bytes; empty once they were let go."""
        return self._args_pickle or b""

    @property
    def args(self) -> dict[str, Any]:
        """The keyword arguments of the call."""
        if self._args_pickle is None:
            raise PayloadDroppedError(f"{self!r}: its arguments were let go by the journal's limit")
        arguments: dict[str, Any] = loads(self._args_pickle)
        return arguments

    @property
    def result(self) -> Any:
        """What the task returned. Raises :class:`UsageError` if it did not return."""
        if self.state != "succeeded":
            raise UsageError(f"{self!r} has no result: it is {self.state}")
        if self._result_dropped:
            raise PayloadDroppedError(f"{self!r}: its result was let go by the journal's limit")
        if self._outcome is None or self._outcome.result_pickle is None:
            raise UsageError(f"{self!r} has no result: a stub answered with event frames")
        return loads(self._outcome.result_pickle)

    @property
    def error(self) -> BaseException | None:
        """What the task raised, as Wove would raise it; ``None`` unless it failed."""
        if self.state != "failed" or self._outcome is None:
            return None
        if self._outcome.exception_pickle is not None:
            exception: BaseException = loads(self._outcome.exception_pickle)
            return exception
        from wove.environment import EnvironmentExecutionError

        return EnvironmentExecutionError(dict(self._outcome.error or {}))

    @property
    def duration(self) -> float | None:
        """Seconds from the start of the body to its outcome."""
        if self.started is None or self.finished is None:
            return None
        return self.finished - self.started

    def _size(self) -> int:
        outcome = self._outcome
        if outcome is None:
            return len(self._args_pickle or b"")
        told = str((outcome.error or {}).get("traceback", ""))
        payloads = (self._args_pickle, outcome.result_pickle, outcome.exception_pickle)
        return sum(len(payload or b"") for payload in payloads) + len(told)

    def _drop_payloads(self) -> None:
        self._args_pickle = None
        outcome = self._outcome
        if outcome is None:
            return
        self._result_dropped = outcome.result_pickle is not None
        # Of an error the kind and the message stay: a test can still tell what it was.
        kept = {key: value for key, value in (outcome.error or {}).items() if key != "traceback"}
        self._outcome = Outcome(outcome.kind, error=kept or None)


class RunLog(Sequence[Run]):
    """Runs in order of arrival. ``runs["name"]`` are those of a task (name or glob)."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = tuple(runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice | str) -> RunLog: ...
    def __getitem__(self, index: int | slice | str) -> Run | RunLog:
        if isinstance(index, str):
            return RunLog([run for run in self._runs if matches_task(index, run.task_id)])
        if isinstance(index, slice):
            return RunLog(self._runs[index])
        return self._runs[index]

    @property
    def last(self) -> Run:
        """The newest run. Raises :class:`LookupError` if there is none."""
        if not self._runs:
            raise LookupError("no run has arrived")
        return self._runs[-1]

    def __repr__(self) -> str:
        return f"<runs: {', '.join(map(repr, self._runs)) or 'none'}>"


@lru_cache(maxsize=256)
def _is_private(header: str) -> bool:
    return _PRIVATE_HEADER.search(header) is not None


def matches_task(pattern: str | None, task_id: str | None) -> bool:
    """Whether a task's name fits ``pattern``: a name, a glob, or ``None`` for every task."""
    if pattern is None or pattern == task_id:
        return True
    return task_id is not None and fnmatch.fnmatchcase(task_id, pattern)


class Journal:
    """Keeps the newest exchanges and runs. ``secrets`` are never stored, wherever they appear."""

    def __init__(
        self,
        *,
        exchange_limit: int = EXCHANGE_LIMIT,
        payload_limit: int = PAYLOAD_LIMIT,
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._payload_limit = payload_limit
        self._secrets = tuple(secret for secret in secrets if secret)
        self._changed = threading.Condition(threading.RLock())
        self._exchanges: deque[Exchange] = deque(maxlen=exchange_limit)
        self._runs: deque[Run] = deque(maxlen=exchange_limit)
        self._known: set[Run] = set()
        self._holding: OrderedDict[Run, int] = OrderedDict()
        self._payload_bytes = 0
        self._forgotten = 0
        self._unasked: deque[Exchange] = deque(maxlen=100)
        self._count = 0
        self._waiting = 0
        self.observer: Callable[[Exchange], None] | None = None
        """Called with every exchange once it is over; what it raises is the caller's problem."""

    def open(self, kind: str = "request") -> Exchange:
        """A new exchange, in the journal from now on."""
        with self._changed:
            self._count += 1
            exchange = Exchange(number=self._count, received=self._clock(), kind=kind)
            self._exchanges.append(exchange)
        return exchange

    def record_headers(self, exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
        """Store ``headers`` on ``exchange`` without what is nobody's business."""
        exchange.headers = [(name, self._redact(name, value)) for name, value in headers]

    def clean(self, text: str) -> str:
        """``text`` without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text

    def _redact(self, name: str, value: str) -> str:
        if _is_private(name) or any(secret in value for secret in self._secrets):
            return REDACTED
        return value

    def update(self, exchange: Exchange) -> None:
        """``exchange`` has an answer, which is about to be written."""
        self._mind(exchange)  # now: whoever reads the answer may ask for `unasked` at once

    def _mind(self, exchange: Exchange) -> None:
        if not exchange.unasked or exchange.number <= self._forgotten:
            return
        if not any(known is exchange for known in self._unasked):
            self._unasked.append(exchange)

    def close(self, exchange: Exchange) -> None:
        """The exchange is over: its duration stands, waiters look again."""
        exchange.duration = self._clock() - exchange.received
        self._mind(exchange)
        self.notify()
        if self.observer is not None:
            self.observer(exchange)

    def add_run(self, run: Run) -> None:
        """Enter a run."""
        with self._changed:
            if len(self._runs) == self._runs.maxlen:
                self._known.discard(self._runs[0])
                self._payload_bytes -= self._holding.pop(self._runs[0], 0)
            self._runs.append(run)
            self._known.add(run)
            self._keep(run)
            self.notify()

    def change(self, run: Run, state: str) -> None:
        """``run`` is now ``held`` or ``running``; ignored once it has finished."""
        with self._changed:
            if run.state in FINISHED:
                return
            run.state = state
            if state == "running" and run.started is None:
                run.started = self._clock()
            self.notify()

    def finish(self, run: Run, outcome: Outcome) -> None:
        """``run`` has its outcome; the first one stands."""
        with self._changed:
            if run.state in FINISHED:
                return
            run._outcome = outcome
            run.finished = self._clock()
            run.state = _KIND_STATE[outcome.kind]
            self._keep(run)
            self.notify()

    def lose(self, run: Run) -> None:
        """``run`` was let in and then refused, or lost with its worker, before an outcome."""
        with self._changed:
            if run.state not in FINISHED:
                run.state = "lost"
                run.finished = self._clock()
                self.notify()

    def _keep(self, run: Run) -> None:
        if run not in self._known:  # forgotten meanwhile
            return
        size = run._size()
        self._payload_bytes += size - self._holding.pop(run, 0)
        self._holding[run] = size
        while self._payload_bytes > self._payload_limit and len(self._holding) > 1:
            oldest, freed = self._holding.popitem(last=False)
            self._payload_bytes -= freed
            oldest._drop_payloads()

    def notify(self) -> None:
        """Let waiters look again."""
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges kept, oldest first."""
        with self._changed:
            return list(self._exchanges)

    @property
    def runs(self) -> RunLog:
        """The runs kept, oldest first, without Wove's own seeds."""
        with self._changed:
            return RunLog([run for run in self._runs if not run.seed])

    @property
    def all_runs(self) -> RunLog:
        """The runs kept, seeds included."""
        with self._changed:
            return RunLog(list(self._runs))

    @property
    def unasked(self) -> list[Exchange]:
        """The newest exchanges that strict mode minds; kept apart from the bounded list."""
        return list(self._unasked)

    def clear(self) -> None:
        """Forget everything. Exchanges under way still close, into nowhere."""
        with self._changed:
            self._unasked.clear()
            self._exchanges.clear()
            self._runs.clear()
            self._known.clear()
            self._holding.clear()
            self._forgotten = self._count
            self._payload_bytes = 0

    def wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Block until ``condition()``; else :class:`WaitTimeoutError` after ``timeout`` seconds."""
        with self._changed:
            self._waiting += 1
            try:
                if not self._changed.wait_for(condition, timeout):
                    raise WaitTimeoutError(
                        f"{what} did not happen in {timeout:g} s\n{self.render()}"
                    )
            finally:
                self._waiting -= 1

    def wait_for_runs(self, task: str | None, state: str, count: int, timeout: float) -> RunLog:
        """Block until ``count`` runs of ``task`` have reached ``state``; those runs."""
        if state not in STATES:
            raise UsageError(f"state {state!r} is none of {', '.join(STATES)}")

        def found() -> list[Run]:
            return [
                run
                for run in self._runs
                if not run.seed and matches_task(task, run.task_id) and _reached(run, state)
            ]

        what = f"{count} run(s) of {task or 'any task'} being {state}"
        self.wait(lambda: len(found()) >= count, timeout, what)
        with self._changed:
            return RunLog(found())

    def render(self, limit: int = 40) -> str:
        """The newest exchanges, a line each."""
        with self._changed:
            lines = [exchange.line() for exchange in self._exchanges]
        if not lines:
            return "journal: nothing arrived"
        head = f"journal: {len(lines)} exchange(s)"
        if len(lines) > limit:
            head += f", the last {limit} of them"
        return "\n".join([head, *(f"  {line}" for line in lines[-limit:])])


def _reached(run: Run, state: str) -> bool:
    if state == "received":
        return True
    if state == "running":
        return run.started is not None
    if state == "finished":
        return run.state in FINISHED
    return run.state == state
