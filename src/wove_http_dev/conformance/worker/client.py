"""The service under test as a client sees it: its URL, the credentials, and requests to it.

The signing scheme ("wove-v1", HMAC-SHA256) is implemented here a second time, so that the checker
shares no code with the package's own service or with Wove.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import ipaddress
import secrets
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.wire import (
    Connection,
    Deadline,
    Hearer,
    HttpResponse,
    NoAnswer,
    Observer,
)

KEY, TIMESTAMP, NONCE, SIGNATURE = (
    "X-Wove-Key",
    "X-Wove-Timestamp",
    "X-Wove-Nonce",
    "X-Wove-Signature",
)
RESOLVE_TIMEOUT = 10.0
"""Seconds to wait for the host name to be resolved."""
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class UrlError(ValueError):
    """Wove's executor would not accept this URL; the message says why."""


def signature(
    secret: bytes, target: str, timestamp: str, nonce: str, body: bytes, transport: str = "http"
) -> str:
    """Return the value of the header ``X-Wove-Signature`` (Wove docs, ``wove.security``)."""
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"wove-v1\n{transport}\n{target}\n{timestamp}\n{nonce}\n{digest}"
    return "v1=" + hmac.new(secret, canonical.encode("utf-8"), hashlib.sha256).hexdigest()


