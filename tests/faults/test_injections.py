"""Injections: which faults a request gets, and when they end."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from wove.context import WoveContextManager

from tests.faults.helpers import (
    OnCancel,
    OnReply,
    OnRun,
    body,
    post_raw,
    read_all,
    weave_many,
)
from tests.support import run_frame
from wove_http_dev import HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import NO_FAULT, Fault
from wove_http_dev.faults.injections import REDIRECTED_KEPT, Injection, Injections
from wove_http_dev.faults.plan import Plan
from wove_http_dev.faults.selector import Selector
from wove_http_dev.protocol.claim import Claim
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.runs.records import Exchange

TIMEOUT = 10.0


@dataclass(frozen=True)
class OnAuth(Fault):
    """A fault of the auth stage that changes nothing."""

    stage: ClassVar[str] = "auth"


@dataclass(frozen=True)
class OnRunToo(Fault):
    """A second fault of the run stage that changes nothing."""

    stage: ClassVar[str] = "run"
    command: ClassVar[str | None] = "run_task"


@dataclass(frozen=True)
class OnAccept(Fault):
    """A fault of the connection stage."""

    stage: ClassVar[str] = "connection"


@dataclass(frozen=True)
class OnListener(Fault):
    """A fault that acts on the listening socket."""

    stage: ClassVar[str] = "connection"
    listener: ClassVar[bool] = True


def initial_value_body() -> bytes:
    """A request body for one of Wove's own initial values."""
    return run_frame(WoveContextManager()._tasks["data"]["func"], task="data")


@pytest.fixture
def injections() -> Injections:
    """An ``Injections`` without faults."""
    return Injections()


@pytest.mark.parametrize(
    ("fault", "awaits"), [(OnAuth(), True), (OnReply(), True), (OnAccept(), False)]
)
def test_awaiting_requests(injections: Injections, fault: Fault, awaits: bool) -> None:
    """Faults in force await requests unless they act on connections."""
    injection = injections.add((fault,), Selector())
    before = injections.await_requests
    injection.remove()
    assert (before, injections.await_requests) == (awaits, False)


def test_spent_injection_awaits_no_request(injections: Injections) -> None:
    """An injection that has hit its last request awaits no other."""
    injections.add((OnAuth(),), Selector(times=1))
    injections.plan_request(Claim(body()))
    assert not injections.await_requests


def inject(injections: Injections, *faults: Fault, **selector: Any) -> Injection:
    """Inject ``faults`` with the selector words ``words``."""
    return injections.add(faults, Selector(**selector))


def hits(injections: Injections, count: int, data: bytes = body()) -> list[bool]:
    """Whether each of ``count`` requests is hit."""
    return [bool(injections.plan_request(Claim(data)).names) for _ in range(count)]


class TestPlan:
    """The faults chosen for one exchange."""

    def test_nothing(self, injections: Injections) -> None:
        """Without an injection no stage has a fault."""
        assert injections.plan_request(Claim(body())).names == []

    def test_null_fault(self, injections: Injections) -> None:
        """A stage that is not hit has the null fault."""
        assert injections.plan_request(Claim(body())).fault("run") is NO_FAULT

    def test_fault(self, injections: Injections) -> None:
        """A stage that is hit has its fault."""
        fault = OnRun()
        inject(injections, fault)
        assert injections.plan_request(Claim(body())).fault("run") is fault

    def test_several_stages(self, injections: Injections) -> None:
        """Faults of several stages hit the same exchange, named in the order of the stages."""
        inject(injections, OnReply())
        inject(injections, OnRun())
        inject(injections, OnAuth())
        assert injections.plan_request(Claim(body())).names == [
            "on-auth",
            "on-run",
            "on-reply",
        ]

    def test_one_injection_of_several_faults(self, injections: Injections) -> None:
        """One injection may have a fault for each of several stages."""
        inject(injections, OnAuth(), OnReply())
        assert injections.plan_request(Claim(body())).names == ["on-auth", "on-reply"]

    def test_hits(self, injections: Injections) -> None:
        """An injection of several faults counts one hit for an exchange."""
        injection = inject(injections, OnAuth(), OnReply())
        injections.plan_request(Claim(body()))
        assert injection.hits == 1

    def test_null_fault_never_waits(self) -> None:
        """The null fault's wait returns at once."""
        assert Plan().wait("run")(None)


