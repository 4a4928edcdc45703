"""What is sent to upstream, and what its answers mean: bytes and headers in, an ``Outcome`` with an
``UpstreamAnswer`` out. Nothing of an answer is unpickled."""

from __future__ import annotations

import base64
import binascii
import json
import pickle
from collections.abc import Iterable, Mapping
from typing import Any

from wove_http_dev.cut_text import cut_end, cut_middle
from wove_http_dev.exception_text import MESSAGE_LIMIT, TRACEBACK_LIMIT
from wove_http_dev.option_urls import UpstreamAddress
from wove_http_dev.protocol.frames import TERMINAL_TYPES, Event, dumps
from wove_http_dev.protocol.messages import REASONS, Reply, Request
from wove_http_dev.protocol.plain_pickle import NotPlainError, read_plain
from wove_http_dev.runners.upstream_answer import HttpAnswer
from wove_http_dev.runners.upstream_failures import UpstreamError
from wove_http_dev.runs.display import value_text
from wove_http_dev.runs.outcome import CANCELLED, KIND_LIMIT, Outcome

_HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
"""Headers that are not forwarded, in either direction (RFC 9110, 7.6.1)."""
_MADE_ANEW = frozenset(["host", "content-length", "expect", "via", "accept-encoding"])
"""Headers of a request that were handled here, or of which the forwarded request has its own:
``Accept-Encoding`` too, as compressed frames could not be read."""
_CREDENTIALS = ("authorization", "cookie")
"""Headers with which the client may have authenticated here; and all of the prefix below."""
_SIGNATURE = "x-wove-"
_BREAKS = {ord(character): " " for character in "\r\n\0"}
_REASON_LIMIT = 200
"""Characters of what upstream says about a refusal."""