def request_bytes(
    host: str, target: str, headers: Mapping[str, str], body: bytes, method: str = "POST"
) -> bytes:
    """Return an HTTP request as bytes. Header values may contain any latin-1 character."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def in_chunks(*pieces: bytes) -> bytes:
    """Return ``pieces`` as the chunks of a body (RFC 9112, 7.1), without those that are empty,
    because an empty chunk is the last one."""
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
    return b"".join(chunks) + b"0\r\n\r\n"


class ServiceUnderTest:
    """A worker service at ``url``. Requests are signed with ``secret``, carry the token ``bearer``,
    or have no credentials if both are missing.

    ``ca_file`` is trusted instead of the system's certificate authorities. Raises :class:`UrlError`
    for a bad URL, and ``OSError`` or ``ssl.SSLError`` for a bad CA file.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        bearer: str | None = None,
        key: str = "default",
        ca_file: str | None = None,
    ) -> None:
        parts = _parts(url)
        self.url = url
        self.place = f"{parts.scheme}://{parts.netloc}{parts.path}"
        """The URL for messages: without its query, which may have a key."""
        self.tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self.authority = parts.netloc
        self.path = parts.path or "/"
        self.target = f"{self.path}?{parts.query}" if parts.query else self.path
        self.secret = secret.encode("utf-8") if secret is not None else b""
        self.bearer = bearer or ""
        self.key = key
        self.mode = "signed" if secret is not None else "bearer" if bearer is not None else "none"
        self._context = ssl.create_default_context(cafile=ca_file) if self.tls else None
        self._addresses: list[tuple[int, Any]] = []
        self._observer: Observer = lambda connection, data: None
        self._hearer: Hearer = lambda connection, answer: None
        self._signed = [0]
        self._source = ""

    def observed(self, observer: Observer, hearer: Hearer | None = None) -> ServiceUnderTest:
        """Return a copy of this service that also passes all bytes that it sends to ``observer``,
        and all answers to ``hearer``."""
        observed = copy.copy(self)
        observed._observer = observer
        observed._hearer = hearer or self._hearer
        return observed

    def sent_from(self, source: str) -> ServiceUnderTest:
        """Return a copy of this service whose connections come from ``source``, an IPv4 address of
        this machine, or from the usual one if that is empty."""
        copied = copy.copy(self)
        copied._source = source
        return copied

    @property
    def signed(self) -> int:
        """How many right signatures have been made, by this object and all its copies."""
        return self._signed[0]

    @property
    def local(self) -> bool:
        """Whether Wove treats the host as local; for any other host, Wove requires TLS and
        authentication."""
        return self.host.lower() in LOCAL_HOSTS

    @property
    def loopback(self) -> bool:
        """Whether the host is certainly this machine."""
        try:
            return self.local or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    # Connections

    def connect(self, deadline: Deadline) -> Connection:
        """Connect, complete the TLS handshake, and return the connection. Raises :class:`NoAnswer`
        if this fails."""
        return Connection(self._secure_socket, deadline, self._observer, self._hearer)

    def silent_socket(self, deadline: Deadline) -> socket.socket:
        """Return a connected socket on which nothing has been sent, not even the first message of
        TLS."""
        sock = self._connected_socket(deadline)
        self._observer(sock, b"")
        return sock

    def _connected_socket(self, deadline: Deadline) -> socket.socket:
        family, address = self._resolve(deadline)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left())
            if self._source:
                sock.bind((self._source, 0))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def _secure_socket(self, deadline: Deadline) -> socket.socket:
        sock = self._connected_socket(deadline)
        if self._context is None:
            return sock
        try:
            sock = self._context.wrap_socket(
                sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            sock.settimeout(deadline.left())
            sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        return sock

    def _resolve(self, deadline: Deadline) -> tuple[int, Any]:
        if not self._addresses:
            # getaddrinfo has no timeout; on a thread it cannot block the checker.
            lookup = Background(
                lambda: socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            )
            try:
                found = lookup.result(min(RESOLVE_TIMEOUT, deadline.left()))
            except OSError as exc:
                raise NoAnswer(f"the host name {self.host} cannot be resolved: {exc}") from exc
            self._addresses.append(_first_that_connects(found, deadline))
        return self._addresses[0]

    def own_address(self) -> str:
        """Return the IP address that this machine has in a connection to the service."""
        sock = self._connected_socket(Deadline(RESOLVE_TIMEOUT))
        try:
            return str(sock.getsockname()[0])
        finally:
            sock.close()

    # Requests

    def credentials(
        self,
        body: bytes,
        *,
        target: str | None = None,
        secret: bytes | None = None,
        key: str | None = None,
        timestamp: str | None = None,
        nonce: str | None = None,
        transport: str = "http",
    ) -> dict[str, str]:
        """Return the headers that authenticate ``body``. Each keyword argument replaces one part of
        a signature, e.g. the timestamp."""
        if self.mode == "none":
            return {}
        if self.mode == "bearer":
            return {"Authorization": f"Bearer {self.bearer}"}
        self._signed[0] += secret is None and key is None and timestamp is None
        stamp = str(int(time.time())) if timestamp is None else timestamp
        mark = secrets.token_urlsafe(18) if nonce is None else nonce
        material = self.secret if secret is None else secret
        return {
            KEY: self.key if key is None else key,
            TIMESTAMP: stamp,
            NONCE: mark,
            SIGNATURE: signature(material, target or self.target, stamp, mark, body, transport),
        }

    def request(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        target: str | None = None,
        keep: bool = False,
        method: str = "POST",
    ) -> bytes:
        """Return an HTTP request as bytes, in the form that Wove's executor sends. ``headers`` hold
        the credentials.

        If ``keep`` is true, the request asks the service to keep the connection open; Wove's own
        ask to close it.
        """
        fields = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "keep-alive" if keep else "close",
            "User-Agent": "wove-http-dev-check",
            **headers,
        }
        return request_bytes(self.authority, target or self.target, fields, body, method)

    def exchange(self, request: bytes, deadline: Deadline, method: str = "POST") -> HttpResponse:
        """Send ``request`` on a new connection and return the answer. Raises :class:`NoAnswer` if
        none comes before ``deadline``."""
        connection = self.connect(deadline)
        try:
            connection.send(request, deadline)
            return connection.answer(deadline, method)
        finally:
            connection.close()


def _first_that_connects(found: list[Any], deadline: Deadline) -> tuple[int, Any]:
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as sock:
            sock.settimeout(max(0.05, deadline.left() / 2))
            try:
                sock.connect(address)
            except OSError as exc:
                error = exc
            else:
                return family, address
    raise error


def _parts(url: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 (parsing it is the check)
    except ValueError as exc:
        if "@" in url:  # a password may be in it, and in the text of exc
            raise UrlError("what is given is not a URL, or has a user name or password") from None
        raise UrlError(f"{url.partition('?')[0]!r} is not a URL: {exc}") from exc
    if parts.username is not None:
        raise UrlError("the URL must not hold a user name or password")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = "what is given" if "@" in url else repr(url.partition("?")[0])
        raise UrlError(f"{shown} is not an http:// or https:// URL with a host")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UrlError("the URL must be percent-encoded")
    return parts