class TestCounting:
    """Which of the matching requests are hit."""

    def test_times(self, injections: Injections) -> None:
        """At most ``times`` requests are hit."""
        inject(injections, OnRun(), times=2)
        assert hits(injections, 4) == [True, True, False, False]

    def test_after(self, injections: Injections) -> None:
        """The first ``after`` requests are not hit."""
        inject(injections, OnRun(), after=2, times=1)
        assert hits(injections, 4) == [False, False, True, False]

    def test_misfits_do_not_count(self, injections: Injections) -> None:
        """Requests that do not match count neither for ``times`` nor for ``after``."""
        inject(injections, OnRun(), after=1, times=1, task="task")
        hits(injections, 5, body(task="other"))
        assert hits(injections, 3) == [False, True, False]

    @pytest.mark.parametrize(("spent", "injected_times"), [(False, 2), (True, 1), (False, None)])
    def test_spent(self, injections: Injections, spent: bool, injected_times: int | None) -> None:
        """An injection is spent once ``times`` is used up."""
        injection = inject(injections, OnRun(), times=injected_times)
        hits(injections, 1)
        assert injection.spent is spent

    def test_in_order(self, injections: Injections) -> None:
        """Of two injections for one stage the earlier one acts first."""
        inject(injections, OnRun(), times=1)
        inject(injections, OnRunToo(), times=1)
        names = [injections.plan_request(Claim(body())).names for _ in range(3)]
        assert names == [["on-run"], ["on-run-too"], []]

    def test_later_one_does_not_see_it(self, injections: Injections) -> None:
        """A request that the earlier injection hits does not count for the later one."""
        inject(injections, OnRun(), times=1)
        later = inject(injections, OnRunToo())
        injections.plan_request(Claim(body()))
        assert later.seen == 0

    def test_later_one_sees_what_is_let_through(self, injections: Injections) -> None:
        """A request that the earlier injection does not hit may be hit by the later one."""
        inject(injections, OnRun(), after=1)
        inject(injections, OnRunToo())
        assert injections.plan_request(Claim(body())).names == ["on-run-too"]

    def test_taken_stage_hides_the_whole_injection(self, injections: Injections) -> None:
        """An injection of several faults does not hit a request if another injection already acts
        at one of its stages."""
        inject(injections, OnRun())
        inject(injections, OnReply(), OnRunToo())
        assert injections.plan_request(Claim(body())).names == ["on-run"]

    def test_exactly_under_threads(self, injections: Injections) -> None:
        """``times`` is exact under many threads."""
        inject(injections, OnRun(), times=137)
        together = threading.Barrier(20)

        def work(_: int) -> int:
            together.wait(TIMEOUT)
            return sum(hits(injections, 50))

        with ThreadPoolExecutor(20) as threads:
            assert sum(threads.map(work, range(20))) == 137

    def test_hits_under_threads(self, injections: Injections) -> None:
        """No hit is lost from the count under many threads."""
        injection = inject(injections, OnRun(), after=100)
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(lambda _: hits(injections, 50), range(20)))
        assert (injection.seen, injection.hits) == (1000, 900)


