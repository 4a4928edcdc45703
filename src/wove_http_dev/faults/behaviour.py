"""Reads and updates ``behaviour.json``, the recorded behaviour of Wove's executor with each fault.

The table has a row for each fault. Two keys of a row are maintained by hand and not updated:
``python`` (differences in some Python version) and ``or`` (alternatives, where patch releases of
one Python version differ).
"""

from __future__ import annotations

import importlib.resources
import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.catalogue import FAULTS
from wove_http_dev.private_files import write_whole

Row = dict[str, Any]
PATH = importlib.resources.files(__package__).joinpath("behaviour.json")
TIMEOUT, DELIVERY_TIMEOUT = 0.5, 2.0
"""The timeouts used for measuring, in seconds. The body of ``slow-body`` takes 0.6 s, or longer on
a busy machine."""
_BY_HAND = ("python", "or")


def recorded(python: tuple[int, int] | None = None) -> dict[str, Row]:
    """Return the row of each fault by its name, for ``python`` or else this Python version."""
    rows = _read()["faults"]
    return {name: _for_python(row, _label(python)) for name, row in rows.items()}


def recorded_with() -> dict[str, str]:
    """Return the versions of Wove and Python with which the whole table was last measured."""
    versions: dict[str, str] = _read()["measured"]
    return versions


def _read() -> dict[str, Any]:
    """Return the table in ``behaviour.json``. Raises :class:`UsageError` if the file has another
    form."""
    try:
        document = json.loads(PATH.read_text(encoding="utf-8"))
        rows = [*document["faults"].values(), document["measured"]]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _broken(str(exc)) from None
    if not all(isinstance(row, dict) for row in rows):
        raise _broken("a row is not an object")
    table: dict[str, Any] = document
    return table


def _broken(why: str) -> UsageError:
    return UsageError(
        f"{PATH} is not a table of behaviours ({why}); restore it from git, or install"
        " wove-http-dev again"
    )


def _label(python: tuple[int, int] | None = None) -> str:
    return ".".join(map(str, python or sys.version_info[:2]))


def _for_python(row: Row, label: str) -> Row:
    own = {key: value for key, value in row.items() if key != "python"}
    own.update(row.get("python", {}).get(label, {}))
    return {key: value for key, value in own.items() if value is not None}


def _differing(measured: Row, kept: Row) -> dict[str, Any]:
    """Return the keys whose values differ between the rows, each with its value in ``kept``."""
    kept = dict(kept)
    for other in kept.pop("or", []):
        if all(measured.get(key) == value for key, value in other.items()):
            kept.update(other)
    if "after" not in measured.get("when", ""):  # a busy machine is slower; only the bound counts
        kept["when"] = measured.get("when")
    keys = sorted({*measured, *kept})
    return {key: kept.get(key) for key in keys if measured.get(key) != kept.get(key)}


def differences(name: str, measured: Row, table: Mapping[str, Row]) -> list[str]:
    """Return a line for each difference between the row ``measured`` and that in ``table``, which
    is the result of :func:`recorded`."""
    if name not in table:
        return [f"{name}: not in the table"]
    return [
        f"{name}: {key}: measured {measured.get(key)!r}, recorded {value!r}"
        for key, value in _differing(measured, table[name]).items()
    ]


def update(rows: Mapping[str, Row], versions: Mapping[str, str]) -> list[str]:
    """Write measured ``rows`` into the table: changed values are replaced, a new fault gets a row.

    ``versions`` is stored only if every fault was measured. Returns one line per difference that
    was not written, because that key is maintained by hand.
    """
    document = _read()
    kept, label = document["faults"], _label()
    left: list[str] = []
    for name, measured in rows.items():
        row = kept.setdefault(name, dict(measured))
        by_hand = row.get("python", {}).get(label, {})
        for key in _differing(measured, _for_python(row, label)):
            if key in by_hand:
                left.append(f'{name}: {key} is written by hand, under "python", {label!r}')
            elif key in measured:
                row[key] = measured[key]
            else:
                del row[key]
        document["faults"][name] = _by_hand_last(row)
    # The row of a fault that was renamed stays: what was written by hand in it would be lost.
    unknown = [name for name in kept if name not in FAULTS]
    left += [f"{name}: no fault has this name; rename the row or delete it" for name in unknown]
    document["faults"] = {name: kept[name] for name in [*FAULTS, *unknown] if name in kept}
    if set(rows) == set(FAULTS):
        document["measured"] = dict(versions)
    text = json.dumps(document, indent=1) + "\n"
    if not isinstance(PATH, Path):
        raise UsageError(f"{PATH} is in a zip file; update the table of an installation without")
    write_whole(PATH, text.encode(), stat.S_IMODE(PATH.stat().st_mode))
    return left


def _by_hand_last(row: Row) -> Row:
    return dict(sorted(row.items(), key=lambda item: item[0] in _BY_HAND))


def described(row: Row) -> str:
    """Return ``row`` in words."""
    if row["outcome"] == "result":
        what = f"the result, {row['value']}"
    elif row["outcome"] == "error":
        kind = f" (kind {row['kind']})" if row.get("kind") else ""
        what = f"{row['type']}{kind}: {row['message']}"
    else:
        what = f"{row['type']}, {row['outcome']}"
    frames, bodies = row["run_task frames"], row["bodies run"]
    return f"{what}; {row['when']}; run_task frames that arrived: {frames}, task ran: {bodies}"
