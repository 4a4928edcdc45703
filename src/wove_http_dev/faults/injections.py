"""Injections (the faults of each ``inject()``), and the choice of those that act on a connection or
a request.

Connection faults are chosen when a connection is accepted, all others after the body is read. Each
choice is made under one lock, so ``times`` is exact for concurrent requests. An injection made
before a request was accepted is always considered.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from typing import Any

from wove_http_dev.call_site import call_site
from wove_http_dev.errors import UsageError, cannot_travel
from wove_http_dev.faults.distributions import distributions_of
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.plan import NO_PLAN, Plan
from wove_http_dev.faults.selector import CLAIM_LIMIT, Selector
from wove_http_dev.fields import changed, fields_of
from wove_http_dev.printable import shortened
from wove_http_dev.protocol.claim import Claim
from wove_http_dev.runs.records import Exchange

REPR_LIMIT = 300
"""Characters of an injection's ``repr``."""
REDIRECTED_KEPT = 200
"""Requests at the second origin that an injection keeps."""


class Injection:
    """Faults that act until they are removed; a context manager that removes them.

    ``hits`` counts the requests (or connections) that were hit, ``seen`` those that matched.
    """

    def __init__(
        self,
        faults: tuple[Fault, ...],
        selector: Selector,
        number: int,
        injections: Injections,
        *,
        background: bool = False,
        place: str = "",
        longest_wait: float | None = None,
    ) -> None:
        self.faults = faults
        self.selector = selector
        self.background = background
        """Whether the faults are those of an option or a marker, in force whatever a test does."""
        self.place = place
        """File and line of the call that made this injection, for example ``test_app.py:12``; empty
        for one of an option or a marker."""
        self._hits = 0
        self.redirected: list[Exchange] = []
        """The newest requests (at most 200) that arrived at the second origin because of a fault of
        this injection."""
        self.missed: list[str] = []
        """Why the newest requests were not hit; strict mode shows these reasons."""
        self._number = number
        self._injections = injections
        self._seen = 0
        self.longest_wait = longest_wait
        """Seconds after which a request that a fault stalls goes on; ``None``: no limit."""
        self._released = threading.Event()

    def __repr__(self) -> str:
        words = [", ".join(str(fault) for fault in self.faults), *changed(self.selector)]
        return shortened(f"<Injection {' '.join(words)}; {self._hits} hit(s)>", REPR_LIMIT)

    def __reduce__(self) -> Any:
        raise cannot_travel(self)

    @property
    def call(self) -> str:
        """The call of ``inject()`` that makes such an injection, without ``unused_ok``, which only
        strict mode reads."""
        faults = [repr(str(fault)) for fault in self.faults]
        words = {word: each for word, each in fields_of(Selector).items() if word != "unused_ok"}
        given = [word for word in words if getattr(self.selector, word) != words[word].default]
        chosen = [f"{word}={getattr(self.selector, word)!r}" for word in given]
        return f"inject({', '.join([*faults, *chosen])})"

    def remove(self) -> None:
        """Remove the faults, and release every request that they stall."""
        self._injections._remove(self)
        self._released.set()

    def wait(self, seconds: float | None) -> bool:
        """Block for ``seconds`` (``None``: no limit) or until the stalled requests are released.
        Returns whether they were released."""
        released = self._released
        # Read before ``halted``: halt() sets ``halted`` first, and then the event that was read.
        if seconds is not None:  # a fault of a user's own may ask for any time
            seconds = min(seconds, threading.TIMEOUT_MAX)
        if self.longest_wait is not None:
            seconds = min(self.longest_wait if seconds is None else seconds, self.longest_wait)
        return self._injections.halted or released.wait(seconds)

    def _release(self) -> None:
        """Release the requests that are stalled now; later ones are stalled again."""
        released, self._released = self._released, threading.Event()
        released.set()

    def __enter__(self) -> Injection:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def record_redirected(self, exchange: Exchange) -> None:
        """Add ``exchange``, a request at the second origin."""
        self.redirected.append(exchange)
        del self.redirected[:-REDIRECTED_KEPT]

    def account(self, *, seen: int, hits: int, missed: list[str] | None = None) -> None:
        """Set the counts that the process reports in which the faults act."""
        self._seen, self._hits = seen, hits
        if missed is not None:
            self.missed = missed

    @property
    def hits(self) -> int:
        """The number of requests (or connections) that were hit."""
        self._injections.fetch()
        return self._hits

    @property
    def seen(self) -> int:
        """The number of requests (or connections) that matched, hit or let through."""
        self._injections.fetch()
        return self._seen

    @property
    def number(self) -> int:
        """The index of this injection among those made since the last reset of the worker."""
        return self._number

    @property
    def spent(self) -> bool:
        """Whether the injection has hit ``times`` requests."""
        return self.selector.times is not None and self._hits >= self.selector.times

    @property
    def keeping_away(self) -> list[str]:
        """The names of the faults that may keep requests from arriving: those that close the
        listening socket, and those of a connection that have hit one. (A connection that a fault
        ended without a byte of the client's is not in the journal.)"""
        return [
            fault.name
            for fault in self.faults
            if fault.listener or (fault.stage == "connection" and self.hits)
        ]

    def decides(self, claim: Claim | None) -> bool:
        """Whether the injection is considered for the request with the body ``claim``; for a
        connection if ``claim`` is ``None``."""
        first = self.faults[0]
        return not first.listener and (first.stage == "connection") is (claim is None)

    def _note(self, miss: str) -> None:
        self.missed = [*self.missed[-4:], miss]  # bounded: an injection may see many

    @property
    def draws_by_run(self) -> bool:
        """Whether random decisions use the test session's seed, because the injection has none of
        its own."""
        is_random = self.selector.probability < 1.0 or any(map(distributions_of, self.faults))
        return is_random and self.selector.seed is None

    @property
    def seed(self) -> int:
        """The seed of the random decisions: the injection's own, or a number made from that of the
        test session together with the test and the index of the injection."""
        if self.selector.seed is not None:
            return self.selector.seed
        faults = self._injections
        words = f"{faults.seed}|{faults.label}|{self._number}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.sha256(words).digest()[:6], "big")

    def _decide(self) -> bool:
        """Count a request that matches, and return whether it is hit. The k-th decision depends on
        k and :attr:`seed`."""
        self._seen += 1
        if self._seen <= self.selector.after:
            self._note(f"let through: {self._seen} of after={self.selector.after}")
            return False
        if self.selector.probability < 1.0:
            chance = random.Random(f"{self.seed}|{self._seen}").random()
            if chance >= self.selector.probability:
                self._note(f"let through by probability={self.selector.probability}")
                return False
        self._hits += 1
        return True

    def _act(self, plan: Plan) -> None:
        """Let the faults act on the exchange of ``plan``. What is drawn for the k-th hit depends on
        k and :attr:`seed`, and not on ``probability``."""
        seed = f"{self.seed}|hit {self._hits}"
        for fault in self.faults:
            plan.add(fault, self, seed)


