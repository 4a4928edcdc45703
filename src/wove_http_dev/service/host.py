"""``HostState``, which a worker shares with its service, and ``InProcessHost``, which runs the
service in this process.

``isolated.host`` runs the service in a child process instead.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from wove_http_dev.faults.injections import Injections
from wove_http_dev.faults.selector import CLAIM_LIMIT
from wove_http_dev.hosts import LOCAL_NAMES, Host
from wove_http_dev.options import Options
from wove_http_dev.protocol import authenticator
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.once import FirstOutcomes
from wove_http_dev.runs.outcome import failure
from wove_http_dev.runs.runner import Forwarder, Runner
from wove_http_dev.runs.stubs import Stubs
from wove_http_dev.runs.thread_pool import ThreadPool
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.pipeline import Pipeline, SecondOriginUrl
from wove_http_dev.service.port import Port
from wove_http_dev.service.server import Server
from wove_http_dev.tls import CertificateAuthority

STOP_GRACE = 1.0
"""Seconds that ``stop()`` waits for task bodies to end."""
REPLY_GRACE = 0.5
"""Seconds that requests being served get to be answered when the service stops."""
SETTLE_TIME = 0.2
"""Seconds that ``flush_journal(settle=True)`` waits for handshakes in progress, and a report for
replies that are being written."""

STOPPED = failure(
    "WorkerStopped",
    "the worker service was stopped while the task was running",
    retryable=True,
)
RESET = failure(
    "WorkerReset",
    "the worker was reset before the task had ended",
    retryable=True,
)


@dataclass
class HostState:
    """The journal, gates, stubs and faults of a worker, and the host names and paths that it
    serves. All of these are kept when the worker stops."""

    journal: Journal
    gates: Gates
    stubs: Stubs
    faults: Injections
    names: list[str] = field(default_factory=list)
    """Additional host names in the worker's certificate."""
    paths: list[str] = field(default_factory=list)
    """The paths that accept command frames, the ``path`` option first."""
    first_outcomes: FirstOutcomes = field(default_factory=FirstOutcomes)
    """What the option ``idempotency`` remembers: the one thing here that a stop forgets."""
    resets: int = 0
    """How often the worker was reset."""

    on_reset: Callable[[], None] = lambda: None
    """Ends what waits for an upstream service, or runs where it can be killed, when the worker is
    reset."""
    apply: Callable[[], None] = lambda: None
    """Puts the current names and paths in force."""

    def __post_init__(self) -> None:
        self.faults.clean = lambda text: self.journal.redaction.clean(text, CLAIM_LIMIT)

    def watch(self, apply_state: Callable[[], None]) -> None:
        """Call ``apply_state`` whenever gates, stubs, faults, names or paths change."""
        self.apply = apply_state
        self.gates.on_change = self.stubs.on_change = self.faults.on_change = apply_state
        # A thread may be waiting in the journal for a fault to hit.
        self.faults.on_decision = lambda injection: self.journal.notify()

    @contextmanager
    def serving_as(self, name: str, path: str) -> Iterator[None]:
        """Make the certificate valid for host ``name`` too, and accept command frames at ``path``
        too, until the block ends."""
        try:
            self.names.append(name)
            self.paths.append(path)
            self.apply()
            yield
        finally:
            for values, value in ((self.names, name), (self.paths, path)):
                if value in values:
                    values.remove(value)
            self.apply()

    def apply_reset(self, resets: int) -> None:
        """Forget what the option ``idempotency`` remembers, and call :attr:`on_reset`, if the
        worker was reset since the last call: if ``resets``, how often it was, has changed."""
        if resets != self.resets:
            self.resets = resets
            self.first_outcomes.clear()
            self.on_reset()

    def release(self) -> None:
        """Release the runs that gates hold and the requests that faults stall. Faults stall no
        others until the next start."""
        self.gates.release_all()
        self.faults.halt()


class ServiceHost(Protocol):
    """Runs a worker service, in this process or in a child process."""

    @property
    def running(self) -> bool:
        """Whether the service is running."""

    def start(self, port: Port) -> None:
        """Start serving on ``port``."""

    def stop(self) -> list[str]:
        """Stop serving and return the names of task bodies that still run. Blocks for about three
        seconds at most."""

    def crash(self) -> None:
        """Stop serving as if the process were killed: connections are reset, runs abandoned."""

    def apply_state(self) -> None:
        """Apply the current :class:`HostState`. Blocks until it is in force."""

    def flush_journal(self, *, settle: bool = False) -> None:
        """Wait until the journal has every exchange that was answered. ``settle`` also waits until
        handshakes in progress have ended, for at most :data:`SETTLE_TIME` seconds."""

    def stack(self, run_id: str) -> str:
        """Return where the body of the run is at this moment, as the lines of a traceback; empty if
        it does not run, or cannot be asked."""


