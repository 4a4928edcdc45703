"""A server that gives one prepared answer to each connection, in order."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support import TIMEOUT


def answer(status: int = 200, value: Any = None, kind: str = "application/json") -> bytes:
    """An HTTP answer with the JSON of ``value``, or with ``value`` itself if it is bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def stream(*blocks: str) -> bytes:
    """An event stream that ends after ``blocks``, as werkzeug sends it: in chunks."""
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [f"{len(block.encode()):x}\r\n{block}\r\n" for block in blocks]
    return (head + "".join(chunks) + "0\r\n\r\n").encode()


@dataclass
class Scripted:
    """The server; ``requests`` are those that it has received."""

    port: int
    answers: list[bytes]
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """The request lines, without the version."""
        return [each.partition(b" HTTP/1.1\r\n")[0].decode() for each in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """The JSON of the requests; ``None`` for one without a body."""
        bodies = [each.partition(b"\r\n\r\n")[2] for each in self.requests]
        return [json.loads(body) if body else None for body in bodies]

    def headers(self, index: int = -1) -> dict[str, str]:
        """The headers of a request, with names in lower case."""
        head = self.requests[index].partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.partition(":") for line in head.split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in pairs}


@contextlib.contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """Serve ``answers``, one to each connection. An empty one closes the connection unanswered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted(listener.getsockname()[1], list(answers))
        thread = threading.Thread(target=_serve, args=(server, listener))
        thread.start()
        try:
            yield server
        finally:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port), TIMEOUT).close()
            thread.join(TIMEOUT)


def _serve(server: Scripted, listener: socket.socket) -> None:
    for each in server.answers:
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(TIMEOUT)
            request = _read(sock)
            if not request:
                return  # the test has ended
            server.requests.append(request)
            sock.sendall(each)
    listener.close()  # further connections are refused


def _read(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"),
        0,
    )
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body
