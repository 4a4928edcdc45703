"""Who may send a command frame: bytes, headers and target in, a :class:`Verdict` out.

The signing scheme is Wove's (``wove.security.NetworkExecutorSecurity``, "wove-v1"); the cost of a
check here does not grow with the requests seen before. This room opens no socket and decodes no
frame: the body is hashed, never parsed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import math
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from werkzeug.datastructures import Headers

from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.protocol.messages import Request

KEY, TIMESTAMP, NONCE, SIGNATURE = (
    "X-Wove-Key",
    "X-Wove-Timestamp",
    "X-Wove-Nonce",
    "X-Wove-Signature",
)
SIGNED_HEADERS = (KEY, TIMESTAMP, NONCE, SIGNATURE)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")  # wove.security._is_local_host
NONCE_LIMIT = 250_000


class Step(NamedTuple):
    """One rung of the ladder: what was checked, whether it held, what was seen."""

    name: str
    ok: bool
    detail: str = ""


@dataclass
class Verdict:
    """The outcome of a check. ``status`` is what a refusal answers: 401, 403 or 503."""

    accepted: bool
    reason: str = ""
    steps: tuple[Step, ...] = ()
    hint: str | None = None
    """On a mismatch: what would have matched."""
    status: int = 401


class NonceMemory:
    """Nonces seen inside the window, forgotten after it, at a constant cost per request.

    Bounded by ``limit``: when it is full of nonces that are still inside the window it says so
    (the request is answered 503) and never forgets one early, which would let a replay in.
    """

    def __init__(self, window: float, limit: int = NONCE_LIMIT) -> None:
        self._window = window
        self._limit = limit
        self._seen: set[bytes] = set()
        self._order: deque[tuple[float, bytes]] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def remember(self, nonce: str, now: float) -> str:
        """``"fresh"``, ``"replayed"`` or ``"full"``; only a fresh nonce is stored."""
        # A digest, so that a 60 KiB nonce costs no more memory than a short one.
        mark = hashlib.blake2b(nonce.encode("utf-8", "surrogateescape"), digest_size=16).digest()
        with self._lock:
            for _ in range(2):  # two out for one in: shrinks steadily, never scans
                if not self._order or self._order[0][0] >= now:  # the edge is still inside
                    break
                self._seen.discard(self._order.popleft()[1])
            if mark in self._seen:
                return "replayed"
            if len(self._seen) >= self._limit:
                return "full"
            self._seen.add(mark)
            # A timestamp may lie `window` ahead and is accepted until `window` behind it.
            self._order.append((now + 2 * self._window, mark))
            return "fresh"


def sign(secret: bytes, *, target: str, body: bytes, timestamp: str, nonce: str) -> str:
    """The ``X-Wove-Signature`` of one request (wove 2.x, scheme "wove-v1", transport "http")."""
    canonical = canonical_string(target, hashlib.sha256(body).hexdigest(), timestamp, nonce)
    return _signature(secret, canonical)


def canonical_string(target: str, body_hash: str, timestamp: str, nonce: str) -> str:
    """The signed string: six lines, the last one the body's SHA-256 in hex."""
    return "\n".join(("wove-v1", "http", target, timestamp, nonce, body_hash))


def _signature(secret: bytes, canonical: str) -> str:
    data = canonical.encode("utf-8", "surrogateescape")
    return "v1=" + hmac.new(secret, data, hashlib.sha256).hexdigest()


def _same(left: str, right: str) -> bool:
    # Bytes, because compare_digest raises TypeError for a non-ASCII str (upstream-visible defect).
    return hmac.compare_digest(
        left.encode("utf-8", "surrogateescape"), right.encode("utf-8", "surrogateescape")
    )


KnownSecrets = Callable[[], Iterable[tuple[str, bytes]]]


