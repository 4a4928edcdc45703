"""Faults with which a case writes an answer of its own: its bytes on the wire, or its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import ResponseStage, Wire
from wove_http_dev.protocol.messages import Reply


@dataclass(frozen=True)
class RawAnswer(Fault):
    """Calls ``write`` to write the bytes of the answer. ``words`` follows "an answer" in
    reports."""

    stage: ClassVar[str] = "wire"
    command: ClassVar[str | None] = "run_task"
    words: str
    write: Callable[[Wire], None] = field(repr=False)

    def on_wire(self, wire: Wire) -> None:
        """Write the answer."""
        self.write(wire)

    def __str__(self) -> str:
        return f"answer {self.words}"


@dataclass(frozen=True)
class RewrittenAnswer(Fault):
    """Replaces the body of the answer with what ``rewrite`` makes of its JSON document, and its
    status with ``status``; adds ``headers``. ``words`` follows "an answer" in reports."""

    stage: ClassVar[str] = "response"
    command: ClassVar[str | None] = "run_task"
    words: str
    rewrite: Callable[[Any], bytes] = field(repr=False)
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Return the reply with another body and status, and with more headers."""
        body = self.rewrite(json.loads(reply.body or b"null"))
        headers = [*reply.headers, *self.headers]
        return replace(reply, status=self.status, body=body, headers=headers)

    def __str__(self) -> str:
        return f"answer {self.words}"


def as_utf_8(document: Any) -> bytes:
    """Return ``document`` as JSON in UTF-8, in which text beyond ASCII is not escaped."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8")


class Forms(NamedTuple):
    """Forms of an answer, all of one kind. ``name`` becomes the name of the case, and ``words``
    follows "an answer" in its text."""

    name: str
    words: str
    forms: tuple[RawAnswer | RewrittenAnswer, ...]
    tls: bool = False
    """Whether the worker uses https."""

    @property
    def listed(self) -> str:
        """All forms in words."""
        return "; ".join(form.words for form in self.forms)
