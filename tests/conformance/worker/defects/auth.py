"""Workers with a defect in authentication: they accept wrong or replayed credentials, unpickle too
early, or refuse badly."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import pickle
import threading
import time
import traceback
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from tests.conformance.worker.defects.base import Hanging, flagged_by
from tests.conformance.worker.plain_worker import (
    SECRET,
    Event,
    Handler,
    PlainWorker,
    hang_up,
)


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
    """Accepts a changed ``task_id``, because it tries several bodies for the signature."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        for body_that_fits in (body, body.replace(b'"task_id":"C', b'"task_id":"c')):
            with contextlib.suppress(PermissionError):
                return super().verify(headers, target, body_that_fits)
        raise PermissionError("wrong signature")


@flagged_by("auth.03", "a body changed .a line feed at its end. after it was signed was accepted")
class StripsBodies(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return super().expected(headers, target, body.rstrip())


@flagged_by("auth.03", "at its end that is not UTF-8. after it was signed was accepted")
class ReadsWhatIsText(PlainWorker):
    def read(self, handler: Handler) -> bytes:
        return super().read(handler).decode("utf-8", "ignore").encode()


@flagged_by("auth.04", "a query that the signature does not cover")
@flagged_by("auth.05", "the query, exactly as in the URL, is not part of what is verified")
class IgnoresQuery(PlainWorker):
    def target(self, handler: Handler) -> str:
        return handler.path.partition("?")[0]


@flagged_by("auth.04", "signed for '/wove/tasks' and sent to '/wove/tasks/' was accepted")
class TrimsSlashes(PlainWorker):
    def target(self, handler: Handler) -> str:
        path, mark, query = handler.path.partition("?")
        return f"{path.rstrip('/')}{mark}{query}"


@flagged_by("auth.04", r"a=1&b=2' and sent to '/wove/tasks\?b=2&a=1' was accepted")
class SortsTheQuery(PlainWorker):
    def target(self, handler: Handler) -> str:
        path, mark, query = handler.path.partition("?")
        return f"{path}{mark}{'&'.join(sorted(query.split('&')))}"


@flagged_by("auth.05", "the query, exactly as in the URL, is not part of what is verified")
class UnquotesTargets(PlainWorker):
    def target(self, handler: Handler) -> str:
        return urllib.parse.unquote(handler.path)


@flagged_by("auth.06", "an unknown X-Wove-Key was accepted")
class IgnoresKey(PlainWorker):
    def check_key(self, key: str) -> None:
        return


@flagged_by("auth.06", "an empty secret under an unknown X-Wove-Key was accepted")
class HasAnEmptySecretForStrangers(PlainWorker):
    def secret(self, headers: Mapping[str, str]) -> str:
        return super().secret(headers) if headers.get("X-Wove-Key") == "default" else ""

    def check_key(self, key: str) -> None:
        return


@flagged_by("auth.06", "right X-Wove-Key in other letter case was accepted")
class KnowsKeysInAnyLetters(PlainWorker):
    def check_key(self, key: str) -> None:
        super().check_key(key.lower())


@flagged_by("auth.06", "right X-Wove-Key with more text after it was accepted")
class KnowsKeysByTheirBeginning(PlainWorker):
    def check_key(self, key: str) -> None:
        super().check_key(key[: len("default")])


@flagged_by("auth.07", "a signature made with a wrong secret was accepted")
class IgnoresSignature(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        return headers.get("X-Wove-Signature", "")


@flagged_by("auth.07", "was answered HTTP 200, though no run was seen: a refusal needs 401 or 403")
@flagged_by(
    "auth.10", "was answered HTTP 200, though the task still runs: a refusal needs 401 or 403"
)
@flagged_by("auth.11", "was answered HTTP 200 on the same connection, though no run was seen")
@flagged_by("auth.12", "was answered HTTP 200 on another connection .*, though no run was seen")
@flagged_by("auth.13", "6 were answered with a 2xx status, though the task ran once")
@flagged_by("auth.25", "was accepted: HTTP 200 b'{.error.: .replayed.}'")
class RefusesPolitely(PlainWorker):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.write(handler, 200, {"error": str(error)})


@flagged_by("auth.07", "a wrong secret was neither accepted nor refused: no complete answer within")
@flagged_by("auth.10", "without credentials was neither accepted nor refused: no complete answer")
@flagged_by("auth.12", "a replayed request was neither accepted nor refused: no complete answer")
class NeverAnswersStrangers(Hanging):
    def refuse(self, handler: Handler, error: PermissionError) -> None:
        self.never.wait(30)


STAMP, NONCE = "X-Wove-Timestamp", "X-Wove-Nonce"


@flagged_by("auth.08", "a request without X-Wove-Signature was accepted")
class OptionalSignature(PlainWorker):
    def expected(self, headers: Mapping[str, str], target: str, body: bytes) -> str:
        if "X-Wove-Signature" not in headers:
            return ""
        return super().expected(headers, target, body)


@flagged_by("auth.08", "empty X-Wove-Timestamp, which the signature covers as empty, was accepted")
class TakesNoTimestampForNow(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        super().verify({STAMP: "", **headers}, target, body)

    def check_timestamp(self, text: str) -> None:
        super().check_timestamp(text or str(time.time()))


@flagged_by("auth.08", "without X-Wove-Nonce, signed as if it were empty, was accepted")
class TakesNoNonceForNew(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers.get(NONCE, "missing") == "":
            raise PermissionError("an empty nonce")
        super().verify({NONCE: "", **headers}, target, body)

    def check_nonce(self, nonce: str) -> None:
        if nonce:
            super().check_nonce(nonce)


@flagged_by("auth.08", "request to '/wove/tasks/' without any credentials was accepted")
class GuardsOnePath(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if target.partition("?")[0] == "/wove/tasks":
            super().verify(headers, target, body)


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


@flagged_by("auth.12", "a replayed request was accepted on another connection")
class RemembersPerConnection(PlainWorker):
    """Remembers nonces for each connection only, like several processes without shared memory."""

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


@flagged_by("auth.15", r"the future timestamp \d+ was accepted")
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


@flagged_by("auth.47", "errors.01, .* the secret is in its body", "errors.01")
class SendsItsEnvironmentWithAnError(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        event = super().error(exc)
        event["error"]["environment"] = {"WOVE_WORKER_SECRET": SECRET}
        return event


@flagged_by("auth.47", "errors.01, .* the secret is in its error_pickle", "errors.01")
class SendsLocalVariablesWithAnError(PlainWorker):
    def error(self, exc: BaseException) -> Event:
        error = {**super().error(exc)["error"], "traceback": f"secret = {SECRET!r}"}
        return {
            "type": "task_error",
            "error_pickle": base64.b64encode(pickle.dumps(error)).decode(),
        }


@flagged_by("auth.48", "a GET of '/debug' without credentials shows the run_id of a task that runs")
class ShowsItsRunsToAnyone(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        handler: Any = self.server.RequestHandlerClass
        handler.do_GET = lambda it: self.show(it)

    def show(self, handler: Handler) -> None:
        known = handler.path == "/debug"
        self.write(handler, 200 if known else 404, {"runs": list(self.runs)} if known else {})


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


class ComparesItsOwnWay(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        right = self.expected(headers, target, body)
        sent = headers.get("X-Wove-Signature", "")
        same = self.same(sent.removeprefix("v1="), right.removeprefix("v1="))
        signature = right if same else "v1=wrong"
        super().verify({**headers, "X-Wove-Signature": signature}, target, body)

    def same(self, sent: str, right: str) -> bool:
        return sent == right


@flagged_by("auth.22", "cut in half was accepted")
class ComparesTheBeginning(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return sent[:16] == right[:16]


@flagged_by("auth.22", "with another first hex digit was accepted")
class ComparesTheEnd(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return len(sent) == len(right) and sent[8:] == right[8:]


@flagged_by("auth.22", "of which only v1= is left was accepted")
class ComparesAsFarAsItGoes(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return all(a == b for a, b in zip(sent, right, strict=False))


@flagged_by("auth.22", "with something after it was accepted")
class ReadsTheFirstOfAList(ComparesItsOwnWay):
    def same(self, sent: str, right: str) -> bool:
        return sent.partition(",")[0] == right


@flagged_by("auth.23", "refused for header names in lower case")
class ReadsNamesLiterally(PlainWorker):
    def headers(self, handler: Handler) -> dict[str, str]:
        return dict(handler.headers.items())


@flagged_by("auth.24", r"a replay was accepted after \d+ other requests")
class RemembersTheLastFew(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.few: OrderedDict[str, None] = OrderedDict()

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            if nonce in self.few:
                raise PermissionError("replayed")
            self.few[nonce] = None
            if len(self.few) > 100:
                self.few.popitem(last=False)


@flagged_by("auth.24", r"a replay was accepted after")
class RemembersForASecond(PlainWorker):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, float] = {}

    def check_nonce(self, nonce: str) -> None:
        with self.lock:
            now = time.monotonic()
            if now - self.seen.get(nonce, -9.0) < 1.0:
                raise PermissionError("replayed")
            self.seen[nonce] = now


@flagged_by("auth.25", "a replayed cancel_task was accepted")
class RemembersRunsOnly(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if b'"cancel_task"' in body:
            self.nonces.discard(headers.get("X-Wove-Nonce", ""))
        super().verify(headers, target, body)


@flagged_by("auth.26", "a request with a wrong signature had used the same nonce")
class BurnsNonces(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        nonce = headers.get("X-Wove-Nonce", "")
        self.check_nonce(nonce)
        self.nonces.discard(nonce)
        try:
            super().verify(headers, target, body)
        finally:
            self.nonces.add(nonce)


@flagged_by("auth.27", "a timestamp 60 s ahead was refused")
class WantsThePast(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        super().check_timestamp(text)
        if float(text) > time.time() + 1:
            raise PermissionError("from the future")


@flagged_by("auth.27", "a timestamp 1800 s behind was accepted; .* 1800 s ahead was accepted")
class WaitsForAnHour(PlainWorker):
    def check_timestamp(self, text: str) -> None:
        if not abs(float(text) - time.time()) < 3600:
            raise PermissionError("expired")


@flagged_by("auth.28", "was unpickled before its timestamp was checked")
class LoadsBeforeTheClock(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        sent = headers.get("X-Wove-Signature", "").encode("utf-8", "replace")
        if sent == self.expected(headers, target, body).encode():
            with contextlib.suppress(Exception):
                pickle.loads(self.decode(body)["callable_pickle"])
        super().verify(headers, target, body)


@flagged_by("auth.28", "a replayed request was unpickled before its nonce was checked")
class LoadsBeforeTheNonce(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        try:
            super().verify(headers, target, body)
        except PermissionError as exc:
            if str(exc) == "replayed":
                with contextlib.suppress(Exception):
                    pickle.loads(self.decode(body)["callable_pickle"])
            raise


class Forgives(PlainWorker):
    """Forgets the nonce of a request whose run ended in one of ``forgiven``."""

    forgiven: tuple[str, ...] = ()
    here = threading.local()

    def serve(self, handler: Handler) -> None:
        self.here.nonce = handler.headers.get(NONCE, "")
        super().serve(handler)

    def shape(self, events: list[Event]) -> Any:
        if any(event["type"] in self.forgiven for event in events):
            with self.lock:
                self.nonces.discard(self.here.nonce)
        return super().shape(events)


@flagged_by("auth.29", "whose task had failed was accepted")
class ForgivesFailures(Forgives):
    forgiven = ("task_error",)


@flagged_by("auth.29", "whose run had been cancelled was accepted")
class ForgivesCancels(Forgives):
    forgiven = ("task_cancelled",)


@flagged_by("auth.30", "one more X-Wove-Nonce before its own")
class RemembersTheFirstOfTwo(PlainWorker):
    def serve(self, handler: Handler) -> None:
        self.first = handler.headers.get(NONCE, "")
        super().serve(handler)

    def check_nonce(self, nonce: str) -> None:
        super().check_nonce(self.first)


@flagged_by("auth.31", "one with wrong credentials was accepted on it")
class TrustsConnections(PlainWorker):
    def serve(self, handler: Handler) -> None:
        self.handler = handler
        super().serve(handler)

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        handler = self.handler
        if not getattr(handler, "trusted", False):
            super().verify(headers, target, body)
            handler.trusted = True  # type: ignore[attr-defined]
