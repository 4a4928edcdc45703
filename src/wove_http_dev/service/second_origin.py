"""The second origin: a server on another port of this machine, to which a fault redirects clients.

It records the requests that arrive there, credentials redacted, and answers like an attacker: with
a forged result for the run that the URL names.
"""

from __future__ import annotations

import secrets
import threading
import urllib.parse
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.injections import Injection
from wove_http_dev.faults.plan import NO_PLAN, Plan
from wove_http_dev.hosts import LOCAL_NAMES
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.messages import Reply, Request, json_reply
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.steps import Steps, at_once
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.port import Port
from wove_http_dev.service.server import Server
from wove_http_dev.tls import CertificateAuthority

PATH = "/elsewhere"
RUN_ID_LIMIT = 1000
"""Characters of a run id in a URL: the client that chose the id gets it back in a header."""
ANSWER = "answered by the second origin"


class SecondOrigin:
    """Serves on a free port of localhost while started.

    Every request is recorded on the injection whose fault sent the client there
    (``Injection.redirected``). While the origin is started, the context manager
    ``route_requests(url)`` makes clients of this process trust it.
    """

    def __init__(
        self,
        certificates: CertificateAuthority,
        *,
        tls: bool,
        route_requests: Callable[[str], AbstractContextManager[None]],
        service_failed: Callable[[BaseException], None],
    ) -> None:
        self._journal = Journal(count_limit=0)  # makes exchanges, and keeps none
        self._paths: WeakKeyDictionary[Injection, str] = WeakKeyDictionary()
        """The path of each injection that was not reset. It ends with a random token, so that only
        a client that was redirected can know it."""
        self._route_requests = route_requests
        self._service_failed = service_failed
        self._exits = ExitStack()
        limits = Limits()
        self._port = Port("localhost", 0)
        try:
            self._server = Server(
                self,
                self._port,
                certificates=certificates,
                tls=certificates.server_context if tls else None,
                names=lambda: LOCAL_NAMES,
                limits=limits,
                name="wove-http-dev-elsewhere",
            )
        except BaseException:
            self._port.close()
            raise
        self.url = f"{'https' if tls else 'http'}://localhost:{self._port.number}{PATH}"

    def url_for(self, run_id: str, injection: Injection | None) -> str:
        """Return the URL to which a fault of ``injection`` redirects. Its query holds ``run_id``,
        cut to :data:`RUN_ID_LIMIT` characters, because a redirect drops the request's body."""
        path = ""
        if injection is not None:
            path = self._paths.setdefault(injection, f"/{secrets.token_urlsafe(16)}")
        # An id comes from JSON, which can have lone surrogates (RFC 8259, 8.2): they become "?".
        query = urllib.parse.urlencode({"run_id": run_id[:RUN_ID_LIMIT]}, errors="replace")
        return f"{self.url}{path}?{query}"

    def start(self) -> SecondOrigin:
        """Start listening, and make this process trust the certificate."""
        try:
            self._server.start()
            self._exits.enter_context(self._route_requests(self.url))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening and release the port."""
        try:
            self._exits.close()
        finally:
            try:
                self._server.stop(0.5)
            finally:
                self._port.close()

    # service.handler.Handler

    def plan_connection(self) -> Plan:
        """Return a plan without faults: none acts on a connection to this server."""
        return NO_PLAN

    def judge(self, head: Request) -> Verdict | None:
        """Return no refusal: every request is accepted."""
        return None

    def handle(
        self, request: Request, refusal: Verdict | None, on_accepted: Callable[[], None]
    ) -> Steps[_FixedReply]:
        """Record the request, and reply with a result for the run that the URL's query names."""
        exchange = self._journal.open()
        exchange.method = request.method
        exchange.target = self._journal.redaction.clean(request.target)
        exchange.body_size = len(request.body)
        exchange.head = self._journal.redaction.head(request.headers)
        exchange.status = 200
        path, _, query = request.target.partition("?")
        for injection, own in list(self._paths.items()):
            if path == PATH + own:
                injection.record_redirected(exchange)
        run_id = urllib.parse.parse_qs(query).get("run_id", [""])[0]
        event = {"type": "task_result", "run_id": run_id, "result": ANSWER}
        return at_once(_FixedReply(json_reply(200, {"events": [event]})))

    def connection_failed(self, error: str, *, code: str, status: int | None, plan: Plan) -> None:
        """Do nothing: failed connections are not recorded."""

    def service_failed(self, exc: BaseException, plan: Plan = NO_PLAN) -> None:
        """Report ``exc`` to the worker."""
        self._service_failed(exc)


@dataclass
class _FixedReply:
    reply: Reply
    ends_early: bool = False

    def on_wire(self, wire: Wire) -> None:
        wire.send_all()

    def wait(self, seconds: Duration | None) -> bool:
        return True

    def done(self, error: str = "", code: str = "", *, written: bool = False) -> None:
        return None

    def failed(self, exc: BaseException) -> None:
        raise exc  # the connection then reports it as the service's failure


class LazySecondOrigin:
    """A :class:`SecondOrigin` that is started when its URL is first needed."""

    def __init__(
        self,
        certificates: Callable[[], CertificateAuthority],
        *,
        tls: bool,
        route_requests: Callable[[str], AbstractContextManager[None]],
        service_failed: Callable[[BaseException], None],
    ) -> None:
        self._service_failed = service_failed
        self._certificates = certificates
        self._tls = tls
        self._route_requests = route_requests
        self._lock = threading.Lock()
        self._started: SecondOrigin | None = None

    def url_for(self, run_id: str, injection: Injection | None) -> str:
        """Start the second origin if needed, and return its URL; see
        :meth:`SecondOrigin.url_for`."""
        with self._lock:
            if self._started is None:
                self._started = SecondOrigin(
                    self._certificates(),
                    tls=self._tls,
                    route_requests=self._route_requests,
                    service_failed=self._service_failed,
                ).start()
            return self._started.url_for(run_id, injection)

    def stop(self) -> None:
        """Stop the second origin if it was started. It can be started again."""
        with self._lock:
            if self._started is not None:
                self._started.stop()
                self._started = None
