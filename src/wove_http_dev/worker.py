"""One lifetime that joins service, server, certificates, journal, faults and the Wove side.

This room wires the others together and holds the names that users call. It decides nothing that a
room below could decide.
"""

from __future__ import annotations

import ssl
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

from wove_http_dev.client import dns, environ, urllib_opener
from wove_http_dev.client.definition import SECRET_VARIABLE
from wove_http_dev.client_side import ClientSide
from wove_http_dev.errors import (
    NotRunningError,
    StrictnessError,
    StuckRunWarning,
    UsageError,
    cannot_travel,
)
from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import Worker
from wove_http_dev.faults.injections import FaultBook, Injection
from wove_http_dev.faults.text import parse_fault, read_injection
from wove_http_dev.options import Options, impersonated
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.runs.holds import Gate, Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange, RunLog
from wove_http_dev.runs.stubs import UNSET, Stubs, make_source
from wove_http_dev.service.connection import Limits
from wove_http_dev.service.host import HostState, InProcessHost, ServiceHost
from wove_http_dev.service.port import Port
from wove_http_dev.service.second_origin import SecondOrigin
from wove_http_dev.strict import failed, refused, repointed, unfired
from wove_http_dev.tls import CertificateAuthority

_running: weakref.WeakSet[HttpWorker] = weakref.WeakSet()


