"""Workers that let in whom they should not, refuse badly, or serve too few."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import pickle
import threading
import time
import traceback
from collections.abc import Mapping
from http.server import HTTPServer
from typing import Any

from tests.conformance.worker.defects.base import flagged_by, plant
from tests.conformance.worker.plain_worker import (
    SECRET,
    Event,
    Frame,
    Handler,
    PlainWorker,
    Server,
    hang_up,
)


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
    """Takes every method for a POST."""

    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_GET = handler.do_POST

    def decode(self, body: bytes) -> Frame:
        return super().decode(body) if body else {"type": "cancel_task", "run_id": ""}

    def cancel(self, frame: Frame) -> list[Event]:
        return super().cancel(frame) if frame["run_id"] else []


plant(ServesGet, "transport.05", "a GET was answered with HTTP 200")


class OneAtATime(Server):
    def process_request(self, request: Any, client_address: Any) -> None:
        HTTPServer.process_request(self, request, client_address)


@flagged_by("transport.06", "20 silent connections")
class ServesOneConnection(PlainWorker):
    server_class = OneAtATime


@flagged_by("auth.02", "callable_pickle of an unverified request was unpickled")
class UnpicklesFirst(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with contextlib.suppress(Exception):
            pickle.loads(base64.b64decode(json.loads(body)["callable_pickle"]))
        super().verify(headers, target, body)


@flagged_by("auth.02", "args_pickle of an unverified request was unpickled")
class UnpicklesArgumentsFirst(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with contextlib.suppress(Exception):
            pickle.loads(base64.b64decode(json.loads(body)["args_pickle"]))
        super().verify(headers, target, body)


@flagged_by("auth.03", "a body changed after it was signed was accepted")
class IgnoresBody(PlainWorker):
    """Signs no body: compares with a signature for whatever the client says it signed."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        for body_that_fits in (body, body.replace(b'"task_id":"C', b'"task_id":"c')):
            with contextlib.suppress(PermissionError):
                return super().verify(headers, target, body_that_fits)
        raise PermissionError("wrong signature")


@flagged_by("auth.04", "a query that the signature does not cover")
@flagged_by("auth.05", "the query, as it stands in the URL, is not part of what is verified")
class IgnoresQuery(PlainWorker):
    def target(self, handler: Handler) -> str:
        return handler.path.partition("?")[0]


@flagged_by("auth.06", "an unknown X-Wove-Key was accepted")
class IgnoresKey(PlainWorker):
    def check_key(self, key: str) -> None:
        return


