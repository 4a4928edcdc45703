"""The isolated worker: its service in a child process, used through the same methods."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from wove import weave

from tests.faults.helpers import error_of, weave_many
from tests.isolated.helpers import child_of, pid_of
from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    cancel_frame,
    run_frame,
    send_one,
    signed_bytes,
    weave_one,
)
from wove_http_dev import CertificateAuthority, Fault, HttpWorker, UsageError
from wove_http_dev.errors import StrictnessError
from wove_http_dev.isolated.channel import Channel
from wove_http_dev.isolated.process import ChildProcess
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.service.limits import Limits


@dataclass(frozen=True)
class Louder(Fault):
    """Replaces the result."""

    stage: ClassVar[str] = "events"

    def on_events(self, events: list[dict[str, Any]], stage: Any) -> Any:
        return [{**event, "result": "LOUD"} for event in events if event.pop("result_pickle", 1)]


@dataclass(frozen=True)
class PowerCut(Fault):
    """Crashes the worker after the task has run."""

    stage: ClassVar[str] = "run"
    crashes: ClassVar[bool] = True

    def on_run(self, stage: Any) -> Any:
        stage.proceed()
        stage.crash()


def test_a_crash_by_a_fault_that_a_user_defines(isolated: HttpWorker) -> None:
    """A user's fault may crash the worker, which strict mode accepts."""
    isolated.inject(PowerCut())
    error_of()
    assert isolated.running is False
    isolated.check()


