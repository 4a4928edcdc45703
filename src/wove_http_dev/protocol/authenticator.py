"""Authentication of requests: checks target, headers and body, and returns a :class:`Verdict`.

The signing scheme is Wove's (``wove.security.NetworkExecutorSecurity``, "wove-v1"). Unlike in Wove,
the cost of a check does not grow with the number of earlier requests. The body is hashed, never
parsed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import math
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from wove_http_dev.hosts import LOCAL_NAMES, Host
from wove_http_dev.printable import shortened
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.protocol.messages import Request
from wove_http_dev.protocol.nonces import NONCE_LIMIT, NonceMemory

KEY, TIMESTAMP, NONCE, SIGNATURE = (
    "X-Wove-Key",
    "X-Wove-Timestamp",
    "X-Wove-Nonce",
    "X-Wove-Signature",
)
SIGNED_HEADERS = (KEY, TIMESTAMP, NONCE, SIGNATURE)
CODES = {
    "header-missing": "a header that authenticates a request is missing",
    "header-repeated": "a header that authenticates a request is sent more than once",
    "unknown-key": "X-Wove-Key is not the worker's key id",
    "timestamp-malformed": "X-Wove-Timestamp is not a finite number",
    "timestamp-skew": "X-Wove-Timestamp is further from the worker's clock than clock_skew allows",
    "signature-mismatch": "X-Wove-Signature does not match this request and the worker's secret",
    "nonce-replayed": "a request with this nonce was accepted before",
    "nonce-memory-full": "no further nonce can be remembered; answered 503",
    "not-bearer": "Authorization is not of the Bearer scheme",
    "token-mismatch": "the bearer token is not the worker's",
    "origin-sent": "security is none, and the request has an Origin header",
    "unknown-host": "security is none, and Host is not a name of this worker",
    "content-type": "security is none, and Content-Type is not application/json",
    "refused-by-fault": "a fault refused the request",
}
"""The codes of refusals, and what each means."""
_SIGNATURE = re.compile(r"v1=[0-9a-f]{64}")


class Step(NamedTuple):
    """One check of a request, with its result."""

    name: str
    """What was checked."""
    ok: bool
    detail: str = ""
    """What the check found, in words."""
    code: str = ""
    """Why the check failed, one of :data:`CODES`; empty if it passed."""


REPR_LIMIT = 300
"""Characters of a verdict's ``repr``."""


@dataclass
class Verdict:
    """The outcome of all checks of a request."""

    accepted: bool
    reason: str = ""
    """Why the request was refused, in words: the check that failed, and what it found."""
    passed: tuple[str, ...] = ()
    """The checks that passed, in order; after a colon, what they found."""
    hint: str | None = None
    """On a signature mismatch: a possible cause."""
    status: int = 401
    """The HTTP status of a refusal: 401, 403 or 503."""
    code: str = ""
    """Why the request was refused, one of :data:`CODES`; empty if it was accepted."""
    would_match: str | None = None
    """On a signature mismatch: a changed target for which the signature is valid, in words, if one
    was found."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The checks in order; the last one of a refusal failed."""
        checks = [(text, True, "") for text in self.passed]
        if not self.accepted:
            checks.append((self.reason, False, self.code))
        parts = ((text.partition(": "), ok, code) for text, ok, code in checks)
        return tuple(Step(name, ok, detail, code) for (name, _, detail), ok, code in parts)

    def __repr__(self) -> str:
        if self.accepted:
            return "<Verdict accepted>"
        return shortened(f"<Verdict refused {self.status} {self.code}: {self.reason}>", REPR_LIMIT)


def sign(secret: bytes, *, target: str, body: bytes, timestamp: str, nonce: str) -> str:
    """Return the ``X-Wove-Signature`` of a request (wove 2.x, scheme "wove-v1", transport
    "http")."""
    canonical = canonical_string(target, hashlib.sha256(body).hexdigest(), timestamp, nonce)
    return _signature(secret, canonical)


def canonical_string(target: str, body_hash: str, timestamp: str, nonce: str) -> str:
    """Return the string to sign: six lines, the last one the body's SHA-256 in hex."""
    return "\n".join(("wove-v1", "http", target, timestamp, nonce, body_hash))


def _signature(secret: bytes, canonical: str) -> str:
    data = canonical.encode("utf-8", "surrogateescape")
    return "v1=" + hmac.digest(secret, data, "sha256").hex()


def _same(left: str, right: str) -> bool:
    # Bytes, because compare_digest raises TypeError for a non-ASCII str.
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )


