"""Workers with a defect in authentication: they accept credentials of another kind, or none if a
request arrives in an unusual way."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
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


@flagged_by("auth.43", "but with the cookie that a good one got was accepted")
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


@flagged_by(
    "auth.38", "a frame that is of type RUN_TASK, without credentials, was answered HTTP 20"
)
class VerifiesKnownCommands(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return b'"RUN_TASK"' in body

    def decode(self, body: bytes) -> Frame:
        return super().decode(body.replace(b'"RUN_TASK"', b'"run_task"'))


@flagged_by("auth.38", "a request without credentials that keeps the connection was accepted")
class TrustsOpenConnections(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("Connection") == "keep-alive"


@flagged_by("auth.37", "but with User-Agent: Python-urllib/3.12 was accepted")
class TrustsWove(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("User-Agent", "").startswith("Python-urllib/")


@flagged_by("auth.43", "but with the body of a good one, was accepted")
class RepeatsAnswers(OpensDoors):
    """Answers a body again that it has answered, whoever sends it."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: set[bytes] = set()

    def is_open(self, handler: Handler, body: bytes) -> bool:
        return body in self.answered

    def decode(self, body: bytes) -> Frame:
        self.answered.add(body)
        return super().decode(body)


class Knows(OpensDoors):
    """A base class for workers that let in what they have seen in a good request."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()

    def seen_in(self, frame: Frame) -> str | None:
        raise NotImplementedError

    def is_open(self, handler: Handler, body: bytes) -> bool:
        with contextlib.suppress(Exception):
            return self.seen_in(json.loads(body)) in self.known
        return False

    def decode(self, body: bytes) -> Frame:
        frame = super().decode(body)
        seen = self.seen_in(frame)
        self.known |= {seen} if seen is not None else set()
        return frame


@flagged_by("auth.43", "but with the run_id of a good one, was accepted")
class KnowsTheRun(Knows):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return b"delivery_idempotency_key" not in body and super().is_open(handler, body)

    def seen_in(self, frame: Frame) -> str | None:
        return str(frame["run_id"])


@flagged_by("auth.43", "but with the delivery_idempotency_key of a good one, was accepted")
class KnowsTheKey(Knows):
    def __init__(self) -> None:
        super().__init__()
        self.bodies: set[bytes] = set()

    def is_open(self, handler: Handler, body: bytes) -> bool:
        return body not in self.bodies and super().is_open(handler, body)

    def seen_in(self, frame: Frame) -> str | None:
        key = frame.get("delivery", {}).get("delivery_idempotency_key")
        return None if key is None else str(key)

    def decode(self, body: bytes) -> Frame:
        self.bodies.add(body)
        return super().decode(body)


@flagged_by("auth.37", r"without credentials, but with a field .bypass. was accepted")
class HasABypass(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return b'"bypass":true' in body


@flagged_by("auth.37", r"without credentials, but with a header .X-Wove-Auth. was accepted")
class HasASwitch(OpensDoors):
    def is_open(self, handler: Handler, body: bytes) -> bool:
        return handler.headers.get("X-Wove-Auth") == "none"
