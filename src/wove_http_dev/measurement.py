"""The behaviour table: what Wove's real executor makes of each fault, measured and kept.

``behaviour.json`` beside this file holds one row a fault, with what differs by Python version. A
test compares it with the executor installed; ``python -m wove_http_dev faults --measure`` measures
anew and prints the differences. This room drives weaves; it knows no pytest.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wove_http_dev.faults import FAULTS, Fault
from wove_http_dev.faults.fault import Recipe
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

Row = dict[str, Any]
TIMEOUT, DELIVERY_TIMEOUT = 0.5, 2.0
"""Seconds in force while measuring. A body that drips takes 0.6 s, on a busy machine longer."""

AT_ONCE, LATER = 0.4, 5.0
"""Seconds: an outcome within the first is told as "at once", else as "bounded" by the second."""

_VARIABLE = (
    (re.compile(r"_ssl\.c:\d+"), "_ssl.c:N"),
    (re.compile(r"\d+ (bytes read|more expected)"), r"N \1"),
    (re.compile(r"line \d+ column \d+ \(char \d+\)"), "line N column N (char N)"),
    (re.compile(r"number of data characters \(\d+\)"), "number of data characters (N)"),
    (re.compile(r"[Ss]elf[ -]signed"), "self-signed"),  # OpenSSL 1.1 and 3 differ
    (re.compile(r"\b(SSLV3|TLSV1|TLSV13|sslv3|tlsv1|tlsv13|ssl/tls)( ?_?)alert", re.I), "alert"),
)


def normalized(text: str) -> str:
    """``text`` without what varies from run to run or from one OpenSSL to the next."""
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text


def measure_fault(kind: type[Fault], ca: CertificateAuthority) -> Row:
    """One weave of one task with the fault in force; what its author sees."""
    recipe = kind.recipe()
    options = {"timeout": TIMEOUT, "delivery_timeout": DELIVERY_TIMEOUT, **kind.worker_options()}
    with HttpWorker(ca=ca, **options) as worker, worker.configured():
        if recipe.hold:
            worker.hold("task")
        injection = worker.inject(kind())
        begin = time.perf_counter()
        row = _outcome(lambda: _weave(recipe))
        seconds = time.perf_counter() - begin
        claims = [e for e in worker.exchanges if e.frame_type == "run_task"]
        row["when"] = "at once" if seconds < AT_ONCE else f"within {LATER:g} s"
        if seconds > LATER:
            row["when"] = f"after more than {LATER:g} s"
        row["run_task frames"] = len(claims)
        row["hit"] = injection.hits > 0 or kind.listener
        row["bodies run"] = sum(run.executions for run in worker.runs)
        worker.reset()
    return row


def _weave(recipe: Recipe) -> Any:
    from wove import weave

    delivery_timeout = recipe.delivery_timeout or DELIVERY_TIMEOUT
    with weave() as w:

        @w.do(environment="workers", delivery_timeout=delivery_timeout, retries=recipe.retries)
        def task() -> tuple[int, int]:
            return (1, 2)

    return w.result.task


def _outcome(read: Callable[[], Any]) -> Row:
    try:
        return {"outcome": "result", "value": repr(read())}
    except Exception as exc:
        row: Row = {
            "outcome": "error",
            "type": type(exc).__name__,
            "message": normalized(str(exc)).strip(),
        }
        payload = getattr(exc, "payload", None)
        if isinstance(payload, dict):
            row["kind"] = payload.get("kind")
            row["source"] = payload.get("source")
        return row
    except BaseException as exc:  # CancelledError: it leaves the weave whatever error_mode says
        if isinstance(exc, KeyboardInterrupt):
            raise
        return {"outcome": "raised out of the weave", "type": type(exc).__name__}


def compare_fault(
    kind: type[Fault], ca: CertificateAuthority, table: Mapping[str, Row]
) -> tuple[Row, list[str]]:
    """The row of a fault, and what differs from ``table``.

    A row that differs is measured once more, and the second one counts: where the machine stood
    still for longer than :data:`TIMEOUT`, another timeout was over first.
    """
    row = measure_fault(kind, ca)
    if differences(kind.name, row, table):
        row = measure_fault(kind, ca)
    return row, differences(kind.name, row, table)


def compare_all(
    names: Mapping[str, type[Fault]] | None = None,
) -> Iterator[tuple[str, Row, list[str]]]:
    """Name, row and differences from the kept table of every fault, one after the other."""
    table = recorded()
    with CertificateAuthority() as ca:
        for name, kind in (names or FAULTS).items():
            yield name, *compare_fault(kind, ca, table)


def recorded(python: tuple[int, int] | None = None) -> dict[str, Row]:
    """The kept table, as it stands for this Python version. A row's ``or`` holds what else may be
    seen, where patch releases of one Python version differ."""
    version = python or (sys.version_info.major, sys.version_info.minor)
    label = f"{version[0]}.{version[1]}"
    text = importlib.resources.files("wove_http_dev.faults").joinpath("behaviour.json").read_text()
    table: dict[str, Row] = {}
    for name, row in json.loads(text)["faults"].items():
        own = dict(row)
        differing = own.pop("python", {})
        own.update(differing.get(label, {}))
        table[name] = {key: value for key, value in own.items() if value is not None}
    return table


def differences(name: str, measured: Row, table: Mapping[str, Row]) -> list[str]:
    """What differs between a measured row and the kept one, a line each."""
    if name not in table:
        return [f"{name}: not in the table"]
    kept = dict(table[name])
    for other in kept.pop("or", []):
        if all(measured.get(key) == value for key, value in other.items()):
            kept.update(other)
    if "after" not in measured.get("when", ""):  # a busy machine is slower; only the bound counts
        kept["when"] = measured.get("when")
    return [
        f"{name}: {key}: measured {measured.get(key)!r}, recorded {kept.get(key)!r}"
        for key in sorted({*measured, *kept})
        if measured.get(key) != kept.get(key)
    ]


def described(row: Row) -> str:
    """A row in words."""
    if row["outcome"] == "result":
        what = f"the result, {row['value']}"
    elif row["outcome"] == "error":
        kind = f" (kind {row['kind']})" if row.get("kind") else ""
        what = f"{row['type']}{kind}: {row['message']}"
    else:
        what = f"{row['type']}, {row['outcome']}"
    frames, bodies = row["run_task frames"], row["bodies run"]
    return f"{what}; {row['when']}; {frames} run_task frame(s) arrived, {bodies} body(ies) ran"


def environment() -> dict[str, str]:
    """The versions that a measurement belongs to."""
    return {
        "wove": importlib.metadata.version("wove"),
        "python": ".".join(map(str, sys.version_info[:3])),
    }
