"""The options of a worker, the same words in a marker, a factory, ``HttpWorker(...)`` and as
``--flags`` of the command line. This room checks them; it starts nothing.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import math
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.errors import UsageError

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)
RESPONSE_SHAPES = ("events", "list", "frame")
"""The three forms of an answer on Wove's http page."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def described(default: Any, doc: str) -> Any:
    """An option: its default and one line of documentation (the command line's help)."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Options:
    """Every option, with its default. Raises :class:`UsageError` for a value that cannot be."""

    tls: bool = described(True, "serve https (false: plain http)")
    security: Any = field(
        default="signed",
        metadata={"doc": "signed, bearer, none, or any form of executor_config.security"},
    )
    secret: str | None = field(
        default=None,
        repr=False,
        metadata={"doc": "the shared secret or bearer token (default: random)"},
    )
    key: str = described("default", "the key id of signed requests")
    clock_skew: float = described(300.0, "seconds that a timestamp may differ")
    host: str = described("localhost", "the name or address to listen on")
    port: int = described(0, "the port (0: a free one)")
    path: str = described("/wove/tasks", "the path that takes command frames")
    environment: str = described("workers", "the name of the Wove environment")
    impersonate: str | None = described(None, "an https URL that is to reach this worker")
    headers: Mapping[str, str] | None = described(None, "extra headers the executor sends")
    insecure: bool = described(False, "allow what the non-local policy refuses")
    response_shape: str = described("events", "events, list or frame")
    max_body: int = described(64 * 2**20, "the largest request body, in bytes")
    isolated: bool = described(False, "run the service in a child process")
    """Like any worker process, it forgets the nonces it has seen when it is restarted."""
    faults: Sequence[Any] = described((), "faults in force from the start")
    strict: bool = described(True, "fail a test on what no fault asked for")
    timeout: float | None = described(10.0, "the executor's timeout, in seconds")
    delivery_timeout: float | None = described(15.0, "the delivery timeout, in seconds")

    @classmethod
    def of(cls, **words: Any) -> Options:
        """Options from keyword arguments; an unknown word is a :class:`UsageError`."""
        known = [option.name for option in dataclasses.fields(cls)]
        for word in words:
            if word not in known:
                close = difflib.get_close_matches(word, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
                raise UsageError(f"unknown option {word!r}; {hint}")
        return cls(**words)

    def __post_init__(self) -> None:
        for name in ("tls", "insecure", "isolated", "strict"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} is True or False, not {getattr(self, name)!r}")
        for name in ("key", "host", "path", "environment"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{name} is text, not {getattr(self, name)!r}")
        if self.impersonate is not None and not isinstance(self.impersonate, str):
            raise UsageError(f"impersonate is a URL, not {self.impersonate!r}")
        _check_headers(self.headers)
        if not isinstance(self.port, int) or isinstance(self.port, bool):
            raise UsageError(f"port must be a whole number, not {self.port!r}")
        if not self.path.startswith("/") or not self.path.isascii() or " " in self.path:
            raise UsageError(f"path must start with '/' and be percent-encoded, not {self.path!r}")
        if "?" in self.path or "#" in self.path:
            raise UsageError("path is without a query: every query is accepted")
        if self.response_shape not in RESPONSE_SHAPES:
            raise UsageError(f"response_shape must be one of {', '.join(RESPONSE_SHAPES)}")
        if type(self.max_body) is not int or self.max_body < 1:
            raise UsageError(f"max_body is a number of bytes, 1 or more, not {self.max_body!r}")
        for name in ("timeout", "delivery_timeout"):
            value = getattr(self, name)
            if value is not None and not (
                type(value) in (int, float) and math.isfinite(value) and value > 0
            ):
                raise UsageError(f"{name} is a number of seconds above 0, or None, not {value!r}")
        if self.impersonate is not None:
            impersonated(self.impersonate)
        if isinstance(self.faults, (str, bytes)) or not isinstance(self.faults, Sequence):
            raise UsageError("faults is a list; write faults=[…]")
        if not self.environment:
            raise UsageError("environment must be a name")

    def check_exposure(self, security_mode: str) -> None:
        """The executor's own rule, on this side: beyond loopback only with TLS and authentication.

        Raises :class:`UsageError` unless ``insecure`` says otherwise.
        """
        if self.insecure or is_loopback(self.host):
            return
        if not self.tls or security_mode == "none":
            raise UsageError(
                f"host {self.host!r} is not loopback: serve it with TLS and authentication, or"
                " say insecure=True (--insecure)"
            )


def _check_headers(headers: Any) -> None:
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise UsageError(f"headers is a dict of names and values, not {headers!r}")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(str(name)):
            raise UsageError(f"{name!r} is no header name (RFC 9110, 5.1)")
        if not str(value).isprintable():
            raise UsageError(f"the value of header {name!r} has line breaks or control characters")


def is_host_name(text: str) -> bool:
    """Whether ``text`` can be a host's name (RFC 1123, 2.1, and underscores; perhaps ``*.`` first,
    as in a certificate)."""
    return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether ``host`` can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def impersonated(url: str) -> tuple[str, int, str]:
    """The (host, port, path) of a URL to impersonate. Raises :class:`UsageError` for one that
    cannot be: it must be https (the executor's non-local policy) and name a host."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except (ValueError, AttributeError) as exc:
        raise UsageError(f"impersonate: {url!r} is no URL: {exc}") from exc
    if parts.scheme != "https" or not host:
        raise UsageError(f"impersonate takes an https:// URL, not {url!r}")
    if parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            f"impersonate takes a URL without a user name, percent-encoded, not {url!r}"
        )
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not is_host_name(host):
            raise UsageError(f"impersonate: {host!r} is no host name") from None
        return host, port, parts.path or "/"
    raise UsageError(f"impersonate takes a host name, not the address {host}; use host= for that")