def leaf_names(options: Options, state: HostState) -> list[str]:
    """Return the host names that the certificate must contain besides the local ones."""
    host = Host(options.host)
    return [
        *state.names,
        *options.hosts,
        *([] if host.is_wildcard or host.is_localhost else [host.name]),
    ]


class InProcessHost:
    """Runs the worker service in this process."""

    def __init__(
        self,
        options: Options,
        credentials: Credentials,
        state: HostState,
        *,
        runner: Runner,
        certificates: Callable[[], CertificateAuthority],
        second_origin: SecondOriginUrl,
        crash: Callable[[Callable[[], bool]], None],
        known_secrets: Callable[[], Iterable[tuple[str, bytes]]] = tuple,
        limits: Limits | None = None,
        before_run: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._state = state
        self._certificates = certificates
        self._limits = replace(limits or Limits(), max_body=options.max_body)
        self._lock = threading.RLock()
        self._server: Server | None = None
        self._ending: Server | None = None
        """The server that a stop has not ended yet."""
        self._threads = ThreadPool()
        self._runner = runner
        if isinstance(runner, Forwarder):
            state.on_reset = runner.reset
        elif runner.kills:
            # A client that gives up sends no cancel: what it has left would keep its process.
            state.on_reset = lambda: self.pipeline.active.end_what_runs(RESET)
        self.pipeline = Pipeline(
            authenticator.Authenticator(
                credentials,
                hosts=[*LOCAL_NAMES, Host(options.host).name, *options.hosts],
                known_secrets=known_secrets,
            ),
            state.journal,
            state.faults,
            threads=self._threads,
            runner=runner,
            gates=state.gates,
            stubs=state.stubs,
            first_outcomes=state.first_outcomes if options.idempotency else None,
            paths=state.paths,
            response_shape=options.response_shape,
            tracebacks=options.tracebacks,
            crash=lambda life: crash(lambda: life == self.pipeline.active.life),
            second_origin=second_origin,
            before_run=before_run,
        )

    @property
    def running(self) -> bool:
        """Whether the service is running."""
        return self._server is not None

    def start(self, port: Port) -> None:
        """Start serving on ``port``. Raises :class:`PortInUseError` if another process took it."""
        try:
            server = Server(
                self.pipeline,
                port,
                certificates=self._certificates(),
                tls=self._tls_context if self._options.tls else None,
                names=lambda: (*LOCAL_NAMES, *leaf_names(self._options, self._state)),
                limits=self._limits,
            )
            self._state.first_outcomes.clear()  # as a worker does that keeps them in its process
            self.pipeline.active.reopen()
            self._threads.reopen()
            self._runner.start()
            self._state.faults.resume()
            with self._lock:
                self._ending = server  # until it is known to serve
                server.start()
                self._server, self._ending = server, None
            self.apply_state()
        except BaseException:
            # The gates stay: no run was held yet.
            self._end(reset=True, release=self._state.faults.halt)
            raise

    def _tls_context(self) -> ssl.SSLContext:
        return self._certificates().server_context(*leaf_names(self._options, self._state))

    def apply_state(self) -> None:
        """Open or close the listening socket, as the current faults require."""
        with self._lock:
            if self._server is None:
                return
            if self._state.faults.refusing:
                self._server.refuse()
            else:
                self._server.start()

    def stack(self, run_id: str) -> str:
        """Return where the body of the run is at this moment."""
        return self.pipeline.active.stack(run_id)

    def flush_journal(self, *, settle: bool = False) -> None:
        """Return at once, because the journal of a worker in this process is always complete.
        ``settle`` first waits until TLS handshakes in progress have ended, for at most
        :data:`SETTLE_TIME` seconds: a client that rejects a certificate knows it before the server
        has recorded it."""
        with self._lock:
            server = self._server
        if settle and server is not None:
            server.settle(SETTLE_TIME)

    def stop(self) -> list[str]:
        """Stop serving and return the names of task bodies that still run :data:`STOP_GRACE`
        seconds later."""
        return self._end(reset=False, release=self._state.release)

    def crash(self) -> None:
        """Reset every connection and abandon every run."""
        self._end(reset=True, release=self._state.release)

    def _end(self, *, reset: bool, release: Callable[[], None]) -> list[str]:
        with self._lock:
            if self._server is not None:
                # Kept until it has ended: a stop that Ctrl-C interrupts can be repeated.
                self._server, self._ending = None, self._server
            server = self._ending
        if reset and server is not None:
            server.interrupt(reset=True, gently=False)
        # End the runs first, so that no body starts when release() opens its gate.
        self.pipeline.active.close(STOPPED)
        release()
        if server is not None:
            server.stop(REPLY_GRACE, reset=reset)
        stuck = self._threads.stop(0.0 if reset else STOP_GRACE)
        self._runner.stop()
        with self._lock:
            if self._ending is server:
                self._ending = None
        return stuck
