"""``Inspector``: the control API and the page of a worker, served while the worker is."""

from __future__ import annotations

from wove_http_dev.inspector import shapes
from wove_http_dev.inspector.access import Access
from wove_http_dev.inspector.api import Api
from wove_http_dev.inspector.connect import Instructions
from wove_http_dev.inspector.control import Control
from wove_http_dev.inspector.events import Events, EventStream
from wove_http_dev.inspector.routes import PREFIX
from wove_http_dev.inspector.server import ApiServer
from wove_http_dev.runs.records import Run
from wove_http_dev.service.port import Port
from wove_http_dev.worker import HttpWorker


class Inspector:
    """Serves the control API and the page of ``worker`` on ``port``, which it owns; a context
    manager.

    Clients need ``token``. ``connect`` is how an application connects to the worker.
    """

    def __init__(
        self,
        worker: HttpWorker,
        port: Port,
        token: str,
        *,
        connect: Instructions | None = None,
    ) -> None:
        access = Access(token, port.number)
        self.control = Control(worker, page_url=page_url(port), connect=connect)
        self.events = _events(self.control, worker)
        """What ``GET events`` streams."""
        self._journal = worker.journal
        self._server = ApiServer(Api(self.control, access, self._stream), port)
        self.port = port.number
        self.url = page_url(port)
        """The URL of the page, without the token."""
        self.api_url = f"{self.url}{PREFIX.removeprefix('/')}"
        """The URL of the control API."""
        self.entry_url = access.page_url(self.url)
        """The address that opens the page: it has the token."""

    def __enter__(self) -> Inspector:
        try:
            self._server.start()
        except BaseException:  # also Ctrl-C
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop()
        except BaseException:  # Ctrl-C: what was not ended yet is ended now
            self._stop()
            raise

    def _stop(self) -> None:
        self.events.stop()  # before the server waits for the streams' threads
        self._server.stop()
        self._journal.stop_observing(self.events)
        self.control.close()

    def _stream(self, last_event_id: str | None, **words: bool) -> EventStream:
        # Not before the first stream, which needs no change from before: to note the ten changes
        # of a run takes 1 % of the time of a small task.
        self._journal.observe(self.events)
        return self.events.stream(last_event_id, **words)


def _run(run: Run) -> shapes.Json:
    return shapes.run_json(run, () if run.exchange_number is None else [run.exchange_number])


def _events(control: Control, worker: HttpWorker) -> Events:
    events = Events(
        run=_run,
        exchange=shapes.exchange_json,
        lists={
            "injections": control.injections,
            "holds": lambda: control.holds(newest=shapes.HELD_RUNS),
            "stubs": control.stubs,
        },
    )
    control.on_change = events.lists_changed
    control.on_reset = lambda: events.reset(worker.journal.forgotten)
    return events


def page_url(port: Port) -> str:
    """Return the URL of the page on ``port``."""
    return f"http://127.0.0.1:{port.number}/"
