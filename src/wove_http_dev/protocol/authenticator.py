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
from wove_http_dev.protocol.headers import Headers
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
    """Why the request was refused, in words."""
    steps: tuple[Step, ...] = ()
    """The checks in order; the last one of a refusal failed."""
    hint: str | None = None
    """On a signature mismatch: a possible cause."""
    status: int = 401
    """The HTTP status of a refusal: 401, 403 or 503."""
    code: str = ""
    """Why the request was refused, one of :data:`CODES`; empty if it was accepted."""
    would_match: str | None = None
    """On a signature mismatch: a changed target for which the signature is valid, in words, if one
    was found."""

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
    return "v1=" + hmac.new(secret, data, hashlib.sha256).hexdigest()


def _same(left: str, right: str) -> bool:
    # Bytes, because compare_digest raises TypeError for a non-ASCII str.
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )


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
        mode = self.credentials.mode
        if mode == "none":
            return self._browser_guard(request)
        checks = self._signed(request) if mode == "signed" else self._bearer(request)
        return self._verdict(request, checks)

    def judge_head(self, head: Request) -> Verdict | None:
        """Return the refusal if the head is enough to refuse the request; ``None`` if its body is
        needed. Never raises, regardless of the headers."""
        mode = self.credentials.mode
        if mode == "none":
            verdict = self._browser_guard(head)
        else:
            checks = self._signed_head(head) if mode == "signed" else self._bearer(head)
            verdict = self._verdict(head, checks)
        return None if verdict.accepted else verdict

    def _verdict(self, request: Request, checks: Iterator[Step]) -> Verdict:
        steps: list[Step] = []
        for step in checks:
            steps.append(step)
            if not step.ok:
                return self._refused(request, steps)
        return Verdict(accepted=True, steps=tuple(steps))

    def _refused(self, request: Request, steps: list[Step]) -> Verdict:
        step = steps[-1]
        verdict = Verdict(
            accepted=False,
            reason=f"{step.name}: {step.detail}",
            steps=tuple(steps),
            status=503 if step.code == "nonce-memory-full" else 401,
            code=step.code,
        )
        if step.code == "signature-mismatch":
            self._explain(verdict, request)
        return verdict

    def _signed(self, request: Request) -> Iterator[Step]:
        now = self._clock()
        yield from self._without_body(request, now)
        timestamp, nonce, signature = (request.headers[name] for name in SIGNED_HEADERS[1:])
        canonical = canonical_string(request.target, request.body_hash, timestamp, nonce)
        yield Step("canonical string", True, canonical.replace("\n", "|")[:400])
        match = _same(signature, _signature(self.credentials.secret, canonical))
        yield _step("signature", match, "does not match", "signature-mismatch")
        if self.credentials.remember_nonces:
            yield _NONCE_STEPS[self._nonces.remember(nonce, now)]

    def _signed_head(self, head: Request) -> Iterator[Step]:
        yield from self._without_body(head, self._clock())
        possible = _SIGNATURE.fullmatch(head.headers[SIGNATURE]) is not None
        yield _step("signature", possible, "does not match", "signature-mismatch")

    def _without_body(self, request: Request, now: float) -> Iterator[Step]:
        """Check what needs no body: that all headers are there, the key id, and the timestamp."""
        yield _check_headers(request.headers)
        key = request.headers[KEY]
        known = _same(key, self.credentials.key)
        yield _step("key", known, f"unknown key {key[:80]!r}", "unknown-key")
        yield self._timestamp(request.headers[TIMESTAMP], now)

    def _timestamp(self, text: str, now: float) -> Step:
        try:
            stamp = float(text)
        except ValueError:
            detail = f"{text[:40]!r} is not a number of seconds"
            return Step("timestamp", False, detail, "timestamp-malformed")
        if not math.isfinite(stamp):
            return Step("timestamp", False, f"{text[:40]!r} is not finite", "timestamp-malformed")
        skew = stamp - now
        if abs(skew) > self.credentials.clock_skew:
            side = "ahead of" if skew > 0 else "behind"
            limit = f"{self.credentials.clock_skew:g} s"
            detail = f"{abs(skew):.0f} s {side} this clock; limit {limit}"
            return Step("timestamp", False, detail, "timestamp-skew")
        return Step("timestamp", True, f"skew {round(skew):+d} s")

    def _bearer(self, request: Request) -> Iterator[Step]:
        sent = request.headers.getlist("Authorization")
        if not sent:
            yield Step("headers", False, "Authorization is missing", "header-missing")
            return
        if len(sent) > 1:
            detail = "Authorization is sent more than once"
            yield Step("headers", False, detail, "header-repeated")
            return
        scheme, _, token = sent[0].partition(" ")
        if scheme.lower() != "bearer":  # RFC 9110, 11.1: the scheme is case-insensitive
            detail = "Authorization is not of the Bearer scheme"
            yield Step("headers", False, detail, "not-bearer")
            return
        # http.client writes header values as latin-1, and the request's head was decoded as such.
        expected = self.credentials.secret.decode("utf-8")
        match = _same(token, expected)
        yield _step("token", match, "is not this worker's token", "token-mismatch")

    def _explain(self, verdict: Verdict, request: Request) -> None:
        """Set ``would_match`` and ``hint`` of ``verdict`` after a signature mismatch."""
        headers = request.headers
        timestamp, nonce, signature = (headers.get(name) or "" for name in SIGNED_HEADERS[1:])

        def matches(secret: bytes, target: str) -> bool:
            canonical = canonical_string(target, request.body_hash, timestamp, nonce)
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

    def _browser_guard(self, request: Request) -> Verdict:
        # Without authentication any web page could POST a pickle to loopback: a cross-site form
        # or fetch cannot set this content type without a preflight, and names its Origin; a
        # rebound DNS name shows in Host (Fetch standard, "CORS-safelisted request-header").
        headers = request.headers
        kinds = headers.getlist("Content-Type")
        kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
        hosts = headers.getlist("Host")
        host = Host.of_authority(hosts[0]).text.lower() if len(hosts) == 1 else ""
        step = Step("none", True, "no authentication required")
        if headers.get("Origin") is not None:
            detail = "a request with an Origin header is refused"
            step = Step("origin", False, detail, "origin-sent")
        elif host not in self.hosts:
            detail = f"{host[:80]!r} is not a name of this worker"
            step = Step("host", False, detail, "unknown-host")
        elif kind != "application/json":
            step = Step("content type", False, "must be application/json", "content-type")
        if step.ok:
            return Verdict(accepted=True, steps=(step,))
        reason = f"{step.name}: {step.detail}"
        return Verdict(False, reason, (step,), status=403, code=step.code)


_NONCE_STEPS = {
    "fresh": Step("nonce", True),
    "replayed": Step("nonce", False, "this signature was used before", "nonce-replayed"),
    "full": Step(
        "nonce",
        False,
        "memory is full of nonces still inside the window; try again later",
        "nonce-memory-full",
    ),
}


def _step(name: str, ok: bool, detail: str, code: str) -> Step:
    """Return a step; ``detail`` and ``code`` are used only if it is not ``ok``."""
    return Step(name, True) if ok else Step(name, False, detail, code)


def _check_headers(headers: Headers) -> Step:
    for name in SIGNED_HEADERS:
        values = headers.getlist(name)
        if len(values) > 1:
            return Step("headers", False, f"{name} is sent more than once", "header-repeated")
        if not values or not values[0]:
            return Step("headers", False, f"{name} is missing", "header-missing")
    return Step("headers", True)


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
