"""What the worker saw: one :class:`Exchange` per request, and per connection that never became
one; one :class:`Run` per ``run_task`` that was let in.

Bounded by count and by payload bytes, safe between threads, waitable. Secrets are redacted as they
enter; payloads stay pickle bytes until the test asks. This room decides nothing.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from functools import lru_cache

from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.runs.records import FINISHED, STATES, Exchange, Run, RunLog, matches_task
from wove_http_dev.runs.runner import Outcome

EXCHANGE_LIMIT = 10_000
PAYLOAD_LIMIT = 64 * 2**20
_KIND_STATE = {"result": "succeeded", "error": "failed", "cancelled": "cancelled"}
_PRIVATE_HEADER = re.compile(r"auth|cookie|token|secret|passw|credential|api-?key", re.IGNORECASE)
REDACTED = "[redacted]"
TEXT_LIMIT = 1000
"""Characters kept of a header, a target, a reason, or what a refused body claims to be."""
HEADERS_KEPT = 64


@lru_cache(maxsize=256)
def _is_private(header: str) -> bool:
    return _PRIVATE_HEADER.search(header) is not None


class JournalObserver:
    """What a journal calls as it changes; every method does nothing until it is overridden.

    The methods are called in the thread that makes the change, without the journal's lock. What
    they raise is raised there.
    """

    def exchange_opened(self, exchange: Exchange) -> None:
        """A request, or a connection that failed, was entered."""

    def exchange_updated(self, exchange: Exchange) -> None:
        """``exchange`` became a run, or has an answer: called before the answer is written."""

    def exchange_closed(self, exchange: Exchange) -> None:
        """``exchange`` is over."""

    def run_added(self, run: Run) -> None:
        """``run`` is about to be entered; its payload cannot have been dropped yet."""

    def run_changed(self, run: Run) -> None:
        """The state or another attribute of ``run`` may have changed."""

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        """``run`` has its outcome; called once for a run."""

    def run_lost(self, run: Run) -> None:
        """``run`` ended without an outcome; called once for a run."""


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
        self._violations: deque[Exchange] = deque(maxlen=100)
        self._count = 0
        self._waiting = 0
        self._observers: list[JournalObserver] = []

    def observe(self, observer: JournalObserver) -> None:
        """Call ``observer`` from now on."""
        self._observers.append(observer)

    def open(self, kind: str = "request") -> Exchange:
        """A new exchange, in the journal from now on."""
        with self._changed:
            self._count += 1
            exchange = Exchange(number=self._count, received=self._clock(), kind=kind)
            self._exchanges.append(exchange)
        for observer in self._observers:
            observer.exchange_opened(exchange)
        return exchange

    def record_headers(self, exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
        """Store ``headers`` on ``exchange`` without what is nobody's business."""
        kept = headers[:HEADERS_KEPT]
        exchange.headers = [(name[:100], self._redact(name, value)) for name, value in kept]

    def clean(self, text: str, limit: int = TEXT_LIMIT) -> str:
        """``text`` without any secret, and no longer than ``limit`` characters: whoever is refused
        must not fill memory and logs."""
        if len(text) > limit + 4096:  # far too long: do not even search all of it
            text = text[: limit + 4096]
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text if len(text) <= limit else text[:limit] + "…"

    def _redact(self, name: str, value: str) -> str:
        if _is_private(name) or any(secret in value for secret in self._secrets):
            return REDACTED
        return value[:TEXT_LIMIT]

    def update(self, exchange: Exchange) -> None:
        """``exchange`` has become a run, or has an answer, which is about to be written."""
        self._note_violation(exchange)  # a client that has the answer may ask for it at once
        for observer in self._observers:
            observer.exchange_updated(exchange)

    def _note_violation(self, exchange: Exchange) -> None:
        if not exchange.violation or exchange.number <= self._forgotten:
            return
        if not any(known is exchange for known in self._violations):
            self._violations.append(exchange)

    def close(self, exchange: Exchange) -> None:
        """The exchange is over: its duration stands, waiters look again."""
        exchange.duration = self._clock() - exchange.received
        self._note_violation(exchange)
        self.notify()
        for observer in self._observers:
            observer.exchange_closed(exchange)

    def add_run(self, run: Run) -> None:
        """Enter a run."""
        for observer in self._observers:
            observer.run_added(run)
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
        for observer in self._observers:
            observer.run_changed(run)

    def finish(self, run: Run, outcome: Outcome) -> None:
        """``run`` has its outcome; the first one stands."""
        with self._changed:
            first = run.state not in FINISHED
            if first:
                run._outcome = outcome
                run.finished = self._clock()
                run.state = _KIND_STATE[outcome.kind]
                self._keep(run)
                self.notify()
        for observer in self._observers:
            if first:
                observer.run_finished(run, outcome)
            else:
                observer.run_changed(run)

    def lose(self, run: Run) -> None:
        """``run`` was let in and then refused, or lost with its worker, before an outcome."""
        with self._changed:
            first = run.state not in FINISHED
            if first:
                run.state = "lost"
                run.finished = self._clock()
                self.notify()
        for observer in self._observers:
            if first:
                observer.run_lost(run)
            else:
                observer.run_changed(run)

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
        """The runs kept, oldest first, without Wove's own initial values."""
        with self._changed:
            return RunLog([run for run in self._runs if not run.initial_value])

    @property
    def all_runs(self) -> RunLog:
        """The runs kept, initial values included."""
        with self._changed:
            return RunLog(list(self._runs))

    @property
    def violations(self) -> list[Exchange]:
        """The newest exchanges that strict mode minds; kept apart from the bounded list."""
        return list(self._violations)

    def clear(self) -> None:
        """Forget everything. Exchanges under way still close, into nowhere."""
        with self._changed:
            self._violations.clear()
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
        if task is not None and not isinstance(task, str):
            raise UsageError(f"task must be a name or a glob, not {task!r}")
        check_wait("count", count, timeout)

        def found() -> list[Run]:
            return [
                run
                for run in self._runs
                if not run.initial_value
                and matches_task(task, run.task_id)
                and _reached(run, state)
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


def check_wait(name: str, count: int, timeout: float) -> None:
    """Raise :class:`UsageError` unless one can wait ``timeout`` seconds for ``count`` runs."""
    if type(count) is not int or count < 1:
        raise UsageError(f"{name} is a number of runs, 1 or more, not {count!r}")
    if type(timeout) not in (int, float) or not timeout >= 0:
        raise UsageError(f"timeout is a number of seconds, 0 or more, not {timeout!r}")


def _reached(run: Run, state: str) -> bool:
    if state == "received":
        return True
    if state == "running":
        return run.started is not None
    if state == "finished":
        return run.state in FINISHED
    return run.state == state
