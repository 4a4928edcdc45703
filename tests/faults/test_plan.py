"""The faults that act on an exchange, with the numbers drawn for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as plain_field
from typing import Any, ClassVar

import pytest

from wove_http_dev.faults import Duration, Fault, SlowBody, SlowResponse, StallMidBody, Uniform
from wove_http_dev.faults.fault import NO_FAULT, RunStage
from wove_http_dev.faults.injections import Injection, Injections
from wove_http_dev.faults.plan import DRAWN_KEPT, Plan
from wove_http_dev.faults.selector import Selector
from wove_http_dev.fields import field
from wove_http_dev.protocol.claim import Claim
from wove_http_dev.runs.outcome import Outcome

BODY = Claim(b'{"type": "run_task", "task_id": "t", "run_id": "r"}')
WAIT = Uniform(0, 1e-9)
"""Different numbers for which nobody waits."""


@dataclass(frozen=True)
class Counting(Fault):
    """A user's fault, which keeps what it did in a list."""

    stage: ClassVar[str] = "run"
    before: Duration = field(0.0, "seconds", "seconds")
    after: Duration = 0.0
    seen: list[Any] = plain_field(default_factory=list)

    def on_run(self, stage: RunStage) -> Outcome:
        self.seen.append((self.before, self.after))
        return stage.proceed()


def inject(*faults: Fault, injections: Injections | None = None, **words: Any) -> Injections:
    """Injections of ``faults``."""
    found = injections if injections is not None else Injections(seed=1)
    found.add(faults, Selector(**words))
    return found


def delays(injections: Injections, count: int = 5) -> list[Duration | None]:
    """The delay of each of so many requests; ``None`` for one that is not hit."""
    return [
        getattr(injections.plan_request(BODY).fault("run"), "delay", None) for _ in range(count)
    ]


SLOW = SlowResponse(delay=Uniform(0.1, 0.5))


def test_a_number_for_each_hit() -> None:
    """Each request has a number of its own; these are the numbers of seed 3."""
    assert delays(inject(SLOW, seed=3), 3) == pytest.approx(
        [0.418095, 0.454001, 0.165594], abs=1e-6
    )


def test_a_number_is_what_a_fault_has() -> None:
    """A fault without a distribution is not copied."""
    fault = SlowResponse(delay=0.5)
    assert inject(fault).plan_request(BODY).fault("run") is fault


def test_nothing_is_injected() -> None:
    """Without a fault there is the null fault, and nothing drawn."""
    assert (Plan().fault("run"), Plan().drawn) == (NO_FAULT, {})


def test_the_same_seed() -> None:
    """The same seed gives the same numbers."""
    assert delays(inject(SLOW)) == delays(inject(SLOW))


def test_another_seed() -> None:
    """Another seed of the session gives other numbers."""
    other = inject(SLOW, injections=Injections(seed=2))
    assert not set(delays(inject(SLOW))) & set(delays(other))


def test_a_seed_of_its_own() -> None:
    """With a seed of its own an injection does not depend on that of the session."""
    other = inject(SLOW, seed=3, injections=Injections(seed=2))
    assert delays(inject(SLOW, seed=3)) == delays(other)


def test_another_injection() -> None:
    """The second injection of a test draws other numbers than the first."""
    first = inject(SLOW, times=5)
    inject(SLOW, injections=first)
    assert not set(delays(first)) & set(delays(first))


def test_requests_that_are_let_through() -> None:
    """The k-th hit has the same number, however many requests were let through before."""
    plain = delays(inject(SLOW, seed=3), 2)
    assert delays(inject(SLOW, seed=3, after=2), 4) == [None, None, *plain]


def test_probability_draws_apart() -> None:
    """With ``probability`` the k-th request that is hit waits as long as without it."""
    plain = delays(inject(SLOW, seed=3), 12)
    some = [each for each in delays(inject(SLOW, seed=3, probability=0.5), 12) if each is not None]
    assert 2 < len(some) < 12
    assert some == plain[: len(some)]


def test_a_distribution_does_not_change_who_is_hit() -> None:
    """``probability`` hits the same requests, whether the fault has a distribution or not."""
    hit = [
        [each is None for each in delays(inject(fault, seed=3, probability=0.5), 12)]
        for fault in (SLOW, SlowResponse(delay=1))
    ]
    assert hit[0] == hit[1]


def test_two_faults_draw_apart() -> None:
    """Fields of different faults of one injection have numbers of their own."""
    both = inject(SLOW, StallMidBody(seconds=Uniform(0.1, 0.5)))
    slow, stall = both.plan_request(BODY).drawn.values()
    assert slow != stall