class TestProbability:
    """Repeatable random decisions."""

    @staticmethod
    def decisions(
        *, seed: int = 0, label: str = "", selector_seed: int | None = None
    ) -> list[bool]:
        """The decisions of new injections about 50 requests."""
        injections = Injections(seed=seed, label=label)
        inject(injections, OnRun(), probability=0.5, seed=selector_seed)
        return hits(injections, 50)

    def test_never(self, injections: Injections) -> None:
        """A probability of 0 never hits."""
        inject(injections, OnRun(), probability=0.0)
        assert not any(hits(injections, 1000))

    def test_always(self, injections: Injections) -> None:
        """A probability of 1 always hits."""
        inject(injections, OnRun(), probability=1.0)
        assert all(hits(injections, 100))

    def test_sometimes(self) -> None:
        """A probability in between hits some requests and not others."""
        assert set(self.decisions()) == {True, False}

    def test_same_seed_and_label(self) -> None:
        """The same seed and label make the same decisions."""
        assert self.decisions(seed=7, label="t") == self.decisions(seed=7, label="t")

    def test_another_seed(self) -> None:
        """Another seed makes other decisions."""
        assert self.decisions(seed=7) != self.decisions(seed=8)

    def test_another_label(self) -> None:
        """Another label makes other decisions."""
        assert self.decisions(label="test_a") != self.decisions(label="test_b")

    def test_seed_of_its_own(self) -> None:
        """An injection's own seed replaces that of all injections."""
        one, other = (self.decisions(seed=seed, selector_seed=3) for seed in (7, 8))
        assert one == other

    def test_two_injections(self, injections: Injections) -> None:
        """Two injections of a worker make independent decisions."""
        inject(injections, OnRun(), probability=0.5)
        inject(injections, OnReply(), probability=0.5)
        plans = [injections.plan_request(Claim(body())).names for _ in range(50)]
        assert ["on-run"] in plans

    def test_misfits_change_nothing(self) -> None:
        """Requests that do not match do not change the decisions about those that do."""
        injections = Injections()
        inject(injections, OnRun(), probability=0.5)
        mixed = []
        for _ in range(50):
            hits(injections, 1, body("cancel_task"))
            mixed += hits(injections, 1)
        assert mixed == self.decisions()


class TestConnections:
    """Faults chosen when a connection is accepted."""

    def test_hit(self, injections: Injections) -> None:
        """A connection fault hits a connection."""
        inject(injections, OnAccept())
        assert injections.plan_connection().names == ["on-accept"]

    def test_no_request(self, injections: Injections) -> None:
        """A connection fault hits no request."""
        inject(injections, OnAccept())
        assert injections.plan_request(Claim(body())).names == []

    def test_request_fault_hits_no_connection(self, injections: Injections) -> None:
        """A fault of another stage hits no connection."""
        inject(injections, OnReply())
        assert injections.plan_connection().names == []

    def test_counts_connections(self, injections: Injections) -> None:
        """``times`` and ``after`` count connections."""
        inject(injections, OnAccept(), after=1, times=1)
        chosen = [bool(injections.plan_connection().names) for _ in range(3)]
        assert chosen == [False, True, False]

    def test_listener_state(self, injections: Injections) -> None:
        """A fault of the listening socket is in force while it is injected."""
        with inject(injections, OnListener()):
            assert injections.refusing

    def test_listener_state_removed(self, injections: Injections) -> None:
        """After its removal a fault of the listening socket is not in force."""
        with inject(injections, OnListener()):
            pass
        assert not injections.refusing

    def test_listener_hits_no_connection(self, injections: Injections) -> None:
        """A fault of the listening socket hits no connection."""
        inject(injections, OnListener())
        assert injections.plan_connection().names == []


class TestKeepingAway:
    """``keeping_away`` names the faults that may keep requests from arriving."""

    def test_request_fault(self, injections: Injections) -> None:
        """A fault of a request never does."""
        injection = inject(injections, OnRun())
        injections.plan_request(Claim(body()))
        assert injection.keeping_away == []

    def test_connection_fault(self, injections: Injections) -> None:
        """One of a connection may, once it has hit one."""
        injection = inject(injections, OnAccept())
        before = injection.keeping_away
        injections.plan_connection()
        assert (before, injection.keeping_away) == ([], ["on-accept"])

    def test_listener(self, injections: Injections) -> None:
        """One that closes the listening socket may from the start."""
        assert inject(injections, OnListener()).keeping_away == ["on-listener"]


