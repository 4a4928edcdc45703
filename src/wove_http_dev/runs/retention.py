"""What a journal keeps: exchanges and runs, limited in number, and together in bytes.

Everything that a record keeps counts: texts, ids, headers, tracebacks, payloads. Beyond the limit
in bytes, the oldest exchange or run is removed, of the kind that takes more bytes in all, so that a
flood of refused requests cannot push out all runs. A run loses its payloads first, and is removed
later. The newest of each kind, and a run that has not ended, are never removed.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof

from wove_http_dev.runs.outcome import CANCELLED
from wove_http_dev.runs.records import FINISHED, Exchange, Run
from wove_http_dev.runs.sizes import size_of

VIOLATION_LIMIT = 100
"""Refusals, and as many failures of the service, that are kept for strict mode."""
_EXCHANGE = size_of(Exchange(0, 0.0))
_RUN = size_of(Run("", "", delivery={}, initial_value=False, args_pickle=b"", received=0.0))


def size_of_exchange(exchange: Exchange) -> int:
    """Return the bytes that ``exchange`` takes, by what can be large: ``size_of``, which looks for
    that, takes five times as long."""
    e, v = exchange, exchange.verdict
    quoted = () if v is None else (v.reason, v.hint, v.would_match, *v.passed)
    texts = (e.method, e.target, e.head, e.run_id, e.task_id, e.refusal, e.error, *e.events)
    rest = filter(None, (e.faults, e.drawn, e.upstream))
    return _EXCHANGE + sum(map(getsizeof, (*texts, *quoted))) + sum(map(size_of, rest))


def size_of_run(run: Run) -> int:
    """Return the bytes that ``run`` takes, by what can be large."""
    outcome = run._outcome or CANCELLED  # has nothing large
    given = (run.run_id, run.task_id, run._args_pickle, run._callable_pickle, run.args_text)
    ended = (outcome.result_pickle, outcome.exception_pickle, outcome.result_text, outcome.place)
    error = size_of(outcome.error) if outcome.error else 0
    parts = (*given, *ended, run._capture)
    return _RUN + sum(map(getsizeof, parts)) + run._delivery_bytes + error


class Retention:
    """Keeps the newest ``count`` exchanges and runs, with at most ``byte_limit`` bytes; with a
    ``count`` of 0 it keeps nothing. Not thread-safe."""

    def __init__(self, *, count: int, byte_limit: int) -> None:
        self._count = count
        self._byte_limit = byte_limit
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        self._refusals: OrderedDict[int, Exchange] = OrderedDict()
        self._failures: OrderedDict[int, Exchange] = OrderedDict()
        """Apart, so that refused requests do not push out failures of the service."""
        self._exchange_sizes: dict[int, int] = {}
        self._exchange_bytes = 0
        self._run_sizes: OrderedDict[Run, int] = OrderedDict()
        self._ended: OrderedDict[Run, None] = OrderedDict()
        self._with_payload: OrderedDict[Run, None] = OrderedDict()
        """Runs that have a payload, in the order in which they got their last one."""
        self._run_bytes = 0

    @property
    def size(self) -> int:
        """The bytes of all that is kept."""
        return self._exchange_bytes + self._run_bytes

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges, oldest first."""
        return list(self._exchanges.values())

    @property
    def violations(self) -> list[Exchange]:
        """The exchanges kept for strict mode, oldest first."""
        found = {**self._refusals, **self._failures}
        return [found[number] for number in sorted(found)]

    @property
    def runs(self) -> list[Run]:
        """The runs, oldest first."""
        return list(self._run_sizes)

    def clear(self) -> None:
        """Remove everything."""
        for kept in (self._exchanges, self._refusals, self._failures, self._exchange_sizes):
            kept.clear()
        for runs in (self._run_sizes, self._ended, self._with_payload):
            runs.clear()
        self._exchange_bytes = self._run_bytes = 0

    # Exchanges

    def add_exchange(self, exchange: Exchange) -> None:
        """Keep ``exchange``, which is new."""
        if not self._count:
            return
        self._exchanges[exchange.number] = exchange
        self._count_exchange(exchange, _EXCHANGE)
        if len(self._exchanges) > self._count:
            self._forget_oldest(self._exchanges)

    def measure_exchange(self, exchange: Exchange) -> None:
        """Measure ``exchange`` again, which has changed; do nothing if it was removed."""
        if exchange.number in self._exchange_sizes:
            self._count_exchange(exchange, size_of_exchange(exchange))
            self._make_room()

    def keep_violation(self, exchange: Exchange) -> None:
        """Keep ``exchange`` for strict mode, longer than others."""
        if not self._count:
            return
        if exchange.internal_error:
            violations = self._failures
            self._refusals.pop(exchange.number, None)  # it was one before
        else:
            violations = self._refusals
        violations[exchange.number] = exchange
        self._count_exchange(exchange, size_of_exchange(exchange))
        if len(violations) > VIOLATION_LIMIT:
            self._forget_oldest(violations)
        self._make_room()

    def _count_exchange(self, exchange: Exchange, size: int) -> None:
        self._exchange_bytes += size - self._exchange_sizes.get(exchange.number, 0)
        self._exchange_sizes[exchange.number] = size

    def _forget_oldest(self, kept: OrderedDict[int, Exchange]) -> None:
        number = kept.popitem(last=False)[0]
        if not any(number in each for each in (self._exchanges, self._refusals, self._failures)):
            self._exchange_bytes -= self._exchange_sizes.pop(number)

    def _shrink_exchanges(self) -> bool:
        for kept in (self._exchanges, self._refusals, self._failures):
            if len(kept) > 1:
                self._forget_oldest(kept)
                return True
        return False

    # Runs

    def add_run(self, run: Run) -> None:
        """Keep ``run``, which is new."""
        if not self._count:
            return
        self._run_sizes[run] = 0
        # The rest of it is measured when it ends: until then it is not removed anyway.
        self._keep_run(run, len(run.args_pickle) + len(run.callable_pickle or b""))

    def measure_run(self, run: Run) -> None:
        """Measure ``run`` again, which has changed or ended; do nothing if it was removed."""
        if run in self._run_sizes:
            self._keep_run(run, size_of_run(run))

    def _keep_run(self, run: Run, size: int) -> None:
        self._with_payload.pop(run, None)
        self._with_payload[run] = None  # at the end
        if run.state in FINISHED:
            self._ended[run] = None
        self._count_run(run, size)
        if len(self._run_sizes) > self._count and self._ended:
            self._forget_run()
        self._make_room()

    def _count_run(self, run: Run, size: int) -> None:
        self._run_bytes += size - self._run_sizes[run]
        self._run_sizes[run] = size

    def _forget_run(self) -> None:
        run = self._ended.popitem(last=False)[0]
        self._with_payload.pop(run, None)
        self._run_bytes -= self._run_sizes.pop(run)
        run._drop_payloads()  # a test or a gate may still hold it

    def _shrink_runs(self) -> bool:
        if len(self._with_payload) > 1:
            run = self._with_payload.popitem(last=False)[0]
            run._drop_payloads()
            self._count_run(run, size_of_run(run))
        elif len(self._ended) > 1:
            self._forget_run()
        else:
            return False
        return True

    def _make_room(self) -> None:
        while self._exchange_bytes + self._run_bytes > self._byte_limit:
            if self._exchange_bytes > self._run_bytes:
                shrunk = self._shrink_exchanges() or self._shrink_runs()
            else:
                shrunk = self._shrink_runs() or self._shrink_exchanges()
            if not shrunk:
                break
