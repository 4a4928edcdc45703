"""``HttpWorker``: a worker service in this process or a child process, started and stopped by a
test."""

from __future__ import annotations

import ssl
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from wove_http_dev.client import dns, environ
from wove_http_dev.client.definition import SECRET_VARIABLE
from wove_http_dev.errors import NotRunningError, StuckRunWarning, UsageError, cannot_travel
from wove_http_dev.hosts import Host
from wove_http_dev.option_urls import impersonated
from wove_http_dev.options import Options, hide_secrets
from wove_http_dev.printable import printable
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.runners.choice import runner_of
from wove_http_dev.service.failures import record_failure
from wove_http_dev.service.host import InProcessHost, ServiceHost
from wove_http_dev.service.lifecycle import Lifecycle
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.second_origin import LazySecondOrigin
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker_arguments import check_arguments
from wove_http_dev.worker_side import WorkerSide

if TYPE_CHECKING:
    from typing_extensions import Unpack  # in typing from Python 3.11

    from wove_http_dev.orders.order import Order
    from wove_http_dev.worker_options import WorkerOptions

_running: weakref.WeakSet[HttpWorker] = weakref.WeakSet()


class HttpWorker(WorkerSide):
    """A worker service for Wove's ``http``/``https`` executor; a context manager that starts and
    stops it.

    ``options`` are those of :class:`wove_http_dev.options.Options`. ``ca`` is a
    :class:`CertificateAuthority` that workers share (default: a new one). ``label`` and ``seed``
    make random decisions of faults repeatable. ``limits`` restricts the connections (its
    ``max_body`` is the option of that name). ``before_run`` is called in the task's thread before
    each task is loaded. With ``inspected``, runs keep what a person is shown of them
    (``run.args_text``, ``run.result_text``) and what is needed to run them again
    (``run.callable_pickle``). Raises :class:`UsageError` for an option that is not
    allowed.
    """

    def __init__(
        self,
        *,
        ca: CertificateAuthority | None = None,
        label: str = "",
        seed: int = 0,
        limits: Limits | None = None,
        before_run: Callable[[], None] | None = None,
        inspected: bool = False,
        **options: Unpack[WorkerOptions],
    ) -> None:
        options = cast("WorkerOptions", hide_secrets(options))
        check_arguments(ca, label, seed, limits, before_run)
        given = Options.of(**options)
        shared = credentials(
            given.security, secret=given.secret, key=given.key, clock_skew=given.clock_skew
        )
        given.check_exposure(shared.mode)
        super().__init__(given, shared, label, seed, inspected)
        self._check_options()  # before there is a port: one that is in use must not hide it
        self._runner = runner_of(given)
        self._own_ca = ca is None
        self._ca = ca
        self._lock = threading.Lock()
        self._second_origin = LazySecondOrigin(
            self._certificates,
            tls=given.tls,
            route_requests=self._route_requests,
            service_failed=partial(record_failure, self._state.journal),
        )
        self._host = self._make_host(limits, before_run)
        self._life = Lifecycle(self._host, given.host, given.port)
        self._state.watch(self._host.apply_state)

    def _make_host(
        self, limits: Limits | None, before_run: Callable[[], None] | None
    ) -> ServiceHost:
        if self.options.isolated:
            if before_run is not None:
                raise UsageError("before_run= needs isolated=False: another process cannot call it")
            from wove_http_dev.isolated.host import IsolatedHost

            return IsolatedHost(
                self.options,
                self.credentials,
                self._state,
                certificates=self._certificates,
                second_origin=self._second_origin.url_for,
                limits=limits,
            )
        return InProcessHost(
            self.options,
            self.credentials,
            self._state,
            runner=self._runner,
            certificates=self._certificates,
            second_origin=self._second_origin.url_for,
            crash=lambda only_if: self._life.crash(only_if),
            known_secrets=self._other_secrets,
            limits=limits,
            before_run=before_run or (lambda: None),
        )

    def __repr__(self) -> str:
        where = self.url if self._life.number is not None else "not started"
        return f"<HttpWorker {self.environment!r} {where}>"

    def __reduce__(self) -> Any:
        raise cannot_travel(self)

    # Address and certificates

    def _certificates(self) -> CertificateAuthority:
        with self._lock:
            if self._ca is None:
                self._ca = CertificateAuthority()
            return self._ca

    @property
    def port(self) -> int:
        """The TCP port, the same for every start. Raises :class:`NotRunningError` before the first
        start."""
        if self._life.number is None:
            raise NotRunningError("the worker has no port yet: start() it, or use a with statement")
        return self._life.number

    @property
    def url(self) -> str:
        """The URL of the endpoint that accepts command frames."""
        scheme = "https" if self.options.tls else "http"
        return f"{scheme}://{Host(self.options.host).in_url}:{self.port}{self.options.path}"

    @property
    def ca_file(self) -> str:
        """Path of the CA certificate, PEM."""
        return self._certificates().cert_file

    @property
    def _bundle_file(self) -> str | None:
        return self._certificates().bundle_file if self.options.tls else None

    @property
    def _client_context(self) -> ssl.SSLContext:
        return self._certificates().client_context()

    # Start and stop

    @property
    def running(self) -> bool:
        """Whether the worker is serving."""
        return not self._life.forked and self._host.running

    def start(self) -> HttpWorker:
        """Start serving; after a :meth:`stop`, on the same port as before. Does nothing if the
        worker is already serving.

        Raises :class:`PortInUseError` if another process has the port.
        """
        if self._life.start():
            try:
                self._started()
            except BaseException:
                self.stop()
                raise
        return self

    def _started(self) -> None:
        self._urls.add(self.url)
        _running.add(self)
        if not self._begun:
            self._inject_options()

    def stop(self) -> None:
        """Cancel the runs, close the connections and release the port. Blocks for about three
        seconds at most. Task bodies that still run after that are named in a
        :class:`StuckRunWarning`."""
        try:
            stuck = self._end()
        except BaseException:  # Ctrl-C: what was not ended yet is ended now
            self._end()
            raise
        _warn(stuck)

    def _end(self) -> list[str]:
        if self._life.forked:
            return []
        try:
            return self._life.stop()
        finally:
            _running.discard(self)
            self._second_origin.stop()

    def restart(self) -> HttpWorker:
        """Stop and start on the same port. Journal, faults and stubs are kept; holds end."""
        try:
            stuck = self._life.restart()
            self._started()
        except BaseException:
            self.stop()
            raise
        _warn(stuck)
        return self

    def crash(self) -> None:
        """Stop like a killed process: connections are reset, new ones refused, runs abandoned. With
        ``isolated=True`` the child process is killed. The port stays reserved for the next
        :meth:`start`."""
        self._life.crash()

    def reset(self) -> None:
        """Empty the journal, remove every fault, stub and gate, release stalled requests, and kill
        bodies that still run in processes of a runner; then inject the faults of the options again,
        and start the worker if it has crashed."""
        crashed = self._life.crashed
        super().reset()
        if crashed:
            self.start()

    def _revive(self) -> None:
        """Start the worker if it has crashed. What it received, and what is in force, is kept."""
        if self._life.crashed:
            self.start()

    def __enter__(self) -> HttpWorker:
        return self.start()

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        except BaseException:  # Ctrl-C, perhaps before it had begun
            self.stop()
            raise
        finally:
            if self._own_ca and self._ca is not None:
                self._ca.close()

    # Orders of completion

    def order(
        self, task: str, indices: Sequence[int] | None = None, *, timeout: float = 5.0
    ) -> Order:
        """Return a context manager in whose block the runs of ``task`` (name or glob) complete one
        after the other, in the order ``indices``: ``(2, 0, 1)`` is the third first.

        An index counts the runs as the weave sends them, for a mapped task the items; without
        ``indices`` they complete as they are sent. The end of the block raises
        :class:`UsageError` if none or another number was sent, and :class:`WaitTimeoutError` if a
        run whose turn it was did not arrive within ``timeout`` seconds while others waited. An
        exception that leaves the block gets a note with the order, as code.
        """
        from wove_http_dev.orders.order import Order

        return Order(self._state, self._urls, task, indices, timeout)

    def orders(
        self, task: str, *, limit: int = 24, at_once: int | None = None, timeout: float = 5.0
    ) -> Iterator[Order]:
        """Yield at most ``limit`` different orders for :meth:`order`, each for one ``with`` block
        that runs the same weave.

        The first is the one in which the runs are sent; it learns how many there are. The others
        are all that are possible, or drawn with ``--wove-http-seed``. ``at_once`` is how many
        requests the client has in flight at most (default: as asyncio's pool of threads). Raises
        :class:`UsageError` if a block was not entered.
        """
        from wove_http_dev.orders.order import orders

        faults = self._state.faults
        seed = f"{faults.seed}|{faults.label}|{task}"
        return orders(
            lambda indices: self.order(task, indices, timeout=timeout), limit, at_once, seed
        )

    # Configuration of Wove

    @contextmanager
    def configured(self) -> Iterator[HttpWorker]:
        """Point Wove's environment at this worker, trust its CA and bypass proxies for it, until
        the block ends. If the option ``impersonate`` is set, requests for its URL reach this worker
        too.

        An existing environment of the same name is replaced inside the block. The global
        ``delivery_timeout`` is set if it was ``None``, and then limits local tasks too. Raises
        :class:`NotRunningError` for a worker that was never started, or was stopped.
        """
        self._address()
        with ExitStack() as stack:
            if self.options.impersonate is not None:
                stack.enter_context(self.impersonate(self.options.impersonate))
            stack.enter_context(super().configured())
            self._configured += 1
            try:
                yield self
            finally:
                self._configured -= 1

    @contextmanager
    def impersonate(self, url: str, *, secret_env: str = SECRET_VARIABLE) -> Iterator[HttpWorker]:
        """Make ``url`` (https, with a host name) reach this worker from this process until the
        block ends; the executor applies its rules for non-local hosts.

        The worker presents a certificate for that name and accepts the URL's path with any query.
        The environment variable ``secret_env`` holds the secret, and ``socket.getaddrinfo``
        resolves that exact (host, port) to this worker. Raises :class:`UsageError` for an http URL
        or an IP address.
        """
        url = hide_secrets({"impersonate": url})["impersonate"]
        host, port, path = impersonated(url)
        if not self.options.tls:
            raise UsageError("impersonate needs tls=True: Wove's executor requires https")
        address = (self._address(), self.port)
        with ExitStack() as stack:
            self._urls.add(url)  # not removed: check() runs after the block
            stack.enter_context(self._state.serving_as(host, path))
            if self.credentials.mode != "none":
                stack.enter_context(environ.set_variable(secret_env, self.secret))
            stack.enter_context(self._route_requests(url))
            stack.enter_context(dns.resolve_to(host, port, address))
            yield self

    def _address(self) -> str:
        address = self._life.address
        if address is None:
            raise NotRunningError(f"{self!r} is not running: start() it, or use a with statement")
        return Host(address).connectable

    def _other_secrets(self) -> Iterator[tuple[str, bytes]]:
        with suppress(RuntimeError):  # the set may change while it is walked
            for other in list(_running):
                if other is not self and other.credentials.mode == "signed":
                    yield f"worker {other.environment!r}", other.credentials.secret


def _warn(stuck: list[str]) -> None:
    if stuck:
        warnings.warn(
            f"still running when the worker stopped: {printable(', '.join(stuck))}; a sync task"
            " cannot be interrupted, and its thread ends when the task does",
            StuckRunWarning,
            stacklevel=3,
        )
