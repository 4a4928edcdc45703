"""An engine whose service lives in a child process: the parent's end.

The journal, gates, stubs and injections stay here and survive the child; it is told what to obey
and tells what it saw. A crash is a kill.
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
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.channel import Channel
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.runner import Execution
from wove_http_dev.service.host import STOP_GRACE, HostState
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority

START_TIMEOUT = 30.0
ASK_TIMEOUT = 5.0
_SHARED_OPTIONS = ("tls", "host", "path", "response_shape", "max_body", "insecure")


class IsolatedHost:
    """An engine in a child process of this one."""

    def __init__(
        self,
        options: Options,
        credentials: Credentials,
        state: HostState,
        *,
        certificates: Callable[[], CertificateAuthority],
        second_origin: Callable[[str], str],
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._state = state
        self._certificates = certificates
        self._second_origin = second_origin
        self._lock = threading.RLock()
        self._life: _Life | None = None

    @property
    def running(self) -> bool:
        """Whether the child lives. It is asked: whose connection was reset by its death knows that
        before our reader does."""
        life = self._life
        if life is None:
            return False
        with suppress(NotRunningError):  # frozen: it lives
            self.flush_journal()
        return life.alive

    @property
    def pid(self) -> int | None:
        """The child's process id, while it lives."""
        life = self._life
        return life.process.pid if life is not None and life.alive else None

    def start(self, port: Port) -> None:
        """Start a child that serves on ``port``. Raises what the child refused."""
        with self._lock:
            self._end()
            life = _Life(self._state, self._second_origin)
            ca = self._certificates()
            options = {name: getattr(self._options, name) for name in _SHARED_OPTIONS}
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
                life.channel.request(
                    "start",
                    {
                        "options": {**options, "port": port.number},
                        "credentials": credentials,
                        "ca": ca.cert_pem.decode("ascii"),
                        "ca_key": ca.key_pem.decode("ascii"),
                        "seed": self._state.faults.seed,
                        "label": self._state.faults.label,
                        "state": self._told(),
                    },
                    START_TIMEOUT,
                )
            except NotRunningError as exc:
                life.end()
                raise WoveHttpDevError(
                    f"the isolated worker did not start ({exc}); its error is on stderr"
                ) from exc
            except BaseException:
                life.end()
                raise
            self._life = life

    def _told(self) -> dict[str, Any]:
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
        """Tell the child what to obey; in force when this returns."""
        life = self._life
        if life is None or not life.alive:
            return
        try:
            life.channel.request("state", self._told(), ASK_TIMEOUT)
        except NotRunningError:
            if life.alive:
                raise  # frozen: it obeys nothing new
            # It died meanwhile; the next start tells it.

    def flush_journal(self, *, settle: bool = False) -> None:
        """The journal holds everything the child has said; all of it, if the child is dead."""
        life = self._life
        if life is None:
            return
        try:
            life.channel.request("flush_journal", settle, ASK_TIMEOUT)
        except NotRunningError:
            if life.alive and not life.ended.wait(1.0):
                raise  # frozen: nobody knows what it has answered

    def stop(self) -> list[str]:
        """Stop the child; the names of the task bodies that still ran."""
        life = self._life
        stuck: list[str] = []
        if life is not None and life.alive:
            life.asked = True
            try:
                stuck = life.channel.request("stop", None, STOP_GRACE + 1.5)
            except NotRunningError:
                life.process.kill()  # dead already, or frozen
        self._end()
        return stuck

    def crash(self) -> None:
        """Kill the child (SIGKILL)."""
        life = self._life
        if life is not None:
            life.asked = True
            life.process.kill()
        self._end()

    def _end(self) -> None:
        with self._lock:
            life, self._life = self._life, None
        self._state.release()
        if life is not None:
            life.end()


class _Life:
    """One child process, from its start to its end."""

    def __init__(self, state: HostState, second_origin: Callable[[str], str]) -> None:
        self._journal = state.journal
        self._state = state
        self._exchanges: dict[int, Exchange] = {}
        self._runs: dict[str, Run] = {}
        self._parked: dict[str, Execution] = {}
        self.asked = False
        """Whether we ended it, or are about to."""
        self.ended = threading.Event()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                # -I: no PYTHONPATH, no working directory, no user site on the import path.
                [sys.executable, "-I", "-m", "wove_http_dev.isolated.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self.channel = Channel(
            ours,
            requests={
                "park": self._park,
                "stub": self._stub,
                "second_origin": second_origin,
                "updated": self._updated,
                "decided": self._decided,
            },
            notifications={
                "opened": self._opened,
                "closed": self._closed,
                "run": self._run,
                "run_state": self._run_state,
            },
            on_close=self._gone,
        ).start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self.ended.is_set()

    def end(self) -> None:
        """Drop the connection, and see the process off."""
        self.asked = True
        self.channel.close()
        try:
            self.process.wait(STOP_GRACE + 3.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # What the child says

    def _opened(self, data: dict[str, Any]) -> None:
        self._exchanges[data["number"]] = self._journal.open(data["kind"])

    def _updated(self, data: list[Any]) -> None:
        number, record = data
        serialization.exchange_from(record, self._exchanges[number])
        self._journal.notify()

    def _closed(self, data: list[Any]) -> None:
        number, record = data
        exchange = self._exchanges.pop(number)
        serialization.exchange_from(record, exchange)
        self._journal.close(exchange)

    def _run(self, data: dict[str, Any]) -> None:
        run = Run(
            data["run_id"],
            data["task_id"],
            delivery=data["delivery"],
            initial_value=data["initial_value"],
            args_pickle=serialization.unpack(data["args"]) or b"",
            received=data["received"],
        )
        self._runs[run.run_id] = run
        self._journal.add_run(run)

    def _run_state(self, data: list[Any]) -> None:
        run_id, record, outcome = data
        run = self._runs[run_id]
        serialization.run_state_from(record, run)
        if outcome is not None:
            self._journal.finish(run, serialization.outcome_from(outcome))
        elif record["state"] == "lost":
            self._journal.lose(run)
        else:
            self._journal.change(run, record["state"])

    def _decided(self, data: list[Any]) -> None:
        number, counts = data
        for injection in self._state.faults.injections:
            if injection.number == number:
                injection.account(**counts)
        self._journal.notify()

    def _gone(self) -> None:
        for run in self._runs.values():
            self._journal.lose(run)
        open_ones = list(self._exchanges.values())
        by_itself = not self.asked and not any(
            name.startswith("crash-") for exchange in open_ones for name in exchange.faults
        )
        if by_itself and not open_ones:
            open_ones = [self._journal.open("connection")]
        for exchange in open_ones:
            exchange.error = "the worker process ended" + (" by itself" if by_itself else "")
            exchange.internal_error = by_itself
            self._journal.close(exchange)
        for execution in list(self._parked.values()):
            execution.cancel(wait_for_end=False)
        self.process.poll()
        self.ended.set()

    # What the child asks

    def _park(self, run_id: str) -> None:
        run = self._runs[run_id]
        execution = self._parked[run_id] = Execution(run.task_id)
        self._state.gates.park(run, execution)
        self._parked.pop(run_id, None)

    def _stub(self, run_id: str) -> dict[str, Any]:
        run = self._runs[run_id]
        source = self._state.stubs.find(run)
        if source is None:
            raise UsageError(f"the stub for {run.task_id!r} was taken back meanwhile")
        return serialization.answer_to(source(run))


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
        return True  # by value anyway; there as well
    paths = [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")]
    return any((getattr(module, "__file__", None) or "").startswith(path) for path in paths)