class TestUsageErrors:
    """Faults and selectors that cannot be injected."""

    @pytest.mark.parametrize(
        ("faults", "selector", "message"),
        [
            ((), {}, "at least one"),
            (
                (OnRun(), OnRunToo()),
                {},
                "on-run and on-run-too contradict: both act on stage 'run'",
            ),
            ((OnRun(), OnCancel()), {}, "contradict"),
            ((OnAccept(), OnAccept()), {}, "contradict"),
            ((OnAccept(), OnRun()), {}, "on-accept is decided when a connection is accepted"),
            ((OnRun(), OnAccept()), {}, "on-accept is decided when a connection is accepted"),
            ((OnAccept(),), {"task": "t"}, "acts before a request is read"),
            ((OnAccept(),), {"command": "run_task"}, "acts before a request is read"),
            ((OnListener(),), {"times": 1}, "nothing selects it"),
            ((OnListener(),), {"task": "t"}, "nothing selects it"),
        ],
    )
    def test_contradiction(
        self,
        injections: Injections,
        faults: tuple[Fault, ...],
        selector: dict[str, Any],
        message: str,
    ) -> None:
        """Faults and selectors that contradict are a usage error that says why."""
        with pytest.raises(UsageError, match=message):
            inject(injections, *faults, **selector)

    def test_contradiction_injects_nothing(self, injections: Injections) -> None:
        """A usage error puts no fault in force."""
        with pytest.raises(UsageError):
            inject(injections, OnRun(), OnRunToo())
        assert injections.active == []


class TestMisses:
    """The recorded reasons why requests were not hit."""

    @pytest.mark.parametrize(
        ("selector", "data", "message"),
        [
            ({"task": "other"}, body(), "task 'task' does not match 'other'"),
            ({}, body("cancel_task"), "cancel_task is not run_task"),
            ({}, b"junk", "a body that is not a frame is not run_task"),
            ({}, b'{"type": "a\\nb"}', r"a frame of type 'a\nb' is not run_task"),
            ({}, initial_value_body(), "'data' is one of Wove's own initial values"),
            ({"after": 1}, body(), "let through: 1 of after=1"),
            ({"probability": 0.0}, body(), "let through by probability=0.0"),
        ],
        ids=["task", "command", "junk", "type", "initial-value", "after", "probability"],
    )
    def test_reason(
        self, injections: Injections, selector: dict[str, Any], data: bytes, message: str
    ) -> None:
        """A near miss is recorded with its reason."""
        injection = inject(injections, OnRun(), **selector)
        injections.plan_request(Claim(data))
        assert injection.missed == [message]

    @pytest.mark.parametrize(
        "selector", [{"task": "other"}, {"after": 1000}, {"probability": 0.0}], ids=str
    )
    def test_newest_few(self, injections: Injections, selector: dict[str, Any]) -> None:
        """Only the 5 newest misses are kept."""
        injection = inject(injections, OnRun(), **selector)
        hits(injections, 100)
        assert len(injection.missed) == 5

    def test_hit_is_not_a_miss(self, injections: Injections) -> None:
        """A hit is not recorded as a miss."""
        injection = inject(injections, OnRun())
        injections.plan_request(Claim(body()))
        assert injection.missed == []


