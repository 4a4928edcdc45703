"""The peers that the worker is measured against, each with the same client, CA and answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cloudpickle

from wove_http_dev.client import urllib_opener, wove_config
from wove_http_dev.tls import CertificateAuthority

SECRET = "s" * 43
Answer = Callable[[bytes, bytes], bytes]
"""Makes the JSON of an answer from the head and the body of a request."""
_FIELD = re.compile(rb"^(x-wove-[a-z]+): *(\S+)", re.IGNORECASE | re.MULTILINE)
_RUN_ID = re.compile(rb'"run_id":"([^"]*)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
# A server that closes each connection must say so (RFC 9112, 9.6), and what its answer is (`check
# worker`, transport.03). Wove's client takes longer for each header.
_HEAD = b"\r\n".join(
    (
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"Content-Length: %d",
        b"Connection: close\r\n\r\n",
    )
)


def canned(body: bytes) -> bytes:
    """The answer that every peer gives: the result 42 for the run that the body names."""
    found = _RUN_ID.search(body)
    run_id = found.group(1).decode() if found else ""
    event = {"type": "task_result", "run_id": run_id, "task_id": "t", "result_pickle": "gARLKi4="}
    return json.dumps({"events": [event]}).encode()


def honest(secret: str = SECRET) -> Answer:
    """Return what does all that any worker must: verify the signature (compared in constant time)
    and the nonce, load the task, run it, and pickle its result."""
    nonces: dict[bytes, object] = {}

    def answer(head: bytes, body: bytes) -> bytes:
        fields = {name.lower(): value for name, value in _FIELD.findall(head)}
        stamp, nonce = fields[b"x-wove-timestamp"], fields[b"x-wove-nonce"]
        target = head.split(b" ", 2)[1]
        digest = hashlib.sha256(body).hexdigest().encode()
        signed = b"\n".join((b"wove-v1", b"http", target, stamp, nonce, digest))
        expected = b"v1=" + hmac.new(secret.encode(), signed, "sha256").hexdigest().encode()
        if not hmac.compare_digest(fields[b"x-wove-signature"], expected):
            raise PermissionError("refused")
        if fields[b"x-wove-key"] != b"default" or abs(time.time() - int(stamp)) > 300:
            raise PermissionError("refused")
        if nonces.setdefault(nonce, fields) is not fields:  # one step, as threads share them
            raise PermissionError("refused")
        frame = json.loads(body)
        function = cloudpickle.loads(base64.b64decode(frame["callable_pickle"]))
        value = function(**cloudpickle.loads(base64.b64decode(frame["args_pickle"])))
        ids = {"run_id": frame["run_id"], "task_id": frame["task_id"]}
        pickled = base64.b64encode(cloudpickle.dumps(value)).decode()
        result = {"type": "task_result", **ids, "result_pickle": pickled}
        return json.dumps({"events": [{"type": "task_started", **ids}, result]}).encode()

    return answer


@contextmanager
def honest_loop(context: ssl.SSLContext | None) -> Iterator[int]:
    """The honest floor: the loop of :func:`bare_loop`, with the work that no worker can leave
    out."""
    with _loop(context, honest()) as port:
        yield port


@contextmanager
def bare_loop(context: ssl.SSLContext | None) -> Iterator[int]:
    """The fastest peer: one thread, one connection at a time, no checks."""
    with _loop(context, lambda head, body: canned(body)) as port:
        yield port


@contextmanager
def _loop(context: ssl.SSLContext | None, answer: Answer) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        thread = threading.Thread(target=serve_loop, args=(listener, context, answer), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def serve_loop(listener: socket.socket, context: ssl.SSLContext | None, answer: Answer) -> None:
    """Answer one connection after the other, until ``listener`` is shut down. Several threads may
    do so with one listener."""

    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with suppress(OSError):
            _serve(sock, context, answer)


def _serve(sock: socket.socket, context: ssl.SSLContext | None, answer: Answer) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        sock = context.wrap_socket(sock, server_side=True)
    with sock:
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(sock)
        head, _, begin = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        length = int(found.group(1)) if found else 0
        body = bytearray(begin)
        while len(body) < length:
            body += _received(sock)
        content = answer(head, bytes(body))
        sock.sendall(_HEAD % len(content) + content)


def _received(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


@contextmanager
def stdlib_server(context: ssl.SSLContext | None) -> Iterator[int]:
    """``http.server.ThreadingHTTPServer`` with a handler that reads, answers and closes."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            answer = canned(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    class QuietServer(ThreadingHTTPServer):
        request_queue_size = 512

    server = QuietServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def httpserver(context: ssl.SSLContext | None) -> Iterator[int]:
    """pytest-httpserver with a handler that gives the same answer."""
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

    server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context, threaded=True)

    def handle(request: Request) -> Response:
        return Response(canned(request.get_data()), content_type="application/json")

    server.expect_request("/wove/tasks", method="POST").respond_with_handler(handle)
    server.start()
    try:
        yield server.port
    finally:
        server.clear()
        server.stop()


@contextmanager
def reached(port: int, *, tls: bool, ca: CertificateAuthority) -> Iterator[str]:
    """Configure a Wove environment that sends to ``port``; yield its name."""
    url = f"{'https' if tls else 'http'}://localhost:{port}/wove/tasks"
    name = f"peer-{port}"
    definition = {
        "executor": "http",
        "executor_config": {
            "url": url,
            "timeout": 30.0,
            "security": {"type": "signed", "secret": SECRET},
        },
    }
    with (
        urllib_opener.route_requests(url, ca.client_context()),
        wove_config.configured(name, definition, None),
    ):
        yield name
