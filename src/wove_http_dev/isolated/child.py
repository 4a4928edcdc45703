"""The child process of an isolated worker: a local engine whose state is the parent's.

What it decides it says at once, before a client can know: a kill loses nothing of the account. It
shares neither modules nor import path with the test (``python -I``).
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from wove_http_dev.errors import NotRunningError
from wove_http_dev.faults.injections import FaultBook, Injection, Selector
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.channel import Channel
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.protocol.frames import loads
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange, Run, matches_task
from wove_http_dev.runs.runner import Execution, Outcome
from wove_http_dev.runs.stubs import StubAnswer, Stubs
from wove_http_dev.service.host import HostState, InProcessHost
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority

TELL_TIMEOUT = 5.0
"""Seconds that a parent which does not listen can hold up an answer."""


class _ReportingJournal(Journal):
    """A journal that tells the parent of every entry.

    What an answer is about to let a client know is known over there first: a test that has the
    result of its weave looks at the account of this worker next.
    """

    tell: Callable[[str, Any], None]
    notify_and_wait: Callable[[str, Any], None]

    def open(self, kind: str = "request") -> Exchange:
        exchange = super().open(kind)
        self.tell("opened", {"number": exchange.number, "kind": kind})
        return exchange

    def update(self, exchange: Exchange) -> None:
        self.notify_and_wait("updated", [exchange.number, serialization.exchange_to(exchange)])

    def close(self, exchange: Exchange) -> None:
        super().close(exchange)
        self.tell("closed", [exchange.number, serialization.exchange_to(exchange)])

    def add_run(self, run: Run) -> None:
        record = {
            "run_id": run.run_id,
            "task_id": run.task_id,
            "delivery": dict(run.delivery),
            "initial_value": run.initial_value,
            "args": serialization.pack(run.args_pickle),
            "received": run.received,
        }
        self.tell("run", record)
        super().add_run(run)

    def change(self, run: Run, state: str) -> None:
        super().change(run, state)
        self.tell("run_state", [run.run_id, serialization.run_state_to(run), None])

    def finish(self, run: Run, outcome: Outcome) -> None:
        first = run.finished is None
        super().finish(run, outcome)
        told = serialization.outcome_to(outcome) if first else None
        self.tell("run_state", [run.run_id, serialization.run_state_to(run), told])

    def lose(self, run: Run) -> None:
        super().lose(run)
        self.tell("run_state", [run.run_id, serialization.run_state_to(run), None])


class _RemoteGates(Gates):
    """Gates whose keeper is the parent."""

    held: tuple[str | None, ...] = ()
    ask: Callable[[str, Any], Any]

    def park(self, run: Run, execution: Execution) -> None:
        if run.initial_value or not any(matches_task(task, run.task_id) for task in self.held):
            return
        moved = threading.Event()

        def until_released() -> None:
            try:
                self.ask("park", run.run_id)
            except NotRunningError:
                pass
            finally:
                moved.set()

        threading.Thread(target=until_released, name="wove-http-dev-park", daemon=True).start()
        execution.on_cancel(moved.set)
        moved.wait()


class _RemoteStubs(Stubs):
    """Stubs whose answers are the parent's."""

    stubbed: tuple[str, ...] = ()
    ask: Callable[[str, Any], Any]

    def find(self, run: Run) -> Callable[[Run], StubAnswer] | None:
        if run.initial_value or not any(matches_task(task, run.task_id) for task in self.stubbed):
            return None
        return lambda run: serialization.answer_from(self.ask("stub", run.run_id))


class Child:
    """What the parent may ask, and the engine it asks it of."""

    def __init__(self, sock: socket.socket) -> None:
        self._host: InProcessHost | None = None
        self._state: HostState | None = None
        self.ended = threading.Event()
        self._channel = Channel(
            sock,
            requests={
                "start": self._start,
                "state": self._apply_state,
                "stop": self._stop,
                "flush_journal": self._flush_journal,
            },
            notifications={},
            on_close=self.ended.set,
        )

    def run(self) -> None:
        """Serve until the control connection drops."""
        self._channel.start()
        self.ended.wait()
        if self._host is not None:
            self._host.stop()

    def _start(self, data: dict[str, Any]) -> None:
        ca = CertificateAuthority.from_pem(data["ca"].encode(), data["ca_key"].encode())
        words = data["credentials"]
        credentials = Credentials(**{**words, "secret": base64.b64decode(words["secret"])})
        journal = _ReportingJournal(secrets=[credentials.secret.decode("utf-8", "replace")])
        journal.tell, journal.notify_and_wait = self._channel.notify, self._notify_and_wait
        gates, stubs = _RemoteGates(journal), _RemoteStubs()
        gates.ask = stubs.ask = self._channel.request
        faults = FaultBook(seed=data["seed"], label=data["label"])
        faults.on_decision = self._decided
        options = Options.of(**data["options"])
        self._state = HostState(journal, gates, stubs, faults)
        self._host = InProcessHost(
            options,
            credentials,
            self._state,
            certificates=lambda: ca,
            second_origin=lambda run_id: str(self._channel.request("second_origin", run_id)),
            crash=lambda: os.kill(os.getpid(), signal.SIGKILL),
        )
        self._apply_state(data["state"])
        self._host.start(Port(options.host, options.port))

    def _decided(self, injection: Injection) -> None:
        counts = {"seen": injection.seen, "hits": injection.hits, "missed": injection.missed}
        self._notify_and_wait("decided", [injection.number, counts])

    def _notify_and_wait(self, name: str, data: Any) -> None:
        with suppress(NotRunningError):  # the parent is gone, and we are about to be
            self._channel.request(name, data, TELL_TIMEOUT)

    def _apply_state(self, data: dict[str, Any]) -> None:
        assert self._state is not None
        assert self._host is not None
        state = self._state
        assert isinstance(state.gates, _RemoteGates)
        assert isinstance(state.stubs, _RemoteStubs)
        state.gates.held = tuple(data["held"])
        state.stubs.stubbed = tuple(data["stubbed"])
        state.names[:], state.paths[:] = data["names"], data["paths"]
        wanted = {entry["number"]: entry for entry in data["faults"]}
        for injection in state.faults.active:
            if wanted.pop(injection.number, None) is None:
                injection.remove()
        for number, entry in wanted.items():
            faults = loads(base64.b64decode(entry["faults"]))  # our parent's own pickle
            state.faults.adopt(number, faults, Selector(**entry["selector"])).account(
                seen=entry["seen"], hits=entry["hits"]
            )
        self._host.apply_state()

    def _flush_journal(self, settle: bool) -> None:
        assert self._host is not None
        self._host.flush_journal(settle=settle)

    def _stop(self, _: Any) -> list[str]:
        assert self._host is not None
        return self._host.stop()


def main() -> None:
    """Take the socket whose descriptor is the first argument, and serve."""
    # Ctrl-C reaches the whole process group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Child(socket.socket(fileno=int(sys.argv[1]))).run()
    sys.stdout.flush()
    os._exit(0)  # a task body that still runs must not keep the process


if __name__ == "__main__":
    main()
