"""``Redaction``: what the journal stores of a text from outside, without secrets and of limited
length."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from wove_http_dev.cut_text import cut_end
from wove_http_dev.runs.records import header_lines
from wove_http_dev.secret import is_private, replace_cut_secrets, written_forms

REDACTED = "[redacted]"
TEXT_LIMIT = 1000
"""Characters stored of a header, a target, a reason, or a name in a refused body."""
HEADERS_KEPT = 64
"""Headers stored of a request."""
NAME_LIMIT = 100
"""Characters stored of a header's name; the value of a header with a longer one is not stored."""


class Redaction:
    """Replaces ``secrets``, in any of their written forms, by :data:`REDACTED`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._written = [form for secret in self._secrets for form in written_forms(secret)]

    def redact(self, text: str) -> str:
        """Return ``text`` with secrets redacted."""
        for form in self._written:
            text = text.replace(form, REDACTED)
        return text

    def redact_cut(self, text: str) -> str:
        """Return ``text``, parts of which end in ``…`` because they were cut elsewhere, with
        secrets redacted, and the beginnings of secrets that were cut."""
        return replace_cut_secrets(self.redact(text), self._secrets, REDACTED)

    def clean(self, text: str, limit: int = TEXT_LIMIT) -> str:
        """Return ``text`` with secrets redacted, at most ``limit`` characters of it, so that a
        refused client cannot fill memory and logs."""
        # To search all of a long text would be slow.
        return cut_end(self.redact(text[: limit + 4096]), limit)

    def head(self, headers: Iterable[tuple[str, str]]) -> str:
        """Return the first :data:`HEADERS_KEPT` of ``headers``, a line for each, with credentials
        redacted."""
        kept = list(islice(headers, HEADERS_KEPT))
        head = header_lines(kept)
        names = [name for name, _ in kept]
        # Of all at once, and only for a short head: is_private() remembers what it was asked for.
        if (
            len(head) > TEXT_LIMIT
            or max(map(len, names), default=0) > NAME_LIMIT
            or is_private("\n".join(names))
            or self.redact(head) != head
        ):
            head = header_lines([self._header(name, value) for name, value in kept])
        return head

    def _header(self, name: str, value: str) -> tuple[str, str]:
        private = len(name) > NAME_LIMIT or is_private(name) or self.redact(value) != value
        name = self.clean(name, NAME_LIMIT)
        return name, REDACTED if private else value[:TEXT_LIMIT]
