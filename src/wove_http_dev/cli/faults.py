"""The catalogue of faults, printed: summary, fields with defaults and units, expected effect."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import STAGES, Fault
from wove_http_dev.measurement import DELIVERY_TIMEOUT, TIMEOUT, described, recorded


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
    kind = table.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, table, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else "see wove-http-dev faults"
        raise UsageError(f"unknown fault {name!r}; {hint}")
    print(f"{kind.name}  (stage {kind.stage})\n\n{kind.summary()}\n")
    fields = fields_of(kind)
    print("fields:" if fields else "no fields")
    for line in fields:
        print(f"  {line}")
    print(f"\nexpected of Wove's executor: {kind.effect}")
    row = recorded().get(name)
    if row is not None:
        print(f"\nrecorded with timeout={TIMEOUT:g}, delivery_timeout={DELIVERY_TIMEOUT:g}:")
        print(f"  {described(row)}")
    return 0
