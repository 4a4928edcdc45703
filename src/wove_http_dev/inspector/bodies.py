"""Reads what a request of the control API says: the query and the JSON body, checked against the
schemas of its route."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from wove_http_dev.cut_text import cut_end
from wove_http_dev.errors import UsageError
from wove_http_dev.inspector.routes import Route
from wove_http_dev.inspector.schemas import SCHEMAS, Schema
from wove_http_dev.spelling import did_you_mean

BODY_LIMIT = 2**20
"""Bytes of the largest body."""
DEPTH_LIMIT = 64
"""How deep lists and objects of a body may be nested."""
_DIGITS = 400
"""Digits of the longest number; Python needs seconds for one of a million."""
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def read_body(name: str, request: Request) -> dict[str, Any]:
    """Return the JSON object in the body, which fits the schema ``name``; an empty one for no body.
    Raises :class:`UsageError`, and werkzeug's exception for a body that is too large."""
    data = request.get_data()
    if len(data) > BODY_LIMIT:
        raise RequestEntityTooLarge
    value = _parse(data) if data.strip() else {}
    if not isinstance(value, dict):
        raise UsageError("the body is not a JSON object; send one, such as {}")
    _check(value, SCHEMAS[name], "the body")
    return value


def read_query(route: Route, request: Request) -> dict[str, Any]:
    """Return the parameters of the query, converted to their types. Raises :class:`UsageError`."""
    known = {each.name: each.schema for each in route.parameters}
    words: dict[str, Any] = {}
    for name, texts in request.args.lists():
        if name not in known:
            advice = did_you_mean(name, known) if known else "leave it out"
            raise UsageError(f"unknown parameter {name!r}; {advice}")
        if len(texts) > 1:
            raise UsageError(f"parameter {name} is given twice; give it once")
        words[name] = _convert(name, texts[0], known[name])
    return words


def _convert(name: str, text: str, schema: Schema) -> Any:
    kind = schema.get("type")
    if kind == "boolean":
        if text not in ("true", "false"):
            raise UsageError(f"parameter {name} takes true or false, not {text!r}")
        return text == "true"
    if kind == "integer":
        if not _WHOLE.fullmatch(text):
            raise UsageError(f"parameter {name} takes a whole number, not {text!r}")
        return int(text)
    return text


def _parse(data: bytes) -> Any:
    try:
        value = json.loads(
            data.decode("utf-8"), parse_int=_whole, parse_float=_finite, parse_constant=_no_json
        )
    except UnicodeDecodeError:
        raise UsageError("the body is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        raise UsageError(f"the body is not JSON: {exc}") from None
    _check_depth(value)
    return value


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("a number has too many digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # 1e400: no answer could have it
        raise ValueError("a number is too large")
    return number


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        if not inner:
            return
        level = inner
    raise _too_deep()


def _too_deep() -> UsageError:
    return UsageError(f"the body is nested too deeply; use at most {DEPTH_LIMIT} levels")


def _check(value: Any, schema: Schema, where: str) -> None:
    """Raise :class:`UsageError` unless ``value`` has the types and the fields of ``schema``.
    Bounds are left to the operation, whose messages are those of the other interfaces."""
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is_a(value, kind) for kind in kinds):
        raise UsageError(f"{where} takes {' or '.join(kinds)}, not {_shown(value)}")
    if "properties" in schema and isinstance(value, dict):
        known = schema["properties"]
        for name, each in value.items():
            if name not in known:
                advice = did_you_mean(name, known) if known else "leave it out"
                raise UsageError(f"{where} has an unknown field {name!r}; {advice}")
            _check(each, known[name], name)
        for name in schema.get("required", ()):
            if name not in value:
                raise UsageError(f"{where} has no {name}; give it")
    if "items" in schema and isinstance(value, list):
        for each in value:
            _check(each, schema["items"], f"an entry of {where}")


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):  # a bool is an int
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _shown(value: Any) -> str:
    return cut_end(json.dumps(value), 100)
