"""``IsolatedHost``: the parent's side of a worker service that runs in a child process.

The parent owns the journal, gates, stubs and injections, so they outlive the child. The child
reports what it receives, and the parent sends it the state to apply. A crash is a SIGKILL.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from wove_http_dev.errors import NotRunningError, WoveHttpDevError
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.channel import ChannelClosedError
from wove_http_dev.isolated.process import ChildProcess
from wove_http_dev.options import SERVICE, Options
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.service.host import STOP_GRACE, HostState
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.pipeline import SecondOriginUrl
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority

START_TIMEOUT = 30.0
"""Seconds that a child may take to start serving."""
REQUEST_TIMEOUT = 5.0
"""Seconds that a child may take to respond before it is considered frozen."""
STACK_TIMEOUT = 1.0
"""Seconds that a report waits for the stack of a body in the child."""


class IsolatedHost:
    """Runs the worker service in a child process."""

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
        self._child: ChildProcess | None = None
        self._ending: ChildProcess | None = None
        """The child that a stop has not ended yet."""
        self._state_lock = threading.Lock()
        self._versions = 0
        """The number of the newest state. The child ignores a state that is older than its own."""

    @property
    def running(self) -> bool:
        """Whether the child process is alive. The child is asked, because a client can see its
        connection reset before the channel's reader notices that the child has ended."""
        child = self._child
        if child is None:
            return False
        with suppress(NotRunningError):  # frozen, but alive
            self.flush_journal()
        return child.alive

    @property
    def pid(self) -> int | None:
        """The process id of the child; ``None`` if it is not running."""
        child = self._child
        return child.process.pid if child is not None and child.alive else None

    def start(self, port: Port) -> None:
        """Start a child process and block until it serves on ``port``. Raises the error that the
        child reports, and :class:`WoveHttpDevError` if it does not serve within
        :data:`START_TIMEOUT` s."""
        __tracebackhide__ = True  # pytest --showlocals would show the CA's key
        with self._lock:
            self._end()
            child = ChildProcess(self._state, self._second_origin)
            try:
                state = self._state_record()
                ca = self._certificates()
                self._state.faults.resume()
                port.share()
                child.channel.request(
                    "start",
                    {
                        "options": {**self._options.of_side(SERVICE), "port": port.number},
                        "app_dirs": self._options.app_dirs,
                        "limits": self._limits and dataclasses.asdict(self._limits),
                        "credentials": serialization.credentials_to_record(self._credentials),
                        "ca": ca.cert_pem.decode("ascii"),
                        "ca_key": ca.key_pem.decode("ascii"),
                        "seed": self._state.faults.seed,
                        "label": self._state.faults.label,
                        "inspected": self._state.journal.inspected,
                        "state": state,
                    },
                    START_TIMEOUT,
                )
                self._child = child
                if self._versions != state["version"]:  # changed while it started
                    self.apply_state()
            except NotRunningError as exc:
                self._child = None
                child.end()
                raise WoveHttpDevError(
                    f"the isolated worker did not start ({exc}); its error is on stderr"
                ) from exc
            except BaseException:
                self._child = None
                child.end()
                raise

    def _state_record(self) -> dict[str, Any]:
        # Threads change the state at once and send it in any order: the newest is in force.
        with self._state_lock:
            self._versions += 1
            return {"version": self._versions, **self._state_content()}

    def _state_content(self) -> dict[str, Any]:
        faults = self._state.faults
        return {
            "held": self._state.gates.tasks,
            "stubbed": self._state.stubs.tasks,
            "names": list(self._state.names),
            "paths": list(self._state.paths),
            "resets": self._state.resets,
            "injections": [serialization.injection_to_record(each) for each in faults.active],
        }

    def apply_state(self) -> None:
        """Send the child the current gates, stubs, faults, names and paths; they are in force when
        this returns.

        Raises :class:`NotRunningError` if the child does not respond in :data:`REQUEST_TIMEOUT` s.
        """
        state = self._state_record()  # counted even without a child: one may be starting
        child = self._child
        if child is None or not child.alive:
            return
        with suppress(ChannelClosedError):  # it has ended; the next start sends the state
            child.channel.request("apply_state", state, REQUEST_TIMEOUT)

    def flush_journal(self, *, settle: bool = False) -> None:
        """Wait until the journal has every exchange that was answered; with ``settle``, also until
        handshakes in progress have ended.

        Raises :class:`NotRunningError` if the child does not respond within :data:`REQUEST_TIMEOUT`
        s.
        """
        child = self._child
        if child is None or not child.alive:
            return
        try:
            child.channel.request("flush_journal", settle, REQUEST_TIMEOUT)
        except ChannelClosedError:
            child.ended.wait(REQUEST_TIMEOUT)  # until the journal has its open runs as lost

    def stack(self, run_id: str) -> str:
        """Return where the body of the run is at this moment; empty if the child does not respond
        within :data:`STACK_TIMEOUT` s, as when the body holds the interpreter."""
        child = self._child
        if child is None or not child.alive:
            return ""
        with suppress(NotRunningError):
            return str(child.channel.request("stack", run_id, STACK_TIMEOUT))
        return ""

    def stop(self) -> list[str]:
        """Stop the child and return the names of the task bodies that were still running."""
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
            if self._child is not None:
                # Kept until it has ended: a stop that Ctrl-C interrupts can be repeated.
                self._child, self._ending = None, self._child
            child = self._ending
        self._state.release()
        if child is not None:
            child.end()
        with self._lock:
            if self._ending is child:
                self._ending = None
