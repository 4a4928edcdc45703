"""One grammar for faults in text: ``NAME field=value … task=… times=…`` in shell words.

The same words in ``inject("…")``, in a marker and after ``--fault``. This room turns text into a
fault and a selector, or into one clear error; it knows no worker.
"""

from __future__ import annotations

import dataclasses
import difflib
import shlex
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Selector


def parse_fault(text: str, table: Mapping[str, type[Fault]]) -> tuple[Fault, dict[str, Any]]:
    """The fault in ``text`` and its selector words. Raises :class:`UsageError` with advice."""
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise UsageError(f"fault {text!r}: {exc}; quote it as a shell would") from exc
    if not words:
        raise UsageError("an empty fault; say NAME field=value …")
    name, *settings = words
    kind = table.get(name)
    if kind is None:
        raise UsageError(f"unknown fault {name!r}{_near(name, table)}")
    selector_types = typing.get_type_hints(Selector)
    field_types = _field_types(kind)
    values: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    for word in settings:
        key, equals, raw = word.partition("=")
        key = key.replace("-", "_")
        if not equals:
            raise UsageError(f"fault {name}: {word!r} is not field=value")
        if key in values or key in selection:
            raise UsageError(f"fault {name}: {key}= is given twice")
        if key in field_types:
            values[key] = _convert(f"fault {name}: {key}", raw, field_types[key])
        elif key in selector_types:
            selection[key] = _convert(f"fault {name}: {key}", raw, selector_types[key])
        else:
            known = [*field_types, *selector_types]
            raise UsageError(f"fault {name} has no field {key!r}{_near(key, known)}")
    return kind(**values), selection


def _field_types(kind: type[Fault]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _near(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(sorted(names))}"


def _convert(what: str, raw: str, hint: Any) -> Any:
    kinds = list(typing.get_args(hint)) or [hint]
    if isinstance(hint, types.UnionType) and type(None) in kinds and raw.lower() == "none":
        return None
    for kind in kinds:
        if kind is bool:
            if raw.lower() in ("true", "yes", "1", "on"):
                return True
            if raw.lower() in ("false", "no", "0", "off"):
                return False
            raise UsageError(f"{what} takes true or false, not {raw!r}")
        if kind in (int, float):
            try:
                return kind(raw)
            except ValueError:
                word = "a whole number" if kind is int else "a number"
                raise UsageError(f"{what} takes {word}, not {raw!r}") from None
    return raw
