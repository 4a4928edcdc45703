"""One grammar for faults in text: ``NAME field=value … task=… times=…`` in shell words.

``inject("…")``, the markers and ``--fault`` take the same text.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Selector
from wove_http_dev.fields import did_you_mean, fields_of


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
        raise UsageError(f"unknown fault {name!r}; {did_you_mean(name, sorted(table))}")
    values: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    for word in settings:
        key, equals, raw = word.partition("=")
        key = key.replace("-", "_")
        if not equals:
            raise UsageError(f"fault {name}: {word!r} is not field=value")
        if key in values or key in selection:
            raise UsageError(f"fault {name}: {key}= is given twice")
        if key in fields_of(kind):
            values[key] = fields_of(kind)[key].parse(raw, f"fault {name}")
        elif key in fields_of(Selector):
            selection[key] = fields_of(Selector)[key].parse(raw, f"fault {name}")
        else:
            known = sorted([*fields_of(kind), *fields_of(Selector)])
            raise UsageError(f"fault {name} has no field {key!r}; {did_you_mean(key, known)}")
    return kind(**values), selection
