"""The rules that hold for every answer, whichever case sent the request: how it is framed in HTTP,
its JSON, and its event frames.

Only what Wove's executor reads is judged in the answers to command frames, so a service may add
fields, frames of type ``log``, and objects without a run to the answer to a cancel_task.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker.answers import (
    KNOWN,
    TERMINAL,
    Event,
    events_of,
    terminals,
    types,
)
from wove_http_dev.conformance.worker.commands import outline
from wove_http_dev.conformance.worker.wire import HttpResponse, shown

Rule = Literal["framing", "type", "readable", "ids", "frames", "secret", "traceback"]
"""What a rule is about: the end of the body, its content type, its JSON, ids, event frames, and
that the answer does not hold the secret, or an error status a traceback."""
Breach = tuple[Rule, str]
"""A rule that an answer breaks, and how."""

PICKLES = ("result_pickle", "error_pickle", "exception_pickle", "callable_pickle", "args_pickle")
"""The fields that Wove decodes in every frame, whatever the type of the frame."""
DECODED = 100_000
"""The most characters of such a field that are decoded here."""
TRACES = (b"Traceback (most recent call last)", b'File "/', b"File &quot;/", b"Werkzeug Debugger")
"""What shows that a text holds a traceback."""
SHORTEST_SECRET = 8
"""Bytes of the shortest secret that is looked for: a shorter one may be in an answer by chance."""


@dataclass(frozen=True)
class Command:
    """What the request asked for, as far as the answer depends on it. ``task_id`` is ``None`` if
    the frame has no text as task_id."""

    kind: str
    run_id: str
    task_id: str | None


@dataclass(frozen=True)
class Sent:
    """A request: the HTTP version in its first line, and its command frame, if its body is one."""

    version: str
    command: Command | None


def read_request(request: bytes) -> Sent:
    """Return what ``request``, the bytes of a whole HTTP request, asked for.

    It has no command if it is not a POST, if its body is chunked, or not a frame that Wove could
    send: one with a name twice, another type, or a run_id that is not text.
    """
    head, _, body = request.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0].decode("latin-1")
    version = line.rpartition(" ")[2]
    return Sent(version, _command(outline(body)) if line.startswith("POST ") else None)


def _command(body: bytes) -> Command | None:
    try:
        frame = json.loads(body.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("run_id"), str):
        return None
    if frame.get("type") not in ("run_task", "cancel_task"):
        return None
    task_id = frame.get("task_id")
    return Command(frame["type"], frame["run_id"], task_id if isinstance(task_id, str) else None)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name twice")
    return values


def breaches(sent: Sent, answer: HttpResponse, *, repeated: bool = False) -> list[Breach]:
    """Return the rules that ``answer`` breaks. The event frames are judged if it is a 2xx answer to
    a command. If the run_id was sent before (``repeated``), an answer without a terminal frame is
    allowed: Wove never sends one twice."""
    found: list[Breach] = [("framing", text) for text in _framing(sent.version, answer)]
    if answer.status >= 400 and any(trace in answer.body for trace in TRACES):
        found.append(("traceback", f"it holds a traceback: {answer.shown()}"))
    command = sent.command
    if command is None or not answer.ok:
        return found
    if command.kind == "cancel_task" and not answer.body.strip():
        return found
    kinds = [value for name, value in answer.headers if name.lower() == "content-type"] or [""]
    for kind in kinds:
        if kind.partition(";")[0].strip().lower() != "application/json":
            found.append(("type", f"Content-Type is {kind[:80]!r}"))
    try:
        events = events_of(answer)
    except CaseFailed as exc:
        return [*found, ("readable", exc.actual)]
    if command.kind == "cancel_task":
        events = [event for event in events if event.get("type") in KNOWN or "run_id" in event]
    elif not events and not repeated:
        return [*found, ("readable", f"the answer has no event frames: {answer.shown()}")]
    found += [("readable", text) for text in _pickles(events)]
    found += [("ids", text) for text in _ids(command, events)]
    found += [("frames", text) for text in _frames(command, events, repeated)]
    return found


def reveals(secret: bytes, request: bytes, answer: HttpResponse) -> str:
    """Return where ``answer`` holds ``secret``, as it is or encoded; an empty string if it does
    not. The answer to a request that holds the secret may repeat it."""
    if len(secret) < SHORTEST_SECRET:
        return ""
    forms = _forms(secret)
    if any(form in request for form in forms):
        return ""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers).encode("latin-1")
    places = {"its headers": head, "its body": answer.body}
    with contextlib.suppress(CaseFailed):
        for event in events_of(answer):
            for name in PICKLES:
                if name in event and _is_base64(event[name]):
                    places[f"its {name}"] = base64.b64decode(event[name])
    return next(
        (place for place, text in places.items() if any(form in text for form in forms)), ""
    )


@functools.lru_cache(maxsize=8)  # a check has one secret, and hundreds of answers
def _forms(secret: bytes) -> frozenset[bytes]:
    """Return ``secret`` as it is, and encoded as JSON, hexadecimal digits and base64."""
    escaped = json.dumps(secret.decode("utf-8", "replace"))[1:-1].encode()
    return frozenset((secret, escaped, secret.hex().encode(), base64.b64encode(secret)))


def how_broken(rule: Rule, request: bytes, answer: HttpResponse) -> str:
    """Return how ``answer``, the answer to ``request``, breaks ``rule``; an empty string if it does
    not."""
    found = breaches(read_request(request), answer)
    return next((text for broken, text in found if broken == rule), "")


def _framing(version: str, answer: HttpResponse) -> Iterator[str]:
    """Say what is wrong with the headers that say where the body ends (RFC 9112, 6)."""
    lengths = {value.strip() for name, value in answer.headers if name.lower() == "content-length"}
    codings = [v.strip() for name, v in answer.headers if name.lower() == "transfer-encoding"]
    if lengths and codings:
        yield "it has Content-Length and Transfer-Encoding"
    if len(lengths) > 1:
        yield f"it has {len(lengths)} Content-Length headers that differ"
    for length in sorted(lengths):
        parts = {part.strip() for part in length.split(",")}
        if len(parts) > 1 or not all(part.isascii() and part.isdigit() for part in parts):
            yield f"its Content-Length is {length[:40]!r}"
    if codings and ", ".join(codings).lower() != "chunked":
        yield f"its Transfer-Encoding is {', '.join(codings)[:40]!r}, which Wove does not decode"
    if codings and version == "HTTP/1.0":
        yield "it has Transfer-Encoding, though the request was HTTP/1.0"
    if answer.status == 204 and (codings or lengths - {"0"}):
        yield "it has status 204 and a body"
    if answer.surplus:
        yield (
            "it is longer than its Content-Length says: behind the body came"
            f" {shown(answer.surplus, 40)}"
        )


def _pickles(events: list[Event]) -> Iterator[str]:
    """Say which fields Wove could not decode; nothing is unpickled."""
    for event in events:
        for name in PICKLES:
            if name in event and not _is_base64(event[name]):
                frame = f"the {str(event.get('type'))[:40]!r} frame"
                yield f"the {name} of {frame} is not base64 of anything: {_short(event[name])}"


def _is_base64(text: Any) -> bool:
    if not isinstance(text, str) or not text.isascii():
        return False
    try:
        return len(text) > DECODED or bool(base64.b64decode(text))
    except binascii.Error:
        return False


def _ids(command: Command, events: list[Event]) -> Iterator[str]:
    for event in events:
        if event.get("type") == "log":
            continue
        for name, sent in (("run_id", command.run_id), ("task_id", command.task_id)):
            if sent is None:
                continue
            frame = f"the {str(event.get('type'))[:40]!r} frame"
            if name in event and event[name] != sent:
                yield f"{frame} has a wrong {name}: {_short(event[name])}, sent {_short(sent)}"
            elif name not in event and command.kind == "run_task":
                yield f"{frame} has no {name}"


def _short(value: Any) -> str:
    """Return the repr of ``value``, without its middle if it is long: ids often differ at their
    end."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:60]}…{text[-50:]} ({len(text)} characters)"


def _frames(command: Command, events: list[Event], repeated: bool) -> Iterator[str]:
    kinds = [event.get("type") for event in events]
    if any(kind not in KNOWN for kind in kinds):
        yield f"an unknown event type: {types(events)}"
    count = len(terminals(events))
    if count > 1:
        yield f"{count} terminal frames: {types(events)}"
    if command.kind == "cancel_task":
        return
    if count == 0 and not repeated:
        yield f"no terminal frame: {types(events)}"
    if count == 1 and kinds[-1] not in TERMINAL:
        yield f"the terminal frame is not the last one: {types(events)}"
    if kinds.count("task_started") > 1:
        yield f"task_started more than once: {types(events)}"
