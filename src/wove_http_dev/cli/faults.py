"""The catalogue of faults, printed: summary, fields with defaults and units, expected effect."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import behaviour
from wove_http_dev.faults.fault import STAGES, Fault


def fields_of(kind: type[Fault]) -> list[str]:
    """One line for each field: ``name=default unit: documentation``."""
    lines = []
    for field in dataclasses.fields(kind):
        unit = field.metadata.get("unit", "")
        shown = f"{field.name}={field.default}" + (f" {unit}" if unit else "")
        lines.append(f"{shown}: {field.metadata.get('doc', '')}")
    return lines


def print_catalogue(table: Mapping[str, type[Fault]]) -> None:
    """Every fault, by stage."""
    console = Console(highlight=False)
    for stage in STAGES:
        kinds = [kind for kind in table.values() if kind.stage == stage]
        if not kinds:
            continue
        grid = Table(title=stage, title_justify="left", box=box.SIMPLE, show_header=False)
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column()
        for kind in kinds:
            names = ", ".join(field.name for field in dataclasses.fields(kind))
            grid.add_row(kind.name, kind.summary() + (f" [{names}]" if names else ""))
        console.print(grid, markup=False)
    console.print("wove-http-dev faults NAME shows one in full", markup=False)


def print_fault(table: Mapping[str, type[Fault]], name: str) -> int:
    """One fault in full. Raises :class:`UsageError` for an unknown name."""
    kind = _find(table, name)
    print(f"{kind.name}  (stage {kind.stage})\n\n{kind.summary()}\n")
    fields = fields_of(kind)
    print("fields:" if fields else "no fields")
    for line in fields:
        print(f"  {line}")
    if kind.needs:
        print("needs a worker with", ", ".join(f"{w}={v!r}" for w, v in kind.needs.items()))
    if kind.crashes:
        print("ends the worker; start() brings it back")
    print(f"\nexpected of Wove's executor: {kind.effect}")
    for version, reason in kind.uncontained.items():
        print(f"no application can contain it with Wove {version}: {reason}")
    row = behaviour.recorded().get(name)
    if row is not None:
        timeouts = behaviour.TIMEOUT, behaviour.DELIVERY_TIMEOUT
        print("\nrecorded with timeout={:g}, delivery_timeout={:g}:".format(*timeouts))
        print(f"  {behaviour.described(row)}")
    return 0


def _find(table: Mapping[str, type[Fault]], name: str) -> type[Fault]:
    kind = table.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, table, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else "see wove-http-dev faults"
        raise UsageError(f"unknown fault {name!r}; {hint}")
    return kind


def measure(table: Mapping[str, type[Fault]], name: str | None, *, update: bool) -> int:
    """Measure one fault, or all, against the installed Wove and print what differs from the
    recorded table; with ``update`` write it there.

    Returns 1 if a difference is left. Raises :class:`UsageError` for an unknown name.
    """
    from wove_http_dev import measurement

    kinds = table if name is None else {name: _find(table, name)}
    there, here = behaviour.recorded_with(), measurement.versions()
    if there["wove"] != here["wove"]:
        print(f"the table was recorded with wove {there['wove']}; this is wove {here['wove']}")
    rows: dict[str, behaviour.Row] = {}
    found: list[str] = []
    for each, row, differences in measurement.compare_all(kinds):
        rows[each] = row
        found += differences
        print(f"{each}: {behaviour.described(row)}", flush=True)
        for line in differences:
            print(f"  DIFFERS {line}", flush=True)
    print(f"{len(found)} difference(s) from the recorded table")
    if update:
        found = behaviour.update(rows, here)
        print(f"updated {behaviour.PATH}", *found, sep="\n  LEFT ")
    return 1 if found else 0
