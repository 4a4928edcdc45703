"""``Schedule``: faults that are put in force together, and their ``repr``."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from wove import weave
from wove.environment import EnvironmentExecutionError

from tests.support import TIMEOUT, MakeWorker, answer, run_frame, signed_request, weave_one
from wove_http_dev import Schedule
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import Fault, Status, field
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.worker import HttpWorker

CALM = 10_000.0
"""A worker's ``timeout``, seconds: a wait that is bounded by it does not end in a test."""


@dataclass(frozen=True)
class Teapot(Fault):
    """The response is a 418."""

    stage: ClassVar[str] = "response"
    strength: int = field(1, "strength of the tea")

    def on_reply(self, reply: Reply, stage: Any) -> Reply:
        return Reply(status=418)


ENTRIES: dict[str, Any] = {
    "nothing": [],
    "name": ["empty-body"],
    "fields": ["status code=500 reason='so it is'"],
    "selection": ["status task=charge times=1 after=2", "hang task='it''s' command=run_task"],
    "quotes": ["""status task='"none"'"""],
    "instance": [Status(code=404)],
    "instance and selection": [(Status(code=404), {"task": "charge", "times": 2})],
    "distribution": ["slow-response delay=0.1..0.5", "hang times=1"],
    "own": [Teapot(strength=3)],
    "own and selection": [(Teapot(), {"task": "it's", "after": 1}), "hang"],
}
BOTH = pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])


class TestValue:
    """A schedule is a value that can be written as code."""

    @pytest.mark.parametrize("entries", ENTRIES.values(), ids=ENTRIES)
    def test_the_repr_is_code(self, entries: list[Any]) -> None:
        """The ``repr`` makes an equal schedule."""
        schedule = Schedule(entries)
        assert eval(repr(schedule)) == schedule

    def test_repr(self) -> None:
        """A fault of the catalogue is written as its text, with its selection."""
        schedule = Schedule([(Status(code=404), {"task": "charge"}), "hang times=1"])
        assert repr(schedule) == "Schedule(['status code=404 task=charge', 'hang times=1'])"

    def test_repr_of_an_own_fault(self) -> None:
        """A fault that has no text is written as an instance."""
        assert repr(Schedule([(Teapot(), {"times": 1})])) == (
            "Schedule([(Teapot(strength=1), {'times': 1})])"
        )

    def test_equal_in_another_form(self) -> None:
        """A text and an instance with a selection are the same."""
        assert Schedule(["status times=1"]) == Schedule([(Status(), {"times": 1})])

    def test_equal_hashes(self) -> None:
        """Equal schedules have equal hashes."""
        assert len({Schedule(["hang"]), Schedule(["hang"])}) == 1

    @pytest.mark.parametrize("other", [Schedule(["hang", "status"]), Schedule(), ["status"]])
    def test_unequal(self, other: object) -> None:
        """Schedules of other faults, or in another order, differ; and so do other values."""
        assert Schedule(["status", "hang"]) != other

    def test_length(self) -> None:
        """Its length is the number of injections."""
        assert len(Schedule(["status", "hang"])) == 2

    def test_faults(self) -> None:
        """``faults`` are the faults in order."""
        assert [fault.name for fault in Schedule(["status times=1", "hang"]).faults] == [
            "status",
            "hang",
        ]

    @pytest.mark.parametrize(
        ("entries", "reason"),
        [
            ("status", r"Schedule\(\['status'\]\)"),
            (["statsu"], "did you mean 'status'"),
            ([3], "not 3"),
            ([(Status(), {"fields": 1})], "cannot use 'fields'"),
            (["untrusted-ca task=charge"], "acts before a request is read"),
            (["refuse-connections times=1"], "nothing selects it"),
        ],
    )
    def test_a_wrong_entry(self, entries: Any, reason: str) -> None:
        """What is no fault, or could never hit, is a usage error that says what to do."""
        with pytest.raises(UsageError, match=reason):
            Schedule(entries)


