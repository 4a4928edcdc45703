"""The journal of a worker: the requests and runs it received, limited in number and bytes.
Thread-safe.

Secrets are redacted before they are stored; payloads stay pickle bytes until a test reads them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.exception_text import message_of
from wove_http_dev.fields import nearest
from wove_http_dev.printable import print_traceback, printable
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import FINISHED, STATES, Exchange, Run, RunLog, matches_task
from wove_http_dev.secret import is_private, replace_secrets

EXCHANGE_LIMIT = 10_000
PAYLOAD_LIMIT = 64 * 2**20
_KIND_STATE = {"result": "succeeded", "error": "failed", "cancelled": "cancelled"}
REDACTED = "[redacted]"
TEXT_LIMIT = 1000
"""Characters stored of a header, a target, a reason, or a name in a refused body."""
HEADERS_KEPT = 64
TASKS_LISTED = 20
"""Task names listed at most in the message of a wait that failed."""
_DONE = {
    "received": "arrived",
    "held": "was held",
    "running": "started",
    "cancelled": "was cancelled",
    "lost": "was lost",
}


class JournalObserver:
    """Base class for observers of a journal; every method does nothing.

    The journal calls the methods in the thread that makes the change, without holding its lock.
    An exception is reported on stderr and by strict mode, and changes nothing else.
    """

    def exchange_opened(self, exchange: Exchange) -> None:
        """Called when ``exchange``, a request or a failed connection, was added."""

    def exchange_updated(self, exchange: Exchange) -> None:
        """Called when ``exchange`` has a run or a reply, before the reply is written."""

    def exchange_closed(self, exchange: Exchange) -> None:
        """Called when ``exchange`` has ended."""

    def run_added(self, run: Run) -> None:
        """Called when ``run`` is about to be added, while its payload is complete."""

    def run_changed(self, run: Run) -> None:
        """Called when the state or another attribute of ``run`` may have changed."""

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        """Called once for each run that ended with an outcome."""

    def run_lost(self, run: Run) -> None:
        """Called once for each run that ended without an outcome."""


class Journal:
    """Stores the newest ``exchange_limit`` exchanges and runs, and at most ``payload_limit`` bytes
    of payloads. ``secrets`` are redacted wherever they appear; ``clock`` returns seconds since the
    epoch."""

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
        self._refusals: deque[Exchange] = deque(maxlen=100)
        self._failures: deque[Exchange] = deque(maxlen=100)
        """Apart, so that clients that are refused do not push out what the service failed at."""
        self._count = 0
        self._waiting = 0
        self._observers: list[JournalObserver] = []

    def observe(self, observer: JournalObserver) -> None:
        """Call the methods of ``observer`` from now on."""
        self._observers.append(observer)

    def _notify_observers(self, call: Callable[[JournalObserver], None]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception as exc:
                self._observer_failed(exc)

    def _observer_failed(self, exc: Exception) -> None:
        """Print an observer's exception on stderr, and record it as a separate exchange, so that
        strict mode reports it. It is not raised again, because an observer must not change what a
        client gets."""
        print_traceback()
        exchange = self._new_exchange("connection")
        text = f"an observer of the journal failed: {type(exc).__name__}: {message_of(exc)}"
        exchange.error, exchange.code = self.clean(text), "internal-error"
        exchange.internal_error, exchange.duration = True, 0.0
        self._note_violation(exchange)
        for observer in self._observers:
            with suppress(Exception):  # it may be the one that fails
                observer.exchange_opened(exchange)
                observer.exchange_closed(exchange)

    def _new_exchange(self, kind: str) -> Exchange:
        with self._changed:
            self._count += 1
            exchange = Exchange(number=self._count, received=self._clock(), kind=kind)
            self._exchanges.append(exchange)
            return exchange

    def open(self, kind: str = "request") -> Exchange:
        """Add a new exchange and return it; ``kind`` is ``request`` or ``connection``."""
        exchange = self._new_exchange(kind)
        self._notify_observers(lambda observer: observer.exchange_opened(exchange))
        return exchange

    def record_headers(self, exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
        """Store the first :data:`HEADERS_KEPT` headers on ``exchange``, credentials redacted."""
        kept = headers[:HEADERS_KEPT]
        exchange.headers = [(name[:100], self._redact(name, value)) for name, value in kept]

    def clean(self, text: str, limit: int = TEXT_LIMIT) -> str:
        """Return ``text`` with secrets redacted, at most ``limit`` characters of it, so that a
        refused client cannot fill memory and logs."""
        if len(text) > limit + 4096:  # searching all of it would be slow
            text = text[: limit + 4096]
        text = replace_secrets(text, self._secrets, REDACTED)
        return text if len(text) <= limit else text[:limit] + "…"

    def _redact(self, name: str, value: str) -> str:
        if is_private(name) or replace_secrets(value, self._secrets) != value:
            return REDACTED
        return value[:TEXT_LIMIT]

    def update(self, exchange: Exchange) -> None:
        """Tell strict mode and the observers that ``exchange`` has a run, or a reply that is about
        to be written."""
        self._note_violation(exchange)  # a test whose client has the reply may call check()
        self._notify_observers(lambda observer: observer.exchange_updated(exchange))

    def _note_violation(self, exchange: Exchange) -> None:
        if not exchange.violation or exchange.number <= self._forgotten:
            return
        violations = self._failures if exchange.internal_error else self._refusals
        if not any(known is exchange for known in violations):
            violations.append(exchange)

    def close(self, exchange: Exchange) -> None:
        """Set the duration of ``exchange``, which has ended, and wake waiting threads."""
        exchange.duration = self._clock() - exchange.received
        self._note_violation(exchange)
        self.notify()
        self._notify_observers(lambda observer: observer.exchange_closed(exchange))

    def add_run(self, run: Run) -> None:
        """Add ``run``."""
        self._notify_observers(lambda observer: observer.run_added(run))
        with self._changed:
            if len(self._runs) == self._runs.maxlen:
                self._known.discard(self._runs[0])
                self._payload_bytes -= self._holding.pop(self._runs[0], 0)
            self._runs.append(run)
            self._known.add(run)
            self._keep(run)
            self.notify()

    def change(self, run: Run, state: str) -> None:
        """Set the state of ``run`` to ``held`` or ``running``; ignored if it has finished."""
        with self._changed:
            if run.state in FINISHED:
                return
            run.state = state
            if state == "running" and run.started is None:
                run.started = self._clock()
            self.notify()
        self._notify_observers(lambda observer: observer.run_changed(run))

    def finish(self, run: Run, outcome: Outcome) -> None:
        """Record that ``run`` ended with ``outcome``; ignored if it has ended already."""
        with self._changed:
            first = run.state not in FINISHED
            if first:
                run._outcome = outcome
                run.finished = self._clock()
                run.state = _KIND_STATE[outcome.kind]
                self._keep(run)
                self.notify()
        if first:
            self._notify_observers(lambda observer: observer.run_finished(run, outcome))
        else:
            self._notify_observers(lambda observer: observer.run_changed(run))

    def lose(self, run: Run) -> None:
        """Record that ``run`` ended without an outcome: its request was refused late, or its worker
        ended."""
        with self._changed:
            first = run.state not in FINISHED
            if first:
                run.state = "lost"
                run.finished = self._clock()
                self.notify()
        if first:
            self._notify_observers(lambda observer: observer.run_lost(run))
        else:
            self._notify_observers(lambda observer: observer.run_changed(run))

    def _keep(self, run: Run) -> None:
        if run not in self._known:  # already removed from the journal
            return
        size = run._size()
        self._payload_bytes += size - self._holding.pop(run, 0)
        self._holding[run] = size
        while self._payload_bytes > self._payload_limit and len(self._holding) > 1:
            oldest, freed = self._holding.popitem(last=False)
            self._payload_bytes -= freed
            oldest._drop_payloads()

    def notify(self) -> None:
        """Wake the waiting threads, so that they test their conditions again."""
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    @property
    def exchanges(self) -> list[Exchange]:
        """The stored exchanges, oldest first."""
        with self._changed:
            return list(self._exchanges)

    @property
    def runs(self) -> RunLog:
        """The stored runs, oldest first, except those with which Wove delivers an initial value of
        a weave (``data``, ``weave(x=…)``)."""
        with self._changed:
            return RunLog([run for run in self._runs if not run.initial_value])

    @property
    def all_runs(self) -> RunLog:
        """All stored runs, oldest first, including those that only deliver an initial value of a
        weave."""
        with self._changed:
            return RunLog(list(self._runs))

    @property
    def violations(self) -> list[Exchange]:
        """The newest exchanges that strict mode reports: at most 100 failures of the service,
        and 100 others. They are kept even when the journal drops older exchanges."""
        found = {exchange.number: exchange for exchange in [*self._refusals, *self._failures]}
        return [found[number] for number in sorted(found)]

    def clear(self) -> None:
        """Remove everything. An exchange that is still open is not recorded when it closes."""
        with self._changed:
            self._refusals.clear()
            self._failures.clear()
            self._exchanges.clear()
            self._runs.clear()
            self._known.clear()
            self._holding.clear()
            self._forgotten = self._count
            self._payload_bytes = 0

    def wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Block until ``condition()`` is true; ``condition`` is called whenever the journal
        changes.

        Raises :class:`WaitTimeoutError`, whose message contains ``what``, after ``timeout``
        seconds.
        """
        self._wait(condition, timeout, lambda: f"{what} did not happen within {timeout:g} s")

    def _wait(
        self, condition: Callable[[], bool], timeout: float, message: Callable[[], str]
    ) -> None:
        with self._changed:
            self._waiting += 1
            try:
                if not self._changed.wait_for(condition, timeout):
                    raise WaitTimeoutError(f"{message()}\n{self.render()}")
            finally:
                self._waiting -= 1

    def wait_for_runs(self, task: str | None, state: str, count: int, timeout: float) -> RunLog:
        """Block until ``count`` runs of ``task`` (name or glob) have reached ``state``, and return
        them.

        Raises :class:`WaitTimeoutError` after ``timeout`` seconds.
        """
        if state not in STATES:
            raise UsageError(f"state must be one of {', '.join(STATES)}, not {state!r}")
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

        def message() -> str:
            return self.shortfall(task, len(found()), count, _DONE.get(state, state), timeout)

        self._wait(lambda: len(found()) >= count, timeout, message)
        with self._changed:
            return RunLog(found())

    def shortfall(self, task: str | None, found: int, count: int, done: str, timeout: float) -> str:
        """Return the message of a wait that timed out: only ``found`` of ``count`` runs of ``task``
        have ``done`` what the caller waited for. The message lists the tasks in the journal and
        suggests a similar name."""
        of_task = f" of {task!r}" if task is not None else ""
        runs = f"{found} of {count} runs" if found else "no run"
        text = f"{runs}{of_task} {done} within {timeout:g} s"
        seen = list(dict.fromkeys(run.task_id for run in self.runs))
        if not seen:
            return f"{text}; no run has arrived"
        listed = ", ".join(printable(name[:200]) for name in seen[:TASKS_LISTED])
        more = f" and {len(seen) - TASKS_LISTED} more" if len(seen) > TASKS_LISTED else ""
        return f"{text}; tasks seen: {listed}{more}{_meant(task, seen)}"

    def render(self, limit: int = 40) -> str:
        """Return the newest ``limit`` exchanges as text, one per line."""
        with self._changed:
            lines = [exchange.line() for exchange in self._exchanges]
        if not lines:
            return "journal: nothing arrived"
        head = f"journal: {len(lines)} exchange(s)"
        if len(lines) > limit:
            head += f", the last {limit} of them"
        return "\n".join([head, *(f"  {line}" for line in lines[-limit:])])


def check_wait(name: str, count: int, timeout: float) -> None:
    """Raise :class:`UsageError` for a ``count`` below 1 or a ``timeout`` (seconds) below 0."""
    if type(count) is not int or count < 1:
        raise UsageError(f"{name} must be a number of runs, 1 or more, not {count!r}")
    if type(timeout) not in (int, float) or not timeout >= 0:
        raise UsageError(f"timeout must be a number of seconds, 0 or more, not {timeout!r}")


def _meant(task: str | None, seen: list[str]) -> str:
    if task is None or any(matches_task(task, name) for name in seen):
        return ""
    close = nearest(task, seen)
    return f". Did you mean {close!r}?" if close is not None else ""


def _reached(run: Run, state: str) -> bool:
    if state == "received":
        return True
    if state == "running":
        return run.started is not None
    if state == "finished":
        return run.state in FINISHED
    return run.state == state
