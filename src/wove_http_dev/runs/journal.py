"""The journal of a worker: the requests and runs it received, limited in number and bytes.
Thread-safe.

Secrets are redacted before they are stored; payloads stay pickle bytes until a test reads them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from wove_http_dev.argument_checks import check_count, check_seconds
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.exception_text import message_of
from wove_http_dev.printable import print_traceback
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import FINISHED, STATES, Exchange, Run, RunLog
from wove_http_dev.runs.redaction import Redaction
from wove_http_dev.runs.retention import Retention
from wove_http_dev.runs.task_names import check_task, matches_task, tasks_seen

COUNT_LIMIT = 10_000
"""Exchanges that a journal keeps, and as many runs."""
BYTE_LIMIT = 64 * 2**20
"""Bytes of memory that everything in a journal may take."""
_KIND_STATE = {"result": "succeeded", "error": "failed", "cancelled": "cancelled"}
FEED_PAUSE = 0.02
"""Seconds between two calls of ``Journal.feed`` during a wait."""
_DONE = {
    "received": "arrived",
    "held": "was held",
    "running": "started",
    "cancelled": "was cancelled",
    "lost": "was lost",
}


class Journal:
    """Stores the newest ``count_limit`` exchanges and runs, which together take at most
    ``byte_limit`` bytes (see ``runs.retention``). ``secrets`` are redacted wherever they appear;
    ``clock`` returns seconds since the epoch. With ``inspected``, a person watches its runs and
    can run them again: they get texts of their arguments and results, and keep the pickled
    function."""

    def __init__(
        self,
        *,
        count_limit: int = COUNT_LIMIT,
        byte_limit: int = BYTE_LIMIT,
        secrets: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        inspected: bool = False,
    ) -> None:
        self.inspected = inspected
        self._clock = clock
        self.redaction = Redaction(secrets)
        """Redacts and shortens texts before they are stored."""
        self._lock = threading.RLock()  # entered by itself: through the condition takes longer
        self._changed = threading.Condition(self._lock)
        self._kept = Retention(count=count_limit, byte_limit=byte_limit)
        self._forgotten = 0
        self._count = 0
        self._waiting = 0
        self._unanswered: dict[int, Run] = {}
        """By the number of the exchange that delivered the run."""
        self._observers: tuple[JournalObserver, ...] = ()
        self.explain: Callable[[], str] = self.render
        """Returns what the message of a wait that timed out ends with."""
        self.feed: Callable[[], None] | None = None
        """Fetches what has happened, where nothing reports it to this journal: waits call it again
        and again."""

    def observe(self, observer: JournalObserver) -> None:
        """Call the methods of ``observer`` from now on; do nothing if it observes already."""
        with self._lock:
            if observer not in self._observers:
                self._observers += (observer,)

    def stop_observing(self, observer: JournalObserver) -> None:
        """Call the methods of ``observer`` no more; do nothing if it does not observe. A call in
        another thread may still be under way."""
        with self._lock:
            self._observers = tuple(each for each in self._observers if each is not observer)

    def _tell(self, method: Callable[..., None], *changed: Any) -> None:
        try:
            method(*changed)
        except Exception as exc:
            self._observer_failed(exc)

    def _observer_failed(self, exc: Exception) -> None:
        """Print an observer's exception on stderr, and record it as a separate exchange, so that
        strict mode reports it. It is not raised again, because an observer must not change what a
        client gets."""
        print_traceback()
        exchange = self._new_exchange("connection")
        text = f"an observer of the journal failed: {type(exc).__name__}: {message_of(exc)}"
        exchange.error, exchange.code = self.redaction.clean(text), "internal-error"
        exchange.internal_error, exchange.duration = True, 0.0
        self._count_again(exchange)
        for observer in self._observers:
            with suppress(Exception):  # it may be the one that fails
                observer.exchange_opened(exchange)
                observer.exchange_closed(exchange)

    def _new_exchange(self, kind: str) -> Exchange:
        with self._lock:
            self._count += 1
            exchange = Exchange(number=self._count, received=self._clock(), kind=kind)
            self._kept.add_exchange(exchange)
            return exchange

    def open(self, kind: str = "request") -> Exchange:
        """Add a new exchange and return it; ``kind`` is ``request`` or ``connection``."""
        exchange = self._new_exchange(kind)
        for observer in self._observers:
            self._tell(observer.exchange_opened, exchange)
        return exchange

    def announce(self, exchange: Exchange) -> None:
        """Tell the observers that ``exchange`` has a run, or is to cancel one."""
        for observer in self._observers:
            self._tell(observer.exchange_updated, exchange)

    def update(self, exchange: Exchange) -> None:
        """Tell strict mode and the observers that ``exchange`` has a reply that is about to be
        written."""
        self._count_again(exchange)  # a test whose client has the reply may call check()
        self.announce(exchange)

    def _count_again(self, exchange: Exchange) -> None:
        with self._lock:
            if exchange.violation and exchange.number > self._forgotten:
                self._kept.keep_violation(exchange)
            else:
                self._kept.measure_exchange(exchange)

    def close(self, exchange: Exchange) -> None:
        """Set the duration of ``exchange``, which has ended, and when its run was answered; wake
        waiting threads."""
        ended = self._clock()
        exchange.duration = max(0.0, ended - exchange.received)  # the clock may be set back
        run = self._unanswered.pop(exchange.number, None)
        if run is not None:
            run.drawn = exchange.drawn  # also what was drawn while the reply was written
            if exchange.written:
                run.answered = ended
        if not exchange.written or exchange.faults:  # else nothing has changed since update()
            self._count_again(exchange)
        self.notify()
        if run is not None and self.inspected:
            self.announce_run(run)
        for observer in self._observers:
            self._tell(observer.exchange_closed, exchange)

    def settle(self, timeout: float) -> None:
        """Wait until every reply that a client may have is recorded as written, at most ``timeout``
        seconds: a client has the last byte before the thread that sent it runs again. Replies that
        a fault may delay are not waited for."""

        def settled() -> bool:
            return not any(
                exchange.duration is None and exchange.status is not None and not exchange.faults
                for exchange in self._kept.exchanges
            )

        with self._lock:
            self._waiting += 1
            try:
                self._changed.wait_for(settled, timeout)
            finally:
                self._waiting -= 1

    def beside(self, run: Run) -> list[Run]:
        """Return the other runs whose clients wait for an answer now, or have waited since ``run``
        arrived, without those that only deliver initial values."""
        with self._lock:
            waiting = list(self._unanswered.values())
            since = [
                each
                for each in self._kept.runs
                if each.answered is not None and each.answered >= run.received
            ]
        return [each for each in (*waiting, *since) if each is not run and not each.initial_value]

    def add_run(self, run: Run) -> None:
        """Add ``run``."""
        for observer in self._observers:
            self._tell(observer.run_added, run)
        with self._lock:
            if run.exchange_number is not None:
                self._unanswered[run.exchange_number] = run
            self._kept.add_run(run)
            self.notify()

    def announce_run(self, run: Run) -> None:
        """Tell the observers that ``run`` has changed; it is measured when it has ended."""
        for observer in self._observers:
            self._tell(observer.run_changed, run)

    def update_run(self, run: Run) -> None:
        """Measure ``run`` again, whose texts have changed, and tell the observers."""
        with self._lock:
            self._kept.measure_run(run)
        self.announce_run(run)

    def change(self, run: Run, state: str) -> None:
        """Set the state of ``run`` to ``held`` or ``running``; ignored if it has finished."""
        with self._lock:
            if run.state in FINISHED:
                return
            run.state = state
            if state == "running" and run.started is None:
                run.started = self._clock()
            self.notify()
        self.announce_run(run)

    def finish(self, run: Run, outcome: Outcome) -> None:
        """Record that ``run`` ended with ``outcome``; ignored if it has ended already."""
        with self._lock:
            first = run.state not in FINISHED
            if first:
                # Without the bytes of an upstream answer: they have the same payload once more.
                run._outcome = outcome if outcome.answer is None else replace(outcome, answer=None)
                run.finished = self._clock()
                run.state = _KIND_STATE[outcome.kind]
                self._kept.measure_run(run)
                self.notify()
        if first:
            for observer in self._observers:
                self._tell(observer.run_finished, run, outcome)
        else:
            self.announce_run(run)

    def lose(self, run: Run) -> None:
        """Record that ``run`` ended without an outcome: its request was refused late, or its worker
        ended."""
        with self._lock:
            first = run.state not in FINISHED
            if first:
                run.state = "lost"
                run.finished = self._clock()
                self._kept.measure_run(run)
                self.notify()
        if first:
            for observer in self._observers:
                self._tell(observer.run_lost, run)
        else:
            self.announce_run(run)

    def notify(self) -> None:
        """Wake the waiting threads, so that they test their conditions again."""
        if self._waiting:
            with self._lock:
                self._changed.notify_all()

    # What another journal has recorded

    def adopt_exchange(self, exchange: Exchange) -> None:
        """Add ``exchange`` under its own number, or measure it again if it was added before."""
        with self._lock:
            if exchange.number > self._count:
                self._count = exchange.number
                self._kept.add_exchange(exchange)
            self._count_again(exchange)

    def adopt_run(self, run: Run) -> None:
        """Add a ``run`` of another process, which also sets when it was answered."""
        with self._lock:
            self._kept.add_run(run)
            self._kept.measure_run(run)

    @property
    def exchanges(self) -> list[Exchange]:
        """The stored exchanges, oldest first."""
        with self._lock:
            return self._kept.exchanges

    @property
    def runs(self) -> RunLog:
        """The stored runs, oldest first, except those with which Wove delivers an initial value of
        a weave (``data``, ``weave(x=…)``)."""
        with self._lock:
            return RunLog([run for run in self._kept.runs if not run.initial_value])

    @property
    def all_runs(self) -> RunLog:
        """All stored runs, oldest first, including those that only deliver an initial value of a
        weave."""
        with self._lock:
            return RunLog(self._kept.runs)

    @property
    def violations(self) -> list[Exchange]:
        """The newest exchanges that strict mode reports: at most 100 failures of the service,
        and 100 others. They are kept longer than other exchanges."""
        with self._lock:
            return self._kept.violations

    @property
    def forgotten(self) -> int:
        """The number of the newest exchange that :meth:`clear` has removed; 0 for none."""
        return self._forgotten

    @property
    def size(self) -> int:
        """The bytes that everything in the journal takes."""
        with self._lock:
            return self._kept.size

    def clear(self) -> None:
        """Remove everything. An exchange that is still open is not recorded when it closes."""
        with self._lock:
            self._kept.clear()
            self._forgotten = self._count

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
        with self._lock:
            self._waiting += 1
        try:
            if self.wait_on(self._changed, condition, timeout):
                return
            text = message()
        finally:
            with self._lock:
                self._waiting -= 1
        # Without the lock: an isolated worker's process is asked, and reports to the journal.
        raise WaitTimeoutError(f"{text}\n{self.explain()}")

    def wait_on(
        self, changed: threading.Condition, condition: Callable[[], bool], timeout: float
    ) -> bool:
        """Block until ``condition()`` is true, for at most ``timeout`` seconds; return whether it
        is. ``changed`` is notified when it can have become true."""
        timeout = min(timeout, threading.TIMEOUT_MAX)  # infinity is allowed
        if self.feed is None:
            with changed:
                return changed.wait_for(condition, timeout)
        end = _elapsed() + timeout
        while True:
            # Without the lock, which another thread may need that feeds.
            self.feed()
            if condition():
                return True
            left = end - _elapsed()
            if left <= 0:
                return False
            with changed:
                changed.wait(min(left, FEED_PAUSE))

    def wait_for_runs(self, task: str | None, state: str, count: int, timeout: float) -> RunLog:
        """Block until ``count`` runs of ``task`` (name or glob) have reached ``state``, and return
        them.

        Raises :class:`WaitTimeoutError` after ``timeout`` seconds.
        """
        if state not in STATES:
            raise UsageError(f"state must be one of {', '.join(STATES)}, not {state!r}")
        if task is not None:
            check_task(task)
        check_count("count", count, "runs")
        check_seconds("timeout", timeout)

        def found() -> list[Run]:
            return [
                run
                for run in self.runs
                if matches_task(task, run.task_id) and run._has_reached(state)
            ]

        def message() -> str:
            return self.shortfall(task, len(found()), count, _DONE.get(state, state), timeout)

        self._wait(lambda: len(found()) >= count, timeout, message)
        return RunLog(found())

    def shortfall(self, task: str | None, found: int, count: int, done: str, timeout: float) -> str:
        """Return the message of a wait that timed out: only ``found`` of ``count`` runs of ``task``
        have ``done`` what the caller waited for. The message lists the tasks in the journal and
        suggests a similar name."""
        of_task = f" of {task!r}" if task is not None else ""
        runs = f"{found} of {count} runs" if found else "no run"
        text = f"{runs}{of_task} {done} within {timeout:g} s"
        return f"{text}; {tasks_seen(task, [run.task_id for run in self.runs])}"

    def render(self, limit: int = 40) -> str:
        """Return the newest ``limit`` exchanges as text, one per line."""
        with self._lock:
            lines = [exchange.line() for exchange in self._kept.exchanges]
        if not lines:
            return "journal: nothing arrived"
        head = f"journal: {len(lines)} exchange(s)"
        if len(lines) > limit:
            head += f", the last {limit} of them"
        return "\n".join([head, *(f"  {line}" for line in lines[-limit:])])


def _elapsed() -> float:
    """Return seconds of a clock that no test replaces, as freezegun does those of ``time``."""
    return os.times().elapsed
