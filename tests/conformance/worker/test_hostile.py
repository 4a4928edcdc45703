"""A check ends in time, even if a service answers nonsense or not at all, and says what is
wrong."""

from __future__ import annotations

import io
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.conformance.worker import hostile
from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.hostile import HostileService, Script
from tests.conformance.worker.plain_worker import SECRET, Handler, PlainWorker, Run
from wove_http_dev.conformance.case import FAILED, NOT_RUN, Report
from wove_http_dev.conformance.perform import perform
from wove_http_dev.conformance.reporters.console import print_report
from wove_http_dev.conformance.runner import select
from wove_http_dev.conformance.worker.cases.limits import leaks, requests
from wove_http_dev.conformance.worker.cases.run import values
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import Session
from wove_http_dev.conformance.worker.suite import PREREQUISITES, WORKER_CASES


def hurried() -> float:
    """A factor for time limits with which a service that never answers is not waited for long."""
    return 0.05


def closed_port() -> int:
    """Return a port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_a_dead_service_ends_the_check_at_the_first_case() -> None:
    """A refused connection is reported once, and no other case is run."""
    first, *others = check(f"http://127.0.0.1:{closed_port()}/wove/tasks")
    assert "the connection was refused" in first.actual
    assert {result.status for result in others} == {NOT_RUN}


def test_a_host_name_that_does_not_exist_is_reported() -> None:
    """A name that cannot be resolved fails the first case."""
    first = check("http://no-such-host.invalid/wove/tasks")[0]
    assert "cannot be resolved" in first.actual


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (hostile.resets, "the connection was reset"),
        (hostile.talks_garbage, "the answer is not HTTP"),
        (hostile.endless(b"x" * 65536), "the answer is broken HTTP"),
        (hostile.endless(b"X: y\r\n" * 1000, hostile.OK), "got more than 100 headers"),
    ],
    ids=["reset", "garbage", "no-line", "headers"],
)
def test_what_is_no_answer_ends_the_check_at_the_first_case(script: Script, says: str) -> None:
    """Without an HTTP answer the first case says what was received, and the check ends."""
    with HostileService(script) as service:
        first, second, *_ = check(service.url, patience=5.0, slowdown=1.0)
    assert first.case.id == "transport.01"
    assert says in first.actual
    assert second.status == NOT_RUN


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (hostile.says_nothing, "no complete answer within 0.1 s"),
        (hostile.drips, "no complete answer within 0.1 s"),
        (hostile.endless(b"HTTP/1.1 100 Continue\r\n\r\n"), "longer than 32 MiB|within 0.1 s"),
        (hostile.endless(b"x" * 65536, hostile.OK + b"\r\n"), "longer than 32 MiB|within 0.1 s"),
    ],
    ids=["silence", "drip", "100s", "endless"],
)
def test_what_never_is_a_whole_answer_ends_the_check_at_the_first_case(
    script: Script, says: str
) -> None:
    """The first case does not wait longer than an answer may take, and the check ends."""
    with HostileService(script) as service:
        first, second, *_ = check(service.url, patience=0.05, slowdown=1.0)
    assert first.case.id == "transport.01"
    assert any(part in first.actual for part in says.split("|")), first.actual
    assert second.status == NOT_RUN


@pytest.mark.parametrize("name", hostile.BREAKS_EVERY_CASE)
def test_answers_that_make_no_sense_are_survived(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every case ends, even without the prerequisites, and no message has control characters."""
    # What is sent makes no difference to these services: run.08 is run.07 with 6 MiB instead of
    # one, and two thirds of the processor time were for that and the 13 MiB of run.19.
    monkeypatch.setattr(values, "HUGE", 1)
    families = ("transport.*", "frames.*", "run.*", "errors.*")
    chosen = select(WORKER_CASES, families, ("run.08",))
    with HostileService(hostile.BREAKS_EVERY_CASE[name]) as service:
        session = Session(ServiceUnderTest(service.url), slowdown=hurried, silence=0.1)
        with ThreadPoolExecutor(8) as pool:  # most of the time they wait
            results = list(pool.map(lambda case: perform(case, session.case), chosen))
        session.close()
    assert len(failures(results)) > len(chosen) / 2
    assert all(text.replace("\n", "").isprintable() for _, text in failures(results))


@pytest.mark.parametrize("name", hostile.BREAKS_EVERY_CASE)
def test_answers_that_make_no_sense_are_reported_once(name: str) -> None:
    """A simple run without a readable result ends the check, because all other cases would fail
    too."""
    with HostileService(hostile.BREAKS_EVERY_CASE[name]) as service:
        results = check(service.url, patience=0.5)
    assert [result.case.prerequisite for result in results if result.status == FAILED] == [True]
    assert len(results) == len(WORKER_CASES)


