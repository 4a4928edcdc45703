"""A handler of a test's own: what a server asks it, and in which order."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.support import TIMEOUT, HttpResponse, parse_responses, read_all, request_bytes
from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.plan import NO_PLAN, Plan
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.messages import Reply, Request
from wove_http_dev.runs.steps import Steps, at_once
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.port import Port
from wove_http_dev.service.server import Server
from wove_http_dev.tls import CertificateAuthority


class Echo:
    """Answers each request with its body, and notes what it is asked; also the pending reply."""

    ends_early = False

    def __init__(self, refusal: Verdict | None = None) -> None:
        self.asked: list[str] = []
        self.reply = Reply()
        self._refusal = refusal

    def plan_connection(self) -> Plan:
        """No faults."""
        self.asked.append("plan_connection")
        return NO_PLAN

    def judge(self, head: Request) -> Verdict | None:
        """Refuse what the test wants refused."""
        self.asked.append("judge")
        return self._refusal

    def handle(
        self, request: Request, refusal: Verdict | None, on_accepted: Callable[[], None]
    ) -> Steps[Echo]:
        """Answer with the body, or with the reason of the refusal."""
        self.asked.append("handle")
        on_accepted()
        self.reply = Reply(body=request.body if refusal is None else refusal.reason.encode())
        return at_once(self)

    def connection_failed(self, error: str, *, code: str, status: int | None, plan: Plan) -> None:
        """Note the code."""
        self.asked.append(code)

    def service_failed(self, exc: BaseException, plan: Plan = NO_PLAN) -> None:
        """Note the error."""
        self.asked.append(repr(exc))

    def on_wire(self, wire: Wire) -> None:
        """Write the reply."""
        wire.send_all()

    def done(self, error: str = "", code: str = "", *, written: bool = False) -> None:
        """Note the end."""
        self.asked.append("done")

    def failed(self, exc: BaseException) -> None:
        """Note the error."""
        self.asked.append(repr(exc))

    def wait(self, seconds: Duration | None) -> bool:
        """Do not wait."""
        return True


@contextmanager
def serving(handler: Echo) -> Iterator[Port]:
    """A server without TLS that asks ``handler``."""
    with CertificateAuthority() as certificates, closing(Port("127.0.0.1", 0)) as port:
        server = Server(
            handler,
            port,
            certificates=certificates,
            tls=None,
            names=lambda: (),
            limits=Limits(refused=0.0),
        )
        server.start()
        try:
            yield port
        finally:
            server.stop(TIMEOUT)


def exchange(handler: Echo, *pieces: bytes) -> HttpResponse:
    """The response to a request that is sent in ``pieces``, each after the last was asked about."""
    with serving(handler) as port, socket.create_connection(("127.0.0.1", port.number)) as sock:
        for piece in pieces:
            sock.sendall(piece)
        (response,) = parse_responses(read_all(sock))
    return response


def test_request() -> None:
    """A handler plans a connection, handles its request and is told the end."""
    handler = Echo()
    assert exchange(handler, request_bytes({}, b"body")).body == b"body"
    assert [what for what in handler.asked if what != "judge"] == [
        *("plan_connection", "handle", "done")
    ]


def test_refused_head() -> None:
    """What judges a head gives the refusal with which the request is handled."""
    handler = Echo(Verdict(accepted=False, reason="no"))
    assert exchange(handler, request_bytes({"Content-Length": "9"})).body == b"no"
    assert handler.asked == ["plan_connection", "judge", "handle", "done"]


def test_no_request() -> None:
    """What is not a request is no handler's to handle, and is reported with its code."""
    handler = Echo()
    assert exchange(handler, b"hello\r\n\r\n").status == 400
    assert handler.asked == ["plan_connection", "malformed-request"]
