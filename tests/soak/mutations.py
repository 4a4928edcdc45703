"""Hostile requests: real ones, changed in their frame, their credentials, and their HTTP.

Everything is drawn from one random generator, so a seed gives the same requests again, apart from
their timestamps. A frame that is sent with the right credentials has harmless pickles; all others
have a canary, whose loading leaves a mark.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.soak.recording import Recorded
from tests.support import TARGET

ACCEPTED = "accepted"
"""The answer must have status 200."""
REFUSED = "refused"
"""The credentials are wrong: no answer may have a status below 300."""
ANY = "any"
MAX_BODY = 2**20
"""The option ``max_body`` of the workers, bytes."""
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Attempt:
    """The bytes of one request, and what must come of it."""

    what: str
    """The three mutations, joined by ``+``."""
    pieces: Sequence[bytes]
    """Sent one after the other."""
    expected: str = ANY
    whole: bool = False
    """Whether it is one complete request, so that its connection may be used again."""


def weighted(random: random.Random, table: dict[str, float]) -> str:
    """One of the keys, as often as its value says."""
    return random.choices(list(table), list(table.values()))[0]


class _Canary:
    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, (self._path,)


class Mutator:
    """Makes hostile requests to one worker with ``secret``; ``canary`` is the path that a loaded
    canary creates."""

    def __init__(
        self,
        random: random.Random,
        recorded: Sequence[Recorded],
        *,
        secret: str,
        security: str,
        canary: str,
    ) -> None:
        self._random = random
        self._recorded = recorded
        self._secret = secret.encode()
        self._security = security
        self._canary = _base64(pickle.dumps(_Canary(canary)))
        self._replayable: list[bytes] = []

    def attempt(self) -> Attempt:
        """The next request."""
        rng = self._random
        if self._replayable and rng.random() < 0.02:
            return Attempt("replayed", [rng.choice(self._replayable)], REFUSED, whole=True)
        recorded = rng.choice(self._recorded)
        right = rng.random() < (0.12 if self._security == "signed" else 0.5)
        frame = {**recorded.frame, "run_id": f"run:{rng.getrandbits(64):x}"}
        if not right and "callable_pickle" in frame:
            frame["callable_pickle"] = frame["args_pickle"] = self._canary
        frame_kind = weighted(rng, _FRAMES)
        if right and frame_kind in _CHANGES_PICKLES:
            frame_kind = "plain"
        body = _FRAME_KINDS[frame_kind](self, frame)
        http = weighted(rng, _HTTP)
        if right and self._security == "bearer" and http in _CHANGES_BODY:
            http = "plain"
        headers = [*recorded.headers]
        if right:
            credentials, fields = "right", self._right(body)
        else:
            table = _SIGNED if self._security == "signed" else _BEARER
            credentials = weighted(rng, table)
            if credentials == "repeated" and http == "flipped":  # it could repair one of the two
                http = "plain"
            fields = _CREDENTIAL_KINDS[credentials](self, body)
        keep = rng.random() < 0.7
        headers = [
            (name, value)
            for name, value in headers
            if name not in ("Content-Length", "Host", "Connection")
        ]
        headers += [("Host", "localhost"), ("Content-Length", str(len(body)))]
        if not keep:
            headers.append(("Connection", "close"))
        pieces = _HTTP_KINDS[http](self, [*headers, *fields], body)
        expected = ANY
        if not right:
            expected = REFUSED
        elif frame_kind == "plain" and http in _PRESERVING:
            expected = ACCEPTED
            if self._security == "signed" and http == "plain":
                self._remember(pieces[0])
        return Attempt(
            f"{frame_kind}+{credentials}+{http}", pieces, expected, keep and http in _WHOLE
        )

    def right_request(self, recorded: Recorded) -> Attempt:
        """A recorded request as a new run, with the right credentials."""
        run_id = f"run:{self._random.getrandbits(64):x}"
        body = _json({**recorded.frame, "run_id": run_id})
        headers = [("Host", "localhost"), ("Content-Length", str(len(body)))]
        data = request([*headers, *self._right(body)], body)
        return Attempt("right", [data], ACCEPTED, whole=True)

    def _remember(self, request: bytes) -> None:
        # Sent with ``whole``, or until its end: the answer was read before the next request.
        if len(self._replayable) < 50:
            self._replayable.append(request)
        else:
            self._replayable[self._random.randrange(50)] = request

    # Credentials

    def _sign(
        self, body: bytes, target: str = TARGET, secret: bytes = b"", **other: str
    ) -> Headers:
        timestamp = other.get("timestamp", repr(time.time()))
        nonce = f"{self._random.getrandbits(128):032x}"
        digest = hashlib.sha256(body).hexdigest()
        text = "\n".join(("wove-v1", "http", target, timestamp, nonce, digest)).encode()
        signature = hmac.new(secret or self._secret, text, hashlib.sha256).hexdigest()
        return [
            ("X-wove-key", other.get("key", "default")),
            ("X-wove-timestamp", timestamp),
            ("X-wove-nonce", nonce),
            ("X-wove-signature", "v1=" + signature),
        ]

    def _right(self, body: bytes) -> Headers:
        if self._security == "bearer":
            return [("Authorization", f"Bearer {self._secret.decode()}")]
        return self._sign(body)

    def _one_changed(self, body: bytes, change: Callable[[str, str], Headers]) -> Headers:
        """Right credentials, one header of which is replaced by ``change(name, value)``."""
        fields = self._right(body)
        index = self._random.randrange(len(fields))
        return [*fields[:index], *change(*fields[index]), *fields[index + 1 :]]

    def _hostile_text(self) -> str:
        return self._random.choice(_HOSTILE_TEXTS)

    # Bytes

    def flipped(self, data: bytes) -> bytes:
        """``data`` with one to eight bytes replaced; never equal to ``data``."""
        rng = self._random
        changed = bytearray(data or b"\0")
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] ^= rng.randint(1, 255)
        return bytes(changed) if changed != data else data + b"\0"

    def cut(self, data: bytes) -> bytes:
        """The beginning of ``data``, never all of it."""
        return data[: self._random.randrange(max(1, len(data)))]

    def value(self) -> Any:
        """A JSON value of a kind that a field does not expect."""
        return self._random.choice(_HOSTILE_VALUES)

    def number(self, below: int) -> int:
        """A whole number below ``below``."""
        return self._random.randrange(below)


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


_HOSTILE_TEXTS = (
    "",
    " ",
    "\t",
    "é",
    "\xff\xfe",
    "'",
    '"',
    "0",
    "-1",
    "nan",
    "inf",
    "1e400",
    "1_0",
    "0x1",
    "9" * 400,
    "a" * 5000,
    "v1=",
    "v1=" + "0" * 64,
    "%s%n",
    "{0}",
    "../../etc/passwd",
)
_HOSTILE_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    float("nan"),
    float("inf"),
    10**400,
    [],
    {},
    [[]],
    {"type": "run_task"},
    "",
    "\ud800",
    "\x00",
    "\x1b[31m\r\n",
    "\u202e",
    "a" * 100_000,
    "run_task",
    "cancel_task",
    "require_ack",
    "*",
    "====",
    "gAV9lC4",
)


# Frames. Each kind returns the body.


def _with_value(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    names = [*frame, "unknown"]
    name = names[mutator.number(len(names))]
    return _json({**frame, name: mutator.value()})


def _without_field(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    name = list(frame)[mutator.number(len(frame))]
    return _json({key: value for key, value in frame.items() if key != name})


def _twice(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    return b'{"type":"cancel_task","run_id":"other",' + _json(frame)[1:]


def _encoded(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    text = _json(frame).decode()
    encodings = ("utf-16", "utf-32", "utf-8-sig", "utf-7")
    if mutator.number(2):
        return text.encode(encodings[mutator.number(len(encodings))])
    return text.replace("task", "t\xe4sk").encode("latin-1")


def _nested(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    depth = 10 ** (1 + mutator.number(4))
    opening, closing = ((b"[", b"]"), (b'{"a":', b"}"))[mutator.number(2)]
    nested: bytes = opening * depth + b"1" + closing * depth
    return (nested, b'{"delivery":' + nested + b"," + _json(frame)[1:])[mutator.number(2)]


def _no_frame(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    bodies = (b"", b"null", b"[]", b"1", b'"x"', b"{}", b"\0" * 100, b"9" * 5000, b"[" * 20_000)
    return bodies[mutator.number(len(bodies))]


def _huge_number(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    return b'{"delivery":{"timeout":' + b"9" * 5000 + b"}," + _json(frame)[1:]


def _bare_pickle(mutator: Mutator, frame: dict[str, Any]) -> bytes:
    return pickle.dumps(frame)


_FRAMES = {
    "plain": 40.0,
    "value": 14,
    "without-field": 6,
    "twice": 3,
    "encoded": 3,
    "nested": 3,
    "no-frame": 5,
    "huge-number": 2,
    "bare-pickle": 2,
    "flipped": 10,
    "cut": 8,
    "large": 0.2,
}
_CHANGES_PICKLES = ("flipped",)
_FRAME_KINDS: dict[str, Callable[[Mutator, dict[str, Any]], bytes]] = {
    "plain": lambda mutator, frame: _json(frame),
    "value": _with_value,
    "without-field": _without_field,
    "twice": _twice,
    "encoded": _encoded,
    "nested": _nested,
    "no-frame": _no_frame,
    "huge-number": _huge_number,
    "bare-pickle": _bare_pickle,
    "flipped": lambda mutator, frame: mutator.flipped(_json(frame)),
    "cut": lambda mutator, frame: mutator.cut(_json(frame)),
    "large": lambda mutator, frame: _json({**frame, "task_id": "a" * (MAX_BODY - 2000)}),
}

# Credentials. Each kind returns headers that must be refused.

_SIGNED = {
    "none": 20.0,
    "wrong-secret": 10,
    "wrong-key": 5,
    "other-body": 25,
    "other-target": 5,
    "timestamp": 10,
    "missing": 5,
    "repeated": 5,
    "hostile": 10,
    "garbled": 5,
    "long": 1,
}
_BEARER = {"none": 20.0, "missing": 1, "hostile": 20, "garbled": 20, "repeated": 5, "long": 1}
_TIMESTAMPS = ("nan", "inf", "-inf", "1e400", "0", "-1", "1_0", "", "9" * 400, "\u0661", "0x10")


def _other_body(mutator: Mutator, body: bytes) -> Headers:
    return mutator._sign(mutator.flipped(body))


def _timestamped(mutator: Mutator, body: bytes) -> Headers:
    far = repr(time.time() + (-1) ** mutator.number(2) * (400 + mutator.number(10**9)))
    choices = (far, *_TIMESTAMPS)
    return mutator._sign(body, timestamp=choices[mutator.number(len(choices))])


_CREDENTIAL_KINDS: dict[str, Callable[[Mutator, bytes], Headers]] = {
    "none": lambda mutator, body: [],
    "wrong-secret": lambda mutator, body: mutator._sign(body, secret=b"wrong"),
    "wrong-key": lambda mutator, body: mutator._sign(body, key="default2"),
    "other-body": _other_body,
    "other-target": lambda mutator, body: mutator._sign(body, target=TARGET + "?x"),
    "timestamp": _timestamped,
    "missing": lambda mutator, body: mutator._one_changed(body, lambda name, value: []),
    "repeated": lambda mutator, body: mutator._one_changed(
        body, lambda name, value: [(name, value), (name, value)]
    ),
    "hostile": lambda mutator, body: mutator._one_changed(
        body, lambda name, value: [(name, mutator._hostile_text())]
    ),
    "garbled": lambda mutator, body: mutator._one_changed(
        body, lambda name, value: [(name, "X" + value[1:-1] + "X")]
    ),
    "long": lambda mutator, body: mutator._one_changed(
        body, lambda name, value: [(name, value + "a" * 60_000)]
    ),
}

# HTTP. Each kind returns the pieces to send.


def request(headers: Headers, body: bytes, first: str = f"POST {TARGET} HTTP/1.1") -> bytes:
    """The bytes of a request; a header may have any latin-1 text, others are sent as UTF-8."""
    text = "\r\n".join([first, *(f"{name}: {value}" for name, value in headers), "", ""])
    return text.encode("utf-8", "surrogatepass") + body


def _replaced(headers: Headers, name: str, *values: str) -> Headers:
    kept = [each for each in headers if each[0] != name]
    return [*kept, *((name, value) for value in values)]


def _chunks(mutator: Mutator, body: bytes) -> bytes:
    chunks, step = b"", 1 + mutator.number(max(1, len(body)))
    for start in range(0, len(body), step):
        chunk = body[start : start + step]
        extension = b";a=b" if mutator.number(8) == 0 else b""
        chunks += b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk)
    trailer = b"X-Trailer: x\r\n" if mutator.number(4) == 0 else b""
    return chunks + b"0\r\n" + trailer + b"\r\n"


def _chunked(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    fields = [*_replaced(headers, "Content-Length"), ("Transfer-Encoding", "chunked")]
    return [request(fields, _chunks(mutator, body))]


def _broken_chunks(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    fields = [*_replaced(headers, "Content-Length"), ("Transfer-Encoding", "chunked")]
    ways = (
        mutator.cut(_chunks(mutator, body)),
        mutator.flipped(_chunks(mutator, body)),
        b"ffffffffffffffff\r\n" + body,
        b"-1\r\n" + body,
        b"0x10\r\n" + body,
        b"5\r\n" + body + b"\r\n0\r\n\r\n",
        b"\r\n" * 1000,
        b"1;" + b"a" * 70_000,
        b"0\r\n" + b"X-Trailer: x\r\n" * 6000 + b"\r\n",
    )
    return [request(fields, ways[mutator.number(len(ways))])]


def _content_length(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    size = len(body)
    ways = (
        (str(size + 1 + mutator.number(1000)),),
        (str(mutator.number(size + 1)),),
        ("-1",),
        (f"+{size}",),
        (hex(size),),
        (f"{size}, {size}",),
        (str(size), str(size)),
        (str(size), str(size + 1)),
        ("9" * 30,),
        (str(MAX_BODY + 1 + mutator.number(2**40)),),
        ("",),
        (f"{size} ",),
        ("\u0661",),
        (),
    )
    values = ways[mutator.number(len(ways))]
    return [request(_replaced(headers, "Content-Length", *values), body)]


def _both_lengths(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    codings = (
        "chunked",
        "gzip, chunked",
        "chunked, identity",
        "xchunked",
        "Chunked",
        "\x0bchunked",
    )
    fields = [*headers, ("Transfer-Encoding", codings[mutator.number(len(codings))])]
    return [request(fields, (body, _chunks(mutator, body))[mutator.number(2)])]


def _header_game(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    text = request(headers, body)
    head, end, rest = text.partition(b"\r\n\r\n")
    lines = (
        b" folded",
        b"\tfolded",
        b"X-Null: a\0b",
        b"X-Return: a\rb",
        b"X-Space : a",
        b": no name",
        b"no colon",
        b"X-\xff: \xff\xfe",
        b"X-Many: a\r\n" * 300 + b"X: y",
        b"X-Long: " + b"a" * 70_000,
        b"X" * 70_000 + b": a",
        b"Connection: keep-alive, upgrade, close",
        b"Host: other",
        b"Host:",
        b"Cookie: " + b"a=b; " * 1000,
    )
    line = lines[mutator.number(len(lines))]
    return [head + b"\r\n" + line + end + rest]


def _bare_newlines(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    head, end, rest = request(headers, body).partition(b"\r\n\r\n")
    newline = (b"\n", b"\r", b"\r\r\n", b"\n\r")[mutator.number(4)]
    return [(head + end).replace(b"\r\n", newline) + rest]


_FIRST_LINES = (
    "POST http://localhost/wove/tasks HTTP/1.1",
    "POST http://other.example/wove/tasks HTTP/1.1",
    "POST //wove/tasks HTTP/1.1",
    "POST /wove/../wove/tasks HTTP/1.1",
    "POST /wove/tasks/ HTTP/1.1",
    "POST /wove/tasks?a=b HTTP/1.1",
    "POST /wove/tasks#x HTTP/1.1",
    "POST /wove%2ftasks HTTP/1.1",
    "POST /wove/tasks%00 HTTP/1.1",
    "POST * HTTP/1.1",
    "POST  HTTP/1.1",
    "POST /wove/tasks",
    "POST /wove/tasks HTTP/1.0",
    "POST /wove/tasks HTTP/0.9",
    "POST /wove/tasks HTTP/2.0",
    "POST /wove/tasks HTTP/9.9",
    "POST /wove/tasks HTTP/1.1 x",
    "POST /wove/tasks ICE/1.0",
    "POST /w\xf6ve/tasks HTTP/1.1",
    "POST /" + "a" * 70_000 + " HTTP/1.1",
    "post /wove/tasks HTTP/1.1",
    " POST /wove/tasks HTTP/1.1",
    "\r\n\r\nPOST /wove/tasks HTTP/1.1",
    "GET /wove/tasks HTTP/1.1",
    "HEAD /wove/tasks HTTP/1.1",
    "PUT /wove/tasks HTTP/1.1",
    "DELETE /wove/tasks HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "TRACE /wove/tasks HTTP/1.1",
    "CONNECT localhost:443 HTTP/1.1",
    "PATCH /wove/tasks HTTP/1.1",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.1 200 OK",
    "FOO /wove/tasks HTTP/1.1",
)
_GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    b"\x80\x04\x95" + b"\0" * 50,
    b"SSH-2.0-x\r\n",
    b"EHLO x\r\n",
    b"\0" * 1000,
    b"\xff" * 1000,
    b"\r\n" * 10_000,
    b"*1\r\n$4\r\nPING\r\n",
    b"a" * 70_000,
)


def _split(mutator: Mutator, headers: Headers, body: bytes) -> list[bytes]:
    data = request(headers, body)
    cuts = sorted({0, *(mutator.number(len(data)) for _ in range(3)), len(data)})
    return [data[a:b] for a, b in pairwise(cuts)]


_HTTP = {
    "plain": 45.0,
    "split": 4,
    "chunked": 5,
    "expect": 2,
    "upgrade": 2,
    "broken-chunks": 4,
    "content-length": 6,
    "both-lengths": 3,
    "header-game": 6,
    "bare-newlines": 3,
    "first-line": 6,
    "flipped": 8,
    "cut": 6,
    "twice": 3,
    "garbage": 2,
}
_PRESERVING = ("plain", "split", "chunked", "expect", "upgrade")
"""A right request remains one."""
_CHANGES_BODY = ("flipped", "broken-chunks")
"""A bearer token does not protect the body, whose changed pickles would be loaded."""
_WHOLE = ("plain", "split", "chunked", "upgrade")
_HTTP_KINDS: dict[str, Callable[[Mutator, Headers, bytes], list[bytes]]] = {
    "plain": lambda mutator, headers, body: [request(headers, body)],
    "split": _split,
    "chunked": _chunked,
    "expect": lambda mutator, headers, body: [
        request([*headers, ("Expect", "100-continue")], body)
    ],
    "upgrade": lambda mutator, headers, body: [
        request([*headers, ("Connection", "Upgrade"), ("Upgrade", "h2c")], body)
    ],
    "broken-chunks": _broken_chunks,
    "content-length": _content_length,
    "both-lengths": _both_lengths,
    "header-game": _header_game,
    "bare-newlines": _bare_newlines,
    "first-line": lambda mutator, headers, body: [
        request(headers, body, _FIRST_LINES[mutator.number(len(_FIRST_LINES))])
    ],
    "flipped": lambda mutator, headers, body: [mutator.flipped(request(headers, body))],
    "cut": lambda mutator, headers, body: [mutator.cut(request(headers, body))],
    "twice": lambda mutator, headers, body: [request(headers, body) * 2],
    "garbage": lambda mutator, headers, body: [_GARBAGE[mutator.number(len(_GARBAGE))]],
}
