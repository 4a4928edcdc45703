"""``Claim``: what a request's body claims to be, read at small cost before it is authenticated."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from wove_http_dev.errors import FrameError
from wove_http_dev.protocol import frames
from wove_http_dev.protocol.frames import CancelTask, RunTask

READ_BYTES = 65536
"""Bytes that are parsed at the beginning of a body, and again after each longer string, which is
skipped."""
_MEMBERS = 64  # a command frame has seven
_MOVES = 9  # to a further part of the body; a long string takes two, and a frame has two pickles
_SKIP_BYTES = 2**20  # of a long string, searched at once
_ESCAPED_QUOTES = 1000  # in a long string; base64 has none
_PARSED_BYTES = 2**19  # at most 40 ms, for a body that is made to be slow
_SHORT = ("type", "task_id", "run_id")
_NAMES = (*_SHORT, "callable_pickle")
_skip_space = json.decoder.WHITESPACE.match  # type: ignore[attr-defined]
_read_value = json.JSONDecoder().raw_decode


class Claim:
    """What a request's body claims to be, unverified: frame type, task and run.

    They are read on first access, from the first :data:`READ_BYTES` of the body and from what
    follows a longer string; ``body`` may be only the beginning of one. They are what :meth:`decode`
    would return, or ``None`` where that would take too much: in a body of more than 512 KiB with an
    array or object of more than :data:`READ_BYTES`, whose end can be found only by a look at each
    of its quotes and brackets (0.1 s for 750 KB; no frame of Wove's executor has one). Reading an
    attribute never raises: its value is ``None`` or ``False`` if the body is not a command frame.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._fields: dict[str, str | None] | None = None
        self._command: RunTask | CancelTask | None = None

    @property
    def type(self) -> str | None:
        """The frame's ``type``, even if it is an unknown one."""
        return self._read("type")

    @property
    def task_id(self) -> str | None:
        """The task's name."""
        return self._read("task_id")

    @property
    def run_id(self) -> str | None:
        """The run's id."""
        return self._read("run_id")

    @property
    def initial_value(self) -> bool:
        """Whether the frame is a ``run_task`` that only delivers an initial value of the weave
        (``data``, or ``x`` of ``weave(x=…)``), which Wove sends as a task."""
        if self._command is not None:
            return isinstance(self._command, RunTask) and self._command.initial_value
        text = self._read("callable_pickle")
        if self.type != "run_task" or not text or not text.isascii():
            return False
        try:
            # The text may be only the beginning: base64 is decoded four characters at a time.
            text = text[:READ_BYTES]
            payload = base64.b64decode(text[: len(text) // 4 * 4], validate=True)
        except ValueError:
            return False
        return frames.is_initial_value(payload)

    def decode(self) -> RunTask | CancelTask:
        """Parse the whole body and return its command frame. Call it only after the request was
        accepted: the sender chooses how much it costs. Raises :class:`FrameError` (400) that says
        what is wrong."""
        if self._command is None:
            command = frames.decode(self._body)
            kind = "run_task" if isinstance(command, RunTask) else "cancel_task"
            self._fields = {"type": kind, "task_id": command.task_id, "run_id": command.run_id}
            self._command = command
            self._body = b""  # the claim lives as long as the run
        return self._command

    def _read(self, name: str) -> str | None:
        if self._fields is None:
            members = _members(self._body)
            self._fields = {
                member: value if isinstance(value, str) else None
                for member, value in members.items()
                if member in _NAMES
            }
        return self._fields.get(name)


class _TooMuchError(Exception):
    """More of a body would have to be read than is read before authentication."""


def _members(body: bytes) -> dict[str, Any]:
    """Return the members of the JSON object that ``body`` begins with, up to one that cannot be
    read; none, if it takes too much to read them all, because a later one replaces one of the same
    name. A string that is longer than :data:`READ_BYTES` is ``None``, or its beginning if it is the
    callable."""
    members: dict[str, Any] = {}
    try:
        for name, value in _each_member(body):
            members[name] = value
    except _TooMuchError:
        if len(body) > _PARSED_BYTES:
            return {}
        try:
            return frames.parse(body)
        except FrameError:
            return {}
    return members


def _each_member(body: bytes) -> Iterator[tuple[str, Any]]:
    # Wove's executor sends the names first and the pickles last; a client that sends them in
    # another order is read too.
    part = _Part(body)
    at = _skip_space(part.text, 0).end()
    if part.text[at : at + 1] != "{":
        return
    for _ in range(_MEMBERS):
        begin = at + 1
        member = _member(part.text, begin)
        if member is None and not part.is_last:
            part.move(part.offset_of(begin))  # what was cut may be whole
            begin = 0
            member = _member(part.text, begin)
        if member is not None:
            name, value, at = member
            yield name, value
        else:
            beginning = _beginning_of_string(part.text, begin)
            if beginning is not None:
                name, at = beginning
                yield name, part.text[at:] if name == "callable_pickle" else None
            if part.is_last:
                return
            if beginning is None or name in _SHORT:
                raise _TooMuchError
            part.move(_end_of_string(body, part.offset_of(at)))
            at = _skip_space(part.text, 0).end()
        if part.text[at : at + 1] != ",":
            return
    raise _TooMuchError


class _Part:
    """The part of a body that is parsed: :data:`READ_BYTES` of it, at first the beginning."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._offset = 0
        self._moves = 0
        self.text = self._decoded()
        """The part as text, without what follows the first byte that is not UTF-8. A character that
        is cut at the end is left out too."""

    @property
    def is_last(self) -> bool:
        """Whether the body ends in this part."""
        return self._offset + READ_BYTES >= len(self._body)

    def offset_of(self, at: int) -> int:
        """Return the offset in the body of the index ``at`` of the text."""
        return self._offset + len(self.text[:at].encode())

    def move(self, offset: int) -> None:
        """Move to the part that begins at ``offset``. Raises :class:`_TooMuchError` if that was
        done often."""
        self._moves += 1
        if self._moves > _MOVES:
            raise _TooMuchError
        self._offset = offset
        self.text = self._decoded()

    def _decoded(self) -> str:
        part = self._body[self._offset : self._offset + READ_BYTES]
        try:
            return part.decode()
        except UnicodeDecodeError as exc:
            return part[: exc.start].decode()


def _member(text: str, at: int) -> tuple[str, Any, int] | None:
    """Return the name and value of the member at the index ``at``, and the index of what follows
    it; ``None`` if ``text`` has no whole member there and something after it."""
    try:
        name, at = _name(text, at)
        value, at = _read_value(text, at)
    except (ValueError, RecursionError):
        return None
    at = _skip_space(text, at).end()
    return (name, value, at) if at < len(text) else None


def _name(text: str, at: int) -> tuple[str, int]:
    """Return a member's name and the index of its value. Raises ``ValueError``."""
    at = _skip_space(text, at).end()
    if text[at : at + 1] != '"':
        raise ValueError("not a member")
    name, at = scanstring(text, at + 1)
    at = _skip_space(text, at).end()
    if text[at : at + 1] != ":":
        raise ValueError("not a member")
    return name, _skip_space(text, at + 1).end()


def _beginning_of_string(text: str, at: int) -> tuple[str, int] | None:
    """Return the name of the member at the index ``at``, and the index of its value's content, if
    the value is a string; else ``None``."""
    try:
        name, at = _name(text, at)
    except ValueError:
        return None
    return (name, at + 1) if text[at : at + 1] == '"' else None


def _end_of_string(body: bytes, start: int) -> int:
    """Return the index after the string whose content begins at ``start``, or the end of ``body``
    if it has none. Raises :class:`_TooMuchError` if it has many escaped quotes."""
    # In steps: another thread can run between two of them.
    escaped, at = 0, start
    while at < len(body):
        end = body.find(b'"', at, at + _SKIP_BYTES)
        if end < 0:
            at += _SKIP_BYTES
            continue
        before = body[max(start, end - 64) : end]
        slashes = len(before) - len(before.rstrip(b"\\"))
        if slashes % 2 == 0 and slashes < 64:
            return end + 1
        escaped += 1
        if escaped > _ESCAPED_QUOTES or slashes == 64:
            raise _TooMuchError
        start = at = end + 1
    return len(body)
