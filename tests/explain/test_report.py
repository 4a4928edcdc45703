"""The report of a worker: what went wrong first, the journal last."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import wove
from wove import weave
from wove.environment import DeliveryTimeoutError, EnvironmentExecutionError

from tests.support import TIMEOUT, answer, weave_one
from wove_http_dev.errors import WaitTimeoutError
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.runs.records import Exchange
from wove_http_dev.worker import HttpWorker


def fails() -> NoReturn:
    """A task that fails."""
    raise ValueError("no such account")


def napping(end: Path) -> Callable[[], Any]:
    """A task that ends when the file ``end`` exists. It is made here, so that it is sent by
    value."""

    def naps() -> None:
        while not end.exists():
            time.sleep(0.01)

    return naps


def dreaming(end: Path) -> Callable[[], Any]:
    """An async task that ends when the file ``end`` exists."""

    async def dreams() -> None:
        while not end.exists():
            await asyncio.sleep(0.01)

    return dreams


@contextmanager
def open_weave(task: Callable[[], Any], worker: HttpWorker, state: str) -> Iterator[None]:
    """A weave of ``task`` whose run has reached ``state``; it ends after the block."""
    with ThreadPoolExecutor(1) as pool:
        weaving = pool.submit(weave_one, task)
        try:
            worker.wait_for(task.__name__, state=state, timeout=60)
            yield
        finally:
            worker.crash()
            weaving.exception(timeout=60)


def stable(text: str) -> str:
    """The text without what differs from run to run: run ids, ports and durations."""
    text = re.sub(r"localhost:\d+", "localhost:PORT", text)
    text = re.sub(r"\b[0-9a-f]{8}\b", "RUN", text)
    text = re.sub(r"line \d+", "line N", text)
    return re.sub(r"[0-9.]+ ms", "N ms", text).replace(__file__, "FILE")


def test_failed_run_comes_first_with_its_traceback(wove_http_worker: HttpWorker) -> None:
    """The whole report of a worker whose task failed."""
    with pytest.raises(ValueError, match="no such account"):
        weave_one(fails)
    lines = [line for line in stable(wove_http_worker.report()).splitlines() if "~~" not in line]
    assert lines == [
        "<HttpWorker 'workers' https://localhost:PORT/wove/tasks>",
        "fails RUN failed: ValueError: no such account",
        "    Traceback (most recent call last):",
        '      File "FILE", line N, in fails',
        '        raise ValueError("no such account")',
        "    ValueError: no such account",
        "journal: 1 exchange(s)",
        "  #1 run_task fails RUN -> 200 task_started+task_error N ms",
    ]


def test_runs_that_failed_alike_are_described_once(wove_http_worker: HttpWorker) -> None:
    """A mapped task that fails for every item has one traceback in the report."""
    for _ in range(3):
        with pytest.raises(ValueError, match="no such account"):
            weave_one(fails)
    report = wove_http_worker.report()
    assert report.count("Traceback") == 1
    assert "failed (and 2 more runs)" in report


def test_two_runs_that_failed_alike(wove_http_worker: HttpWorker) -> None:
    """Beside one run that is described, there is one more run."""
    for _ in range(2):
        with pytest.raises(ValueError, match="no such account"):
            weave_one(fails)
    assert "failed (and 1 more run): " in wove_http_worker.report()


def test_held_run_names_its_hold(wove_http_worker: HttpWorker) -> None:
    """A run that a gate holds is said to be held by that ``hold()``, with its place."""
    gate = wove_http_worker.hold("answer")
    with open_weave(answer, wove_http_worker, "held"):
        report = wove_http_worker.report()
    assert (
        f" is held by hold('answer') at {gate.place}: call release() on it, or give hold()"
        " release_when=\n" in report
    )


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
@pytest.mark.parametrize("make", [napping, dreaming], ids=["sync", "async"])
def test_running_body_is_shown_with_its_stack(
    wove_http_worker_factory: WorkerFactory,
    make: Callable[[Path], Callable[[], Any]],
    isolated: bool,
    tmp_path: Path,
) -> None:
    """Of a body that runs, the report shows the line where it is."""
    task = make(tmp_path / "end")
    worker = wove_http_worker_factory(isolated=isolated, strict=False)
    line = f'      File "FILE", line N, in {task.__name__}\n'
    with open_weave(task, worker, "running"):
        for _ in range(600):  # until the body is loaded
            report = stable(worker.report())
            if line in report:
                break
            time.sleep(0.1)
        (tmp_path / "end").touch()
    assert f"{task.__name__} RUN is running; its body is here:\n" in report
    assert line in report


def test_stalled_run_names_its_fault(wove_http_worker: HttpWorker) -> None:
    """A run that a fault stalls before its body is said to be stalled by that fault."""
    wove_http_worker.inject("slow-response delay=600")
    with open_weave(answer, wove_http_worker, "received"):
        report = stable(wove_http_worker.report())
    assert "answer RUN is stalled by the fault slow-response" in report


@pytest.mark.wove_http(delivery_timeout=1)
def test_missing_terminal_frame_is_said(wove_http_worker: HttpWorker) -> None:
    """A run whose answer has no terminal frame is said to have none, and why."""
    wove_http_worker.inject("missing-terminal", task="answer")
    with pytest.raises(DeliveryTimeoutError):
        weave_one(answer)
    wove_http_worker.wait_for("answer", timeout=60)
    report = stable(wove_http_worker.report())
    assert "answer RUN was answered without a terminal frame (fault: missing-terminal)" in report


def test_nothing_arrived_says_how_a_task_is_sent(wove_http_worker: HttpWorker) -> None:
    """The whole report of a worker to which no task was sent."""
    with weave() as w:
        w.do(answer)
    assert stable(wove_http_worker.report()).splitlines() == [
        "<HttpWorker 'workers' https://localhost:PORT/wove/tasks>",
        "nothing arrived. A task is sent to this worker only if it names the environment:"
        " @w.do(environment='workers')",
        "(without environment= it runs in Wove's default environment, now 'default'; a task is"
        " not sent either if its weave ended before its turn)",
        "journal: nothing arrived",
    ]


def test_nothing_arrived_at_an_environment_that_points_elsewhere(
    wove_http_worker_factory: WorkerFactory,
) -> None:
    """The report says where the environment points."""
    worker = wove_http_worker_factory(strict=False)
    config = {"url": "https://workers.example/wove", "security": "none"}
    wove.config(environments={"workers": {"executor": "https", "executor_config": config}})
    assert "but at 'https://workers.example/wove'" in worker.report()


def test_nothing_arrived_at_a_worker_that_is_not_configured() -> None:
    """A worker that was never configured says how it is."""
    with HttpWorker() as worker:
        assert "use `with worker.configured():`, or the fixture wove_http_worker" in worker.report()


def test_report_hides_the_secret(wove_http_worker: HttpWorker) -> None:
    """A secret in a task's error is not shown."""
    secret = str(wove_http_worker.secret)

    def leaks() -> NoReturn:
        raise ValueError(f"cannot sign with {secret}")

    with pytest.raises(ValueError, match="cannot sign"):
        weave_one(leaks)
    assert secret not in wove_http_worker.report()


