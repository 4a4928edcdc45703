"""What the tests of the page share."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from typing import Any

from wove import weave

from wove_http_dev import Gate, HttpWorker
from wove_http_dev.inspector.inspector import Inspector
from wove_http_dev.runs.outcome import Outcome, error_outcome
from wove_http_dev.runs.records import Run
from wove_http_dev.service.port import Port

Page = Any
"""A page of Playwright, which is not installed where types are checked."""
StartWeave = Callable[[Callable[[], Any]], threading.Thread]

ARGUMENTS = [
    "--no-sandbox",  # which a container's root cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOKEN = "page-token"


class ServedPage:
    """Control API and page of ``worker``; can be stopped, and started again on the same port."""

    def __init__(self, worker: HttpWorker) -> None:
        self.worker = worker
        self._port = 0
        self._inspector: Inspector | None = None

    def start(self) -> None:
        """Serve the page."""
        self._inspector = Inspector(self.worker, Port("localhost", self._port), TOKEN).__enter__()
        self._port = self._inspector.port

    def stop(self) -> None:
        """Stop serving the page. The worker goes on."""
        inspector, self._inspector = self._inspector, None
        if inspector is not None:
            inspector.__exit__(None, None, None)

    def __enter__(self) -> ServedPage:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The page's URL, without the token."""
        assert self._inspector is not None
        return self._inspector.url

    @property
    def address(self) -> str:
        """The address that opens the page."""
        assert self._inspector is not None
        return str(self._inspector.entry_url)

    def active_faults(self) -> list[str]:
        """The faults in force."""
        active = self.worker._state.faults.active
        return [str(fault) for injection in active for fault in injection.faults]

    def inject(self, fault: str, **selector: Any) -> None:
        """Put a fault in force without the control API, as the options of the worker do."""
        assert self._inspector is not None
        self.worker.inject(fault, **selector)
        self._inspector.events.lists_changed()  # which the control API calls

    def hold(self, task: str) -> Gate:
        """Hold a task without the control API."""
        assert self._inspector is not None
        gate = self.worker.hold(task)
        self._inspector.events.lists_changed()
        return gate

    def reset(self) -> None:
        """Reset the worker, as the control API does."""
        assert self._inspector is not None
        self._inspector.control.reset()

    def send_unsigned(self) -> None:
        """Send a request without credentials to the worker."""
        connection = http.client.HTTPSConnection(
            "localhost", self.worker.port, context=self.worker._client_context
        )
        connection.request("POST", self.worker.options.path, b"{}")
        assert connection.getresponse().status == 401
        connection.close()

    def pretend_runs(self, count: int, state: str = "succeeded") -> None:
        """Fill the journal with runs that never were, and ``succeeded`` or ``failed``."""
        outcome = Outcome("result", result_pickle=b"N.")
        if state == "failed":
            outcome = error_outcome(ValueError("no"), source="task")
        journal = self.worker.journal
        for number in range(count):
            run = Run(
                f"pretended-{number}:{number:032x}",
                f"pretended-{number}",
                delivery={},
                initial_value=False,
                args_pickle=b"",
                received=float(number + 1),
            )
            journal.add_run(run)
            journal.finish(run, outcome)


def run_weave(function: Callable[..., Any], name: str | None = None, **values: Any) -> Any:
    """Run ``function`` as a task called ``name`` on the worker, and return its result, or the
    exception of the weave."""

    def task() -> Any:
        return function(**values)

    task.__name__ = name or function.__name__
    with weave(environment="workers") as w:
        w.do(task)
    try:
        return w.result[task.__name__]
    except Exception as exc:
        return exc


def open_view(page: Page, name: str) -> None:
    """Open a view of the page by its link."""
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def row(page: Page, task: str) -> Any:
    """The rows of ``task`` in the table of runs."""
    cell = page.locator("td.task").filter(has_text=task)
    return page.locator("#runs tbody tr", has=cell)
