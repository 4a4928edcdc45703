"""The data classes for an HTTP request that arrived and a reply to write."""

from __future__ import annotations

import hashlib
import http
import json
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.protocol.headers import Headers

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time
REASONS: dict[int, str] = {status.value: status.phrase for status in http.HTTPStatus}


@dataclass  # not frozen, whose construction takes three times as long (0.6 µs)
class Request:
    """A request. The head is decoded as latin-1 (RFC 9110, 5.5), the body is unchanged."""

    method: str
    target: str
    """The target of the request line, byte for byte: path and query, percent-escapes as sent."""
    headers: Headers
    body: bytes = field(repr=False)
    secure: bool = False
    """Whether the request came over TLS."""

    def body_hash(self) -> str:
        """Return the SHA-256 of the body in hex, which is signed."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass
class Reply:
    """An HTTP reply to write. ``body`` is the complete body."""

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: list[tuple[str, str]] = field(default_factory=list)
    reason: str | None = None
    """The reason phrase; ``None`` is the standard one. Wove's executor shows only the reason phrase
    of an error reply."""
    interim: bytes = b""
    """Interim responses (1xx) to write before the reply."""

    def content(self, method: str) -> bytes:
        """Return what follows the head in the response to a request with ``method``: the body, or
        nothing where a client expects none (RFC 9112, 6.3)."""
        return b"" if method == "HEAD" or self.status in (204, 304) else self.body

    def head(self, *, close: bool) -> bytes:
        """Return the status line and the headers, with the empty line at the end."""
        reason = self.reason if self.reason is not None else REASONS.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        names = {name.lower() for name, _ in self.headers}
        lines += [f"{name}: {value}" for name, value in self.headers]
        framed = "content-length" in names or "transfer-encoding" in names
        if not framed and self.status != 204:  # RFC 9110, 8.6
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append(f"Connection: {'close' if close else 'keep-alive'}")
        return self.interim + ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def json_reply(status: int, document: Any, **headers: str) -> Reply:
    """Return a reply whose body is ``document`` as JSON. The keyword ``retry_after="1"`` becomes
    the header ``Retry-After: 1``."""
    extra = [(name.replace("_", "-").title(), value) for name, value in headers.items()]
    return Reply(
        status=status,
        body=_encode(document).encode(),
        headers=[("Content-Type", "application/json"), *extra],
    )
