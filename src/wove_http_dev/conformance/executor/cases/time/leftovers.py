"""Cases about what remains after a weave: its threads and connections have ended, and the settings
of the process are unchanged."""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wove_http_dev.client import wove_config
from wove_http_dev.client.urllib_opener import installed_opener
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import MARGIN, CaseContext
from wove_http_dev.conformance.executor.existing import GROWN, Existing
from wove_http_dev.conformance.executor.own_process import environment, process_settings
from wove_http_dev.conformance.executor.printed import record_printed
from wove_http_dev.conformance.executor.waits import wait_until_async
from wove_http_dev.faults.response import Status
from wove_http_dev.faults.wire import SlowBody
from wove_http_dev.weave_outcome import task_returning
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

WARM_UP, WEAVES = 3, 10
OPEN = 12
"""Runs that are not answered; each has a connection, or a thread, or both."""
GIVEN_UP = 0.2
"""Seconds of the ``delivery_timeout`` of runs that are given up."""
TIMEOUT = 0.5
"""Seconds of the executor's timeout. An executor whose requests cannot be stopped ends them
then."""
INNER = "conformance-inner-weave"
"""The Wove environment of a weave inside another one."""
SETTLING = 1.0
"""Seconds within which threads and connections must end after a weave."""


def _weaves_in_a_row(
    check: CaseContext, worker: HttpWorker, definition: Mapping[str, Any], count: int
) -> None:
    for _ in range(count):
        outcome = check.run_one_weave(worker, definition=definition)
        if outcome.kind != "result":
            check.fail(
                f"one of several weaves in a row with one executor has {outcome}; each weave starts"
                " and stops the executor of its environment",
            )


@family.should(
    "14",
    sources.EXHAUSTION,
    scenario=f"{WEAVES} weaves of one task on one executor, after {WARM_UP} others",
    expected=f"fewer than {GROWN} additional threads or descriptors, {SETTLING:g} s later",
    alone=True,
)
def nothing_left_behind(check: CaseContext) -> str:
    """A weave leaves no threads and no connections behind."""
    worker = check.worker()
    definition = check.definition(worker, {})
    _weaves_in_a_row(check, worker, definition, WARM_UP)
    before = Existing()
    _weaves_in_a_row(check, worker, definition, WEAVES)
    more = before.more_after(check.seconds(SETTLING))
    if more:
        check.fail(
            f"after {WEAVES} weaves with one executor there are {more} than before: a weave does"
            " not release them",
            late=True,
        )
    return str(before)


def _changed_by_the_checker() -> dict[str, Any]:
    """Return settings of the process that the checker itself changes for its cases."""
    return {
        "urllib's opener": installed_opener(),
        "os.environ": environment(),
        "socket.getaddrinfo": socket.getaddrinfo,
        "socket.create_connection": socket.create_connection,
        "the filters of warnings": list(warnings.filters),
        "threading.excepthook": threading.excepthook,
    }


@family.should(
    "15",
    sources.PROCESS,
    scenario="all cases before, a weave of one task, and one with a result, an error and a run that"
    " is given up, in a loop that goes on",
    expected="no setting of the process or of the loop is changed, nor executor_config; nothing is"
    " printed to stdout or stderr",
    alone=True,
)
def process_as_it_was(check: CaseContext) -> str:
    """An executor does not change settings of the process or of the event loop, nor print: they
    belong to the application."""
    # Before the worker starts, which sets variables for its clients.
    _expect_equal(check, check.process_before, {"os.environ": environment()})
    worker = check.worker(headers={"X-Conformance": "given"})
    definition = check.definition(worker, {})
    config = definition["executor_config"]
    given = {**config, "headers": dict(config["headers"])}
    before = {**check.process_before, **_changed_by_the_checker()}
    printed: list[str] = []
    with record_printed(printed):
        check.run_one_weave(worker, definition=definition)
    _expect_none(check, printed)
    _expect_equal(check, before, {**process_settings(), **_changed_by_the_checker()})
    _expect_equal(check, {"executor_config": given}, {"executor_config": config})
    worker.hold("held")
    worker.inject(Status(500), task="fails", command="run_task")

    async def script(remote: Remote) -> None:
        await asyncio.to_thread(int)  # which makes the default pool
        settings = _loop_settings()
        await _weave_of_three(definition)
        _expect_equal(check, settings, _loop_settings())

    with record_printed(printed):
        check.run_script(worker, script)
    _expect_none(check, printed)
    return "unchanged"


