"""``demo``: runs weaves against a temporary worker and prints what was sent, what was answered, and
the results that Wove returned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from wove_http_dev.faults import Fault, MissingTerminal, RejectAuth, SlowResponse
from wove_http_dev.weave_outcome import run_one_weave
from wove_http_dev.worker import HttpWorker

PRODUCTION_URL = "https://workers.internal/wove/tasks"
WIDTH = 140
"""Columns with which the table is written to a file or a pipe; no word of it is broken."""
_FAULTS: tuple[tuple[Fault, str], ...] = (
    (SlowResponse(delay=1.5), "DeliveryTimeoutError"),
    (MissingTerminal(), "DeliveryTimeoutError"),
    (RejectAuth(), "HTTP Error 401"),
)
"""Faults, each with a text that Wove's error for it must contain."""


@dataclass
class _Row:
    title: str
    sent: str
    answered: str
    wove: str
    expected: bool


class _Log:
    """Collects table rows: adds one for each weave and then empties the worker's journal."""

    def __init__(self, worker: HttpWorker) -> None:
        self.rows: list[_Row] = []
        self._worker = worker

    def add(self, title: str, read: Callable[[], Any], expected: str) -> None:
        """Add a row; ``expected`` must be in the text of what ``read()`` returns or raises."""
        got = _attempt(read)
        exchanges = [each for each in self._worker.exchanges if not each.initial_value]
        sent = [f"{each.frame_type or each.method} {each.task_id or ''}" for each in exchanges]
        answered = [
            " ".join(filter(None, (str(each.status), _short(each.events), each.refusal)))
            for each in exchanges
            if each.frame_type != "cancel_task"
        ]
        self.rows.append(_Row(title, _counted(sent), _counted(answered), got, expected in got))
        self._worker.reset()


def _attempt(read: Callable[[], Any]) -> str:
    try:
        return repr(read())
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"


def run_demo() -> int:
    """Run the demo's weaves and print their table. Returns exit status 0 if all results were as
    expected, else 1."""
    console = Console(highlight=False)
    if not console.is_terminal:  # rich takes a file or a pipe for 80 columns, and would break words
        console.width = max(console.width, WIDTH)
    with HttpWorker() as worker:
        console.print(f"worker service: {worker.url} (TLS, signed requests)", markup=False)
        log = _Log(worker)
        with worker.configured():
            log.add("three tasks, one async and mapped", _three_tasks, "12")
            log.add("a task that raises", _task_that_raises, "KeyError: 'no such account'")
            for fault, expected in _FAULTS:
                worker.inject(fault)
                log.add(f"fault: {fault}", _one_task, expected)
        with worker.impersonate(PRODUCTION_URL):
            log.add("the http page's configuration", _production_configuration, "'report of 7'")
    _print(console, log.rows)
    return 0 if all(row.expected for row in log.rows) else 1


def _three_tasks() -> Any:
    from wove import weave

    with weave() as w:

        @w.do(environment="workers")
        def fetch() -> list[int]:
            return [1, 2, 3]

        @w.do("fetch", environment="workers")
        async def double(item: int) -> int:
            await asyncio.sleep(0)
            return item * 2

        @w.do(environment="workers")
        def total(double: list[int]) -> int:
            return sum(double)

    return w.result.total


def _task_that_raises() -> Any:
    def broken() -> None:
        raise KeyError("no such account")

    return run_one_weave(broken).result()


def _one_task() -> Any:
    return run_one_weave(42, delivery_timeout=0.5).result()


def _production_configuration() -> Any:
    import wove
    from wove import weave

    from wove_http_dev.client.wove_config import preserved

    with preserved():
        wove.config(
            default_environment="workers",
            environments={
                "workers": {
                    "executor": "http",
                    "executor_config": {
                        "url": PRODUCTION_URL,
                        "security": "env:WOVE_WORKER_SECRET",
                        "timeout": 30.0,
                    },
                    "delivery_timeout": 35.0,
                }
            },
        )
        with weave(account_id=7) as w:

            @w.do(environment="workers")
            def render_report(account_id: int) -> str:
                return f"report of {account_id}"

        return w.result.render_report


def _short(events: list[str]) -> str:
    return ", ".join(event.removeprefix("task_") for event in events)


def _counted(items: list[str]) -> str:
    counts: dict[str, int] = {}
    for item in map(str.strip, items):
        counts[item] = counts.get(item, 0) + 1
    return "\n".join(f"{n} x {item}" if n > 1 else item for item, n in counts.items())


def _print(console: Console, rows: list[_Row]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_lines=True)
    for title in ("what", "sent", "answered", "result in Wove", ""):
        table.add_column(title, overflow="fold")
    for row in rows:
        mark = "as expected" if row.expected else "NOT as expected"
        table.add_row(row.title, row.sent, row.answered, row.wove, mark)
    console.print(table, markup=False)
    wrong = sum(not row.expected for row in rows)
    console.print(
        "all as expected" if not wrong else f"{wrong} weave(s) not as expected", markup=False
    )
