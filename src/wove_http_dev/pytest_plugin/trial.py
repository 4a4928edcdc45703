"""One run of a test under ``--wove-http-faults``: the workers in it, the fault, the time limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from wove_http_dev.client.time_limits import TimeLimits, shortened
from wove_http_dev.errors import NotRunningError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Injection
from wove_http_dev.faults.selector import Selector
from wove_http_dev.faults.text import parse_fault
from wove_http_dev.pytest_plugin.watchdog import Interruption, Watchdog, cancel_weaves
from wove_http_dev.survival.observation import Observation, Observer
from wove_http_dev.worker import HttpWorker
from wove_http_dev.worker_side import WorkerSide

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide

SHORTEST = 0.2
"""The executor's ``timeout``, in seconds, at least, with a fault that stalls. It is short because
each such run lasts as long."""
LIMITS = TimeLimits(10.0, 15.0)
"""The longest limits with other faults: those that a worker has by default. An answer comes at
once, so they end only what the application itself delays."""
SLOWER = 4
"""How often longer than in the run without a fault a request may take, with a fault that stalls."""
QUIET = 5.0
"""Seconds, beyond all time limits, in which something must happen in a run."""
ABANDONED = 1.0
"""Seconds without an open weave, and without progress, after which a request that is still stalled
is taken to have no client."""
ENDLESS = 100
"""Requests that a fault hits, beyond 20 for each of the run without a fault, after which an
application is taken to repeat them without end."""


class Clean(NamedTuple):
    """The run without a fault, from which follow the verdicts and time limits of the others."""

    observation: Observation
    seconds: float
    """Seconds that the test's body took."""
    requests: int
    """Requests that the workers received."""
    workers: list[WorkerSide]
    """The workers that took part."""


class Chosen(NamedTuple):
    """A fault of ``--wove-http-faults``."""

    text: str
    fault: Fault
    selector: Selector

    @classmethod
    def of(cls, text: str) -> Chosen:
        """Read a fault as text. Raises :class:`UsageError` for one that cannot be."""
        fault, selection = parse_fault(text)
        selector = Selector(**{"unused_ok": True, **selection})
        selector.check_suits((fault,))
        return cls(text, fault, selector)

    @property
    def hits_all(self) -> bool:
        """Whether the fault hits each request of its kind."""
        return not self.selector.selects


class _Joined(NamedTuple):
    """A worker, and what was known of it when it joined a run."""

    worker: WorkerSide
    received: int
    """Requests that it had received."""
    resets: int
    """How often it had been reset."""


class Trial:
    """One run of a test; without ``chosen`` the clean one. Fixtures let their workers join it."""

    def __init__(self, observer: Observer, chosen: Chosen | None = None) -> None:
        self.faulted = chosen is not None
        self.own_limits: dict[str, TimeLimits] = {}
        """The limits of environments for which the test itself set one."""
        self._observer = observer
        self._chosen = chosen
        self._joined: list[_Joined] = []
        self._injections: list[tuple[WorkerSide, Injection]] = []

    def join(self, worker: ClientSide, *, own_limits: bool = False) -> None:
        """Observe ``worker`` from now on, and inject the fault there if it can act on it. Of
        several workers the fault is on each."""
        if not isinstance(worker, WorkerSide) or worker in self.workers:
            return
        self._joined.append(_Joined(worker, len(worker.exchanges), worker._resets))
        self._observer.watch(worker)
        if own_limits:
            limits = [worker.options.timeout, worker.options.delivery_timeout]
            self.own_limits[worker.environment] = TimeLimits(*(each or 0.0 for each in limits))
        if self._chosen is not None and worker.why_not(self._chosen.fault) is None:
            fault, selector = self._chosen.fault, self._chosen.selector
            self._injections.append((worker, worker._inject_in_background(fault, selector)))

    @property
    def workers(self) -> list[WorkerSide]:
        """The workers in this run."""
        return [joined.worker for joined in self._joined]

    @property
    def requests(self) -> int:
        """The number of requests that the workers have received in this run."""
        return sum(
            max(len(joined.worker.exchanges) - joined.received, 0) for joined in self._joined
        )

    @property
    def was_reset(self) -> bool:
        """Whether the test has reset a worker, which removes every fault from it."""
        return any(joined.worker._resets != joined.resets for joined in self._joined)

    @contextmanager
    def in_force(self, clean: Clean, interruption: Interruption, *, longer: int) -> Iterator[None]:
        """Shorten the time limits and watch the run until the block ends. ``longer`` multiplies
        the limits with a fault that stalls."""
        limits = self._limits(clean, longer)
        patience = QUIET + 10 * clean.seconds
        with ExitStack() as stack:
            stack.enter_context(shortened(limits, self.own_limits))
            watchdog = Watchdog(
                quiet=lambda: patience + 1.5 * self._longest(limits),
                patience=patience,
                progress=self._progress,
                when_still=(ABANDONED, self._release_abandoned),
                endless=lambda: self.hits > ENDLESS + 20 * clean.requests,
                measures=[self._release, cancel_weaves, interruption.interrupt],
            )
            stack.enter_context(watchdog)
            yield

    def _limits(self, clean: Clean, longer: int) -> TimeLimits:
        assert self._chosen is not None
        if not self._chosen.fault.stalls:
            return LIMITS
        # A request that is not hit must be answered in this time.
        longer *= 1 if self._chosen.hits_all else 4
        timeout = max(SHORTEST, SLOWER * clean.seconds) * longer
        return TimeLimits(min(timeout, LIMITS.timeout), min(1.5 * timeout, LIMITS.delivery_timeout))

    def _longest(self, limits: TimeLimits) -> float:
        """Return the longest time limit in force."""
        return max(each for pair in [limits, *self.own_limits.copy().values()] for each in pair)

    def _progress(self) -> object:
        return [len(w.journal.exchanges) for w in self.workers], self.hits

    @property
    def hits(self) -> int:
        """The number of requests and connections that the fault has hit."""
        return sum(injection.hits for _, injection in list(self._injections))

    def _release_abandoned(self) -> None:
        """End the stalls whose clients have given up: the test may wait for the worker itself, as
        the end of ``Schedule.injected()`` does."""
        if all(weave.ended is not None for weave in self._observer.observation.weaves):
            for _, injection in list(self._injections):
                injection._release()

    def _release(self) -> None:
        """End the fault: what it stalls is released, and what is repeated gets an answer. An
        isolated worker that does not respond is left to the next measure, which ends its weaves."""
        self._observer.watchdog_fired()
        with suppress(NotRunningError):
            self.end()

    def end(self) -> None:
        """Remove the fault from the workers, and release what it stalls."""
        for _, injection in list(self._injections):
            injection.remove()

    def clean_up(self) -> None:
        """Leave no trace of the fault on a worker that other tests use too: it is not among its
        injections, and a worker that it crashed serves again."""
        for worker, injection in self._injections:
            worker._forget_injection(injection)
        for worker in self.workers:
            if isinstance(worker, HttpWorker):
                worker._revive()