def test_wait_that_timed_out_has_the_report(wove_http_worker: HttpWorker) -> None:
    """The message of a wait that timed out ends with the worker's report."""
    with pytest.raises(ValueError, match="no such account"):
        weave_one(fails)
    with pytest.raises(WaitTimeoutError) as caught:
        wove_http_worker.wait_for("falls", timeout=0)
    assert wove_http_worker.report() in str(caught.value)


def test_gate_that_timed_out_has_the_report(wove_http_worker: HttpWorker) -> None:
    """The message of a gate at which nothing arrived ends with the worker's report."""
    gate = wove_http_worker.hold("answer", unused_ok=True)
    with pytest.raises(WaitTimeoutError) as caught:
        gate.wait_arrived(timeout=0)
    assert wove_http_worker.report() in str(caught.value)


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_nothing_arrived_at_a_worker_that_does_not_run(
    wove_http_worker: HttpWorker, end: str
) -> None:
    """A worker that was stopped, or has crashed, says that, and not how a task is sent."""
    getattr(wove_http_worker, end)()
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    line = "nothing arrived: the worker is not running; start() starts it"
    assert wove_http_worker.report().splitlines()[1:-1] == [line]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_worker_that_was_ended(wove_http_worker: HttpWorker, end: str) -> None:
    """A worker that ended after it had received something is said not to run."""
    weave_one(answer)
    getattr(wove_http_worker, end)()
    line = "the worker is not running; start() starts it, and so does reset()"
    assert wove_http_worker.report().splitlines()[1] == line


