"""Services whose answers are wrong, endless or missing, for tests of the checker."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import pickle
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

from wove_http_dev.conformance.worker.pickles import OnLoad, pickled

Script = Callable[[socket.socket, threading.Event], None]


class HostileService:
    """A context manager that accepts connections and runs ``script`` on each.

    The script also gets an event that is set at the end of the test; scripts wait on it instead of
    sleeping.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._over = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/wove/tasks"

    def __enter__(self) -> HostileService:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            self._script(sock, self._over)


def read_request(sock: socket.socket) -> bytes:
    """Read one request and return its body."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError("the client left")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length:\s*(\d+)\r\n", head.lower())
    size = int(found[1]) if found else 0
    while len(body) < size and (piece := sock.recv(65536)):
        body += piece
    return bytes(body)


def says_nothing(sock: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def resets_at_once(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    sock.close()


def resets(sock: socket.socket, over: threading.Event) -> None:
    read_request(sock)
    resets_at_once(sock)


def talks_garbage(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"\x00\xff\x1b[2J220 ready for mail\r\n" * 3)
    over.wait(60)


def endless(chunk: bytes, start: bytes = b"") -> Script:
    """Send ``start``, then ``chunk`` again and again."""

    def script(sock: socket.socket, over: threading.Event) -> None:
        read_request(sock)
        sock.sendall(start)
        while not over.is_set():
            sock.sendall(chunk)

    return script


def drips(sock: socket.socket, over: threading.Event) -> None:
    read_request(sock)
    for byte in itertools.chain(b"HTTP/1.1 200 OK\r\n", itertools.repeat(0x41)):
        sock.sendall(bytes([byte]))
        if over.wait(0.02):
            return


def answers(body: bytes, head: str = "") -> Script:
    """Send the same complete answer to every request."""

    def script(sock: socket.socket, over: threading.Event) -> None:
        read_request(sock)
        length = "" if "ength" in head else f"Content-Length: {len(body)}\r\n"
        sock.sendall(f"HTTP/1.1 200 OK\r\n{length}{head}\r\n".encode() + body)

    return script


OK = b"HTTP/1.1 200 OK\r\n"
BREAKS_EVERY_CASE = {
    "empty": answers(b""),
    "deep-json": answers(b"[" * 200_000),
    "huge-number": answers(b"9" * 200_000),
    "not-utf-8": answers(b"\xff\xfe{}"),
    "events-are-numbers": answers(b'{"events": [1, 2]}'),
    "unhashable": answers(b'[{"type": ["task_result"], "run_id": {"a": []}}]'),
    "promises-too-much": answers(b"{}", head="Content-Length: 1000000000000000\r\n"),
    "negative-length": answers(b"{}", head="Content-Length: -5\r\n"),
    "bad-chunk": answers(b"zz\r\n{}", head="Transfer-Encoding: chunked\r\nX-Length: 1\r\n"),
    "many-headers": answers(b"{}", head="X-A: b\r\n" * 300),
    "terminal-escapes": answers(b'{"error": "\x1b[2J\x07"}'),
}


def runs_nothing(event: Callable[[dict[str, Any]], dict[str, Any]]) -> Script:
    """Answer every frame with ``event(frame)``, without running a task."""

    def script(sock: socket.socket, over: threading.Event) -> None:
        frame = {"run_id": "", "task_id": ""}
        with contextlib.suppress(ValueError):
            frame.update(json.loads(read_request(sock)))
        ids = {"run_id": frame["run_id"], "task_id": frame["task_id"]}
        body = json.dumps({**ids, **event(frame)}).encode()
        sock.sendall(OK + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return script


def sends_pickle(payload: bytes) -> Script:
    """Answer every frame with a result and an error whose pickles are ``payload``."""
    text = base64.b64encode(payload).decode()
    kinds = itertools.cycle(("task_result", "task_error"))

    def event(frame: dict[str, Any]) -> dict[str, Any]:
        kind = next(kinds)
        return {"type": kind, "result_pickle": text, "error_pickle": text, "exception_pickle": text}

    return runs_nothing(event)


def doubling_lists() -> bytes:
    """Return the pickle of a value whose ``repr`` would not fit into memory."""
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    return pickle.dumps(value)


def executes(marker: str) -> bytes:
    """Return a pickle that creates the file ``marker`` when an ordinary unpickler loads it."""
    return pickled(OnLoad(f"open({marker!r}, 'w').close()"))