@flagged_by("auth.07", "a signature made with a wrong secret was accepted")
class IgnoresSignature(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return headers.get("X-Wove-Signature", "")


@flagged_by("auth.08", "a request without X-Wove-Signature was accepted")
class OptionalSignature(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        if "X-Wove-Signature" not in headers:
            return ""
        return super().expected(headers, target, body)


@flagged_by("auth.10", "a cancel_task without credentials was accepted")
class CancelsForAnybody(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if b'"cancel_task"' not in body:
            super().verify(headers, target, body)


@flagged_by("auth.11", "replayed request was accepted on the same connection")
@flagged_by("auth.12", "a replayed request was accepted on another connection")
class AcceptsReplays(PlainWorker):
    def check_nonce(self, nonce: str) -> None:
        if not nonce:
            raise PermissionError("no nonce")


@flagged_by("auth.12", "a replayed request was accepted on another connection")
class RemembersPerConnection(PlainWorker):
    """As several processes do that share no memory."""

    def serve(self, handler: Handler) -> None:
        self.nonces = handler.__dict__.setdefault("nonces", set())
        super().serve(handler)


@flagged_by("auth.13", "of 6 copies of one request, [2-6] were accepted, and the task ran [2-6] ti")
class ChecksThenActs(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(6)

    def check_nonce(self, nonce: str) -> None:
        if nonce in self.nonces:
            raise PermissionError("replayed")
        if self.nonces:  # not the prerequisites' requests, which come alone
            with contextlib.suppress(threading.BrokenBarrierError):
                self.meeting.wait(0.2)
            if self.meeting.broken:
                self.meeting.reset()
        self.nonces.add(nonce)


@flagged_by("auth.14", "an expired timestamp .* was accepted")
class NeverExpires(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if float(text) > time.time() + 300:
            raise PermissionError("future")


@flagged_by("auth.15", "a future timestamp .* was accepted")
class AcceptsTheFuture(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if float(text) < time.time() - 300:
            raise PermissionError("expired")


@flagged_by("auth.16", "the timestamp 'nan' was accepted")
class AcceptsNan(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if abs(float(text) - time.time()) > 300:
            raise PermissionError("expired")


@flagged_by("auth.17", "the timestamp 'yesterday' was accepted")
class AcceptsWords(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        with contextlib.suppress(ValueError):
            float(text)


@flagged_by("auth.18", "a non-ASCII X-Wove-Signature: the connection was closed")
class DiesOfNonAscii(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        hmac.compare_digest(headers.get("X-Wove-Signature", ""), "")
        super().verify(headers, target, body)


@flagged_by("auth.18", "a non-ASCII X-Wove-Signature made the service fail")
class FailsOnNonAscii(PlainWorker):
    def serve(self, handler: Handler) -> None:
        if not handler.headers.get("X-Wove-Signature", "").isascii():
            self.read(handler)
            self.write(handler, 500, {"error": "oops"})
            return
        super().serve(handler)


@flagged_by("auth.19", "a wrong signature: HTTP 500")
class RefusesWith500(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 500, {"error": str(error)})


@flagged_by("auth.19", "no credentials: the connection was closed without an answer")
class HangsUpOnStrangers(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        hang_up(handler)


@flagged_by("auth.20", "holds the secret")
class TellsSecret(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 401, {"error": f"not signed with {SECRET}"})


@flagged_by("auth.20", "holds the signature that it expected")
class TellsExpectedSignature(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        try:
            super().verify(headers, target, body)
        except PermissionError:
            right = self.expected(headers, target, body)
            raise PermissionError(f"expected {right}") from None


@flagged_by("auth.21", "holds a traceback")
class ShowsTraceback(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 401, {"error": "".join(traceback.format_exception(error))})


@flagged_by(
    "transport.07", "after a request without credentials, a good one on the same connection"
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


@flagged_by(
    "auth.07", "was answered HTTP 200, though the task did not run: a refusal needs 401 or 403"
)
@flagged_by("auth.10", "was answered HTTP 200, though the task goes on: a refusal needs 401 or 403")
@flagged_by("auth.11", "was answered HTTP 200 on the same connection, though the task did not run")
@flagged_by(
    "auth.12", "was answered HTTP 200 on another connection .*, though the task did not run"
)
@flagged_by("auth.13", "6 were answered with a 2xx status, though the task ran once")
@flagged_by("auth.25", "was accepted: HTTP 200 b'{.error.: .replayed.}'")
class RefusesPolitely(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 200, {"error": str(error)})


@flagged_by("auth.11", "refused on the same connection .HTTP 401., and yet the task ran again")
@flagged_by("auth.12", "refused on another connection .* .HTTP 401., and yet the task ran again")
@flagged_by("auth.13", "of 6 copies of one request, 1 was accepted, and the task ran [2-6] times")
class RunsFirst(PlainWorker):
    def serve(self, handler: Handler) -> None:
        body = self.read(handler)
        frame = self.decode(body)
        events = self.run(frame) if frame["type"] == "run_task" else self.cancel(frame)
        try:
            self.verify(self.headers(handler), self.target(handler), body)
        except PermissionError as exc:
            self.refuse(handler, exc)
            return
        self.write(handler, 200, self.shape(events))