def test_environment_variables(
    wove_http_ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task has the environment variables that the test had when the worker was started."""
    monkeypatch.setenv("SOME_SETTING", "of the test")
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker, worker.configured():
        assert weave_one(lambda: os.environ.get("SOME_SETTING")) == "of the test"


def test_the_result_is_decoded_in_the_test(shared: HttpWorker) -> None:
    """``run.result`` is unpickled in the test's process."""
    weave_one()
    assert shared.runs.last.result == (1, 2)


def test_arguments_are_decoded_in_the_test(shared: HttpWorker) -> None:
    """``run.args`` is unpickled in the test's process."""
    weave_many([7])
    assert shared.runs.last.args == {"item": 7}


def test_the_error_is_decoded_in_the_test(shared: HttpWorker) -> None:
    """``run.error`` is the exception of the task."""
    with weave() as w:

        @w.do(environment="workers")
        def broken() -> None:
            raise KeyError("no such account")

    with pytest.raises(KeyError):
        _ = w.result.broken
    assert repr(shared.runs.last.error) == "KeyError('no such account')"


def test_a_stub_answers(shared: HttpWorker) -> None:
    """A stub's value comes from the test's process."""
    shared.stub("task", result=[5, 6])
    assert (weave_one(), weave_one()) == (5, 6)


def test_a_stub_may_be_a_callable_of_the_test(shared: HttpWorker) -> None:
    """A stub's callable runs in the test's process and gets the run."""
    seen: list[int] = []

    def answer(run: Run) -> str:
        seen.append(os.getpid())
        return run.task_id

    shared.stub("task", result=answer)
    weave_one()
    assert seen == [os.getpid()]


@pytest.mark.parametrize("isolated", [False, True])
def test_a_stub_that_is_removed_before_it_answers(make_worker: MakeWorker, isolated: bool) -> None:
    """The stub that a run has matched answers it, also if it was removed while the run was held."""
    worker = make_worker(isolated=isolated)
    stub, gate = worker.stub("answer", result="stubbed"), worker.hold("answer")
    with worker.configured(), ThreadPoolExecutor() as pool:
        value = pool.submit(weave_one, answer)
        gate.wait_arrived(timeout=TIMEOUT)
        stub.remove()
        gate.release()
        assert value.result(TIMEOUT) == "stubbed"


def test_nothing_is_kept_of_a_stub_that_has_answered(shared: HttpWorker) -> None:
    """The child's handle keeps no answer of a run that has ended."""
    shared.stub("task", result=5)
    weave_one()
    shared.wait_for("task", state="succeeded", timeout=TIMEOUT)
    assert child_of(shared)._answering == {}


def test_a_hold_parks_and_releases(shared: HttpWorker) -> None:
    """A gate in the test's process holds runs in the child."""
    gate = shared.hold("task", release_when=2)
    assert weave_many([1, 2]) == [2, 4]
    assert len(gate.runs) == 2


def test_a_custom_fault_crosses_by_value(shared: HttpWorker) -> None:
    """A fault class of a test module works in a child that cannot import it."""
    injection = shared.inject(Louder())
    assert weave_one() == "LOUD"
    assert injection.hits == 1


@pytest.mark.parametrize(
    ("entry", "fault"),
    [("_injection_decided", "missing-started"), ("_exchange_updated", "slow-response delay=0")],
)
def test_the_journal_is_complete_before_the_response(
    entry: str, fault: str, wove_http_ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a client has its response, its run is finished and the hit counted, even if this process
    reads slowly from the child."""
    plain = getattr(ChildProcess, entry)

    def slowly(self: Any, data: Any) -> None:
        threading.Event().wait(0.2)
        plain(self, data)

    monkeypatch.setattr(ChildProcess, entry, slowly)
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker, worker.configured():
        injection = worker.inject(fault)
        weave_one()
        states = [run.state for run in worker.journal.runs]
        assert (injection.hits, states) == (1, ["succeeded"])


def test_times_is_exact(shared: HttpWorker) -> None:
    """Hits are counted in the child and reported to this process."""
    injection = shared.inject("missing-started", times=3)
    weave_many(range(10))
    assert injection.hits == 3


def test_strictness_sees_a_refusal(shared: HttpWorker) -> None:
    """``check()`` reports a refusal by the child."""
    shared.inject("status", times=1, task="another")
    weave_one()
    with pytest.raises(AssertionError, match="never fired; tasks seen: task"):
        shared.check()


@pytest.mark.parametrize(
    ("fault", "state"), [("crash-before-run", "lost"), ("crash-after-run", "succeeded")]
)
def test_a_crash_kills_and_the_journal_survives(
    isolated: HttpWorker, fault: str, state: str
) -> None:
    """The journal keeps what the killed process had done."""
    isolated.inject(fault, times=1)
    error_of()
    assert isolated.runs.last.state == state


def test_after_a_crash_start_serves_on_the_same_port(isolated: HttpWorker) -> None:
    """After a crash ``start()`` serves on the same port, from another process."""
    port = isolated.port
    isolated.crash()
    isolated.start()
    assert (weave_one(), isolated.port) == ((1, 2), port)


def test_a_spent_fault_stays_spent_after_a_crash(isolated: HttpWorker) -> None:
    """``times`` counts over all child processes."""
    isolated.inject("crash-before-run", times=1)
    error_of()
    isolated.start()
    assert weave_one() == (1, 2)


def test_a_kill_from_outside_is_noticed(isolated: HttpWorker) -> None:
    """A worker whose process was killed is not running."""
    os.kill(pid_of(isolated), signal.SIGKILL)
    error_of()
    assert isolated.running is False


def test_impersonation_reaches_the_child(shared: HttpWorker) -> None:
    """The child shows a certificate for the impersonated name."""
    import wove

    url = "https://workers.internal/wove/tasks"
    with shared.impersonate(url):
        wove.config(
            environments={
                "workers": {
                    "executor": "http",
                    "executor_config": {"url": url, "security": "env:WOVE_WORKER_SECRET"},
                }
            }
        )
        assert weave_one() == (1, 2)


def test_refusing_connections_heals(shared: HttpWorker) -> None:
    """The child's listening socket closes and opens with the fault."""
    with shared.inject("refuse-connections"):
        error_of()
    assert weave_one() == (1, 2)


def test_a_busy_port_is_a_usage_error(wove_http_ca: CertificateAuthority) -> None:
    """The child's error about a port in use is raised in this process."""
    with (
        HttpWorker(ca=wove_http_ca) as taken,
        pytest.raises(UsageError, match=f"port {taken.port} on localhost is in use"),
    ):
        HttpWorker(ca=wove_http_ca, isolated=True, port=taken.port).start()


def test_five_kills_during_fifty_runs(isolated: HttpWorker) -> None:
    """All 50 weaves end in a result or an error, and the journal has no unfinished run.
    (``python -m tests.soak kills`` has a thousand kills.)"""
    kills, runs = 5, 50
    outcomes: list[str] = []
    lock = threading.Lock()
    todo = list(range(runs))
    serving = threading.Event()  # so that no weave is spent on a port without a listener
    serving.set()

    def client() -> None:
        while True:
            with lock:
                if not todo:
                    return
                todo.pop()
            serving.wait(60)
            try:
                outcome = repr(weave_one())
            except Exception as exc:
                outcome = type(exc).__name__
            with lock:
                outcomes.append(outcome)

    def killer() -> None:
        for kill in range(1, kills + 1):
            isolated.wait_for("task", state="received", count=kill * 8, timeout=60)
            serving.clear()
            os.kill(pid_of(isolated), signal.SIGKILL)
            isolated.restart()
            serving.set()

    clients = [threading.Thread(target=client) for _ in range(2)]
    killing = threading.Thread(target=killer)
    for thread in (*clients, killing):
        thread.start()
    for thread in (*clients, killing):
        thread.join(120)
    unfinished = [run for run in isolated.runs if run.finished is None]
    assert (len(outcomes), unfinished) == (runs, [])


def test_a_process_that_ends_by_itself_is_a_violation(isolated: HttpWorker) -> None:
    """Strict mode names the task that ended the child process."""

    def takes_it_along() -> None:
        import os

        os._exit(3)

    with weave(error_mode="return") as w:
        w.do(environment="workers")(takes_it_along)
    with pytest.raises(StrictnessError, match=r"takes_it_along .*worker process ended by itself"):
        isolated.check()


def test_an_idle_process_that_ends_by_itself_is_a_violation(isolated: HttpWorker) -> None:
    """The end of an idle child process is a violation as well."""
    child = child_of(isolated)
    child.process.kill()
    assert child.ended.wait(TIMEOUT)
    with pytest.raises(StrictnessError, match="the worker process ended by itself"):
        isolated.check()


def test_a_cancel_is_reported_before_it_waits(shared: HttpWorker) -> None:
    """The journal has a cancel_task before its run was waited for, and so if the process ends
    meanwhile."""
    seen: list[tuple[str | None, int | None]] = []

    class Seen(JournalObserver):
        def exchange_updated(self, exchange: Exchange) -> None:
            seen.append((exchange.frame_type, exchange.status))

    observer = Seen()
    shared.journal.observe(observer)
    send_one(shared, signed_bytes(shared, cancel_frame("a", mode="require_ack")))
    shared.journal.stop_observing(observer)
    assert seen == [("cancel_task", None), ("cancel_task", 200)]


def test_a_requested_crash_is_not_a_violation(isolated: HttpWorker) -> None:
    """Neither a crash by a fault nor one by the test is a violation."""
    isolated.inject("crash-before-run", times=1)
    error_of()
    isolated.start()
    isolated.crash()
    isolated.check()


@pytest.mark.wove_http(isolated=True, impersonate="https://workers.internal/other")
def test_an_isolated_worker_impersonates_another_path(wove_http_worker: HttpWorker) -> None:
    """The child process accepts the impersonated URL's path."""
    assert weave_one() == (1, 2)


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_limits(wove_http_ca: CertificateAuthority, isolated: bool) -> None:
    """The limits apply in the child process too."""
    limits = Limits(max_head=2048)
    with HttpWorker(ca=wove_http_ca, isolated=isolated, tls=False, limits=limits) as worker:
        data = signed_bytes(worker, run_frame(answer), **{"X-Long": "x" * 2048})
        assert send_one(worker, data).status == 431


def test_two_injections_at_once(shared: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ``inject()`` that has returned is in force, although another one, begun before it, sends
    its older state after it."""
    channel = child_of(shared).channel
    send, first_may_send = channel.request, threading.Event()
    first_has_its_state = threading.Event()

    def late(name: str, data: Any = None, timeout: float | None = None) -> Any:
        monkeypatch.setattr(channel, "request", send)
        first_has_its_state.set()
        first_may_send.wait(TIMEOUT)
        return send(name, data, timeout)

    monkeypatch.setattr(channel, "request", late)
    first = threading.Thread(target=shared.inject, args=("slow-response delay=0",))
    first.start()
    first_has_its_state.wait(TIMEOUT)
    injection = shared.inject("missing-started")
    first_may_send.set()
    first.join(TIMEOUT)
    weave_one()
    assert injection.hits == 1


def test_injection_while_the_process_starts(
    wove_http_ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An injection that is made while the child starts is in force when ``start()`` returns."""
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker, worker.configured():
        worker.stop()
        plain, injections = Channel.request, []

        def request(channel: Channel, name: str, *args: Any) -> Any:
            if name == "start":
                injections.append(worker.inject("missing-started"))
            return plain(channel, name, *args)

        monkeypatch.setattr(Channel, "request", request)
        worker.start()
        weave_one()
        assert injections[0].hits == 1


CHANGES: dict[str, Callable[[HttpWorker], object]] = {
    "inject": lambda worker: worker.inject("hang"),
    "remove": lambda worker: worker._state.faults.injections[0].remove(),
    "reset": lambda worker: worker.reset(),
    "hold": lambda worker: worker.hold(),
    "stub": lambda worker: worker.stub("task", result=1),
    "read the journal": lambda worker: worker.exchanges,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_in_the_instant_of_the_end(
    wove_http_ca: CertificateAuthority,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[HttpWorker], object],
) -> None:
    """Nothing is an error between the end of the child and the moment at which it is known."""
    closed, known = threading.Event(), threading.Event()
    plain = ChildProcess._ended

    def ended(child: ChildProcess) -> None:
        closed.set()
        known.wait(TIMEOUT)
        plain(child)

    monkeypatch.setattr(ChildProcess, "_ended", ended)
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker:
        worker.inject("missing-started")
        child = child_of(worker)
        child.process.kill()
        assert closed.wait(TIMEOUT)
        request = child.channel.request

        def last_request(*args: Any) -> Any:
            try:
                return request(*args)
            finally:
                known.set()

        monkeypatch.setattr(child.channel, "request", last_request)
        change(worker)
        assert known.is_set()


def test_failing_observer(isolated: HttpWorker) -> None:
    """An observer that raises does not keep the worker from serving; strict mode reports it."""

    class Failing(JournalObserver):
        def exchange_opened(self, exchange: Exchange) -> None:
            raise ValueError("no")

        run_finished = exchange_closed = exchange_opened  # type: ignore[assignment]

    isolated.journal.observe(Failing())
    weave_one()
    weave_one()
    assert [run.state for run in isolated.runs] == ["succeeded"] * 2
    with pytest.raises(StrictnessError, match="an observer of the journal failed"):
        isolated.check()


@pytest.mark.parametrize("seconds", [60.0, 0.001])
def test_start_under_a_default_timeout(
    wove_http_ca: CertificateAuthority, default_timeout: Callable[[float], None], seconds: float
) -> None:
    """``socket.setdefaulttimeout()`` of the test's process does not reach the channel."""
    default_timeout(seconds)
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker:
        socket.setdefaulttimeout(None)
        with worker.configured():
            assert weave_one() == (1, 2)


def test_end_while_a_forked_child_of_a_task_lives(isolated: HttpWorker) -> None:
    """A worker whose process was killed is not running, although a process that a task forked
    lives on."""

    def forks() -> int:
        import os
        import time

        forked = os.fork()
        if not forked:
            time.sleep(60)
            os._exit(0)
        return forked

    forked = weave_one(forks)
    try:
        child = child_of(isolated)
        child.process.kill()
        assert child.ended.wait(TIMEOUT)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_descriptors_of_what_a_task_starts(shared: HttpWorker) -> None:
    """A program that a task starts inherits nothing but standard input, output and error."""

    def starts() -> list[str]:
        import subprocess
        import sys

        list_them = "import os; print(*(n for n in os.listdir('/dev/fd') if is_open(int(n))))"
        program = (
            "import os\n"
            "def is_open(n):\n"
            "    try: os.fstat(n)\n"
            "    except OSError: return False\n"
            "    return True\n" + list_them
        )
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, close_fds=False, stdout=subprocess.PIPE, check=True)
        return sorted(done.stdout.decode().split())

    assert weave_one(starts) == ["0", "1", "2"]


def test_distributions(shared: HttpWorker, wove_http_worker: HttpWorker) -> None:
    """An isolated worker draws the numbers that one in this process draws, with the same seed."""
    numbers = []
    for worker in (shared, wove_http_worker):
        worker.inject("slow-response delay=0.001..0.002", seed=3)
        with worker.configured():
            weave_one()
            weave_one()
        numbers.append([each.drawn for each in worker.runs])
    assert numbers[0] == numbers[1]
    assert numbers[0][0] != numbers[0][1]


def test_what_each_wait_draws(shared: HttpWorker) -> None:
    """What was drawn while the answer was written is in the journal of this process."""
    shared.inject("slow-body bytes=64 drip=0.001..0.002")
    weave_one()
    run = shared.runs.last
    shared.journal.wait(lambda: run.answered is not None, TIMEOUT, "the answer's end")
    assert len(run.drawn["slow-body drip=0.001..0.002"]) > 2