class HttpWorker(ClientSide):
    """A worker service for Wove's ``http``/``https`` executor. A context manager that starts and
    stops it.

    ``options`` are those of :class:`wove_http_dev.options.Options`. ``ca`` shares a
    :class:`CertificateAuthority` among workers (otherwise each makes its own). ``label`` and
    ``seed`` make random fault decisions repeatable. ``before_run`` is called on the task's thread
    before each task is loaded. Raises :class:`UsageError` for an option that
    cannot be, :class:`PortInUseError` for a port in use.
    """

    def __init__(
        self,
        *,
        ca: CertificateAuthority | None = None,
        label: str = "",
        seed: int = 0,
        limits: Limits | None = None,
        before_run: Callable[[], None] | None = None,
        **options: Any,
    ) -> None:
        given = Options.of(**options)
        shared = credentials(
            given.security, secret=given.secret, key=given.key, clock_skew=given.clock_skew
        )
        super().__init__(given, shared)
        self.options.check_exposure(self.credentials.mode)
        self._own_ca = ca is None
        self._ca = ca
        self._lock = threading.RLock()
        self._life = threading.RLock()
        """Held through a start, a stop, a crash: one at a time."""
        self._port: Port | None = None
        self._number: int | None = None
        """The port it has or had, and takes again."""
        self._begun = False
        self._urls: set[str] = set()
        self._elsewhere: SecondOrigin | None = None
        self._configured = 0
        self._allow_refusals = False
        journal = Journal(secrets=[self.secret])
        self._state = HostState(
            journal=journal,
            gates=Gates(journal),
            stubs=Stubs(),
            faults=FaultBook(seed=seed, label=label),
            paths=[self.options.path],
        )
        self._host: ServiceHost = self._make_host(limits, before_run)
        self._state.watch(self._host.apply_state)

    def _make_host(
        self, limits: Limits | None, before_run: Callable[[], None] | None
    ) -> ServiceHost:
        if self.options.isolated:
            if before_run is not None:
                raise UsageError("before_run= cannot be called in an isolated worker's process")
            from wove_http_dev.isolated.host import IsolatedHost

            return IsolatedHost(
                self.options,
                self.credentials,
                self._state,
                certificates=lambda: self._certificates,
                second_origin=self._second_origin,
            )
        return InProcessHost(
            self.options,
            self.credentials,
            self._state,
            certificates=lambda: self._certificates,
            second_origin=self._second_origin,
            crash=self.crash,
            known_secrets=self._other_secrets,
            limits=limits,
            before_run=before_run or (lambda: None),
        )

    def __repr__(self) -> str:
        where = self.url if self._number is not None else "not started"
        return f"<HttpWorker {self.environment!r} {where}>"

    def __reduce__(self) -> Any:
        raise cannot_travel(self)

    # Where it is, and what a client needs

    @property
    def _certificates(self) -> CertificateAuthority:
        with self._lock:
            if self._ca is None:
                self._ca = CertificateAuthority()
            return self._ca

    @property
    def port(self) -> int:
        """The TCP port, for good. Raises :class:`NotRunningError` before the first start."""
        if self._number is None:
            raise NotRunningError("the worker has no port yet: start() it, or use it in a with")
        return self._number

    @property
    def url(self) -> str:
        """The URL that takes command frames."""
        host = self.options.host
        if host in ("0.0.0.0", "::", ""):  # every address of this machine; name one
            host = "localhost"
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        scheme = "https" if self.options.tls else "http"
        return f"{scheme}://{host}:{self.port}{self.options.path}"

    @property
    def ca_file(self) -> str:
        """Path of the CA certificate, PEM."""
        return self._certificates.cert_file

    @property
    def _bundle_file(self) -> str | None:
        return self._certificates.bundle_file if self.options.tls else None

    @property
    def _client_context(self) -> ssl.SSLContext:
        return self._certificates.client_context()

    # What it saw

    @property
    def exchanges(self) -> list[Exchange]:
        """Everything received, refused requests included, oldest first."""
        self._host.flush_journal()
        return self._state.journal.exchanges

    @property
    def runs(self) -> RunLog:
        """The runs let in, in order of arrival; ``runs["name"]`` those of a task."""
        self._host.flush_journal()
        return self._state.journal.runs

    @property
    def all_runs(self) -> RunLog:
        """The same with the initial values that Wove itself sends (``data`` and ``weave(x=…)``)."""
        self._host.flush_journal()
        return self._state.journal.all_runs

    @property
    def journal(self) -> Journal:
        """The journal itself."""
        return self._state.journal

    def report(self) -> str:
        """What a failing test should show: the journal, and the seed where faults draw."""
        text = f"{self!r}\n{self._state.journal.render()}"
        faults = self._state.faults
        if any(injection.draws_by_run for injection in faults.injections):
            text += f"\nthe faults drew with --wove-http-seed={faults.seed}"
        return text

    def wait_for(
        self,
        task: str | None = None,
        state: str = "finished",
        count: int = 1,
        timeout: float = 5.0,
    ) -> RunLog:
        """Block until ``count`` runs of ``task`` (name or glob) have reached ``state``; those runs.

        ``state`` is ``received``, ``held``, ``running``, ``succeeded``, ``failed``, ``cancelled``,
        ``lost`` (refused, or gone with its worker, before an outcome) or ``finished``. Raises
        :class:`WaitTimeoutError` with the journal after ``timeout`` s.
        """
        return self._state.journal.wait_for_runs(task, state, count, timeout)

    # What it does

    def inject(
        self,
        *faults: Fault | str,
        task: str | None = None,
        command: str | None = None,
        times: int | None = None,
        after: int = 0,
        probability: float = 1.0,
        seed: int | None = None,
        initial_values: bool = False,
    ) -> Injection:
        """Put faults in force from now on; also a context manager that takes them back.

        A fault is an instance, or the string that the command line takes. ``task`` (name or glob)
        and ``command`` select requests, ``after`` lets the first ones through, ``times`` limits
        the hits, ``probability`` draws with ``seed``. Raises :class:`UsageError` for what cannot
        be.
        """
        words = {
            "task": task,
            "command": command,
            "times": times,
            "after": after,
            "probability": probability,
            "seed": seed,
            "initial_values": initial_values,
        }
        instances, selector = read_injection(faults, words)
        for fault in instances:
            why = self.why_not(fault)
            if why is not None:
                raise UsageError(f"{fault.name} cannot apply to this worker: {why}")
        return self._state.faults.add(instances, selector)

    def why_not(self, fault: Fault | str) -> str | None:
        """Why ``fault`` cannot apply to a worker with these options; ``None`` if it can."""
        if isinstance(fault, str):
            fault, _ = parse_fault(fault)
        options = self.options
        return fault.cannot_apply(
            Worker(options.tls, self.credentials.mode, options.host, options.isolated)
        )

    def stub(
        self, task: str, *, result: Any = UNSET, error: Any = UNSET, events: Any = UNSET
    ) -> AbstractContextManager[None]:
        """Answer ``task`` (name or glob) without running it; the newest stub that fits wins.

        ``result`` is a value, a list of values consumed in order, or a callable that gets the run;
        ``error`` an exception or a list of them; ``events`` ready event frames (dicts), missing
        ids filled in. It is in force at once; used as a context manager it is taken back at the
        end. Raises :class:`UsageError` for anything else.
        """
        remove = self._state.stubs.add(task, make_source(result=result, error=error, events=events))
        stack = ExitStack()
        stack.callback(remove)

        @contextmanager
        def until_exit() -> Iterator[None]:
            with stack:
                yield

        return until_exit()

    def hold(self, task: str | None = None, release_when: int | None = None) -> Gate:
        """Park the runs of ``task`` (name, glob, or all) before their body starts.

        ``release_when=n`` opens by itself on the n-th arrival: a sync weave cannot release its
        own gate.
        """
        return self._state.gates.hold(task, release_when)

    def allow_refusals(self) -> None:
        """This test expects refused requests; strict mode is not to mind them."""
        self._allow_refusals = True

    def reset(self) -> None:
        """Forget everything (journal, faults, stubs, gates) and release every stall. The option
        ``faults`` is in force as at the start."""
        self._state.faults.clear()
        self._state.gates.release_all()
        self._state.stubs.clear()
        self._state.journal.clear()
        self._allow_refusals = False
        if self._begun:
            self._inject_options()

    def check(self) -> None:
        """Raise :class:`StrictnessError` if something happened that no fault asked for."""
        self._host.flush_journal(settle=True)
        refusals = [] if self._allow_refusals else refused(self._state)
        complaints = failed(self._state) + refusals + unfired(self._state)
        if self._configured:
            complaints += repointed(self.environment, self._urls)
        if complaints:
            listed = "\n".join(f"- {complaint}" for complaint in complaints)
            ways = "strict=False as an option"
            if refusals:
                ways += ", or worker.allow_refusals() in a test that expects refusals"
            raise StrictnessError(f"strict mode:\n{listed}\n{self.report()}\n(to opt out: {ways})")

    # Its life

    @property
    def running(self) -> bool:
        """Whether it takes connections."""
        return self._host.running

    def start(self) -> HttpWorker:
        """Listen; after a :meth:`stop` on the same port again. Does nothing if it runs already.
        Raises :class:`PortInUseError` if somebody took the port."""
        with self._life:
            if self._host.running:
                return self
            number = self.options.port if self._number is None else self._number
            port = self._port or Port(self.options.host, number)
            try:
                self._host.start(port)
            except BaseException:
                if self._port is None:
                    port.close()
                raise
            self._port, self._number = port, port.number
            self._urls.add(self.url)
        _running.add(self)
        if not self._begun:
            self._begun = True
            try:
                self._inject_options()
            except BaseException:
                self.stop()
                raise
        return self

    def _inject_options(self) -> None:
        for fault in self.options.faults:
            self.inject(fault)

    def _second_origin(self, run_id: str, injection: Injection | None) -> str:
        with self._lock:
            if self._elsewhere is None:
                context = self._certificates.client_context()
                self._elsewhere = SecondOrigin(
                    self._certificates,
                    tls=self.options.tls,
                    routed=lambda url: urllib_opener.routed(url, context),
                ).start()
            return self._elsewhere.url_for(run_id, injection)

    def stop(self) -> None:
        """End it: runs are cancelled, connections closed, the port given back. Bounded to about
        three seconds; a task body that still runs then is named in a :class:`StuckRunWarning`."""
        with self._life:
            stuck = self._host.stop()
            port, self._port = self._port, None
            elsewhere, self._elsewhere = self._elsewhere, None
            if elsewhere is not None:
                elsewhere.stop()
            if port is not None:
                port.close()
            _running.discard(self)
        _warn(stuck)

    def restart(self) -> HttpWorker:
        """Stop and start on the same port; journal, faults and stubs stay."""
        with self._life:
            stuck = self._host.stop()
            self.start()
        _warn(stuck)
        return self

    def crash(self) -> None:
        """What a client sees of a kill: connections are reset, new ones refused, runs abandoned.
        With ``isolated=True`` it is a kill. The port stays ours; :meth:`start` brings it back."""
        with self._life:
            self._host.crash()

    def __enter__(self) -> HttpWorker:
        return self.start()

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            if self._own_ca and self._ca is not None:
                self._ca.close()

    # The Wove side

    @contextmanager
    def configured(self) -> Iterator[HttpWorker]:
        """Inside the block Wove's environment is this worker's, its CA is trusted and no proxy is
        used for it; with the option ``impersonate`` that URL leads here. Everything is restored at
        the end.

        An environment of that name is replaced meanwhile. The global ``delivery_timeout`` is set
        where it was ``None``, and then bounds local tasks too. Raises :class:`NotRunningError` for
        a worker that was never started, or was stopped.
        """
        self._address()
        with ExitStack() as stack:
            if self.options.impersonate is not None:
                stack.enter_context(self.impersonate(self.options.impersonate))
            stack.enter_context(super().configured())
            self._configured += 1
            stack.callback(self._deconfigured)
            yield self

    def _deconfigured(self) -> None:
        self._configured -= 1

    @contextmanager
    def impersonate(self, url: str, *, secret_env: str = SECRET_VARIABLE) -> Iterator[HttpWorker]:
        """Let ``url`` (https, a host name) reach this worker from this process, the executor's
        non-local policy in force.

        That name's certificate is shown, ``secret_env`` holds the secret, the URL's path is
        accepted with any query, and one exact (host, port) of ``socket.getaddrinfo`` leads here.
        Raises :class:`UsageError` for an http URL or an IP address.
        """
        host, port, path = impersonated(url)
        if not self.options.tls:
            raise UsageError("impersonate needs tls=True: the executor's policy asks for https")
        address = (self._address(), self.port)
        with ExitStack() as stack:
            self._urls.add(url)  # for good: check() comes after this has ended
            self._state.names.append(host)
            self._state.paths.append(path)
            stack.callback(self._forget, host, path)
            self._host.apply_state()
            if self.credentials.mode != "none":
                stack.enter_context(environ.variable(secret_env, self.secret))
            stack.enter_context(urllib_opener.routed(url, self._client_context))
            stack.enter_context(dns.mapped(host, port, address))
            yield self

    def _forget(self, host: str, path: str) -> None:
        self._state.names.remove(host)
        self._state.paths.remove(path)
        self._host.apply_state()

    def _address(self) -> str:
        if self._port is None:
            raise NotRunningError(f"{self!r} does not run; start() it, or use it in a with")
        address = self._port.address
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)

    def _other_secrets(self) -> Iterator[tuple[str, bytes]]:
        with suppress(RuntimeError):  # the set may change while it is walked
            for other in list(_running):
                if other is not self and other.credentials.mode == "signed":
                    yield f"worker {other.environment!r}", other.credentials.secret


def _warn(stuck: list[str]) -> None:
    if stuck:
        warnings.warn(
            f"still running when the worker stopped: {', '.join(stuck)}; a sync task cannot be"
            " interrupted, its thread ends with it",
            StuckRunWarning,
            stacklevel=3,
        )