def _expect_none(check: CaseContext, printed: Sequence[str]) -> None:
    if printed:
        text = "".join(printed)
        check.fail(f"{text!r:.80} was printed; only the application may print, so log it instead")


def _loop_settings() -> dict[str, Any]:
    """Return settings of the running event loop that belong to the application."""
    loop = asyncio.get_running_loop()
    return {
        "the loop's exception handler": loop.get_exception_handler(),
        "the loop's task factory": loop.get_task_factory(),
        "the loop's debug mode": loop.get_debug(),
        "the loop's default pool": getattr(loop, "_default_executor", None),
    }


def _expect_equal(check: CaseContext, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for what, value in now.items():
        if value != before[what]:
            check.fail(f"{what} was changed; only the application may change it")


@family.should(
    "18",
    sources.EXHAUSTION,
    scenario=f"a weave of {OPEN} runs whose answers drip, until their"
    f" delivery_timeout of {GIVEN_UP:g} s; the executor's timeout {TIMEOUT:g} s",
    expected=f"fewer than {GROWN} additional threads or descriptors, {SETTLING:g} s after both",
    alone=True,
)
def open_runs_closed(check: CaseContext) -> str:
    """What was open for the runs of a weave is closed when it ends, or after the executor's
    timeout, also if they were not answered."""
    worker = check.worker(timeout=TIMEOUT)
    # A byte now and then, because only a worker that sends notices that its client has gone.
    worker.inject(SlowBody(bytes=1, interval=0.1), task="task", command="run_task")
    # What an executor makes once, with its first weave, is not counted.
    check.run_one_weave(worker, within=MARGIN, planned=GIVEN_UP, delivery_timeout=GIVEN_UP)
    before = Existing()

    def define(w: Weave, environment: str) -> None:
        @w.do(range(OPEN), environment=environment, delivery_timeout=GIVEN_UP)
        def task(item: int) -> int:
            return item

    weave = check.weave(worker, define)
    check.expect_end(weave, MARGIN, "a weave of runs that were given up", planned=GIVEN_UP)
    more = before.more_after(TIMEOUT + check.seconds(SETTLING))
    if more:
        check.fail(
            f"a weave of {OPEN} runs that were given up has ended, and there are {more} than before"
            " it: what was open for them is not closed",
            late=True,
        )
    return str(before)


@family.should(
    "19",
    sources.LOOP,
    scenario="a weave with a result, an error and a run that is given up, in a loop that goes on",
    expected="no asyncio task that the weave started is left in the loop",
)
def no_task_left(check: CaseContext) -> str:
    """A weave leaves no asyncio task behind in the loop of its application."""
    worker = check.worker()
    worker.hold("held")
    worker.inject(Status(500), task="fails", command="run_task")
    definition = check.definition(worker, {})

    async def script(remote: Remote) -> list[str]:
        others = asyncio.all_tasks()
        await _weave_of_three(definition)
        left: set[asyncio.Task[Any]] = set()

        def settled() -> bool:
            left.clear()
            left.update(asyncio.all_tasks() - others)
            return not left

        await wait_until_async(settled, check.seconds(SETTLING))
        return [str(task.get_coro()) for task in left]

    left = check.run_script(worker, script)
    if left:
        check.fail(
            f"a weave has ended, and {len(left)} tasks of it are left in the event loop, the first:"
            f" {left[0]}",
            late=True,
        )
    return "none"


async def _weave_of_three(definition: Mapping[str, Any]) -> None:
    """Run a weave with a result, an error and a run that is given up."""
    from wove import weave

    with wove_config.configured(INNER, definition, None):
        async with weave() as w:
            for name in ("works", "fails", "held"):
                w.do(environment=INNER, delivery_timeout=GIVEN_UP)(task_returning(name, name))
