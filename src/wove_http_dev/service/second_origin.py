"""A second origin: another (host, port) of ours, to which a redirect fault sends a client.

It records what arrives, credentials redacted, and answers as an attacker's would: with a result of
its own for whatever run it can guess. It authenticates nobody and runs nothing.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.injections import NO_PLAN, Plan
from wove_http_dev.protocol.messages import Reply, Request, json_reply
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange
from wove_http_dev.service.connection import Limits
from wove_http_dev.service.port import Port
from wove_http_dev.service.server import Server
from wove_http_dev.tls import LOCAL_NAMES, CertificateAuthority

PATH = "/elsewhere"
ANSWER = "answered by the second origin"


class SecondOrigin:
    """Serves on a free port of localhost while started.

    ``record`` is called with every exchange; ``routed(url)`` is entered while it is started, so
    that this process trusts it.
    """

    def __init__(
        self,
        certificates: CertificateAuthority,
        *,
        tls: bool,
        record: Callable[[Exchange], None],
        routed: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._journal = Journal()
        self._record = record
        self._port = Port("localhost", 0)
        self._routed = routed
        self._exits = ExitStack()
        self._server = Server(
            self,
            self._port,
            certificates=certificates,
            tls=certificates.server_context if tls else None,
            names=lambda: LOCAL_NAMES,
            limits=Limits(),
            name="wove-http-dev-elsewhere",
        )
        self.url = f"{'https' if tls else 'http'}://localhost:{self._port.number}{PATH}"

    def url_for(self, run_id: str) -> str:
        """The URL to send a client to, with the run it asked for (a redirect drops the body)."""
        return f"{self.url}?{urllib.parse.urlencode({'run_id': run_id})}"

    def start(self) -> SecondOrigin:
        """Listen, and be trusted by this process."""
        self._server.start()
        self._exits.enter_context(self._routed(self.url))
        return self

    def stop(self) -> None:
        """Stop, give the port back, be trusted no more."""
        self._exits.close()
        self._server.stop(0.5)
        self._port.close()

    # What server.Handler asks

    def plan_connection(self) -> Plan:
        """No faults here."""
        return NO_PLAN

    def handle(self, request: Request) -> _Answer:
        """Record, and claim to be the result of the run named in the query."""
        exchange = self._journal.open()
        exchange.method, exchange.target = request.method, request.target
        exchange.body_size = len(request.body)
        self._journal.record_headers(exchange, list(request.headers))
        exchange.status = 200
        self._record(exchange)
        run_id = urllib.parse.parse_qs(request.target.partition("?")[2]).get("run_id", [""])[0]
        event = {"type": "task_result", "run_id": run_id, "result": ANSWER}
        return _Answer(json_reply(200, {"events": [event]}))

    def connection_failed(
        self, error: str, *, status: int | None, rejected: bool, faults: list[str]
    ) -> None:
        """Nobody asks."""


@dataclass
class _Answer:
    reply: Reply
    ends_early: bool = False

    def on_wire(self, wire: Wire) -> None:
        wire.send_all()

    def wait(self, seconds: float | None) -> bool:
        return True

    def done(self, error: str = "") -> None:
        return None
