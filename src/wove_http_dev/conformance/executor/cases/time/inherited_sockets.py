"""The case about processes that the application starts during a run: they do not inherit its
connection, which would stay open in them."""

from __future__ import annotations

import asyncio
import os
import urllib.parse

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.existing import connections_to
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async


@family.should(
    "34",
    sources.INHERITED,
    scenario="a run that the worker does not answer, while its connection is looked at",
    expected="a connection that child processes do not inherit",
)
def not_inherited(check: CaseContext) -> str:
    """Child processes of the application do not inherit the connections of runs."""
    worker = check.worker()
    gate = worker.hold("merge:task")
    port = urllib.parse.urlsplit(worker.url).port or 0

    async def script(remote: Remote) -> list[bool]:
        run = asyncio.ensure_future(attempt(remote("task")))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        connections = [os.get_inheritable(number) for number in connections_to(port)]
        gate.release()
        await run
        return connections

    connections: list[bool] = check.run_script(worker, script)
    if not connections:
        raise NotApplicable("no connection to the worker was found in this process")
    if any(connections):
        check.fail(
            "the socket of a run is inheritable: a process that the application starts meanwhile"
            " keeps the connection open after the run has ended"
        )
    return "not inherited"
