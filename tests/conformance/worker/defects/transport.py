"""Workers with a defect in HTTP itself: methods, content type, connections, bodies left unread."""

from __future__ import annotations

import json
import socket
from http.server import HTTPServer
from typing import Any

from tests.conformance.worker.defects.base import RewritesHeads, flagged_by, plant
from tests.conformance.worker.plain_worker import (
    Event,
    Frame,
    Handler,
    PlainWorker,
    Server,
    hang_up,
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


class Methods(PlainWorker):
    """A base class for workers that answer other methods than POST in their own way."""

    methods: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        for method in self.methods:
            setattr(handler, f"do_{method}", lambda it: self.other(it))

    def other(self, handler: Handler) -> None:
        self.serve(handler)


@flagged_by("transport.05", "a PATCH was answered with HTTP 200")
class TakesPatches(Methods):
    methods = ("PATCH", "DELETE")


@flagged_by("transport.07", "after a DELETE with a body, a valid request on the same connection")
class LeavesBodiesOfDeletes(Methods):
    methods = ("DELETE",)

    def other(self, handler: Handler) -> None:
        self.write(handler, 405, {"error": "only POST"})


@flagged_by("transport.04", "in 4 pieces")
class ReadsBodiesOnce(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        rfile: Any = handler.rfile
        return bytes(rfile.peek()[: int(handler.headers["Content-Length"])])


class Remembering(PlainWorker):
    """A base class for workers that keep something on the connection."""

    def kept(self, handler: Handler) -> dict[str, Any]:
        kept: dict[str, Any] = handler.__dict__.setdefault("kept", {})
        return kept


@flagged_by("transport.10", r"request 2 on a connection .an async run. .*got 'one' where 'two' was")
class AnswersTheFirstAgain(Remembering):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        kept = self.kept(handler)
        events = document.get("events")
        if events:
            first = kept.setdefault("outcome", events[-1])
            if first["type"] == "task_result":
                ids = {name: events[-1][name] for name in ("run_id", "task_id")}
                events[-1] = {**first, **ids}
        super().write(handler, status, document)


@flagged_by(
    "transport.10", "a connection .an async run.: the 'task_started' frame has a wrong run_id"
)
class KeepsTheFirstIds(Remembering):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        for event in document.get("events", []):
            event["run_id"] = self.kept(handler).setdefault("run_id", event["run_id"])
        super().write(handler, status, document)


@flagged_by(
    "transport.10", r"request 5 on a connection .a run that fails. was answered with 'task_result'"
)
class AnswersFailuresWithResults(Remembering):
    """Answers a task that fails with the last result of the connection."""

    def write(self, handler: Handler, status: int, document: Any) -> None:
        kept, events = self.kept(handler), document.get("events")
        if events and events[-1]["type"] == "task_result":
            kept["result"] = {"result_pickle": events[-1]["result_pickle"]}
        elif events and "result" in kept:
            ids = {name: events[-1][name] for name in ("run_id", "task_id")}
            events[-1] = {"type": "task_result", **ids, **kept["result"]}
        super().write(handler, status, document)


@flagged_by("transport.10", r"request 4 on a connection .a run after a large one.")
class KeepsItsBuffer(Remembering):
    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        buffer = self.kept(handler).setdefault("buffer", bytearray())
        buffer[: len(body)] = body
        return bytes(buffer) if len(buffer) > 100_000 else body


@flagged_by("transport.10", r"request 8 on a connection .a run after malformed JSON. was answered")
class FailsAfterAFailure(Remembering):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        status = self.kept(handler).setdefault("status", status) if status >= 400 else status
        super().write(handler, self.kept(handler).get("status", status), document)


class ReadsHeaders(PlainWorker):
    """A base class for workers that read headers from the lines of the request."""

    def good(self, name: str, value: str) -> bool:
        return True

    def serve(self, handler: Handler) -> None:
        if all(self.good(name, value) for name, value in handler.headers.items()):
            super().serve(handler)
        else:
            self.read(handler)
            self.write(handler, 400, {"error": "headers"})


@flagged_by("transport.11", "a request with header names in lower case was answered with HTTP 400")
class KnowsHeadersInOneForm(ReadsHeaders):
    def good(self, name: str, value: str) -> bool:
        return name != "content-length"


@flagged_by(
    "transport.11", "a request with a long header, and one twice was answered with HTTP 400"
)
class KnowsShortHeaders(ReadsHeaders):
    def good(self, name: str, value: str) -> bool:
        return len(value) < 1000


@flagged_by("transport.11", "a request with 40 more headers was answered with HTTP 400")
class KnowsFewHeaders(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if len(handler.headers) < 32:
            super().serve(handler)
        else:
            self.read(handler)
            self.write(handler, 400, {"error": "too many headers"})


@flagged_by(
    "transport.12", "Content-Type: application/json; charset=utf-8 was answered with HTTP 400"
)
class KnowsOneContentType(ReadsHeaders):
    def good(self, name: str, value: str) -> bool:
        return name != "Content-Type" or value == "application/json"


@flagged_by("transport.13", "a small request with Expect: 100-continue was answered with HTTP 400")
class KnowsNoExpectations(ReadsHeaders):
    def good(self, name: str, value: str) -> bool:
        return name != "Expect"


def without_continue(worker: PlainWorker) -> None:
    """Let ``worker`` say nothing to ``Expect: 100-continue``."""
    handler: Any = worker.server.RequestHandlerClass
    handler.handle_expect_100 = lambda it: True


@flagged_by("transport.14", "Expect: 100-continue, of which the body was not yet sent: no complete")
class SaysNothingToExpectations(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        without_continue(self)


@flagged_by("transport.14", "a large request with Expect: 100-continue, of which the body was not")
class ContinuesSmallBodiesOnly(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        proceed = handler.handle_expect_100
        handler.handle_expect_100 = lambda it: (
            int(it.headers["Content-Length"]) > 100_000 or proceed(it)
        )


@flagged_by("transport.22", "the first bytes of the body were taken for a request: .* HTTP 200")
class LeavesTheBodyOfA413(PlainWorker):
    def refuse_large(self, handler: Handler) -> None:
        self.write(handler, 413, {"error": "too large"})


class ReadsChunks(PlainWorker):
    """Reads a body in chunks, up to the last one, which is empty."""

    def read(self, handler: Handler) -> bytes:
        if handler.headers["Content-Length"] is not None:
            return super().read(handler)
        body = b""
        while size := self.size(handler.rfile.readline().strip()):
            body += self.chunk(handler, size)
            self.end_of_chunk(handler)
        self.end(handler)
        return body

    def size(self, text: bytes) -> int:
        return int(text, 16)

    def end_of_chunk(self, handler: Handler) -> None:
        handler.rfile.read(2)

    def chunk(self, handler: Handler, size: int) -> bytes:
        return handler.rfile.read(size)

    def end(self, handler: Handler) -> None:
        handler.rfile.readline()


@flagged_by("transport.15", "a request with chunks was answered without a terminal frame")
class TakesChunksForNothing(ReadsChunks):
    def end(self, handler: Handler) -> None:
        super().end(handler)
        handler.nothing = True  # type: ignore[attr-defined]

    def shape(self, events: list[Event]) -> Any:
        return {"events": events}

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, status, [] if hasattr(handler, "nothing") else document)


@flagged_by("transport.15", "more bytes than the Content-Length|after a request with chunks, a val")
class LeavesTheEndOfChunks(ReadsChunks):
    def end(self, handler: Handler) -> None:
        handler.left = True  # type: ignore[attr-defined]

    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, status, document)
        if hasattr(handler, "left"):
            handler.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@flagged_by("transport.15", "a request with chunks: no complete answer within")
class WaitsForTheEndOfTheConnection(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return handler.rfile.read(int(handler.headers["Content-Length"] or -1))


plant(
    WaitsForTheEndOfTheConnection, "transport.19", "a POST without Content-Length: no complete an"
)


@flagged_by("transport.16", "a small request of HTTP/1.0: in the answer, it has Transfer-Encoding")
class AlwaysChunks(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))


@flagged_by("transport.17", "after the answer to a run_task with Connection: close the service had")
class KeepsConnections(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, status, document)
        handler.close_connection = False


@flagged_by("transport.18", "after a request whose client sends no more, the next task did not run")
class DiesOfHalfClosedConnections(PlainWorker):
    dead = False

    def serve(self, handler: Handler) -> None:
        self.dead = self.dead or self.is_half_closed(handler)
        if self.dead:
            hang_up(handler)
        else:
            super().serve(handler)

    def is_half_closed(self, handler: Handler) -> bool:
        """Wait a moment for the end of the stream."""
        handler.connection.settimeout(0.1)
        try:
            return not handler.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return False
        finally:
            handler.connection.settimeout(None)


@flagged_by("transport.19", "a POST without Content-Length was answered with HTTP 200")
class TakesNothingForACancel(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return handler.rfile.read(int(handler.headers["Content-Length"] or 0))

    def decode(self, body: bytes) -> Frame:
        return super().decode(body or b'{"type": "cancel_task", "run_id": ""}')


class ReadsLengths(PlainWorker):
    """A base class for workers that take the first Content-Length for the right one."""

    def read(self, handler: Handler) -> bytes:
        return handler.rfile.read(self.length(handler.headers["Content-Length"]))

    def length(self, text: str) -> int:
        if not text.isdecimal():
            raise ValueError(text)
        return int(text)


plant(
    ReadsLengths, "transport.20", "a Content-Length and the coding chunked was accepted: HTTP 200"
)
plant(
    ReadsLengths, "transport.21", "two lengths, of which the first is right was accepted: HTTP 200"
)


class RefusesCodings(ReadsLengths):
    def read(self, handler: Handler) -> bytes:
        if "Transfer-Encoding" in handler.headers:
            raise ValueError("chunks")
        return super().read(handler)


@flagged_by("transport.20", r"a request with Content-Length: \+\d+ was accepted: HTTP 200")
class ReadsLengthsAsPython(RefusesCodings):
    def length(self, text: str) -> int:
        return int(text)


@flagged_by(
    "transport.20", r"Content-Length: -\d+ was neither accepted nor refused: no complete ans"
)
class ReadsToTheEnd(RefusesCodings):
    def length(self, text: str) -> int:
        return -1 if text.startswith("-") else super().length(text)


@flagged_by("transport.21", "two lengths, of which the last is right was accepted: HTTP 200")
class ReadsTheLastLength(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return handler.rfile.read(int(list(handler.headers.get_all("Content-Length", []))[-1]))


@flagged_by("transport.20", "a blank before the colon of Content-Length was accepted: HTTP 200")
class TrimsHeaderNames(RewritesHeads):
    def rewritten(self, lines: list[bytes]) -> list[bytes]:
        return [line.replace(b" :", b":") for line in lines]


@flagged_by("transport.24", "closed the connection, and the next request on it was lost")
class ClosesWithoutAWord(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        super().write(handler, status, document)
        handler.close_connection = True


@flagged_by("transport.09", "transport.01, .* Content-Type is 'text/plain'", "run.01")
class SendsTwoContentTypes(PlainWorker):
    def write(self, handler: Handler, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        for kind in ("application/json", "text/plain"):
            handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@flagged_by("transport.23", "the coding xchunked was accepted: HTTP 200")
class TakesAnyCodingForChunks(ReadsChunks):
    def size(self, text: bytes) -> int:
        if not text.isalnum() or text.lower().startswith(b"0x"):
            raise ValueError(text)
        return super().size(text)

    def end_of_chunk(self, handler: Handler) -> None:
        if handler.rfile.read(2) != b"\r\n":
            raise ValueError("chunk")


plant(ReadsChunks, "transport.23", r"a request with a chunk of size \+1f was accepted: HTTP 200")


@flagged_by("transport.23", "a chunk without a line end behind it was accepted: HTTP 200")
class LooksAtSizesOnly(ReadsChunks):
    def size(self, text: bytes) -> int:
        if not text.isalnum() or text.lower().startswith(b"0x"):
            raise ValueError(text)
        return super().size(text)
