"""Measuring what the installed Wove does with each fault, and comparing it with the recorded table.

``wove-http-dev faults --measure`` prints the differences from ``faults/behaviour.json``, and a test
compares every row.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator, Mapping

from wove_http_dev.faults import FAULTS, Fault
from wove_http_dev.faults.behaviour import DELIVERY_TIMEOUT, TIMEOUT, Row, differences, recorded
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.weave_outcome import WeaveOutcome, run_one_weave
from wove_http_dev.worker import HttpWorker

AT_ONCE, LATER = 0.4, 5.0
"""Seconds: an outcome within the first is recorded as "at once", else with the second as bound."""

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
    """Run one weave of one task against a worker with the fault; the row of what was seen."""
    recipe = kind.recipe()
    options = {"timeout": TIMEOUT, "delivery_timeout": DELIVERY_TIMEOUT, **kind.worker_options()}
    with HttpWorker(ca=ca, **options) as worker, worker.configured():
        if recipe.hold:
            worker.hold("task")
        injection = worker.inject(kind())
        outcome = run_one_weave(
            (1, 2),
            delivery_timeout=recipe.delivery_timeout or DELIVERY_TIMEOUT,
            retries=recipe.retries,
        )
        row = {
            **_outcome_row(outcome),
            "when": _when(outcome.seconds),
            "run_task frames": sum(e.frame_type == "run_task" for e in worker.exchanges),
            "hit": injection.hits > 0 or kind.listener,
            "bodies run": sum(run.executions for run in worker.runs),
        }
        worker.reset()
    return row


def _outcome_row(outcome: WeaveOutcome) -> Row:
    if outcome.error is None:
        return {"outcome": outcome.kind, "value": repr(outcome.value)}
    row: Row = {"outcome": "error", "type": type(outcome.error).__name__}
    if outcome.escapes:
        return {**row, "outcome": "raised out of the weave"}
    row["message"] = normalized(str(outcome.error)).strip()
    if outcome.payload:
        row.update(kind=outcome.payload.get("kind"), source=outcome.payload.get("source"))
    return row


def _when(seconds: float) -> str:
    if seconds > LATER:
        return f"after more than {LATER:g} s"
    return "at once" if seconds < AT_ONCE else f"within {LATER:g} s"


def compare_fault(
    kind: type[Fault], ca: CertificateAuthority, table: Mapping[str, Row]
) -> tuple[Row, list[str]]:
    """Measure a fault; its row and what differs from ``table``.

    A row that differs is measured once more, and the second one counts: where the machine stood
    still for longer than ``TIMEOUT``, another timeout was over first.
    """
    row = measure_fault(kind, ca)
    if differences(kind.name, row, table):
        row = measure_fault(kind, ca)
    return row, differences(kind.name, row, table)


def compare_all(
    names: Mapping[str, type[Fault]] | None = None,
) -> Iterator[tuple[str, Row, list[str]]]:
    """Measure faults, one after the other; name, row and differences from the recorded table."""
    table = recorded()
    with CertificateAuthority() as ca:
        for name, kind in (names or FAULTS).items():
            yield name, *compare_fault(kind, ca, table)


def versions() -> dict[str, str]:
    """The installed versions, with which a measurement is made."""
    return {"wove": importlib.metadata.version("wove"), "python": platform.python_version()}
