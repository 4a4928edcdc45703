"""One HTTP request as it arrived, one reply as it will leave.

This room holds bytes and headers. It does not know who may send them (``auth``), what they mean
(``frames``) or how they travel (``server``).
"""

from __future__ import annotations

import http
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time
REASONS: dict[int, str] = {status.value: status.phrase for status in http.HTTPStatus}


class Headers:
    """HTTP header fields in order of arrival, looked up without regard to case (RFC 9110, 5.1)."""

    __slots__ = ("_values", "items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items: list[tuple[str, str]] = list(items)
        self._values: dict[str, list[str]] = {}
        for key, value in self.items:
            self._values.setdefault(key.lower(), []).append(value)

    def get(self, name: str) -> str | None:
        """The first value of ``name``, or ``None``."""
        values = self._values.get(name.lower())
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Every value of ``name``, in order."""
        return list(self._values.get(name.lower(), ()))

    def without(self, *names: str) -> Headers:
        """A copy that lacks ``names``."""
        dropped = {name.lower() for name in names}
        return Headers(item for item in self.items if item[0].lower() not in dropped)

    def with_(self, name: str, value: str) -> Headers:
        """A copy in which ``name`` has this one value."""
        return Headers([*self.without(name).items, (name, value)])


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
    """What the server is to write. ``body`` is the whole body in bytes."""

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: list[tuple[str, str]] = field(default_factory=list)
    reason: str | None = None
    """The reason phrase; ``None`` for the status's own. It is all that Wove's executor shows."""
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
