"""A weave against a worker of its own: what was sent, what came back, what Wove made of it.

``run_demo`` returns 0 only if everything went as expected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from wove_http_dev.faults import MissingTerminal, RejectAuth, SlowResponse
from wove_http_dev.worker import HttpWorker

PRODUCTION_URL = "https://workers.internal/wove/tasks"


@dataclass
class _Line:
    title: str
    sent: str
    answered: str
    wove: str
    expected: bool


def _attempt(read: Callable[[], Any]) -> str:
    try:
        return repr(read())
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"


def run_demo() -> int:
    """Run, print, and return the exit status: 0 as expected, 1 not."""
    console = Console(highlight=False)
    lines: list[_Line] = []
    with HttpWorker() as worker:
        console.print(f"worker service: {worker.url} (TLS, signed requests)", markup=False)

        def note(title: str, got: str, want: str) -> None:
            exchanges = [e for e in worker.exchanges if not e.initial_value]
            frames = [f"{e.frame_type or e.method} {e.task_id or ''}".strip() for e in exchanges]
            answers = [
                f"{e.status} {_short(e.events)}{e.refusal and ' ' + e.refusal}".strip()
                for e in exchanges
                if e.frame_type != "cancel_task"
            ]
            lines.append(_Line(title, _counted(frames), _counted(answers), got, want in got))
            worker.reset()

        with worker.configured():
            _plain(note)
            for fault, want in (
                (SlowResponse(delay=1.5), "DeliveryTimeoutError"),
                (MissingTerminal(), "DeliveryTimeoutError"),
                (RejectAuth(), "HTTP Error 401"),
            ):
                worker.inject(fault)
                note(f"fault: {fault}", _attempt(_one_task), want)
        with worker.impersonate(PRODUCTION_URL):
            note(
                "the http page's configuration",
                _attempt(_production_configuration),
                "'report of 7'",
            )
    _print(console, lines)
    return 0 if all(line.expected for line in lines) else 1


def _plain(note: Callable[[str, str, str], None]) -> None:
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

    note("three tasks, one async and mapped", _attempt(lambda: w.result.total), "12")
    with weave() as w:

        @w.do(environment="workers")
        def broken() -> None:
            raise KeyError("no such account")

    note("a task that raises", _attempt(lambda: w.result.broken), "KeyError: 'no such account'")


def _one_task() -> Any:
    from wove import weave

    with weave() as w:

        @w.do(environment="workers", delivery_timeout=0.5)
        def task() -> int:
            return 42

    return w.result.task


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
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return "\n".join(f"{n} x {item}" if n > 1 else item for item, n in counts.items())


def _print(console: Console, lines: list[_Line]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_lines=True)
    for title in ("what", "sent", "answered", "what Wove made of it", ""):
        table.add_column(title, overflow="fold")
    for line in lines:
        mark = "as expected" if line.expected else "NOT as expected"
        table.add_row(line.title, line.sent, line.answered, line.wove, mark)
    console.print(table, markup=False)
    wrong = sum(not line.expected for line in lines)
    console.print(
        "all as expected" if not wrong else f"{wrong} line(s) not as expected", markup=False
    )