class TestInForce:
    """What a block with a schedule does to the worker."""

    def test_the_faults_hit(self, wove_http_worker: HttpWorker) -> None:
        """Inside the block its faults hit, in their order."""
        schedule = Schedule(["status code=500 times=1", "status code=502 times=1"])
        with schedule.injected(wove_http_worker):
            for code in (500, 502):
                with pytest.raises(Exception, match=f"HTTP Error {code}"):
                    weave_one()

    def test_they_are_removed(self, wove_http_worker: HttpWorker) -> None:
        """After the block nothing is hit."""
        with Schedule(["status"]).injected(wove_http_worker):
            pass
        assert weave_one() == (1, 2)

    def test_the_injections(self, wove_http_worker: HttpWorker) -> None:
        """The block gets the injections, which count."""
        with Schedule(["http-1.0", "untrusted-ca after=9"]).injected(wove_http_worker) as made:
            weave_one()
        assert [injection.hits for injection in made] == [1, 0]

    def test_an_own_fault(self, wove_http_worker: HttpWorker) -> None:
        """A fault of a user's own hits as well."""
        with (
            Schedule([(Teapot(), {"times": 1})]).injected(wove_http_worker),
            pytest.raises(Exception, match="HTTP Error 418"),
        ):
            weave_one()

    def test_strict_accepts_what_hit_nothing(self, wove_http_worker: HttpWorker) -> None:
        """Strict mode does not report a fault of a schedule that hit nothing."""
        with Schedule(["status task=other"]).injected(wove_http_worker):
            weave_one()
        wove_http_worker.check()

    def test_one_that_cannot_apply(self, plain_worker: HttpWorker) -> None:
        """A fault that cannot apply to the worker is named, and none of the others is injected."""
        schedule = Schedule(["status", "untrusted-ca"])
        with (
            pytest.raises(UsageError, match="untrusted-ca cannot apply"),
            schedule.injected(plain_worker),
        ):
            pass
        assert plain_worker.injections == []

    @BOTH
    def test_a_late_body_runs_in_the_block(
        self, make_worker: MakeWorker, pool: ThreadPoolExecutor, isolated: bool
    ) -> None:
        """A run that a fault stalls until the end of the block has ended after it."""
        worker = make_worker(isolated=isolated, timeout=CALM)
        with Schedule(["hang"]).injected(worker):
            pool.submit(signed_request, worker, run_frame(answer))
            worker.wait_for("task", "received", timeout=TIMEOUT)
        assert [run.executions for run in worker.runs] == [1]

    @BOTH
    def test_a_stall_is_bounded(self, make_worker: MakeWorker, isolated: bool) -> None:
        """A stall ends by itself for a client that waits without a limit."""
        worker = make_worker(isolated=isolated, timeout=0.1)
        with Schedule(["hang"]).injected(worker):
            assert signed_request(worker, run_frame(answer)).terminal != "task_cancelled"

    def test_a_stall_ends_with_the_weave(self, make_worker: MakeWorker) -> None:
        """A stall ends when the client has given up, although its requests have a longer limit."""
        worker = make_worker(timeout=CALM, delivery_timeout=CALM)

        async def app() -> None:
            async with weave() as w:
                w.do(environment="workers")(answer)

        async def give_up() -> None:
            weaving = asyncio.create_task(app())
            await asyncio.to_thread(worker.wait_for, "answer", "received", timeout=TIMEOUT)
            weaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await weaving

        # Without the second fault the cancel_task may end the run before its body starts.
        with worker.configured(), Schedule(["hang", "ignore-cancel"]).injected(worker):
            asyncio.run(give_up())  # it waits for the threads of requests
        assert worker.runs["answer"].last.executions == 1

    def test_a_stall_of_two_weaves(self, make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
        """The end of one weave does not end the stall of another."""
        worker = make_worker(timeout=CALM, delivery_timeout=CALM)
        with worker.configured(), Schedule(["hang task=answer"]).injected(worker):
            stalled = pool.submit(weave_one, answer)
            worker.wait_for("answer", "received", timeout=TIMEOUT)
            weave_one(3)
            states = [run.state for run in worker.runs["answer"]]
        assert (states, stalled.result(TIMEOUT)) == (["received"], 42)

    def test_a_held_run_is_left(self, make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
        """The end of the block does not wait for a run that a test holds."""
        worker = make_worker(timeout=CALM)
        gate = worker.hold("task")
        with Schedule(["status task=other"]).injected(worker):
            held = pool.submit(signed_request, worker, run_frame(answer))
            gate.wait_arrived(timeout=TIMEOUT)
        gate.release()
        assert held.result(TIMEOUT).result == 42

    @BOTH
    def test_a_crashed_worker_is_started(self, make_worker: MakeWorker, isolated: bool) -> None:
        """A worker that a fault of the schedule has crashed serves again after the block."""
        worker = make_worker(isolated=isolated)
        with worker.configured():
            with (
                Schedule(["crash-before-run times=1"]).injected(worker),
                pytest.raises(EnvironmentExecutionError),
            ):
                weave_one()
            assert weave_one() == (1, 2)

    def test_a_worker_that_a_test_crashed_is_left(self, make_worker: MakeWorker) -> None:
        """A worker that no fault of the schedule has crashed is not started."""
        worker = make_worker()
        with Schedule(["status"]).injected(worker):
            worker.crash()
        assert not worker.running
