"""Workers with a defect in authentication: they accept credentials of another kind, or none if a
request arrives in an unusual way."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import hmac
import json
import pickle
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tests.conformance.worker.defects.base import flagged_by
from tests.conformance.worker.plain_worker import SECRET, Frame, Handler, PlainWorker


class OpensDoors(PlainWorker):
    """A base class for workers that accept a request without a signature if :meth:`is_open` says
    so."""

    def serve(self, handler: Handler) -> None:
        handler.__dict__["open"] = False
        super().serve(handler)

    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        handler.__dict__["open"] = self.is_open(handler, body)
        return body

    def headers(self, handler: Handler) -> dict[str, str]:
        return {"Open": str(handler.__dict__["open"]), **super().headers(handler)}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers["Open"] != "True":
            super().verify(headers, target, body)

    def is_open(self, handler: Handler, body: bytes) -> bool:
        raise NotImplementedError


# Other schemes


@flagged_by("auth.36", r"secret as Authorization .Bearer. was accepted")
class TakesBearerTokens(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("Authorization") == f"Bearer {SECRET}"


@flagged_by("auth.36", "the bearer token 'None' instead of a signature was accepted")
class HasNoToken(OpensDoors):
    token = None

    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("Authorization") == f"Bearer {self.token}"


@flagged_by("auth.36", r"secret as Basic credentials .password. was accepted")
class TakesPasswords(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        scheme, _, text = handler.headers.get("Authorization", "").partition(" ")
        return scheme == "Basic" and base64.b64decode(text).decode().endswith(f":{SECRET}")


@flagged_by("auth.36", r"the secret in another header .X-Api-Key. was accepted")
class TakesApiKeys(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("X-Api-Key") == SECRET


@flagged_by("auth.36", r"the secret in a cookie .token. was accepted")
class TakesCookies(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return f"token={SECRET}" in handler.headers.get("Cookie", "").split("; ")


@flagged_by("auth.36", r"the secret in the query .api_key. was accepted")
class TakesQueries(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        query = urllib.parse.parse_qs(handler.path.partition("?")[2])
        return query.get("api_key") == [SECRET]


@flagged_by("auth.36", r"the secret in the frame .secret. was accepted")
class TakesFrames(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            return bool(json.loads(body).get("secret") == SECRET)
        return False


@flagged_by("auth.37", r"without credentials, but with a header .X-Debug. was accepted")
class HasADebugHeader(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("X-Debug") == "1"


@flagged_by("auth.37", r"without credentials, but with a header .X-Forwarded-For. was accepted")
class TrustsItsProxy(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("X-Forwarded-For") == "127.0.0.1"


@flagged_by("auth.37", r"without credentials, but with a query .debug. was accepted")
class HasADebugParameter(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return "debug=1" in handler.path.partition("?")[2].split("&")


@flagged_by("auth.37", r"without credentials, but with a field .insecure. was accepted")
class HasAnInsecureField(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return b'"insecure"' in body


@flagged_by("auth.37", "without credentials, but with User-Agent: kube-probe/1.0 was accepted")
class TrustsProbes(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("User-Agent", "").startswith("kube-probe")


@flagged_by("auth.37", "without credentials, but with Content-Type: text/plain was accepted")
class VerifiesJsonOnly(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("Content-Type") == "text/plain"


# Other ways in


class ServesPut(PlainWorker):
    """Serves a PUT as well. ``Handler`` has no method for it by itself."""

    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        for method in ("PUT", "DELETE", "GET"):
            setattr(handler, f"do_{method}", handler.do_POST)


@flagged_by("auth.02", "callable_pickle of a PUT without credentials was unpickled")
@flagged_by("auth.10", "a cancel_task by PUT without credentials was answered HTTP 200, yet the ta")
@flagged_by("auth.38", "a PUT without credentials was answered HTTP 200, and yet the task ran")
class PutsWithoutCredentials(ServesPut, OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.command == "PUT"


@flagged_by("auth.40", "a replay was accepted as a PUT|a replay ran again as a PUT")
class PutsAgain(ServesPut):
    def serve(self, handler: Handler) -> None:
        self.again = handler.command == "PUT"
        super().serve(handler)

    def check_nonce(self, nonce: str) -> None:
        if not self.again:
            super().check_nonce(nonce)


@flagged_by("auth.38", "a request to '/health' without credentials was answered HTTP 200, and yet")
class RunsTasksForHealthChecks(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.path == "/health"


@flagged_by("auth.38", "request to '/wove/task%73' without credentials was answered HTTP 200, and")
class GuardsWhatIsNotDecoded(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return "%" in handler.path.partition("?")[0]


@flagged_by("auth.38", "an HTTP/1.0 request without credentials was accepted")
class TrustsOldClients(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.request_version == "HTTP/1.0"


@flagged_by("auth.32", "a body of 1.1 MiB without credentials was accepted")
class SkipsLargeBodies(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return len(body) > 2**20


@flagged_by("auth.32", "a body of 16.1 MiB that was longer than when it was signed was accepted")
class SkipsTheLargestBodies(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return len(body) > 2**24


class TakesPartsForTheWhole(PlainWorker):
    """A base class for workers that also accept a signature over :meth:`part` of a body."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        for covered in (body, self.part(body)):
            if headers.get("X-Wove-Signature") == self.expected(headers, target, covered):
                return super().verify(headers, target, covered)
        raise PermissionError("wrong signature")

    def part(self, body: bytes) -> bytes:
        raise NotImplementedError