def check_together(faults: tuple[Fault, ...], selector: Selector) -> None:
    """Raise :class:`UsageError` unless ``faults`` can act together on what ``selector`` selects."""
    if not faults:
        raise UsageError("inject() takes at least one fault")
    stages = [fault.stage for fault in faults]
    for stage in stages:
        if stages.count(stage) > 1:
            both = " and ".join(fault.name for fault in faults if fault.stage == stage)
            raise UsageError(
                f"{both} contradict: both act on stage {stage!r}; inject them one"
                " after the other, each with times="
            )
    if "connection" in stages and len(stages) > 1:
        raise UsageError(
            f"{faults[stages.index('connection')].name} is decided when a"
            " connection is accepted, the others later: make two injections"
        )
    selector.check_suits(faults)


class Injections:
    """The injections of a worker, in the order they were made.

    If two injections for one stage match a request, the first hits it and the second does not count
    it: ``inject(A, times=1); inject(B, times=1)`` act in this order. ``label`` and ``seed`` make
    random decisions repeatable.
    """

    def __init__(self, *, seed: int = 0, label: str = "") -> None:
        self.seed = seed
        self.label = label
        self.halted = False
        """Whether faults cannot stall requests, because the worker is stopping or stopped."""
        self.on_change: Callable[[], None] = lambda: None
        """Called after injections were added or removed."""
        self.on_decision: Callable[[Injection], None] = lambda injection: None
        """Called, under the lock, after an injection was considered."""
        self.fetch: Callable[[], None] = lambda: None
        """Called before a count is read: fetches the counts, where another process counts and does
        not report it."""
        self.clean: Callable[[str], str] = lambda text: text[:CLAIM_LIMIT]
        """Makes text of a request that nobody has authenticated fit to be shown."""
        self._lock = threading.Lock()
        self._active: list[Injection] = []
        self._made: list[Injection] = []
        self._next = 0
        """The number of the next injection."""

    def add(
        self,
        faults: tuple[Fault, ...],
        selector: Selector,
        *,
        background: bool = False,
        longest_wait: float | None = None,
    ) -> Injection:
        """Put ``faults`` in force and return their injection; ``longest_wait`` is the most seconds
        for which they stall a request at a time. Raises :class:`UsageError` if they cannot act
        together."""
        check_together(faults, selector)
        place = "" if background else call_site()
        with self._lock:
            injection = Injection(
                faults,
                selector,
                self._next,
                self,
                background=background,
                place=place,
                longest_wait=longest_wait,
            )
            self._next += 1
            self._made.append(injection)
            self._active.append(injection)
        self.on_change()
        return injection

    def _remove(self, injection: Injection) -> None:
        with self._lock:
            if injection in self._active:
                self._active.remove(injection)
        self.on_change()

    @property
    def refusing(self) -> bool:
        """Whether a fault in force keeps the listening socket closed, so that connections are
        refused."""
        with self._lock:
            return any(fault.listener for i in self._active for fault in i.faults)

    @property
    def await_requests(self) -> bool:
        """Whether a fault in force may still hit a request."""
        with self._lock:
            return any(
                not injection.spent and not fault.listener and fault.stage != "connection"
                for injection in self._active
                for fault in injection.faults
            )

    def plan_connection(self) -> Plan:
        """Return the faults that are to act on a new connection."""
        return self._plan(None) if self._active else NO_PLAN

    def plan_request(self, claim: Claim) -> Plan:
        """Return the faults that act on a request whose body was read, before it is
        authenticated."""
        return self._plan(claim) if self._active else NO_PLAN

    def _plan(self, claim: Claim | None) -> Plan:
        plan = Plan()
        with self._lock:
            for injection in self._active:
                if injection.decides(claim) and not injection.spent:
                    self._consider(injection, claim, plan)
        return plan

    def _consider(self, injection: Injection, claim: Claim | None, plan: Plan) -> None:
        miss = injection.selector.mismatch(claim, injection.faults, self.clean)
        stages = [fault.stage for fault in injection.faults]
        taken = next(filter(None, map(plan.hit, stages)), None)
        if miss is None and taken is not None:
            miss = f"an earlier injection took the request: {taken.injection!r}"
        if miss is not None:
            injection._note(miss)
        elif injection._decide():
            injection._act(plan)
        self.on_decision(injection)

    @property
    def injections(self) -> list[Injection]:
        """Every injection made since the last :meth:`clear`."""
        with self._lock:
            return list(self._made)

    @property
    def active(self) -> list[Injection]:
        """The injections in force, in order."""
        with self._lock:
            return list(self._active)

    def adopt(
        self,
        number: int,
        faults: tuple[Fault, ...],
        selector: Selector,
        longest_wait: float | None = None,
    ) -> Injection:
        """Add an injection of the parent process under its ``number``, without checks, and return
        it."""
        injection = Injection(faults, selector, number, self, longest_wait=longest_wait)
        with self._lock:
            self._made.append(injection)
            self._active.append(injection)
        return injection

    def forget(self, injection: Injection) -> None:
        """Remove ``injection``, and do not count it among those that were made."""
        injection.remove()
        with self._lock:
            if injection in self._made:
                self._made.remove(injection)

    def halt(self) -> None:
        """Release every stalled request, and let faults stall no others until :meth:`resume`."""
        self.halted = True
        for injection in self.active:  # removed injections stay released
            injection._release()

    def resume(self) -> None:
        """Let faults stall requests again."""
        self.halted = False

    def clear(self) -> None:
        """Remove and forget every injection, and release every stalled request."""
        with self._lock:
            for injection in self._made:
                injection._released.set()
            self._active.clear()
            self._made.clear()
            self._next = 0
        self.on_change()
