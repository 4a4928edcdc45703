"""``Claim``: what a request's body claims to be, read at small cost before it is authenticated."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from wove_http_dev.protocol import frames
from wove_http_dev.protocol.frames import CancelTask, RunTask

READ_BYTES = 65536
"""Bytes that are parsed at the beginning of a body, and again after each longer string, which is
skipped."""
_MEMBERS = 64  # a command frame has seven
_LONG_STRINGS = 4  # it has two pickles
_SKIP_BYTES = 2**20  # of a long string, searched at once
_NAMES = ("type", "task_id", "run_id", "callable_pickle")
_skip_space = json.decoder.WHITESPACE.match  # type: ignore[attr-defined]
_read_value = json.JSONDecoder().raw_decode


class Claim:
    """What a request's body claims to be, unverified: frame type, task and run.

    They are read on first access, from the first :data:`READ_BYTES` of the body and from what
    follows a longer string; ``body`` may be only the beginning of one. Reading an attribute never
    raises: its value is ``None`` or ``False`` if the body is not a command frame.
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
            self._fields = {}
            for member, value in _members(self._body):
                if member in _NAMES:
                    self._fields[member] = value if isinstance(value, str) else None
                    if len(self._fields) == len(_NAMES):
                        break
        return self._fields.get(name)


def _members(body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the members of the JSON object that ``body`` begins with, until one cannot be read. The
    value of a string that does not end within :data:`READ_BYTES` is its beginning."""
    # Wove's executor sends the names first and the pickles last; a client that sends them in
    # another order is read too.
    text, offset, skipped = _window(body, 0), 0, 0
    at = _skip_space(text, 0).end()
    if text[at : at + 1] != "{":
        return
    at += 1
    for _ in range(_MEMBERS):
        try:
            at = _skip_space(text, at).end()
            if text[at : at + 1] != '"':
                return
            name, at = scanstring(text, at + 1)
            at = _skip_space(text, at).end()
            if text[at : at + 1] != ":":
                return
            at = _skip_space(text, at + 1).end()
            if text[at : at + 1] == '"' and text.find('"', at + 1) < 0:
                yield name, text[at + 1 :]
                skipped += 1
                if skipped > _LONG_STRINGS:
                    return
                offset = _end_of_string(body, offset + len(text[: at + 1].encode()))
                text, at = _window(body, offset), 0
            else:
                value, at = _read_value(text, at)
                yield name, value
        except (ValueError, RecursionError):
            return
        at = _skip_space(text, at).end()
        if text[at : at + 1] != ",":
            return
        at += 1


def _window(body: bytes, start: int) -> str:
    """Return the next :data:`READ_BYTES` of ``body`` as text, without what follows the first byte
    that is not UTF-8. A character that is cut at the end is left out too."""
    window = body[start : start + READ_BYTES]
    try:
        return window.decode()
    except UnicodeDecodeError as exc:
        return window[: exc.start].decode()


def _end_of_string(body: bytes, start: int) -> int:
    """Return the index after the string whose content begins at ``start``. Raises ``ValueError``
    if it has no end, or an escape, which base64 does not have."""
    # In steps: another thread can run between two of them.
    while start < len(body):
        end = body.find(b'"', start, start + _SKIP_BYTES)
        if body.find(b"\\", start, start + _SKIP_BYTES if end < 0 else end) >= 0:
            break
        if end >= 0:
            return end + 1
        start += _SKIP_BYTES
    raise ValueError("the string has no end that can be found")
