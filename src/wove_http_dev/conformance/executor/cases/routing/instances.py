"""Cases about several executors in one process, and several configurations of one: each sends with
its own URL, credentials and headers, and ends alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import BackgroundWeave, Define
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.received import frames_of, has_run, headers_of, requests_of
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.conformance.executor.waits import wait_until
from wove_http_dev.runs.holds import Gate
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

RUNS = 2
"""Runs of each weave."""
HEADER = "X-Conformance"


def _workers(check: CaseContext) -> dict[str, HttpWorker]:
    """Start two workers that differ in all that an executor is configured with."""
    return {
        "first": check.quick_worker(path="/first/tasks", headers={HEADER: "first"}),
        "second": check.quick_worker(path="/second", security="bearer", headers={HEADER: "second"}),
    }


def _two_tasks(name: str) -> Define:
    """Define a task and another one that is sent once the first has its result."""

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def early() -> str:
            return f"early of the {name}"

        @w.do(environment=environment)
        def late(early: str) -> tuple[str, str]:
            return early, f"late of the {name}"

    return define


def _expect_own_requests(check: CaseContext, workers: dict[str, HttpWorker], when: str) -> None:
    """Raise :class:`CaseFailed` unless every request arrived where its executor should send it,
    with that one's credentials and header."""
    for name, worker in workers.items():
        for exchange in requests_of(worker):
            given = headers_of(exchange).getlist(HEADER)
            if given != [name]:
                of = "another executor" if given else "none"
                check.fail(
                    f"{when}, and a {exchange.frame_type or 'request'} to the {name} worker had the"
                    f" headers of {of}: {HEADER}: {given}"
                )
            if not exchange.accepted:
                check.fail(
                    f"{when}, and the {name} worker refused a {exchange.frame_type or 'request'}:"
                    f" {refusal(exchange) or exchange.code}"
                )


def _expect_all_runs(check: CaseContext, name: str, worker: HttpWorker, when: str) -> None:
    count = len(frames_of(worker, "run_task"))
    if count != RUNS:
        check.fail(f"{when}, and {count} of the {RUNS} runs for the {name} worker arrived there")


def _expect_end(check: CaseContext, weave: BackgroundWeave, name: str, when: str) -> None:
    check.expect_end(weave, PATIENCE, f"{when}, and the weave of the {name} one, which")
    outcome = weave.outcome("late")
    if outcome.value != (f"early of the {name}", f"late of the {name}"):
        check.fail(f"{when}, and the weave of the {name} one ended with {outcome}")


@family.must(
    "18",
    sources.EXECUTOR,
    scenario="two executors at once, with another URL, other security and other headers each; one"
    " is stopped while a run of the other is in flight",
    expected="the requests of each with its own settings, and the results of each",
)
def two_executors(check: CaseContext) -> str:
    """Two executors with different configurations do not affect each other."""
    workers = _workers(check)
    gates: dict[str, Gate] = {}
    weaves: dict[str, BackgroundWeave] = {}
    for name, worker in workers.items():
        gates[name] = gate = worker.hold("early")
        weaves[name] = check.weave(worker, _two_tasks(name))
        wait_until(partial(has_run, gate), check.seconds(PATIENCE))
    when = "two executors with different settings ran at once"
    _expect_own_requests(check, workers, when)
    if not all(map(has_run, gates.values())):
        raise NotApplicable("the runs of two executors did not arrive", needs=["frames.01"])
    for name, gate in gates.items():
        gate.release()
        when = when if name == "first" else "one of two executors was stopped"
        if not weaves[name].wait(check.seconds(PATIENCE)):
            _expect_own_requests(check, workers, when)
        _expect_end(check, weaves[name], name, when)
    for name, worker in workers.items():
        _expect_all_runs(check, name, worker, "two executors with different settings ran at once")
    _expect_own_requests(check, workers, when)
    return "neither affected the other"


@family.must(
    "19",
    sources.EXECUTOR,
    scenario="one executor that is started, stopped, and started again with another URL, other"
    " security and other headers",
    expected="the requests of each weave with the settings of its start",
)
def started_again(check: CaseContext) -> str:
    """An executor that is started again uses the configuration of that start."""
    workers = _workers(check)
    executor: Any = check.definition(workers["first"], {})["executor"]
    when = "an executor was started again with other settings"
    for name, worker in workers.items():
        definition = {**check.definition(worker, {}), "executor": executor}
        weave = check.weave(worker, _two_tasks(name), definition=definition)
        if not weave.wait(check.seconds(PATIENCE)):
            _expect_own_requests(check, workers, when)
        _expect_own_requests(check, workers, when)
        _expect_all_runs(check, name, worker, when)
        _expect_end(check, weave, name, when if name == "second" else "an executor was started")
    return "each with its own settings"
