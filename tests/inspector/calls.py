"""Requests to the control API for tests, with sockets and ``http.client``."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support import TIMEOUT, HttpResponse, parse_responses, read_all
from wove_http_dev.inspector.inspector import Inspector
from wove_http_dev.service.port import Port
from wove_http_dev.worker import HttpWorker

TOKEN = "a-token-of-a-test"
API = "/api/v1"


@dataclass
class Calls:
    """Calls of the API of ``worker``, at ``port``."""

    worker: HttpWorker
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def send(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse:
        """Send a request with ``headers`` and nothing else but ``Content-Length``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": self.host, **(headers or {})}.items():
                connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return HttpResponse(answer.status, answer.reason, fields, answer.read())
        finally:
            connection.close()

    def call(self, method: str, path: str, document: Any = None) -> HttpResponse:
        """Send a request with the token, and ``document`` as JSON, to a path of the API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = b"" if document is None else json.dumps(document).encode()
        if method == "POST":
            headers["Content-Type"] = "application/json"
        return self.send(method, API + path, headers, body)

    def get(self, path: str) -> Any:
        """GET a path of the API; return the document of its answer 200."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.document

    def post(self, path: str, document: Any = None) -> Any:
        """POST ``document`` to a path of the API; return the document of its answer 200 or 201."""
        answer = self.call("POST", path, document)
        assert answer.status in (200, 201), answer
        return answer.document

    def raw(self, data: bytes) -> list[HttpResponse]:
        """Send ``data`` unchanged; return every answer until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as sock:
            sock.sendall(data)
            return parse_responses(read_all(sock))


def inspector(worker: HttpWorker) -> Inspector:
    """An inspector of ``worker`` on a free port."""
    return Inspector(worker, Port("localhost", 0), TOKEN)
