"""A host whose service lives in a child process: the parent's side.

The journal, gates, stubs and injections are the parent's and outlive the child, which reports what
it receives and is sent what to obey. A crash is a SIGKILL.
"""

from __future__ import annotations

import base64
import dataclasses
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

import cloudpickle

from wove_http_dev.errors import NotRunningError, UsageError, WoveHttpDevError
from wove_http_dev.faults.injections import Injection
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.channel import Channel
from wove_http_dev.options import SERVICE, Options
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.runs.records import FINISHED, Exchange, Run
from wove_http_dev.runs.runner import Execution
from wove_http_dev.service.connection import Limits
from wove_http_dev.service.host import STOP_GRACE, HostState
from wove_http_dev.service.pipeline import SecondOriginUrl
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority

START_TIMEOUT = 30.0
"""Seconds that a child may take until it serves."""
REQUEST_TIMEOUT = 5.0
"""Seconds that a child may take to respond; then it is taken to be frozen."""


class IsolatedHost:
    """Serves in a child process of this one."""

    def __init__(
        self,
        options: Options,
        credentials: Credentials,
        state: HostState,
        *,
        certificates: Callable[[], CertificateAuthority],
        second_origin: SecondOriginUrl,
        limits: Limits | None = None,
    ) -> None:
        self._options = options
        self._limits = limits
        self._credentials = credentials
        self._state = state
        self._certificates = certificates
        self._second_origin = second_origin
        self._lock = threading.RLock()
        self._child: _ChildProcess | None = None

    @property
    def running(self) -> bool:
        """Whether the child lives. It is asked, because a client whose connection was reset by its
        end knows that before the channel's reader does."""
        child = self._child
        if child is None:
            return False
        with suppress(NotRunningError):  # frozen: it lives
            self.flush_journal()
        return child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id, while it lives."""
        child = self._child
        return child.process.pid if child is not None and child.alive else None

    def start(self, port: Port) -> None:
        """Block until a child serves on ``port``. Raises what the child raised, and
        :class:`WoveHttpDevError` if it does not serve within :data:`START_TIMEOUT` s."""
        with self._lock:
            self._end()
            child = _ChildProcess(self._state, self._second_origin)
            ca = self._certificates()
            credentials = {
                "mode": self._credentials.mode,
                "secret": base64.b64encode(self._credentials.secret).decode("ascii"),
                "key": self._credentials.key,
                "clock_skew": self._credentials.clock_skew,
                "remember_nonces": self._credentials.remember_nonces,
            }
            self._state.faults.resume()
            port.share()
            try:
                child.channel.request(
                    "start",
                    {
                        "options": {**self._options.of_side(SERVICE), "port": port.number},
                        "limits": self._limits and dataclasses.asdict(self._limits),
                        "credentials": credentials,
                        "ca": ca.cert_pem.decode("ascii"),
                        "ca_key": ca.key_pem.decode("ascii"),
                        "seed": self._state.faults.seed,
                        "label": self._state.faults.label,
                        "state": self._state_record(),
                    },
                    START_TIMEOUT,
                )
            except NotRunningError as exc:
                child.end()
                raise WoveHttpDevError(
                    f"the isolated worker did not start ({exc}); its error is on stderr"
                ) from exc
            except BaseException:
                child.end()
                raise
            self._child = child

    def _state_record(self) -> dict[str, Any]:
        faults = self._state.faults
        return {
            "held": self._state.gates.tasks,
            "stubbed": self._state.stubs.tasks,
            "names": list(self._state.names),
            "paths": list(self._state.paths),
            "faults": [
                {
                    "number": injection.number,
                    "faults": base64.b64encode(_by_value(injection.faults)).decode("ascii"),
                    "selector": dataclasses.asdict(injection.selector),
                    "seen": injection.seen,
                    "hits": injection.hits,
                }
                for injection in faults.active
            ],
        }

    def apply_state(self) -> None:
        """Send the child what to obey; in force when this returns."""
        child = self._child
        if child is None or not child.alive:
            return
        try:
            child.channel.request("apply_state", self._state_record(), REQUEST_TIMEOUT)
        except NotRunningError:
            if child.alive:
                raise  # frozen: it obeys nothing new
            # It ended meanwhile; the next start sends the state.

    def flush_journal(self, *, settle: bool = False) -> None:
        """Wait until the journal has everything that clients were answered; with ``settle`` also
        until handshakes in progress have ended.

        Raises :class:`NotRunningError` if the child does not respond in :data:`REQUEST_TIMEOUT` s.
        """
        child = self._child
        if child is None:
            return
        try:
            child.channel.request("flush_journal", settle, REQUEST_TIMEOUT)
        except NotRunningError:
            if child.alive and not child.ended.wait(1.0):
                raise  # frozen: what it has answered is not known

    def stop(self) -> list[str]:
        """Stop the child; the names of the task bodies that were still running."""
        child = self._child
        stuck: list[str] = []
        if child is not None and child.alive:
            child.end_expected = True
            try:
                stuck = child.channel.request("stop", None, STOP_GRACE + 1.5)
            except NotRunningError:
                child.process.kill()  # ended already, or frozen
        self._end()
        return stuck

    def crash(self) -> None:
        """Kill the child (SIGKILL)."""
        child = self._child
        if child is not None:
            child.end_expected = True
            child.process.kill()
        self._end()

    def _end(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        self._state.release()
        if child is not None:
            child.end()


class _ChildProcess:
    """One child process, from its start to its end."""

    def __init__(self, state: HostState, second_origin: SecondOriginUrl) -> None:
        self._journal = state.journal
        self._second_origin_url = second_origin
        self._state = state
        self._exchanges: dict[int, Exchange] = {}
        self._runs: dict[str, Run] = {}
        self._parked: dict[str, Execution] = {}
        self.end_expected = False
        """Whether this process ends it, or a fault crashes it."""
        self.ended = threading.Event()
        parent_end, child_end = socket.socketpair()
        with child_end:
            number = child_end.fileno()
            self.process = subprocess.Popen(
                # -I: no PYTHONPATH, no working directory, no user site on the import path.
                [sys.executable, "-I", "-m", "wove_http_dev.isolated.child", str(number)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
            )
        self.channel = Channel(
            parent_end,
            requests={
                "park": self._park,
                "stub": self._stub,
                "second_origin": self._second_origin,
                "crashing": self._crashing,
                "exchange_updated": self._exchange_updated,
                "injection_decided": self._injection_decided,
            },
            notifications={
                "exchange_opened": self._exchange_opened,
                "exchange_closed": self._exchange_closed,
                "run_added": self._run_added,
                "run_changed": self._run_changed,
                "run_finished": self._run_finished,
                "run_lost": self._run_lost,
            },
            on_close=self._ended,
        ).start()

    @property
    def alive(self) -> bool:
        """Whether its end has not been noticed yet."""
        return not self.ended.is_set()

    def end(self) -> None:
        """Close the channel, and block until the process has ended; it is killed after
        ``STOP_GRACE`` + 3 s."""
        self.end_expected = True
        self.channel.close()
        try:
            self.process.wait(STOP_GRACE + 3.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # What the child reports

    def _exchange_opened(self, data: dict[str, Any]) -> None:
        self._exchanges[data["number"]] = self._journal.open(data["kind"])

    def _exchange_updated(self, data: list[Any]) -> None:
        number, record = data
        exchange = self._exchanges[number]
        serialization.update_exchange(exchange, record)
        self._journal.update(exchange)
        self._journal.notify()

    def _exchange_closed(self, data: list[Any]) -> None:
        number, record = data
        exchange = self._exchanges.pop(number)
        serialization.update_exchange(exchange, record)
        self._journal.close(exchange)

    def _run_added(self, record: dict[str, Any]) -> None:
        run = serialization.run_from_record(record)
        self._runs[run.run_id] = run
        self._journal.add_run(run)

    def _run_changed(self, data: list[Any]) -> None:
        run_id, changes = data
        run = self._runs[run_id]
        serialization.update_run(run, changes)
        if changes["state"] in FINISHED:  # the outcome has its own report
            self._journal.notify()
        else:
            self._journal.change(run, changes["state"])

    def _run_finished(self, data: list[Any]) -> None:
        run_id, changes, outcome = data
        run = self._runs[run_id]
        serialization.update_run(run, changes)
        self._journal.finish(run, serialization.outcome_from_record(outcome))

    def _run_lost(self, data: list[Any]) -> None:
        run_id, changes = data
        run = self._runs[run_id]
        serialization.update_run(run, changes)
        self._journal.lose(run)

    def _injection_decided(self, data: list[Any]) -> None:
        number, counts = data
        injection = self._injection(number)
        if injection is not None:
            injection.account(**counts)
        self._journal.notify()

    def _injection(self, number: int | None) -> Injection | None:
        found = (each for each in self._state.faults.injections if each.number == number)
        return next(found, None)  # a reset() may have removed it

    def _crashing(self, _: None) -> None:
        self.end_expected = True

    def _ended(self) -> None:
        for run in self._runs.values():
            self._journal.lose(run)
        open_ones = list(self._exchanges.values())
        by_itself = not self.end_expected
        if by_itself and not open_ones:
            open_ones = [self._journal.open("connection")]
        for exchange in open_ones:
            exchange.error = "the worker process ended" + (" by itself" if by_itself else "")
            exchange.code = exchange.code or "worker-ended"
            exchange.internal_error = by_itself
            self._journal.close(exchange)
        for execution in list(self._parked.values()):
            execution.cancel(wait_for_end=False)
        self.process.poll()
        self.ended.set()

    # What the child requests

    def _park(self, run_id: str) -> None:
        run = self._runs[run_id]
        execution = self._parked[run_id] = Execution(run.task_id)
        self._state.gates.park(run, execution)
        self._parked.pop(run_id, None)

    def _second_origin(self, data: list[Any]) -> str:
        run_id, number = data
        return self._second_origin_url(run_id, self._injection(number))

    def _stub(self, run_id: str) -> dict[str, Any]:
        run = self._runs[run_id]
        source = self._state.stubs.find(run)
        if source is None:
            raise UsageError(f"the stub for {run.task_id!r} was removed meanwhile")
        return serialization.answer_to_record(source(run))


def _by_value(value: Any) -> bytes:
    """``value`` pickled so that a process without the test's import path can load it: what a test
    module defines goes by value."""
    with _registered(value):
        return bytes(cloudpickle.dumps(value))


@contextmanager
def _registered(faults: Any) -> Iterator[None]:
    modules = {sys.modules[type(fault).__module__] for fault in faults}
    mine = [module for module in modules if not _is_installed(module)]
    already = cloudpickle.list_registry_pickle_by_value()
    fresh = [module for module in mine if module.__name__ not in already]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _is_installed(module: ModuleType) -> bool:
    if module.__name__ == "__main__" or module.__name__.partition(".")[0] == "wove_http_dev":
        return True  # sent by value in any case; installed there as well
    paths = [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")]
    return any((getattr(module, "__file__", None) or "").startswith(path) for path in paths)