def request_head(
    address: UpstreamAddress, request: Request, credentials: Mapping[str, str], via: str
) -> bytes:
    """Return the head of the request that forwards ``request``, authenticated with the headers
    ``credentials``. ``via`` is this worker's name in the header ``Via`` (RFC 9110, 7.6.3)."""
    earlier = [value for name, value in request.headers.items() if name.lower() == "via"]
    lines = [
        f"POST {address.target} HTTP/1.1",
        f"Host: {address.authority}",
        *(f"{name}: {without_line_breaks(value)}" for name, value in _forwarded(request)),
        "Accept-Encoding: identity",
        f"Content-Length: {len(request.body)}",
        f"Via: {', '.join([*earlier, f'1.1 {via}'])}",
        *(f"{name}: {value}" for name, value in credentials.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _forwarded(request: Request) -> Iterable[tuple[str, str]]:
    headers = list(request.headers)
    dropped = _HOP_BY_HOP | _MADE_ANEW | _named_by_connection(headers)
    for name, value in headers:
        lower = name.lower()
        if lower not in dropped and lower not in _CREDENTIALS and not lower.startswith(_SIGNATURE):
            yield name, value


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(
        word.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for word in value.split(",")
    )


def relayed_reply(raw: HttpAnswer) -> Reply:
    """Return ``raw`` as the reply for the client: its status, its body byte for byte, and the
    headers that are not about the connection to upstream."""
    dropped = _HOP_BY_HOP | {"content-length"} | _named_by_connection(raw.headers)
    headers = [
        (name, without_line_breaks(value))
        for name, value in raw.headers
        if name.lower() not in dropped
    ]
    return Reply(raw.status, raw.body, headers, reason=without_line_breaks(raw.reason) or None)


def without_line_breaks(value: str) -> str:
    """Return a header's value without line breaks, which a folded one has: the next line could be
    taken for another header (RFC 9110, 5.5)."""
    return value.translate(_BREAKS)


def one_line(text: str) -> str:
    """Return ``text`` for a message of one line, without control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def check_status(raw: HttpAnswer, mode: str) -> None:
    """Raise :class:`UpstreamError` for an answer that must not be relayed: a refusal of the
    credentials ``mode``, which are this worker's, and a redirection, which would lead the client
    past this worker."""
    status = f"{raw.status} {one_line(raw.reason) or REASONS.get(raw.status, '')}".rstrip()
    if raw.status in (401, 403):
        what = {"signed": "the signature", "bearer": "the bearer token"}.get(
            mode, "a request without credentials (set upstream_security)"
        )
        said = error_text(raw)
        text = f"upstream refused {what}: {status}" + (f": {said}" if said else "")
        if raw.status == 401 and mode in ("signed", "bearer"):  # 403 may be of another reason
            text = (
                f"{text.rstrip('.')}; upstream_security must have the secret that upstream expects"
            )
        raise UpstreamError(text, "upstream-refused")
    if 300 <= raw.status < 400:
        where = {name.lower(): value for name, value in raw.headers}.get("location", "")
        place = cut_end(one_line(where.partition("?")[0]), _REASON_LIMIT)
        text = f"upstream redirects ({status}) to {place}; write the final address into upstream="
        if not place:
            text = f"upstream answered {status} without a Location, which answers no POST"
        raise UpstreamError(text, "upstream-redirected")


def error_text(raw: HttpAnswer) -> str:
    """Return the reason in the body of an error answer, of limited length: the text of a JSON
    object, or a body that is plain text; otherwise empty."""
    body = raw.body[:65536].decode("utf-8", "replace")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        kind = next((value for name, value in raw.headers if name.lower() == "content-type"), "")
        document = {"error": body if kind.startswith("text/plain") else ""}
    if not isinstance(document, dict):
        return ""
    # "detail" is FastAPI's.
    for name in ("error", "detail", "message"):
        if isinstance(document.get(name), str):
            return cut_end(one_line(document[name].strip()), _REASON_LIMIT)
    return ""


def event_frames(body: bytes) -> tuple[list[Event], str]:
    """Return the event frames in ``body``, in any of the three forms of a response, and which form
    it is. Raises ``ValueError`` for anything else."""
    try:
        document = json.loads(body)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    except ValueError as exc:
        raise ValueError(f"it is not JSON: {exc}") from None
    events, shape = [document], "frame"
    if isinstance(document, list):
        events, shape = document, "list"
    elif isinstance(document, dict) and "events" in document:
        events, shape = document["events"], "events"
    if not isinstance(events, list):
        raise ValueError('"events" is not a list')
    for event in events:
        if not isinstance(event, dict) or not {"type", "run_id"} <= event.keys():
            raise ValueError("a frame is not an object with a type and a run_id")
    return events, shape


def outcome_of(events: Iterable[Event], run_id: str) -> Outcome | None:
    """Return how the run ended, as Wove's executor would understand ``events``: the first frame
    that ends it counts; ``None`` if none does. Raises ``ValueError`` if its payload is not
    base64, or its plain result nested too deeply for a pickle."""
    for event in events:
        if event["run_id"] != run_id or event["type"] not in TERMINAL_TYPES:
            continue
        if event["type"] == "task_cancelled":
            return CANCELLED
        if event["type"] == "task_error":
            exception = _payload(event, "exception_pickle")
            return Outcome("error", error=_error(event), exception_pickle=exception)
        result = _payload(event, "result_pickle")
        return Outcome("result", _plain_result(event) if result is None else result)
    return None


def _plain_result(event: Event) -> bytes:
    """Return the pickle of a result in plain JSON, as a worker in another language sends it."""
    try:
        return dumps(event.get("result"))
    except (pickle.PicklingError, RecursionError):  # cloudpickle raises the first for the second
        raise ValueError("its result is nested too deeply") from None


def _payload(event: Event, name: str) -> bytes | None:
    text = event.get(name)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError(f"{name} is not base64") from None


def _error(event: Event) -> dict[str, Any]:
    """Return what a ``task_error`` says of the failure, in texts of limited length whatever its
    fields are. A pickle that has more than plain data is not read: then only its size is known."""
    error = event.get("error")
    payload = _payload(event, "error_pickle")
    if payload is not None:
        try:
            error = read_plain(payload)
        except NotPlainError as exc:
            error = {"message": f"its error_pickle of {len(payload)} bytes is not read: {exc}"}
    if not isinstance(error, dict):
        error = {"message": error}
    return {
        "kind": _text(error.get("kind", "Error"), KIND_LIMIT),
        "message": _text(error.get("message", ""), MESSAGE_LIMIT),
        "traceback": _text(error.get("traceback", ""), TRACEBACK_LIMIT),
        "retryable": bool(error.get("retryable")),
        "source": _text(error.get("source", "task"), KIND_LIMIT),
    }


def _text(value: Any, limit: int) -> str:
    return cut_middle(value if isinstance(value, str) else value_text(value), limit)