class Authenticator:
    """Checks requests against one set of credentials. Thread-safe.

    ``clock`` gives seconds since the epoch. ``known_secrets`` yields (label, secret) pairs that a
    mismatch is compared with, to say whose secret it was; a label is shown, a secret never.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        hosts: Iterable[str] = LOCAL_HOSTS,
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
        """One like it with another secret, or with a clock that is ``clock_offset`` s ahead."""
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
        """Accept or refuse ``request``; never raises, whatever the headers hold."""
        mode = self.credentials.mode
        if mode == "none":
            return self._browser_guard(request)
        steps: list[Step] = []
        ladder = self._signed(request, steps) if mode == "signed" else self._bearer(request)
        for step in ladder:
            steps.append(step)
            if not step.ok:
                full = step.name == "nonce" and step.detail.startswith("memory")
                return Verdict(
                    accepted=False,
                    reason=f"{step.name}: {step.detail}",
                    steps=tuple(steps),
                    hint=self._hint(request) if step.name == "signature" else None,
                    status=503 if full else 401,
                )
        return Verdict(accepted=True, steps=tuple(steps))

    def _signed(self, request: Request, steps: list[Step]) -> Iterator[Step]:
        headers = request.headers
        wrong = _wrong_headers(headers)
        yield Step("headers", not wrong, wrong)
        key, timestamp, nonce, signature = (headers.get(name) or "" for name in SIGNED_HEADERS)
        known = _same(key, self.credentials.key)
        yield Step("key", known, "" if known else f"unknown key {key[:80]!r}")
        now = self._clock()
        yield self._timestamp(timestamp, now)
        body_hash = hashlib.sha256(request.body).hexdigest()
        canonical = canonical_string(request.target, body_hash, timestamp, nonce)
        yield Step("canonical string", True, canonical.replace("\n", "|")[:400])
        match = _same(signature, _signature(self.credentials.secret, canonical))
        yield Step("signature", match, "" if match else "does not match")
        if self.credentials.remember_nonces:
            state = self._nonces.remember(nonce, now)
            yield Step("nonce", state == "fresh", _NONCE_DETAIL[state])

    def _timestamp(self, text: str, now: float) -> Step:
        try:
            stamp = float(text)
        except ValueError:
            return Step("timestamp", False, f"{text[:40]!r} is not a number of seconds")
        if not math.isfinite(stamp):
            return Step("timestamp", False, f"{text[:40]!r} is not finite")
        skew = stamp - now
        if abs(skew) > self.credentials.clock_skew:
            side = "ahead of" if skew > 0 else "behind"
            limit = f"{self.credentials.clock_skew:g} s"
            return Step("timestamp", False, f"{abs(skew):.0f} s {side} this clock; limit {limit}")
        return Step("timestamp", True, f"skew {skew:+.0f} s")

    def _bearer(self, request: Request) -> Iterator[Step]:
        sent = request.headers.getlist("Authorization")
        if len(sent) != 1:
            count = "missing" if not sent else "sent more than once"
            yield Step("headers", False, f"Authorization is {count}")
            return
        scheme, _, token = sent[0].partition(" ")
        if scheme.lower() != "bearer":  # RFC 9110, 11.1: the scheme is case-insensitive
            yield Step("headers", False, "Authorization is not of the Bearer scheme")
            return
        # http.client writes header values as latin-1; compare the bytes that travelled.
        expected = self.credentials.secret.decode("utf-8")
        match = _same(token, expected)
        yield Step("token", match, "" if match else "is not this worker's token")

    def _hint(self, request: Request) -> str | None:
        headers = request.headers
        timestamp, nonce, signature = (headers.get(name) or "" for name in SIGNED_HEADERS[1:])
        body_hash = hashlib.sha256(request.body).hexdigest()

        def matches(secret: bytes, target: str) -> bool:
            canonical = canonical_string(target, body_hash, timestamp, nonce)
            return _same(signature, _signature(secret, canonical))

        for what, target in _target_variants(request.target):
            if matches(self.credentials.secret, target):
                return f"it would match {what} ({target[:200]!r}): something between rewrote it"
        for label, secret in self._known_secrets():
            if secret != self.credentials.secret and matches(secret, request.target):
                return f"it was signed with the secret of {label}"
        return "another secret, or a body or target changed on the way"

    def _browser_guard(self, request: Request) -> Verdict:
        # Without authentication any web page could POST a pickle to loopback: a cross-site form
        # or fetch cannot set this content type without a preflight, and names its Origin; a
        # rebound DNS name shows in Host (Fetch standard, "CORS-safelisted request-header").
        headers = request.headers
        kinds = headers.getlist("Content-Type")
        kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
        hosts = headers.getlist("Host")
        host = _host_name(hosts[0]) if len(hosts) == 1 else ""
        for name, ok, detail in (
            ("origin", headers.get("Origin") is None, "a request with an Origin header is refused"),
            ("host", host in self.hosts, f"{host[:80]!r} is no name of this worker"),
            ("content type", kind == "application/json", "must be application/json"),
        ):
            if not ok:
                return Verdict(False, f"{name}: {detail}", (Step(name, False, detail),), status=403)
        return Verdict(accepted=True, steps=(Step("none", True, "no authentication asked for"),))


_NONCE_DETAIL = {
    "fresh": "",
    "replayed": "this signature was used before",
    "full": "memory is full of nonces still inside the window; try again later",
}


def _wrong_headers(headers: Headers) -> str:
    for name in SIGNED_HEADERS:
        values = headers.getlist(name)
        if len(values) > 1:
            return f"{name} is sent more than once"
        if not values or not values[0]:
            return f"{name} is missing"
    return ""


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


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
