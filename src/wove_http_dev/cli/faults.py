"""``faults``: prints the catalogue, a family or one fault, or measures the installed Wove."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import DISTRIBUTIONS, FAULTS, behaviour
from wove_http_dev.faults.distributions import takes_distribution
from wove_http_dev.faults.fault import STAGES
from wove_http_dev.faults.selector import Selector
from wove_http_dev.faults.text import named_fault
from wove_http_dev.fields import fields_of
from wove_http_dev.spelling import did_you_mean


def show(name: str | None) -> None:
    """Print the fault or the family ``name``, or all faults. Raises :class:`UsageError` for an
    unknown name."""
    if name is None:
        _print_families(STAGES)
    elif name in STAGES:
        _print_families([name])
    elif name in FAULTS:
        _print_fault(name)
    else:
        advice = did_you_mean(name, [*FAULTS, *STAGES], "see wove-http-dev faults")
        raise UsageError(f"unknown fault or family {name!r}; {advice}")


def _print_families(stages: Iterable[str]) -> None:
    console = Console(highlight=False)
    for stage in stages:
        grid = Table(title=stage, title_justify="left", box=box.SIMPLE, show_header=False)
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column()
        for kind in (kind for kind in FAULTS.values() if kind.stage == stage):
            names = ", ".join(fields_of(kind))
            grid.add_row(kind.name, kind.summary() + (f" [{names}]" if names else ""))
        console.print(grid, markup=False)
    print("every fault also takes, to select requests:", *_field_lines(Selector), sep="\n  ")
    print("\nwove-http-dev faults NAME shows one in full")


def _print_fault(name: str) -> None:
    kind = FAULTS[name]
    print(f"{kind.name}  (stage {kind.stage})\n\n{kind.summary()}\n")
    lines = _field_lines(kind)
    print("fields:" if lines else "no fields", *lines, sep="\n  ")
    if any(map(takes_distribution, fields_of(kind).values())):
        forms = [each.example for each in DISTRIBUTIONS.values()]
        print("a distribution, drawn for each request by the seed:", *forms, sep="\n  ")
    if kind.needs:
        print("needs a worker with", ", ".join(f"{w}={v!r}" for w, v in kind.needs.items()))
    if kind.crashes:
        print("ends the worker; start() brings it back")
    print(f"\nexpected of Wove's executor: {kind.effect}")
    wove = importlib.metadata.version("wove")
    reason = kind.why_uncontained(wove)
    if reason is not None:
        print(f"Wove {wove} itself cannot contain it: {reason}")
    row = behaviour.recorded().get(name)
    if row is not None:
        timeouts = behaviour.TIMEOUT, behaviour.DELIVERY_TIMEOUT
        print("\nrecorded with timeout={:g}, delivery_timeout={:g}:".format(*timeouts))
        print(f"  {behaviour.described(row)}")


def measure(name: str | None, *, update: bool) -> int:
    """Measure one fault, or all, with the installed Wove and print the differences from the
    recorded table; with ``update``, write them into the table.

    Returns 1 if a difference is left. Raises :class:`UsageError` for an unknown name.
    """
    from wove_http_dev import measurement

    kinds = FAULTS if name is None else {name: named_fault(name)}
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


def _field_lines(kind: type) -> list[str]:
    fields = fields_of(kind).values()
    written = [each.written(each.default) for each in fields]
    width = max(map(len, written), default=0)
    return [f"{word:<{width}} {each.help()}" for word, each in zip(written, fields, strict=True)]