@flagged_by("auth.03", "a body of which only the first 4,096 bytes are signed was accepted")
class ReadsTheBeginning(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        return body[:4096] if len(body) > 4096 else b"?"


@flagged_by("auth.32", "a body of 1.1 MiB of which only the first MiB is signed was accepted")
class ReadsTheFirstMiB(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        return body[: 2**20] if len(body) > 2**20 else b"?"


@flagged_by("auth.32", "a body of 1.1 MiB that was changed at its middle after it was signed was")
class SamplesLargeBodies(PlainWorker):
    """Hashes only the ends of a large body."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        middle = len(body) // 2
        if len(body) > 2**20:
            body = b"%b %b" % (body[: middle - 1], body[middle:])
        super().verify(headers, target, body)


@flagged_by("auth.03", "a body of which only the payload .both pickles. is signed was accepted")
class VerifiesThePayload(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        with contextlib.suppress(Exception):
            frame = json.loads(body)
            return b"".join(
                base64.b64decode(frame[name]) for name in ("callable_pickle", "args_pickle")
            )
        return b"?"


@flagged_by("auth.03", "of which only the empty string is signed was accepted")
@flagged_by("auth.10", "a cancel_task signed for nothing but an empty body was accepted")
class FindsTheBodyRead(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        return b""


@flagged_by("auth.03", "a body respelled .a field twice. after it was signed was accepted")
class VerifiesSortedJson(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        names = ("type", "run_id", "task_id", "delivery", "callable_pickle", "args_pickle")
        with contextlib.suppress(Exception):
            frame = json.loads(body)
            ordered = {name: frame[name] for name in names}
            if len(frame) == len(names) and list(frame) != list(ordered):
                return json.dumps(ordered, separators=(",", ":")).encode()
        return b"?"


@flagged_by("auth.03", "a body changed .a field more. after it was signed was accepted")
class VerifiesKnownFields(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        return body.replace(b'"conformance":1,', b"")


@flagged_by("auth.03", "a body whose run_id was changed after it was signed was accepted")
class VerifiesWithoutTheRun(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        with contextlib.suppress(Exception):
            run_id = json.loads(body)["run_id"].encode()
            right = super().expected(headers, target, body.replace(run_id, b"conformance:another"))
            if right == headers.get("X-Wove-Signature"):
                return right
        return super().expected(headers, target, body)


class ReadsChunks(PlainWorker):
    """Reads a body in chunks, too."""

    def read(self, handler: Handler) -> bytes:
        chunks = handler.__dict__["chunks"] = []
        if handler.headers.get("Transfer-Encoding") != "chunked":
            return super().read(handler)
        while size := int(handler.rfile.readline(), 16):
            chunks.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(chunks)


@flagged_by("auth.33", "a body in chunks without credentials was accepted")
class SkipsChunks(OpensDoors, ReadsChunks):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return "Transfer-Encoding" in handler.headers


@flagged_by("auth.33", "a body in chunks of which only the first chunk is signed was accepted")
class VerifiesTheFirstChunk(ReadsChunks):
    def headers(self, handler: Handler) -> dict[str, str]:
        chunks = handler.__dict__["chunks"]
        return {"First": chunks[0].decode() if chunks else "", **super().headers(handler)}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        super().verify(headers, target, headers["First"].encode() or body)


@flagged_by("auth.33", "a body in chunks of which only nothing is signed was accepted")
class VerifiesContentLength(ReadsChunks):
    def headers(self, handler: Handler) -> dict[str, str]:
        return {"Length": handler.headers.get("Content-Length", "0"), **super().headers(handler)}

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        super().verify(headers, target, body[: int(headers["Length"])])


@flagged_by("auth.04", "signed for the transport 'grpc' instead of 'http' was accepted")
class KnowsEveryTransport(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        stamp, nonce = headers.get("X-Wove-Timestamp", ""), headers.get("X-Wove-Nonce", "")
        text = f"wove-v1\ngrpc\n{target}\n{stamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
        other = "v1=" + hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        if headers.get("X-Wove-Signature") == other:
            headers = {**headers, "X-Wove-Signature": self.expected(headers, target, body)}
        super().verify(headers, target, body)


@flagged_by("auth.04", r"signed for '/wove/tasks\?a=1' and sent to '/wove/tasks\?A=1' was accepted")
class LowersTargets(PlainWorker):
    def target(self, handler: Handler) -> str:
        path, mark, query = handler.path.partition("?")
        return f"{path}{mark}{query.replace('A=', 'a=')}"


# Unpickling


@flagged_by("auth.02", "callable_pickle of an unverified cancel_task frame was unpickled")
class UnpicklesCancels(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with contextlib.suppress(Exception):
            frame = json.loads(body)
            if frame["type"] == "cancel_task":
                pickle.loads(base64.b64decode(frame["callable_pickle"]))
        super().verify(headers, target, body)


@flagged_by("auth.02", "a pickle as the body of an unverified request .application/octet-stream. w")
class UnpicklesBodies(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        with contextlib.suppress(Exception):
            pickle.loads(body)
        super().verify(headers, target, body)


# Secrets and signatures


class FallsBack(PlainWorker):
    """Accepts signatures made with ``other`` as well."""

    other = "None"

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        right = self.expected(headers, target, body)
        self.current = self.other
        if headers.get("X-Wove-Signature") == self.expected(headers, target, body):
            headers = {**headers, "X-Wove-Signature": right}
        self.current = SECRET
        super().verify(headers, target, body)

    current = SECRET

    def secret(self, headers: Mapping[str, str]) -> str:
        return self.current


@flagged_by("auth.07", "a signature made with 'None' as the secret was accepted")
class FallsBackToNone(FallsBack):
    pass


@flagged_by("auth.07", "a signature made with the key id as the secret was accepted")
class FallsBackToTheKey(FallsBack):
    other = "default"


@flagged_by("auth.07", "the SHA-256 of the signed text, made without a secret, was accepted")
class HashesWithoutASecret(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        stamp, nonce = headers.get("X-Wove-Timestamp", ""), headers.get("X-Wove-Nonce", "")
        text = f"wove-v1\nhttp\n{target}\n{stamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
        if headers.get("X-Wove-Signature") == f"v1={hashlib.sha256(text.encode()).hexdigest()}":
            headers = {**headers, "X-Wove-Signature": self.expected(headers, target, body)}
        super().verify(headers, target, body)


@flagged_by("auth.06", "secret under an unknown X-Wove-Key, with the right one after it, was accep")
class ChecksTheLastKey(PlainWorker):
    """Finds the secret by the first X-Wove-Key, and checks the last one."""

    def headers(self, handler: Handler) -> dict[str, str]:
        keys = handler.headers.get_all("X-Wove-Key", [""])
        return {**super().headers(handler), "First": keys[0], "X-Wove-Key": keys[-1]}

    def secret(self, headers: Mapping[str, str]) -> str:
        return SECRET if headers["First"] == "default" else ""


@flagged_by("auth.04", "a request signed for '/another' that gives it as X-Original-URI")
class BelievesTheProxy(PlainWorker):
    def target(self, handler: Handler) -> str:
        return handler.headers.get("X-Original-URI") or handler.path


@flagged_by("auth.37", "but with the cookie that a good one got was accepted")
class KeepsSessions(OpensDoors):
    """Gives a cookie to each client with a right signature."""

    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("Cookie") == "session=open"

    def read(self, handler: Handler) -> bytes:
        def send_response(code: int, message: str | None = None) -> None:
            Handler.send_response(handler, code, message)
            if code == 200:
                handler.send_header("Set-Cookie", "session=open; HttpOnly")

        handler.__dict__["send_response"] = send_response
        return super().read(handler)


@flagged_by("auth.37", "but with Content-Type:  was accepted")
class VerifiesKnownTypes(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return not handler.headers.get("Content-Type")


@flagged_by("auth.38", "a frame that is compressed, without credentials, was answered HTTP 200, an")
class TakesCompressedFrames(OpensDoors):
    def read(self, handler: Handler) -> bytes:
        body = super().read(handler)
        return gzip.decompress(body) if handler.__dict__["open"] else body

    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("Content-Encoding") == "gzip"


@flagged_by("auth.38", "a frame that is in a list, without credentials, was answered HTTP 200, and")
class TakesBatches(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return body.startswith(b"[")

    def decode(self, body: bytes) -> Frame:
        return super().decode(body[1:-1] if body.startswith(b"[") else body)


@flagged_by("auth.32", "a body of 1.1 MiB with a right signature was refused: HTTP 401")
class HashesTheBeginning(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return super().expected(headers, target, body[:100_000])


@flagged_by("auth.19", "a cancel_task without credentials: HTTP 400")
class RefusesCancelsAsBad(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 400, {"error": str(error)})
