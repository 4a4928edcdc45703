"""One HTTP request as it arrived, and one reply as it will be written."""

from __future__ import annotations

import http
import json
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import Headers

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time
REASONS: dict[int, str] = {status.value: status.phrase for status in http.HTTPStatus}


def without(headers: Headers, *names: str) -> Headers:
    """A copy of ``headers`` without ``names``, in upper or lower case."""
    dropped = {name.lower() for name in names}
    return Headers([item for item in headers if item[0].lower() not in dropped])


@dataclass(frozen=True)
class Request:
    """A whole request: the head decoded as latin-1 (RFC 9110, 5.5), the body untouched bytes."""

    method: str
    target: str
    """The request line's target, byte for byte: path and query, percent-escapes as sent."""
    headers: Headers
    body: bytes = field(repr=False)
    secure: bool = False
    """Whether it came over TLS."""


@dataclass
class Reply:
    """What the server writes. ``body`` is the whole body."""

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: list[tuple[str, str]] = field(default_factory=list)
    reason: str | None = None
    """The reason phrase; ``None``: the usual one. It is all that Wove's executor shows."""
    interim: bytes = b""
    """Interim responses (1xx) to write before it."""

    def head(self, *, close: bool) -> bytes:
        """The status line and header section, ended by the empty line."""
        reason = self.reason if self.reason is not None else REASONS.get(self.status, "Unknown")
        lines = [f"HTTP/1.1 {self.status} {reason}"]
        names = {name.lower() for name, _ in self.headers}
        lines += [f"{name}: {value}" for name, value in self.headers]
        if "content-length" not in names and "transfer-encoding" not in names:
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append(f"Connection: {'close' if close else 'keep-alive'}")
        return self.interim + ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def json_reply(status: int, document: Any, **headers: str) -> Reply:
    """A reply whose body is ``document`` as JSON; ``retry_after="1"`` is ``Retry-After: 1``."""
    extra = [(name.replace("_", "-").title(), value) for name, value in headers.items()]
    return Reply(
        status=status,
        body=_encode(document).encode(),
        headers=[("Content-Type", "application/json"), *extra],
    )