class _RefusedError(Exception):
    """A check failed: why, in words, and the ``code`` and HTTP ``status`` of the refusal."""

    def __init__(self, reason: str, code: str, status: int = 401) -> None:
        super().__init__(reason)
        self.code = code
        self.status = status


KnownSecrets = Callable[[], Iterable[tuple[str, bytes]]]
"""Returns a label and the secret of each other worker that is known here."""


class Authenticator:
    """Checks requests against one set of credentials. Thread-safe.

    ``clock`` returns seconds since the epoch. ``known_secrets`` yields (label, secret) pairs of
    other workers. If a signature does not match, each of them is tried, so that the hint can name
    the worker.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        hosts: Iterable[str] = LOCAL_NAMES,
        clock: Callable[[], float] = time.time,
        known_secrets: KnownSecrets = tuple,
        nonce_limit: int = NONCE_LIMIT,
    ) -> None:
        self.credentials = credentials
        self.hosts = {host.lower() for host in hosts}
        self._clock = clock
        self._known_secrets = known_secrets
        self._nonces = NonceMemory(credentials.clock_skew, nonce_limit)

    def altered(self, *, secret: bytes | None, clock_offset: float) -> Authenticator:
        """Return a copy with another secret, or with a clock that is ``clock_offset`` seconds
        ahead."""
        clock = self._clock
        changed = self.credentials
        if secret is not None:
            changed = dataclasses.replace(changed, secret=secret)
        return Authenticator(
            changed,
            hosts=self.hosts,
            clock=lambda: clock() + clock_offset,
            known_secrets=lambda: [("this worker, as configured", self.credentials.secret)],
        )

    def verify(self, request: Request) -> Verdict:
        """Check ``request`` and return the verdict. Never raises, regardless of the headers."""
        return self._verdict(request, self._check_signed)

    def judge_head(self, head: Request) -> Verdict | None:
        """Return the refusal if the head is enough to refuse the request; ``None`` if its body is
        needed. Never raises, regardless of the headers."""
        verdict = self._verdict(head, self._check_signed_head)
        return None if verdict.accepted else verdict

    def _verdict(
        self, request: Request, check_signed: Callable[[Request, list[str]], None]
    ) -> Verdict:
        """Return the verdict of the checks, each of which adds what passed to a list of texts."""
        mode = self.credentials.mode
        passed: list[str] = []
        try:
            if mode == "signed":
                check_signed(request, passed)
            elif mode == "bearer":
                self._check_token(request, passed)
            else:
                self._check_origin(request, passed)
        except _RefusedError as exc:
            verdict = Verdict(False, str(exc), tuple(passed), status=exc.status, code=exc.code)
            if exc.code == "signature-mismatch":
                self._explain(verdict, request)
            return verdict
        return Verdict(True, passed=tuple(passed))

    def _check_signed(self, request: Request, passed: list[str]) -> None:
        now = self._clock()
        timestamp, nonce, signature = self._check_without_body(request, now, passed)
        canonical = canonical_string(request.target, request.body_hash(), timestamp, nonce)
        passed.append("canonical string: " + canonical.replace("\n", "|")[:400])
        if not _same(signature, _signature(self.credentials.secret, canonical)):
            raise _RefusedError(*_MISMATCH)
        passed.append("signature")
        if self.credentials.remember_nonces:
            if (refusal := _NONCE_REFUSALS[self._nonces.remember(nonce, now)]) is not None:
                raise _RefusedError(*refusal)
            passed.append("nonce")

    def _check_signed_head(self, head: Request, passed: list[str]) -> None:
        *_, signature = self._check_without_body(head, self._clock(), passed)
        if _SIGNATURE.fullmatch(signature) is None:
            raise _RefusedError(*_MISMATCH)

    def _check_without_body(
        self, request: Request, now: float, passed: list[str]
    ) -> tuple[str, str, str]:
        """Check what needs no body: that all headers are there, the key id, and the timestamp.
        Return timestamp, nonce and signature."""
        key, timestamp, nonce, signature = [_only(request, name) for name in SIGNED_HEADERS]
        passed.append("headers")
        if not _same(key, self.credentials.key):
            raise _RefusedError(f"key: unknown key {key[:80]!r}", "unknown-key")
        passed.append("key")
        skew = _seconds(timestamp) - now
        if abs(skew) > self.credentials.clock_skew:
            side = "ahead of" if skew > 0 else "behind"
            limit = f"{self.credentials.clock_skew:g} s"
            found = f"{abs(skew):.0f} s {side} this clock; limit {limit}"
            raise _RefusedError(f"timestamp: {found}", "timestamp-skew")
        passed.append(f"timestamp: skew {round(skew):+d} s")
        return timestamp, nonce, signature

    def _check_token(self, request: Request, passed: list[str]) -> None:
        scheme, _, token = _only(request, "Authorization").partition(" ")
        if scheme.lower() != "bearer":  # RFC 9110, 11.1: the scheme is case-insensitive
            reason = "headers: Authorization is not of the Bearer scheme"
            raise _RefusedError(reason, "not-bearer")
        # http.client writes header values as latin-1, and the request's head was decoded as such.
        if not _same(token, self.credentials.secret.decode("utf-8")):
            raise _RefusedError("token: is not this worker's token", "token-mismatch")
        passed.append("token")

    def _explain(self, verdict: Verdict, request: Request) -> None:
        """Set ``would_match`` and ``hint`` of ``verdict`` after a signature mismatch."""
        headers, digest = request.headers, request.body_hash()
        timestamp, nonce, signature = (headers.get(name) or "" for name in SIGNED_HEADERS[1:])

        def matches(secret: bytes, target: str) -> bool:
            canonical = canonical_string(target, digest, timestamp, nonce)
            return _same(signature, _signature(secret, canonical))

        for what, target in _target_variants(request.target):
            if matches(self.credentials.secret, target):
                verdict.would_match = f"{what} ({target[:200]!r})"
                verdict.hint = (
                    f"it would match {verdict.would_match}: a proxy may have rewritten it"
                )
                return
        verdict.hint = "another secret, or a body or target changed on the way"
        for label, secret in self._known_secrets():
            if secret != self.credentials.secret and matches(secret, request.target):
                verdict.hint = f"it was signed with the secret of {label}"

    def _check_origin(self, request: Request, passed: list[str]) -> None:
        # Without authentication any web page could POST a pickle to loopback: a cross-site form
        # or fetch cannot set this content type without a preflight, and names its Origin; a
        # rebound DNS name shows in Host (Fetch standard, "CORS-safelisted request-header").
        headers = request.headers
        kinds = headers.getlist("Content-Type")
        kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
        hosts = headers.getlist("Host")
        host = Host.of_authority(hosts[0]).text.lower() if len(hosts) == 1 else ""
        if headers.get("Origin") is not None:
            reason = "origin: a request with an Origin header is refused"
            raise _RefusedError(reason, "origin-sent", 403)
        if host not in self.hosts:
            reason = f"host: {host[:80]!r} is not a name of this worker"
            raise _RefusedError(reason, "unknown-host", 403)
        if kind != "application/json":
            raise _RefusedError("content type: must be application/json", "content-type", 403)
        passed.append("none: no authentication required")


_MISMATCH = ("signature: does not match", "signature-mismatch")
_NONCE_REFUSALS: dict[str, tuple[str, str, int] | None] = {
    "fresh": None,
    "replayed": ("nonce: this signature was used before", "nonce-replayed", 401),
    "full": (
        "nonce: memory is full of nonces still inside the window; try again later",
        "nonce-memory-full",
        503,
    ),
}


def _only(request: Request, name: str) -> str:
    """Return the value of the header ``name``, which must be there once and not be empty."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise _RefusedError(f"headers: {name} is sent more than once", "header-repeated")
    if not values or not values[0]:
        raise _RefusedError(f"headers: {name} is missing", "header-missing")
    return values[0]


def _seconds(timestamp: str) -> float:
    try:
        seconds = float(timestamp)
    except ValueError:
        reason = f"timestamp: {timestamp[:40]!r} is not a number of seconds"
        raise _RefusedError(reason, "timestamp-malformed") from None
    if not math.isfinite(seconds):
        reason = f"timestamp: {timestamp[:40]!r} is not finite"
        raise _RefusedError(reason, "timestamp-malformed")
    return seconds


def _target_variants(target: str) -> Iterator[tuple[str, str]]:
    path, mark, query = target.partition("?")
    if mark:
        yield "the path without its query string", path
    decoded = urllib.parse.unquote(path) + mark + query
    if decoded != target:
        yield "the decoded path", decoded
    quoted = urllib.parse.quote(path, safe="/%:@!$&'()*+,;=~") + mark + query
    if quoted != target:
        yield "the percent-encoded path", quoted
    if path.endswith("/") and path != "/":
        yield "the path without its trailing slash", path[:-1] + mark + query
    else:
        yield "the path with a trailing slash", path + "/" + mark + query