def test_a_hostile_pickle_does_not_run_here(tmp_path: Path) -> None:
    """A pickle from a service is not executed in the checker."""
    marker = tmp_path / "executed"
    script = hostile.sends_pickle(hostile.executes(str(marker)))
    with HostileService(script) as service:
        chosen = ("run.*", "errors.*", "frames.*", "cancel.*")
        results = check(service.url, *chosen, patience=10.0, slowdown=0.1)
    assert any("the pickle needs builtins.eval" in text for _, text in failures(results))
    assert not marker.exists()


def test_a_pickle_whose_repr_never_ends_is_shown_in_short() -> None:
    """A value that doubles at each of 60 levels does not fill the memory."""
    with HostileService(hostile.sends_pickle(hostile.doubling_lists())) as service:
        results = check(service.url, "run.*", "errors.*", patience=10.0, slowdown=0.1)
    assert failures(results)


def test_a_service_that_dies_midway_is_named_with_the_case() -> None:
    """The case at which the service died says so; the following cases are not run."""

    class DiesOfErrors(PlainWorker):
        def error(self, exc: BaseException) -> dict[str, object]:
            self.server.shutdown()
            self.server.server_close()
            return super().error(exc)

    with DiesOfErrors() as worker:
        results = check(worker.url, "errors.*", secret=SECRET, patience=0.5)
    assert "afterwards the service did not answer any more" in results[0].actual
    assert {result.actual for result in results[1:]} == {
        "the service does not answer any more since errors.01-task-exception"
    }


class HangsLater(PlainWorker):
    """A worker that answers the prerequisites, and then hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.served = 0

    def serve(self, handler: Handler) -> None:
        self.served += 1
        if self.served > len(PREREQUISITES):
            self.over.wait(60)
        super().serve(handler)

    def __exit__(self, *_: object) -> None:
        self.over.set()
        super().__exit__()


def test_a_service_that_hangs_after_a_good_start_uses_up_the_budget_only() -> None:
    """Cases that have not begun when the time is used up are not run."""
    with HangsLater() as worker:
        results = check(worker.url, patience=0.2, budget=1.0, secret=SECRET, slowdown=1.0)
    ran = [result for result in results if result.status != NOT_RUN]
    assert sum(result.seconds for result in ran[:-1]) <= 1.0
    assert len(results) == len(WORKER_CASES)
    assert results[-1].status == NOT_RUN


class Slow(PlainWorker):
    """A worker that takes 0.2 s for every run, and has no other defect."""

    calls = 0

    def call(self, run: Run) -> Any:
        self.calls += 1
        time.sleep(0.2)
        return super().call(run)


def test_a_slow_service_is_called_slow() -> None:
    """The report says that the service is slow, and how many cases were not run for it."""
    with Slow() as worker:
        results = check(worker.url, "frames.*", budget=1.0, secret=SECRET)
    said = io.StringIO()
    print_report(Console(file=said), Report("it", results))
    assert re.search(
        r"\d+ NOT RUN: the 1 s for the whole check were used up before this case: a simple run"
        r" takes about \d[.\d]* s, which is slow ",
        " ".join(said.getvalue().split()),
    )


def test_many_runs_are_fewer_on_a_slow_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases that send many runs end after fewer runs on a slow service."""
    monkeypatch.setattr(requests, "RUNS_TIME", 0.2)
    monkeypatch.setattr(leaks, "BATCH_TIME", 0.1)
    worker = Slow()
    with worker:
        results = check(worker.url, "limits.05", "limits.07", secret=SECRET, slowdown=1.0)
    assert worker.calls < 30
    assert [(r.case.id, r.status) for r in results] == [
        ("limits.05", "passed"),
        ("limits.07", "skipped"),
    ]


def test_a_wrong_secret_is_reported_at_once() -> None:
    """If the credentials of the check are wrong, the second case says so and no other case is
    run."""
    with PlainWorker() as worker:
        results = check(worker.url, secret="not the secret")
    assert results[1].case.id == "auth.01"
    assert "the credentials given to this check are refused" in results[1].actual
    assert results[2].status == NOT_RUN


def test_a_service_without_credentials_is_asked_for_them() -> None:
    """If the service needs credentials and the check has none, the message names the options."""
    with PlainWorker() as worker:
        results = check(worker.url)
    assert "give --secret-env or --bearer-env" in results[1].actual


def test_a_tls_url_at_a_plain_http_port_is_reported() -> None:
    """For an https URL of a plain http service the message says that TLS failed."""
    with PlainWorker() as worker:
        first = check(worker.url.replace("http://", "https://"), secret=SECRET)[0]
    assert "does it speak https?" in first.actual
