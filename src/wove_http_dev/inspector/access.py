"""Who may use the control API and the page: checks of ``Host``, ``Origin``, token and
``Content-Type``, and the headers that each answer has.

Every web page that the user visits can send requests to a port of this machine. ``Host`` refuses
those whose name was bound to 127.0.0.1 (DNS rebinding), ``Origin`` and ``Content-Type`` those that
a browser sends for another page (also one on another port, for which SameSite is no bar), and the
token all others.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.parse

from werkzeug.wrappers import Request

from wove_http_dev.errors import WoveHttpDevError
from wove_http_dev.secret import Secret

SECURITY_HEADERS = (
    ("Content-Security-Policy", "default-src 'self'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
"""Headers of every answer."""
WRITES = ("POST", "PUT", "PATCH", "DELETE")
_NAMES = ("127.0.0.1", "localhost", "[::1]")
_DEFAULT_PORT = 80
_ADDRESS = "open the address that serve prints ('page: …'), or send 'Authorization: Bearer TOKEN'"


class AccessError(WoveHttpDevError):
    """A request is refused, with the HTTP status ``status``. ``hint`` says what to do."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint


class Access:
    """The checks of a server on ``port`` whose clients know ``token``."""

    def __init__(self, token: str, port: int) -> None:
        self._token = Secret(token)
        authorities = [f"{name}:{port}" for name in _NAMES]
        self._hosts = frozenset([*authorities, *(_NAMES if port == _DEFAULT_PORT else ())])
        # Browsers send a cookie to every port of its host: the name keeps those of two servers
        # apart, and another server does not get the token itself.
        self.cookie_name = f"wove_http_dev_{port}"
        self._cookie = Secret(hmac.new(token.encode(), b"cookie", hashlib.sha256).hexdigest())

    def check_source(self, request: Request) -> None:
        """Raise :class:`AccessError` unless ``Host`` is a name of this server and ``Origin``, if
        sent, its own."""
        host = request.environ.get("HTTP_HOST", "").lower()
        if host not in self._hosts:
            raise AccessError(
                403, "Host is not a name of this server", "use http://127.0.0.1 and its port"
            )
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() != f"http://{host}":
            raise AccessError(
                403,
                "the request comes from another web page (Origin)",
                "open the page at its own address, or send no Origin",
            )

    def check_token(self, request: Request) -> None:
        """Raise :class:`AccessError` unless the request has the token, or the cookie for it."""
        # Each of that name: a page on another port of this host can set one for a longer path,
        # which a browser sends first (RFC 6265, 5.4).
        cookies = request.cookies.getlist(self.cookie_name)
        if not self._has_bearer(request) and not any(
            self._same(each, self._cookie) for each in cookies
        ):
            sent = "Authorization" in request.headers or cookies
            problem = "the token is not this server's" if sent else "a token is needed"
            raise AccessError(401, problem, _ADDRESS)

    def check_write(self, request: Request) -> None:
        """Raise :class:`AccessError` for a write that a browser may send for another page without
        asking this server: one that is not ``application/json``.

        A request without a body needs no ``Content-Type`` if it has the token in a header, which no
        other page can set.
        """
        if request.method not in WRITES or request.mimetype == "application/json":
            return
        empty = not request.environ.get("CONTENT_TYPE") and not request.content_length
        if not (empty and self._has_bearer(request)):
            raise AccessError(415, "a write must be JSON", "send 'Content-Type: application/json'")

    def entry(self, request: Request) -> str | None:
        """Return the value of ``Set-Cookie`` if the request has the token in its query; ``None`` if
        it has no token there. Raises :class:`AccessError` for another token."""
        token = request.args.get("token")
        if token is None:
            return None
        if not self._same(token, self._token):
            raise AccessError(401, "the token is not this server's", _ADDRESS)
        return f"{self.cookie_name}={self._cookie!s}; HttpOnly; SameSite=Strict; Path=/"

    def page_url(self, url: str) -> Secret:
        """Return ``url``, that of the page, with the token that opens it."""
        return Secret(f"{url}?{urllib.parse.urlencode({'token': str(self._token)})}")

    def _has_bearer(self, request: Request) -> bool:
        scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return scheme.lower() == "bearer" and self._same(token.strip(), self._token)

    @staticmethod
    def _same(left: str, right: str) -> bool:
        # Bytes, because compare_digest raises TypeError for a text that is not ASCII.
        return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode())
