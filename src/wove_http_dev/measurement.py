"""Measures what the installed Wove does with each fault, and compares it with the recorded table.

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

PATIENT = 30.0
"""Seconds that the client waits for what answers at once, where a busy machine was slower."""
AT_ONCE, LATER = 0.4, 5.0
"""Seconds. An outcome before ``AT_ONCE`` is recorded as "at once"; other outcomes are recorded as
within ``LATER``, or after more than ``LATER``."""

_VARIABLE = (
    (re.compile(r"_ssl\.c:\d+"), "_ssl.c:N"),
    (re.compile(r"\d+ (bytes read|more expected)"), r"N \1"),
    (re.compile(r"line \d+ column \d+ \(char \d+\)"), "line N column N (char N)"),
    (re.compile(r"number of data characters \(\d+\)"), "number of data characters (N)"),
    # Debian 12's Python 3.11.2 takes an end of file within the handshake for a proper end of TLS.
    (
        re.compile(r"TLS/SSL connection has been closed \(EOF\)"),
        "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol",
    ),
    (re.compile(r"[Ss]elf[ -]signed"), "self-signed"),  # OpenSSL 1.1 and 3 differ
    (re.compile(r"\b(SSLV3|TLSV1|TLSV13|sslv3|tlsv1|tlsv13|ssl/tls)( ?_?)alert", re.I), "alert"),
)


def normalized(text: str) -> str:
    """Return ``text`` without the parts that vary between runs or OpenSSL versions."""
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text


def measure_fault(
    kind: type[Fault],
    ca: CertificateAuthority,
    timeout: float = TIMEOUT,
    delivery_timeout: float = DELIVERY_TIMEOUT,
) -> Row:
    """Run a weave of one task against a worker with the fault, and return a row of observations.
    The client waits ``timeout`` and ``delivery_timeout`` seconds."""
    recipe = kind.recipe()
    limits = {"timeout": timeout, "delivery_timeout": delivery_timeout}
    options = {**limits, **kind.worker_options()}
    with HttpWorker(ca=ca, **options) as worker, worker.configured():
        if recipe.hold:
            worker.hold("task")
        injection = worker.inject(kind())
        outcome = run_one_weave(
            (1, 2),
            delivery_timeout=recipe.delivery_timeout or delivery_timeout,
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
    """Measure a fault; return its row and the differences from ``table``.

    A row that differs is measured again, and the second result counts: if a busy machine pauses for
    longer than ``TIMEOUT``, another timeout may expire first. For a fault that answers, the client
    then waits longer.
    """
    row = measure_fault(kind, ca)
    if differences(kind.name, row, table):
        if kind.stalls or kind.recipe().hold:
            row = measure_fault(kind, ca)
        else:
            row = measure_fault(kind, ca, PATIENT, PATIENT)
    return row, differences(kind.name, row, table)


def compare_all(
    names: Mapping[str, type[Fault]] | None = None,
) -> Iterator[tuple[str, Row, list[str]]]:
    """Measure faults one after the other. Yields name, row and differences from the recorded
    table."""
    table = recorded()
    with CertificateAuthority() as ca:
        for name, kind in (names or FAULTS).items():
            yield name, *compare_fault(kind, ca, table)


def versions() -> dict[str, str]:
    """Return the installed versions of Wove and Python."""
    return {"wove": importlib.metadata.version("wove"), "python": platform.python_version()}
