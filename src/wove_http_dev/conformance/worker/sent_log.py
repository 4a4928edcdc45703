"""Describes the requests that a case sent; the result of the case holds the text as ``sent``.

The text is made from the bytes that were sent, so that it does not just repeat what the case
intended. It contains no secrets, header values or bodies.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from wove_http_dev.conformance.worker import commands, pickles
from wove_http_dev.conformance.worker.client import (
    KEY,
    NONCE,
    SIGNATURE,
    TIMESTAMP,
    ServiceUnderTest,
    signature,
)

KEPT = 24
"""How many requests are described, counted from the beginning of a case and again from its end."""
SHOWN = 4
"""How many different phrases a text has, counted from its beginning and again from its end."""
LARGE = 8192
"""The text mentions the size of a head or body that has more bytes than this."""
CLOCKS = 30
"""The text mentions a timestamp that differs from the present by more seconds than this."""
UNKNOWN = -1
"""The value of ``_Request.missing`` while the head of the request is not complete."""
IN_CHUNKS = -2
"""The value of ``_Request.missing`` while the last chunk of the body has not been sent."""
MALFORMED = "in malformed chunks"
_CUT = {UNKNOWN: "in its head", IN_CHUNKS: "before its end"}
_CHUNK, _BEGUN = re.compile(rb"([0-9A-Fa-f]+)\r\n"), re.compile(rb"[0-9A-Fa-f]*\r?")
"""The first line of a chunk, and the beginning of one."""


class _Words(NamedTuple):
    """The parts of the phrase about one request: what was sent, its task, its run, and how it was
    sent."""

    what: str
    task: str = ""
    run: str = ""
    how: str = ""


@dataclass
class _Request:
    """The bytes of one request, and the connection on which they were sent."""

    connection: object
    pieces: list[bytes]
    reuses: bool = False
    """Whether the connection had already carried another request."""
    head: str = field(init=False, default="")
    headers: dict[str, str] = field(init=False)
    """The headers, with names in lower case."""
    body: bytes = field(init=False, default=b"")
    missing: int = field(init=False, default=0)
    """How many bytes of the body were announced but not sent, or ``UNKNOWN`` or ``IN_CHUNKS``."""
    chunks: str = field(init=False, default="")
    """How the body is divided into chunks, if it is said to be."""
    behind: int = field(init=False, default=0)
    """How many bytes follow the body."""

    def __post_init__(self) -> None:
        self._parse()

    def append(self, piece: bytes) -> None:
        """Add more bytes of this request."""
        self.pieces.append(piece)
        self._parse()

    def _parse(self) -> None:
        head, end, rest = b"".join(self.pieces).partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        lines = self.head.split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.rstrip().lower(): value.strip(" \t") for name, _, value in pairs}
        if not end:
            self.missing = UNKNOWN
            return
        self.body, self.missing, self.chunks = rest, 0, ""
        if "transfer-encoding" in self.headers:
            self.body, size, self.chunks = _joined(rest)
            self.missing = IN_CHUNKS if size > len(rest) else 0
        if self.chunks != "in chunks":
            size = self._size(rest)
            self.body, self.missing = rest[:size], max(0, size - len(rest))
        self.behind = max(0, len(rest) - size)

    def _size(self, rest: bytes) -> int:
        """Return how many bytes the body has, of which ``rest`` begins with those that were sent.
        A length that is odd on purpose says nothing: then the body ends with its JSON."""
        length = self.headers.get("content-length")
        if length is not None and length.isascii() and length.isdigit():
            return int(length)
        return rest.rfind(b"}") + 1 if length is not None and b"}" in rest else len(rest)

    @property
    def unclear(self) -> bool:
        """Whether nothing says where the body ends."""
        return self.chunks == MALFORMED and "content-length" not in self.headers

    @property
    def line(self) -> tuple[str, str]:
        """The HTTP method and the target."""
        method, _, rest = self.head.partition("\r\n")[0].partition(" ")
        return method, rest.rpartition(" ")[0]


class SentRequests:
    """Records the requests that the connections of one case send to ``service``."""

    def __init__(self, service: ServiceUnderTest) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._first: list[tuple[object, bytes]] = []
        self._last: deque[tuple[object, bytes]] = deque(maxlen=KEPT)
        self._count = 0

    def note(self, connection: object, data: bytes) -> None:
        """Record that ``data`` was sent on ``connection``. Empty ``data`` stands for a connection
        on which nothing is sent."""
        with self._lock:  # described later, because some cases measure how long a request takes
            self._count += 1
            (self._first if len(self._first) < KEPT else self._last).append((connection, data))

    def text(self) -> str:
        """Describe all recorded requests on one line, shortened if there are many."""
        with self._lock:
            first, last = list(self._first), list(self._last)
            omitted = self._count - len(first) - len(last)
        used: set[str] = set()
        phrases = _merged(self._describe(request, used) for request in _requests(first))
        if omitted:
            phrases.append(f"{omitted} more requests")
        phrases += _merged(self._describe(request, used) for request in _requests(last))
        if len(phrases) > 2 * SHOWN:
            left_out = len(phrases) - 2 * SHOWN
            phrases[SHOWN:-SHOWN] = [f"… ({left_out} more) …"]
        return "; ".join(phrases) or "nothing"

    def _describe(self, request: _Request, used: set[str]) -> _Words:
        if not request.pieces[0]:
            return _Words("a connection on which nothing was sent")
        method, target = request.line
        sent = _body(request.body) if not request.missing else _Words("the beginning of a request")
        if request.unclear:  # nobody can tell what its signature should cover
            sent, words = _Words("a body"), []
        elif request.missing:
            words = [f"cut off {_CUT.get(request.missing, f'{request.missing} bytes early')}"]
        else:
            words = [self._credentials(request, used)]
        for kind, size in (("head", len(request.head)), ("body", len(request.body))):
            words += [f"{kind} of {size:,} bytes"] if size > LARGE else []
        words += [request.chunks, f"followed by {request.behind} bytes" if request.behind else ""]
        words += [f"in {len(request.pieces)} pieces"] if len(request.pieces) > 1 else []
        words += ["on the same connection"] if request.reuses else []
        where = f" to {self._redacted(target)!r:.160}" if target != self._service.target else ""
        how = where + "".join(f", {word}" for word in words if word)
        return sent._replace(what=f"{method} {sent.what}", how=how)

    def _redacted(self, target: str) -> str:
        for secret in (self._service.bearer, self._service.secret.decode("utf-8")):
            for form in (urllib.parse.quote_plus(secret), urllib.parse.quote(secret), secret):
                target = target.replace(form, "…") if form else target
        return target

    def _credentials(self, request: _Request, used: set[str]) -> str:
        headers = request.headers
        if self._service.mode == "none":
            return ""
        if self._service.mode == "bearer":
            return _bearer(headers.get("authorization"), self._service.bearer)
        return self._signed(request, {name: headers.get(name.lower()) for name in _SIGNED}, used)

    def _signed(self, request: _Request, found: Mapping[str, str | None], used: set[str]) -> str:
        missing = [name for name, value in found.items() if value is None]
        if len(missing) == len(found):
            return "no credentials"
        if missing:
            return f"without {', '.join(missing)}"
        key, stamp, nonce, sent = (found[name] or "" for name in _SIGNED)
        right = sent == signature(self._service.secret, request.line[1], stamp, nonce, request.body)
        words = ["signed" if right else "signature altered" if sent else ""]
        words += ["another key"] if key and key != self._service.key else []
        words += [_age(stamp)] if stamp else []
        words += [f"{name} empty" for name, value in found.items() if not value]
        if right and nonce in used:
            words.append("for the second time")
        elif right:
            used.add(nonce)
        return ", ".join(word for word in words if word)


_JSON_TYPES = {list: "list", str: "string", int: "number", float: "number", type(None): "null"}
_SIGNED = (KEY, TIMESTAMP, NONCE, SIGNATURE)


def _requests(notes: Iterable[tuple[object, bytes]]) -> list[_Request]:
    """Return the requests in ``notes``, pairs of a connection and bytes; one request may consist of
    several pairs."""
    found: list[_Request] = []
    latest: dict[int, _Request] = {}
    for connection, data in notes:
        before = latest.get(id(connection)) if connection is not None else None
        if before is not None and before.missing:
            before.append(data)
        else:
            found.append(_Request(connection, [data], reuses=before is not None))
            latest[id(connection)] = found[-1]
    return found


def _joined(data: bytes) -> tuple[bytes, int, str]:
    """Return the body whose chunks ``data`` begins with, how many bytes of ``data`` they take (one
    more than there are, if the last one is missing), and a text about them. If they are malformed,
    the body is ``data``."""
    pieces: list[bytes] = []
    at = 0
    while head := _CHUNK.match(data, at):
        begins, ends = head.end(), head.end() + int(head[1], 16)
        at = ends + 2
        if data[ends:at] != b"\r\n":
            break
        if begins == ends:
            return b"".join(pieces), at, "in chunks"
        pieces.append(data[begins:ends])
    if b"\r\n".startswith(data[ends:]) if head else _BEGUN.fullmatch(data, at):
        return b"".join(pieces), len(data) + 1, "in chunks"
    return data, len(data), MALFORMED


def _merged(described: Iterable[_Words]) -> list[str]:
    """Return one phrase for each request. Consecutive requests that differ only in their run share
    a phrase."""
    phrases = []
    for (what, task, how), group in groupby(described, key=lambda w: (w.what, w.task, w.how)):
        runs = [words.run for words in group]
        details = ", ".join(filter(None, [task, runs[0] if len(runs) == 1 else ""]))
        count = f"{len(runs)} × " if len(runs) > 1 else ""
        phrases.append(f"{count}{what}{f' ({details})' if details else ''}{how}")
    return phrases


def _body(body: bytes) -> _Words:
    """Describe the body of a request: its command, task and run."""
    if not body:
        return _Words("an empty body")
    try:
        frame = json.loads(commands.outline(body))
    except (ValueError, RecursionError):
        return _Words("a body that is not a JSON document")
    if not isinstance(frame, dict):
        return _Words(f"a JSON {_JSON_TYPES.get(type(frame), 'value')}")
    run = f"run {_short(frame['run_id'])}" if "run_id" in frame else "no run_id"
    if frame.get("type") == "cancel_task":
        return _Words(f"cancel_task {str(frame.get('delivery_cancel_mode'))[:40]}", "", run)
    if frame.get("type") == "run_task":
        return _Words("run_task", _task(frame), run)
    kind = f"of type {json.dumps(frame['type'])[:40]}" if "type" in frame else "without type"
    return _Words(f"a frame {kind}", "", run)


def _short(run_id: Any) -> str:
    name = str(run_id).rpartition(":")[2]
    return f"{name[:6]}…" if len(name) > 6 else name


def _task(frame: Mapping[str, Any]) -> str:
    """Name the function in ``frame``; or, if the frame has pickles that run code when they are
    loaded, name their fields."""
    pickles = {name: _decoded(frame.get(name)) for name in ("callable_pickle", "args_pickle")}
    canaries = [f"canary in {name}" for name, found in pickles.items() if _is_canary(found)]
    return ", ".join(canaries) or _name(frame.get("callable_pickle"), pickles["callable_pickle"])


def _decoded(field: Any) -> bytes | None:
    """Return the beginning of the pickle in ``field``, or ``None`` if it is not base64."""
    try:
        return base64.b64decode(str(field)[: commands.SEEN].encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return None


def _is_canary(payload: bytes | None) -> bool:
    """Return whether ``payload`` runs code when it is loaded."""
    # Few do, and each pickle is new: name_in() takes longer than everything else here.
    return payload is not None and b"eval" in payload and pickles.name_in(payload) == "eval"


def _name(field: Any, payload: bytes | None) -> str:
    if field is None:
        return "no callable"
    if payload is None:
        return "a callable that is not base64"
    return pickles.name_in(payload) or "another callable"


def _bearer(sent: str | None, token: str) -> str:
    if sent is None:
        return "no credentials"
    return "bearer token" if sent == f"Bearer {token}" else "another bearer token"


def _age(stamp: str) -> str:
    """Say how far the timestamp ``stamp`` is from now; return an empty string if that is at most 30
    s."""
    try:
        age = time.time() - float(stamp)
        seconds = int(age) if age > 0 else math.ceil(-age)
    except (ValueError, OverflowError):
        return "timestamp not a number"
    if seconds <= CLOCKS:
        return ""
    return f"timestamp {seconds} s {'old' if age > 0 else 'ahead'}"
