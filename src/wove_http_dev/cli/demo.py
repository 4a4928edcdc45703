"""``demo``: shows code, runs it with a worker, and prints requests and results as they come."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from wove_http_dev.printable import printable
from wove_http_dev.runs.observer import JournalObserver

if TYPE_CHECKING:
    from wove_http_dev.runs.records import Exchange
    from wove_http_dev.worker import HttpWorker

WIDTH = 80
"""Columns that the output fills at most; also those of a file or a pipe."""
NEXT = (
    ("def test_letters(wove_http_worker):", "pytest has the fixture already"),
    ("wove-http-dev faults", "what a worker can do wrong"),
    ("wove-http-dev serve", "a worker to leave running"),
    ("wove-http-dev doctor myapp.settings", "check your own wove.config"),
    ("wove-http-dev check worker URL", "check a worker that you wrote"),
)
"""What to try next, each with what it is."""


def run_demo() -> int:
    """Run the demo's steps. Returns exit status 0 if every result was as expected, else 1."""
    screen = _Screen()
    screen.write("A worker service for Wove's http executor: TLS, signed requests.\n", "bold")
    screen.write("The application; it knows no worker, only the environment 'workers':\n")
    # Imported after the first line is shown, because it takes a second.
    from wove_http_dev.cli.demo_steps import APPLICATION, STEPS
    from wove_http_dev.client.wove_config import preserved
    from wove_http_dev.worker import HttpWorker

    screen.show_code(APPLICATION)
    wrong = 0
    with HttpWorker() as worker:
        worker.journal.observe(_Requests(screen))
        for number, (step, heading, expected) in enumerate(STEPS, 1):
            screen.write(f"\n{number}  {heading}\n", "bold")
            screen.show_code(step)
            with preserved(), worker.configured():
                result = _result_of(step, worker)
            worker.reset()
            as_expected = expected in result
            wrong += not as_expected
            screen.show_result(result, as_expected)
    screen.write(
        f"\n{wrong} of {len(STEPS)} results are not as expected\n"
        if wrong
        else f"\nAll {len(STEPS)} results are as expected. Try next:\n",
        "bold",
    )
    screen.show_next()
    return 1 if wrong else 0


def _result_of(step: Callable[[HttpWorker], Any], worker: HttpWorker) -> str:
    try:
        return repr(step(worker))
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"


class _Screen:
    """What is printed: coloured on a terminal, unless ``NO_COLOR`` is set; else plain text."""

    def __init__(self) -> None:
        # rich itself would leave out the colours only, and still write escapes for bold text.
        plain = bool(os.environ.get("NO_COLOR"))
        self._console = Console(
            file=sys.stdout, highlight=False, color_system=None if plain else "auto"
        )
        self._console.width = (
            min(WIDTH, self._console.width) if self._console.is_terminal else WIDTH
        )
        self._lock = threading.Lock()

    def write(self, text: str, style: str = "") -> None:
        with self._lock:
            self._console.print(Text(printable(text, keep="\n"), style, end=""))

    def show_code(self, function: Callable[..., Any]) -> None:
        """Show the source of ``function``."""
        code = textwrap.indent(textwrap.dedent(inspect.getsource(function)), "    ").rstrip()
        with self._lock:
            if self._console.color_system is None:
                self._console.print(Text(f"{code}\n"))
            else:  # the terminal's own colours, so that they fit its background
                self._console.print(
                    Syntax(code, "python", theme="ansi_dark", background_color="default")
                )

    def show_request(self, line: str, fault: str) -> None:
        self._show(Text.assemble("  -> ", line, (f"  [fault: {fault}]" if fault else "", "yellow")))

    def show_result(self, result: str, as_expected: bool) -> None:
        word, style = ("as expected", "green") if as_expected else ("NOT as expected", "bold red")
        self._show(Text.assemble("  => ", (printable(result), "cyan"), "  ", (word, style)))

    def _show(self, text: Text) -> None:
        """Print ``text``, whose further lines begin below its first word."""
        with self._lock:
            for number, line in enumerate(text.wrap(self._console, self._console.width - 5)):
                line.rstrip()
                self._console.print(Text("     " if number else "") + line)

    def show_next(self) -> None:
        width = max(len(command) for command, _ in NEXT)
        with self._lock:
            for command, what in NEXT:
                self._console.print(
                    Text.assemble("  ", (f"{command:<{width}}", "cyan"), f"  {what}")
                )


class _Requests(JournalObserver):
    """Shows each request when its reply is about to be written."""

    def __init__(self, screen: _Screen) -> None:
        self._screen = screen

    def exchange_updated(self, exchange: Exchange) -> None:
        if exchange.status is None:
            return
        events = exchange.events if exchange.status == 200 else []
        answer = ", ".join(event.removeprefix("task_") for event in events)
        self._screen.show_request(
            f"{exchange.frame_type} {exchange.task_id}: {exchange.status} {answer}".rstrip(),
            exchange.faults_text,
        )