@pytest.mark.parametrize("isolated", [False, True])
def test_fault_that_ended_the_worker(
    wove_http_worker_factory: WorkerFactory, isolated: bool
) -> None:
    """The fault that has ended the worker is named: what is sent later is only refused."""
    worker = wove_http_worker_factory(isolated=isolated)
    worker.inject("crash-before-run", times=1)
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    deadline = time.monotonic() + TIMEOUT
    while worker.running and time.monotonic() < deadline:
        time.sleep(0.01)  # the client may know it before the worker
    line = "the worker is not running: the fault crash-before-run ended it; start() starts it"
    assert line in worker.report()


def test_worker_that_was_started_again(wove_http_worker: HttpWorker) -> None:
    """A worker that runs again is not said to have ended."""
    weave_one(answer)
    wove_http_worker.restart()
    assert "not running" not in wove_http_worker.report()


@pytest.mark.parametrize("fault", ["refuse-connections", "handshake-stall"])
def test_nothing_arrived_because_of_a_fault(
    wove_http_worker_factory: WorkerFactory, fault: str
) -> None:
    """A fault that ends connections before a request is named, and not how a task is sent."""
    worker = wove_http_worker_factory(timeout=0.5)
    worker.inject(fault)
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    line = f"nothing arrived: the fault {fault} keeps requests from arriving"
    deadline = time.monotonic() + TIMEOUT
    while line not in worker.report() and time.monotonic() < deadline:
        time.sleep(0.01)  # the client may have given up before the worker accepts its connection
    assert worker.report().splitlines()[1:-1] == [line]


def test_nothing_arrived_since_reset(wove_http_worker: HttpWorker) -> None:
    """After a reset the report does not guess why nothing arrived: something did before."""
    weave_one(answer)
    wove_http_worker.reset()
    assert "nothing arrived since reset()" in wove_http_worker.report()


def test_stub_that_matched_nothing_is_said(wove_http_worker: HttpWorker) -> None:
    """The report of a test that failed because the name in ``stub()`` is misspelt says so: strict
    mode checks only tests that passed."""
    wove_http_worker.stub("anwser", result=1)
    weave_one(answer)
    line = r"no run matched stub\('anwser'\) at .+; tasks seen: answer; did you mean 'answer'\?"
    assert re.search(f"^{line}$", wove_http_worker.report(), re.MULTILINE)
    wove_http_worker.reset()


def test_fault_that_never_fired_is_said(wove_http_worker: HttpWorker) -> None:
    """The report of a test that failed because a fault hit nothing says so."""
    wove_http_worker.inject("status", task="anwser")
    weave_one(answer)
    line = r"inject\('status', task='anwser'\) at .+ never fired; .* did you mean 'answer'\?"
    assert re.search(f"^{line}$", wove_http_worker.report(), re.MULTILINE)
    wove_http_worker.reset()


def test_stub_is_not_said_to_match_nothing_before_anything_arrived(
    wove_http_worker: HttpWorker,
) -> None:
    """Where nothing arrived, the report says why, and not that of each stub."""
    wove_http_worker.stub("answer", result=1)
    assert "stub" not in wove_http_worker.report()
    wove_http_worker.reset()


def test_reply_that_was_just_written_is_waited_for(
    wove_http_worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client can have its answer before the worker records that it was written; the report does
    not say then that it is still being written."""
    journal = wove_http_worker.journal
    close, settle, reporting = journal.close, journal.settle, threading.Event()

    def closes_late(exchange: Exchange) -> None:
        reporting.wait(TIMEOUT)
        close(exchange)

    def settles(timeout: float) -> None:
        reporting.set()
        settle(TIMEOUT)

    monkeypatch.setattr(journal, "close", closes_late)
    monkeypatch.setattr(journal, "settle", settles)
    weave_one(answer)
    assert "still being written" not in wove_http_worker.report()
