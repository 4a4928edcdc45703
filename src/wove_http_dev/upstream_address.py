"""``UpstreamAddress``: where the option ``upstream`` leads."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass

from wove_http_dev.errors import UsageError
from wove_http_dev.secret import shown_url


@dataclass(frozen=True)
class UpstreamAddress:
    """The parts of an upstream URL. ``host`` has no brackets; ``target`` is what the request line
    names and what is signed: path and query, as they are written."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header: without the port that the scheme has anyway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """Host and port for a message."""
        return f"{self.host} port {self.port}"


def upstream_address(url: str) -> UpstreamAddress:
    """Return the parts of ``url``. Raises :class:`UsageError` unless it is an http or https URL
    that can be requested as it is written."""
    __tracebackhide__ = True  # --showlocals would show a password in the parts of the URL
    shown = repr(shown_url(url))
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        why = "" if "@" in url else f": {exc}"  # it can have a part of a password
        raise UsageError(f"upstream: {shown} is not a URL{why}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"upstream takes an http:// or https:// URL, not {shown}")
    if parts.username is not None:
        raise UsageError(
            f"upstream takes a URL without a user name, not {shown}; credentials are the option"
            " upstream_security"
        )
    if not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        raise UsageError(f"upstream takes a URL without a fragment, percent-encoded, not {shown}")
    if port == 0:
        raise UsageError(f"upstream: {shown} has the port 0, where nothing listens")
    secure = parts.scheme == "https"
    path = parts.path or "/"
    # As Wove's executor signs it (wove.security._canonical_http_target): an empty query has no "?".
    target = f"{path}?{parts.query}" if parts.query else path
    return UpstreamAddress(secure, host, port or (443 if secure else 80), target)
