"""What an isolated worker's child process does: runs the service, applies the state that the
parent sends, and reports every journal entry to the parent.

An entry is reported before the client gets its answer, so none is lost when the child is killed.
The child is started with ``python -I``: it shares neither modules nor the import path with the
test.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from wove_http_dev.errors import NotRunningError
from wove_http_dev.faults.injections import Injection, Injections
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.channel import Channel
from wove_http_dev.options import Options
from wove_http_dev.printable import print_traceback
from wove_http_dev.runners.choice import runner_of, upstream_secrets
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.stubs import StubAnswer, Stubs
from wove_http_dev.runs.task_names import matches_task
from wove_http_dev.service.host import HostState, InProcessHost
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority

REPORT_TIMEOUT = 5.0
"""Seconds that an unresponsive parent can delay an answer."""
FLUSH_TIMEOUT = 2.0
"""Seconds that a reader of standard output can delay the end of the process."""


class _Reporter(JournalObserver):
    """Sends every journal entry to the parent.

    With a reply, ``exchange_updated`` waits until the parent has the entry, because a test reads
    the journal as soon as its weave has the result.
    """

    def __init__(
        self, notify: Callable[..., None], notify_and_wait: Callable[[str, Any], None]
    ) -> None:
        self._notify = notify
        self._notify_and_wait = notify_and_wait
        self._reported: set[int] = set()
        """The numbers of open exchanges of which the parent has the request."""

    def exchange_opened(self, exchange: Exchange) -> None:
        # The decision about a fault, or the announcement of its run, is the next message.
        data = {"number": exchange.number, "kind": exchange.kind}
        self._notify("exchange_opened", data, hold=True)

    def exchange_updated(self, exchange: Exchange) -> None:
        record = self._record(exchange)
        # What was sent is not lost if this process is killed: the parent still reads it.
        notify = self._notify if exchange.status is None else self._notify_and_wait
        notify("exchange_updated", [exchange.number, record])

    def exchange_closed(self, exchange: Exchange) -> None:
        record = self._record(exchange)
        self._reported.discard(exchange.number)
        self._notify("exchange_closed", [exchange.number, record])

    def _record(self, exchange: Exchange) -> serialization.Record:
        first = exchange.number not in self._reported
        self._reported.add(exchange.number)
        return serialization.exchange_to_record(exchange, request=first)

    def run_added(self, run: Run) -> None:
        self._notify("run_added", serialization.run_to_record(run), hold=True)

    def run_changed(self, run: Run) -> None:
        self._notify("run_changed", [run.run_id, serialization.changes_to_record(run)])

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        changes = serialization.changes_to_record(run)
        self._notify(
            "run_finished", [run.run_id, changes, serialization.outcome_to_record(outcome)]
        )

    def run_lost(self, run: Run) -> None:
        self._notify("run_lost", [run.run_id, serialization.changes_to_record(run)])


class _ParentsGates(Gates):
    """Gates that the parent controls: a run waits here until the parent releases it."""

    held: tuple[str | None, ...] = ()
    request: Callable[[str, Any], Any]

    def park(self, run: Run, execution: Execution) -> None:
        if run.initial_value or not any(matches_task(task, run.task_id) for task in self.held):
            return
        moved = threading.Event()

        def until_released() -> None:
            try:
                self.request("park", run.run_id)
            except NotRunningError:
                pass
            finally:
                moved.set()

        threading.Thread(target=until_released, name="wove-http-dev-park", daemon=True).start()
        execution.on_cancel(moved.set)
        moved.wait()


class _ParentsStubs(Stubs):
    """Stubs that the parent controls: each answer is requested from the parent."""

    stubbed: tuple[str, ...] = ()
    request: Callable[[str, Any], Any]

    def find(self, run: Run) -> Callable[[Run], StubAnswer] | None:
        if run.initial_value or not any(matches_task(task, run.task_id) for task in self.stubbed):
            return None
        with suppress(NotRunningError):  # the parent has ended, and this process does soon
            if not self.request("match_stub", run.run_id):
                return None
        return lambda run: serialization.answer_from_record(self.request("stub", run.run_id))


class Child:
    """Runs the service, and carries out the parent's requests."""

    def __init__(self, sock: socket.socket) -> None:
        self._host: InProcessHost | None = None
        self._state: HostState | None = None
        self.ended = threading.Event()
        self._applying = threading.Lock()
        self._applied = 0
        self._channel = Channel(
            sock,
            requests={
                "start": self._start,
                "apply_state": self._apply_state,
                "stop": self._stop,
                "flush_journal": self._flush_journal,
                "stack": self._stack,
            },
            notifications={},
            on_close=self.ended.set,
        )

    def run(self) -> None:
        """Block until the channel closes, then stop serving."""
        self._channel.start()
        self.ended.wait()
        if self._host is not None:
            self._host.stop()

    def _start(self, data: dict[str, Any]) -> None:
        ca = CertificateAuthority.from_pem(data["ca"].encode(), data["ca_key"].encode())
        credentials = serialization.credentials_from_record(data["credentials"])
        options = Options.of(**data["options"])
        # The parent has every entry. What is kept here would outlive the parent's reset().
        journal = Journal(
            count_limit=0,
            secrets=[credentials.secret.decode("utf-8", "replace"), *upstream_secrets(options)],
            inspected=data["inspected"],
        )
        journal.observe(_Reporter(self._channel.notify, self._notify_and_wait))
        gates, stubs = _ParentsGates(journal), _ParentsStubs()
        gates.request = stubs.request = self._channel.request
        faults = Injections(seed=data["seed"], label=data["label"])
        faults.on_decision = self._injection_decided
        # First, as Python puts the directory of a script: the test imports its modules so too.
        sys.path[:0] = data["app_dirs"]
        self._state = HostState(journal, gates, stubs, faults)
        self._host = InProcessHost(
            options,
            credentials,
            self._state,
            runner=runner_of(options),
            certificates=lambda: ca,
            second_origin=self._second_origin,
            crash=self._crash,
            limits=data["limits"] and Limits(**data["limits"]),
        )
        self._apply_state(data["state"])
        self._host.start(Port(options.host, options.port))

    def _second_origin(self, run_id: str, injection: Injection | None) -> str:
        number = injection.number if injection is not None else None
        return str(self._channel.request("second_origin", [run_id, number]))

    def _crash(self, only_if: Callable[[], bool]) -> None:
        # ``only_if`` protects a later start of the service; a child process has only one.
        self._notify_and_wait("crashing", None)
        os.kill(os.getpid(), signal.SIGKILL)

    def _injection_decided(self, injection: Injection) -> None:
        counts = {"seen": injection.seen, "hits": injection.hits, "missed": injection.missed}
        self._notify_and_wait("injection_decided", [injection.number, counts])

    def _notify_and_wait(self, name: str, data: Any) -> None:
        with suppress(NotRunningError):  # the parent has ended, and this process ends next
            self._channel.request(name, data, REPORT_TIMEOUT)

    def _apply_state(self, data: dict[str, Any]) -> None:
        with self._applying:
            if data["version"] > self._applied:  # each request has a thread of its own
                self._applied = data["version"]
                self._apply(data)

    def _apply(self, data: dict[str, Any]) -> None:
        assert self._state is not None
        assert self._host is not None
        state = self._state
        assert isinstance(state.gates, _ParentsGates)
        assert isinstance(state.stubs, _ParentsStubs)
        state.gates.held = tuple(data["held"])
        state.stubs.stubbed = tuple(data["stubbed"])
        state.names[:], state.paths[:] = data["names"], data["paths"]
        state.apply_reset(data["resets"])
        wanted = {record["number"]: record for record in data["injections"]}
        for injection in state.faults.active:
            if wanted.pop(injection.number, None) is None:
                state.faults.forget(injection)
        for record in wanted.values():
            serialization.adopt_injection(state.faults, record)
        self._host.apply_state()

    def _flush_journal(self, settle: bool) -> None:
        assert self._host is not None
        self._host.flush_journal(settle=settle)

    def _stack(self, run_id: str) -> str:
        assert self._host is not None
        return self._host.stack(run_id)

    def _stop(self, _: Any) -> list[str]:
        assert self._host is not None
        return self._host.stop()


def main(descriptor: int) -> NoReturn:
    """Carry out the parent's requests, read from the socket ``descriptor``. Never returns."""
    # Ctrl-C reaches the whole process group; the parent decides what to do. A handler, because
    # what a task starts would inherit SIG_IGN.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    parent = socket.socket(fileno=descriptor)
    parent.set_inheritable(False)  # what a task starts must not hold it
    try:
        Child(parent).run()
    except BaseException:
        print_traceback()
    _exit()


def _exit() -> NoReturn:
    """End the process, although a task's body or thread may still run. What tasks have printed is
    written first, if it is read; a task may have replaced or closed standard output."""
    with suppress(RuntimeError):  # the system has no thread to give
        flusher = threading.Thread(target=_flush, name="wove-http-dev-flush", daemon=True)
        flusher.start()
        flusher.join(FLUSH_TIMEOUT)
    os._exit(0)


def _flush() -> None:
    streams: tuple[Any, ...] = (sys.stdout, sys.__stdout__)
    for each in streams:
        with suppress(BaseException):
            each.flush()