class TestEnding:
    """Removing injections, and ending their stalls."""

    def test_removed(self, injections: Injections) -> None:
        """A removed injection hits nothing."""
        inject(injections, OnRun()).remove()
        assert hits(injections, 1) == [False]

    def test_removed_twice(self, injections: Injections) -> None:
        """Removing an injection twice does not remove another."""
        injection = inject(injections, OnRun())
        inject(injections, OnRunToo())
        injection.remove()
        injection.remove()
        assert injections.plan_request(Claim(body())).names == ["on-run-too"]

    def test_context_manager(self, injections: Injections) -> None:
        """Leaving the context removes the injection."""
        with inject(injections, OnRun()):
            pass
        assert hits(injections, 1) == [False]

    def test_context_manager_after_an_exception(self, injections: Injections) -> None:
        """An exception removes the injection as well."""
        with pytest.raises(KeyError), inject(injections, OnRun()):
            raise KeyError
        assert hits(injections, 1) == [False]

    def test_wait_of_any_length(self, injections: Injections) -> None:
        """A wait that is longer than a thread can wait ends when the fault is removed."""
        injection = inject(injections, OnRun())
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(injection.wait, 1e300)
            injection.remove()
            assert waiting.result(TIMEOUT)

    def test_wait_ends_by_itself(self, injections: Injections) -> None:
        """A wait that is not released lasts its time."""
        inject(injections, OnRun())
        assert not injections.plan_request(Claim(body())).wait("run")(0.0)

    @pytest.mark.parametrize("end", ["remove", "halt", "clear"])
    def test_stall_is_released(
        self, injections: Injections, pool: ThreadPoolExecutor, end: str
    ) -> None:
        """``remove()`` ends a wait without limit."""
        injection = inject(injections, OnRun())
        wait, waiting = (
            injections.plan_request(Claim(body())).wait("run"),
            threading.Event(),
        )

        def stall() -> bool:
            waiting.set()
            return wait(TIMEOUT)

        stalled = pool.submit(stall)
        assert waiting.wait(TIMEOUT)
        {"remove": injection.remove, "halt": injections.halt, "clear": injections.clear}[end]()
        assert stalled.result(2 * TIMEOUT)

    def test_halted(self, injections: Injections) -> None:
        """While the injections are halted every wait ends at once."""
        injection = inject(injections, OnRun())
        injections.halt()
        assert injection.wait(None)

    def test_halted_still_hits(self, injections: Injections) -> None:
        """While injections are halted they stay in force."""
        inject(injections, OnRun())
        injections.halt()
        assert hits(injections, 1) == [True]

    def test_resumed(self, injections: Injections) -> None:
        """After a resume waits last their full time again."""
        injection = inject(injections, OnRun())
        injections.halt()
        injections.resume()
        assert not injection.wait(0.0)

    def test_removed_stays_released(self, injections: Injections) -> None:
        """Waits of a removed injection end at once, even after a restart."""
        injection = inject(injections, OnRun())
        injection.remove()
        injections.halt()
        injections.resume()
        assert injection.wait(0.0)

    def test_clear(self, injections: Injections) -> None:
        """``clear()`` removes every injection."""
        inject(injections, OnRun(), times=1)
        injections.clear()
        assert (injections.active, injections.injections) == ([], [])


class TestReporting:
    """Repr, callbacks, and counts from another process."""

    def test_repr(self, injections: Injections) -> None:
        """The repr has faults and hits."""
        injection = inject(injections, OnAuth(), OnReply())
        assert repr(injection) == "<Injection on-auth, on-reply; 0 hit(s)>"

    def test_repr_of_a_selection(self, injections: Injections) -> None:
        """The repr has the words of the selector, as they are written."""
        injection = inject(injections, OnReply(), task="render_*", times=2)
        assert repr(injection) == "<Injection on-reply task='render_*' times=2; 0 hit(s)>"

    @pytest.mark.parametrize("change", ["add", "remove", "clear"])
    def test_on_change(self, injections: Injections, change: str) -> None:
        """``on_change`` is called when injections change."""
        injection, changed = inject(injections, OnRun()), threading.Event()
        injections.on_change = changed.set
        changes = {"add": lambda: inject(injections, OnReply()), "remove": injection.remove}
        changes.get(change, injections.clear)()
        assert changed.is_set()

    @pytest.mark.parametrize("data", [body(), body("cancel_task")], ids=["fits", "misfit"])
    def test_on_decision(self, injections: Injections, data: bytes) -> None:
        """``on_decision`` is called with every injection that was considered."""
        considered: list[Injection] = []
        injection = inject(injections, OnRun())
        injections.on_decision = considered.append
        injections.plan_request(Claim(data))
        assert considered == [injection]

    def test_account(self, injections: Injections) -> None:
        """Counts made in another process replace the injection's own."""
        injection = inject(injections, OnRun(), times=3)
        injection.account(seen=5, hits=3, missed=["why"])
        assert (injection.seen, injection.spent, injection.missed) == (5, True, ["why"])

    def test_adopt(self, injections: Injections) -> None:
        """An injection of another process is adopted under its number there."""
        injection = injections.adopt(7, (OnRun(),), Selector())
        assert (injection.number, hits(injections, 1)) == (7, [True])


