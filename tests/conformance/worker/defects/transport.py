"""Workers with a defect in HTTP itself: methods, content type, connections, bodies left unread."""

from __future__ import annotations

import json
from http.server import HTTPServer
from typing import Any

from tests.conformance.worker.defects.base import flagged_by, plant
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Server,
)


@flagged_by("transport.01", "the chunked body is incomplete, or a chunk has no size .sizes are hex")
class ChunksInDecimal(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%d\r\n%b\r\n0\r\n\r\n" % (len(data), data))


@flagged_by("transport.03", "Content-Type is 'text/html'")
class TextHtml(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("transport.04", "in 4 pieces")
class ReadsOnce(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return handler.rfile.read1(int(handler.headers["Content-Length"]))


class ServesGet(PlainWorker):
    """Treats a GET like a POST."""

    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_GET = handler.do_POST

    def decode(self, body: bytes) -> Frame:
        return super().decode(body) if body else {"type": "cancel_task", "run_id": ""}

    def cancel(self, frame: Frame) -> list[Event]:
        return super().cancel(frame) if frame["run_id"] else []


plant(ServesGet, "transport.05", "a GET was answered with HTTP 200")


@flagged_by("transport.05", "a PUT was answered with HTTP 200")
class TakesAnyMethod(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_PUT = handler.do_POST


class OneAtATime(Server):
    def process_request(self, request: Any, client_address: Any) -> None:
        HTTPServer.process_request(self, request, client_address)


@flagged_by("transport.06", "20 silent connections")
class ServesOneConnection(PlainWorker):
    server_class = OneAtATime


@flagged_by(
    "transport.07", "after a request without credentials, a valid request on the same connection"
)
class RefusesUnread(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if "X-Wove-Signature" not in handler.headers:
            self.refuse(handler, PermissionError("not signed"))
        else:
            super().serve(handler)


@flagged_by("transport.07", "after a request for another path, .* was the body .* left unread")
class RejectsPathsUnread(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if handler.path.partition("?")[0] != "/wove/tasks":
            self.write(handler, 404, {"error": "not here"})
        else:
            super().serve(handler)


@flagged_by("transport.07", "more bytes than the Content-Length of the answer says")
class CountsTooFew(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        data = json.dumps({"error": str(error)}).encode()
        handler.send_response(401)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("transport.07", "after a GET with a body, a valid request on the same connection")
class LeavesBodiesOfGets(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_GET = lambda it: self.write(it, 405, {"error": "only POST"})


@flagged_by("transport.08", "run.07, .* it has Content-Length and Transfer-Encoding", "run.07")
class ChunksLargeAnswers(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        if len(data) > 100_000:
            handler.send_header("Transfer-Encoding", "chunked")
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by(
    "transport.08", "frames.10, .* longer than its Content-Length says: .* b'}'", "frames.10"
)
class CountsErrorsWrongly(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data) - (status >= 400)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("transport.09", "errors.01, .* Content-Type is 'text/plain'", "errors.01")
class ErrorsAreText(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        kind = "text/plain" if b"task_error" in data else "application/json"
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
