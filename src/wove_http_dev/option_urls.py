"""The URLs in the options ``upstream`` and ``impersonate``, and their parts."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass

from wove_http_dev.errors import UsageError
from wove_http_dev.hosts import Host
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
    parts = _parts(
        "upstream", url, ("http", "https"), "; credentials are the option upstream_security"
    )
    if "#" in url:
        raise UsageError(f"upstream takes a URL without a fragment, not {shown_url(url)!r}")
    if parts.port == 0:
        raise UsageError(f"upstream: {shown_url(url)!r} has the port 0, where nothing listens")
    secure, host = parts.scheme == "https", parts.hostname or ""
    if not (Host(host).is_name or Host(host).is_address):
        raise UsageError(f"upstream: {host!r} is not a host name or address")
    path = parts.path or "/"
    # As Wove's executor signs it (wove.security._canonical_http_target): an empty query has no "?".
    target = f"{path}?{parts.query}" if parts.query else path
    return UpstreamAddress(secure, host, parts.port or (443 if secure else 80), target)


def impersonated(url: str) -> tuple[str, int, str]:
    """Split a URL to impersonate into (host, port, path). Raises :class:`UsageError` unless it is
    an https URL with a host name; Wove's executor refuses http URLs of non-local hosts."""
    __tracebackhide__ = True  # --showlocals would show a password in the parts of the URL
    parts = _parts("impersonate", url, ("https",))
    host = parts.hostname or ""
    if Host(host).is_address:
        raise UsageError(
            f"impersonate takes a host name, not the address {host}; use host= for that"
        )
    if not Host(host).is_name:
        raise UsageError(f"impersonate: {host!r} is not a host name")
    return host, parts.port or 443, parts.path or "/"


def _parts(
    option: str, url: str, schemes: tuple[str, ...], instead: str = ""
) -> urllib.parse.SplitResult:
    """Return the parts of ``url``, which has a host and a valid port. ``instead`` says where the
    credentials go that are not in the URL. Raises :class:`UsageError`, which names ``option``."""
    __tracebackhide__ = True
    takes = f"{option} takes an {' or '.join(f'{scheme}://' for scheme in schemes)} URL"
    if not isinstance(url, str):
        raise UsageError(f"{takes}, not {url!r}")
    shown = repr(shown_url(url))
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port  # these raise, too
    except ValueError as exc:
        why = "" if "@" in url else f": {exc}"  # it can have a part of a password
        raise UsageError(f"{option}: {shown} is not a URL{why}") from None
    if parts.scheme not in schemes or not host:
        raise UsageError(f"{takes}, not {shown}")
    if parts.username is not None:
        raise UsageError(f"{option} takes a URL without a user name, not {shown}{instead}")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{option} takes a URL that is percent-encoded, not {shown}")
    return parts