# Through a worker


CANCEL = json.dumps({"type": "cancel_task", "run_id": "t:1", "task_id": "t"}).encode()


@pytest.fixture
def plain(wove_http_worker_factory: WorkerFactory) -> HttpWorker:
    """A worker that accepts raw, unsigned requests."""
    return wove_http_worker_factory(tls=False, security="none")


def statuses(worker: HttpWorker, count: int) -> list[bytes]:
    """The status lines of ``count`` requests, twenty at a time."""

    def one(_: int) -> bytes:
        return read_all(post_raw(worker, CANCEL)).partition(b"\r\n")[0]

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(one, range(count)))


def test_exactly_times_requests_are_hit(plain: HttpWorker) -> None:
    """Of 1000 concurrent requests exactly 100 are hit by ``times=100``."""
    plain.inject("status code=503", times=100)
    assert statuses(plain, 1000).count(b"HTTP/1.1 503 Service Unavailable") == 100


def test_probability_zero_never_fires(plain: HttpWorker) -> None:
    """``probability=0.0`` hits no request."""
    plain.inject("status code=503", probability=0.0)
    assert set(statuses(plain, 200)) == {b"HTTP/1.1 200 OK"}


def test_injections_happen_in_order(plain: HttpWorker) -> None:
    """The first injection's ``times`` are used up before the second one acts."""
    plain.inject("status code=503", times=2)
    plain.inject("status code=429", times=1)
    codes = [read_all(post_raw(plain, CANCEL)).split()[1] for _ in range(4)]
    assert codes == [b"503", b"503", b"429", b"200"]


def test_faults_of_two_stages_act_on_one_exchange(wove_http_worker: HttpWorker) -> None:
    """Two faults of different stages act on one exchange: the run is doubled, its started event
    missing."""
    wove_http_worker.inject("duplicate-run", "missing-started")
    weave_many([1])
    exchange, run = wove_http_worker.exchanges[0], wove_http_worker.runs.last
    assert (exchange.events, run.executions) == (["task_result"], 2)


def test_redirected_requests_are_limited(injections: Injections) -> None:
    """An injection keeps the newest requests that arrived at the second origin."""
    injection = injections.add((OnAuth(),), Selector())
    for number in range(2 * REDIRECTED_KEPT):
        injection.record_redirected(Exchange(number, 0.0))
    assert len(injection.redirected) == REDIRECTED_KEPT
    assert injection.redirected[-1].number == 2 * REDIRECTED_KEPT - 1


def test_forgotten_injection(injections: Injections) -> None:
    """An injection that is forgotten is neither in force nor among those that were made."""
    injections.forget(injections.add((OnAuth(),), Selector()))
    assert (injections.active, injections.injections) == ([], [])


def test_number_after_a_forgotten_injection() -> None:
    """A number is not given twice, because a child process tells injections apart by it."""
    injections = Injections()
    first, second = (injections.add((OnReply(),), Selector()) for _ in range(2))
    injections.forget(first)
    third = injections.add((OnReply(),), Selector())
    assert (second.number, third.number) == (1, 2)
