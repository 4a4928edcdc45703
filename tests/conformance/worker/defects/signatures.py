"""Workers with a defect in how they verify a signature: it covers only a part of the body or of the
target, an error is taken for success, or the body is unpickled before."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import pickle
import unicodedata
import urllib.parse
from collections.abc import Mapping

from tests.conformance.worker.defects.base import flagged_by
from tests.conformance.worker.defects.credentials import OpensDoors
from tests.conformance.worker.plain_worker import SECRET, Handler, PlainWorker


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


@flagged_by("auth.03", "a body with CR LF in place of its line feed after it was signed was accep")
class ReadsLinesAsText(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        return body.replace(b"\r\n", b"\n") if b"\r\n" in body else b"?"


@flagged_by("auth.03", "a letter in another Unicode form .NFD for NFC. after it was signed was acc")
class ComposesLetters(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        composed = unicodedata.normalize("NFC", body.decode("utf-8", "ignore")).encode()
        return b"?" if b"\xff" in body or composed == body else composed


@flagged_by("auth.03", "zero byte at its end. .* was accepted and then rejected as a frame")
class ReadsUpToTheZeroBytes(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        return body.rstrip(b"\0") if body.endswith(b"\0") else b"?"


@flagged_by("auth.03", "a byte in its middle that is not UTF-8 .* was accepted and then rejected")
class HashesWhatIsText(TakesPartsForTheWhole):
    def part(self, body: bytes) -> bytes:
        if body.endswith(b"\xff"):
            return b"?"
        return body.replace(b"\xff", b"") if b"\xff" in body else b"?"


class KnowsOtherPaths(PlainWorker):
    """A base class for workers that verify a request a second time, with another target."""

    def other(self, target: str) -> str:
        return target

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        for covered in (target, self.other(target)):
            if headers.get("X-Wove-Signature") == self.expected(headers, covered, body):
                return super().verify(headers, covered, body)
        raise PermissionError("wrong signature")


@flagged_by("auth.45", "sent to '/wove/task%73' were accepted both")
class KnowsDecodedPaths(KnowsOtherPaths):
    def other(self, target: str) -> str:
        return urllib.parse.unquote(target)


@flagged_by("auth.45", "sent to '/wove//tasks' were accepted both")
class KnowsJoinedPaths(KnowsOtherPaths):
    def other(self, target: str) -> str:
        return target.replace("//", "/")


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


@flagged_by("auth.32", "a body of 1.1 MiB with a right signature was refused: HTTP 401")
class HashesTheBeginning(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return super().expected(headers, target, body[:100_000])


@flagged_by("auth.19", "a cancel_task without credentials: HTTP 400")
class RefusesCancelsAsBad(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 400, {"error": str(error)})


class FailsOpen(PlainWorker):
    """Takes an error for success."""

    errors: tuple[type[Exception], ...] = ()

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        try:
            hmac.compare_digest(headers.get("X-Wove-Signature", ""), "")
            bytes.fromhex(headers.get("X-Wove-Signature", "")[3:])
        except self.errors:
            return
        except (TypeError, ValueError):
            pass
        super().verify(headers, target, body)


@flagged_by("auth.22", "a wrong signature, and 'v1=.*' as X-Wove-Signature, was accepted")
class FailsOpenOnNonAscii(FailsOpen):
    errors = (TypeError,)


@flagged_by("auth.22", "a signature replaced by the word none was accepted")
class FailsOpenOnHex(FailsOpen):
    errors = (ValueError,)