def test_two_fields_draw_apart() -> None:
    """Two fields with the same distribution have numbers of their own."""
    plan = inject(Counting(before=Uniform(0, 1), after=Uniform(0, 1))).plan_request(BODY)
    fault = plan.fault("run")
    assert isinstance(fault, Counting)
    assert fault.before != fault.after


def test_what_is_drawn_is_named() -> None:
    """The numbers are recorded by the fault's name with the field."""
    plan = inject(SLOW).plan_request(BODY)
    fault = plan.fault("run")
    assert isinstance(fault, SlowResponse)
    assert plan.drawn == {"slow-response delay=0.1..0.5": [fault.delay]}


def test_the_fault_of_an_injection_stays() -> None:
    """The injection keeps the distribution, and shows it."""
    injections = inject(SLOW)
    injections.plan_request(BODY)
    assert "delay=0.1..0.5" in repr(injections.active[0])


def test_a_users_fault_keeps_its_list() -> None:
    """The copy with the numbers shares the other values of the fault."""
    fault = Counting(before=Uniform(0, 1))
    copied = inject(fault).plan_request(BODY).fault("run")
    assert isinstance(copied, Counting)
    assert copied.seen is fault.seen


def test_a_connection_draws() -> None:
    """A fault of the connection has its number when a connection is accepted."""
    from wove_http_dev.faults import HandshakeStall

    plan = inject(HandshakeStall(seconds=Uniform(0.1, 0.5))).plan_connection()
    assert [0.1 <= each[0] <= 0.5 for each in plan.drawn.values()] == [True]


class TestEachWait:
    """A field that is drawn by each wait."""

    def drip(self, count: int) -> Mapping[str, list[float]]:
        """What is drawn if a fault waits so often."""
        fault = SlowBody(drip=WAIT)
        plan = inject(fault).plan_request(BODY)
        acting = plan.fault("wire")
        assert isinstance(acting, SlowBody)
        for _ in range(count):
            plan.wait("wire")(acting.drip)
        return plan.drawn

    def test_before_the_first(self) -> None:
        """Nothing is drawn before a wait."""
        assert self.drip(0) == {f"slow-body drip={WAIT}": []}

    def test_each_is_another(self) -> None:
        """Each wait is another number."""
        (numbers,) = self.drip(4).values()
        assert len(set(numbers)) == 4

    def test_is_repeatable(self) -> None:
        """The same seed gives the same numbers in the same order."""
        assert self.drip(4) == self.drip(4)

    def test_a_later_one_does_not_change_an_earlier_one(self) -> None:
        """The first numbers are the same, however many follow."""
        (few,), (many,) = self.drip(2).values(), self.drip(4).values()
        assert many[:2] == few

    def test_record_is_bounded(self) -> None:
        """Of a body with many pieces the first numbers are recorded."""
        (numbers,) = self.drip(DRAWN_KEPT + 50).values()
        assert len(numbers) == DRAWN_KEPT

    def test_a_distribution_of_no_field(self) -> None:
        """A wait takes any distribution."""
        plan = inject(SlowResponse()).plan_request(BODY)
        plan.wait("run")(WAIT)
        assert list(plan.drawn) == [f"slow-response wait={WAIT}"]


def test_seed_of_an_injection_with_one() -> None:
    """The seed of an injection is its own, if it has one."""
    assert inject(SLOW, seed=-5).active[0].seed == -5


def test_draws_by_run() -> None:
    """Only what is random, without a seed of its own, depends on that of the session."""

    def depends(fault: Fault, **words: Any) -> bool:
        injection: Injection = inject(fault, **words).active[0]
        return injection.draws_by_run

    assert [
        depends(SLOW),
        depends(SLOW, seed=1),
        depends(SlowResponse(delay=1)),
        depends(SlowResponse(delay=1), probability=0.5),
    ] == [True, False, False, True]


@pytest.mark.parametrize("copied", ["pickle", "isolated"])
def test_a_fault_that_was_sent(copied: str) -> None:
    """The numbers are the same for a fault that was pickled."""
    import pickle

    from wove_http_dev.isolated import serialization

    injections = inject(SLOW)
    record = serialization.injection_to_record(injections.active[0])
    there = Injections(seed=1)
    if copied == "isolated":
        serialization.adopt_injection(there, record)
    else:
        there.add(pickle.loads(pickle.dumps(injections.active[0].faults)), Selector())
    assert delays(there) == delays(injections)
