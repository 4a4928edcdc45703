"""Cases about where the headers of a request come from: each is configured as a header, and none
comes from a line break in a value."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import headers_of, requests_of

INJECTED = "X-Injected"
LINE = f"given\r\n{INJECTED}: 1"


@family.must(
    "40",
    sources.INJECTION,
    scenario="runs with a line break in a configured header's value, in its name, and in the token",
    expected="no request in which what follows the line break is a header",
)
def line_break_in_a_header(check: CaseContext) -> str:
    """A line break in a configured value adds no header to a request."""
    settings: tuple[tuple[str, dict[str, Any]], ...] = (
        ("a header's value", {"headers": {"X-Conformance": LINE}}),
        ("a header's value (a line feed)", {"headers": {"X-Conformance": LINE.replace("\r", "")}}),
        ("a header's name", {"headers": {f"X-Conformance: 1\r\n{INJECTED}": "1"}}),
        ("the token", {"security": {"type": "bearer", "token": LINE}}),
        ("the key's name", {"security": {"type": "signed", "secret": "s" * 32, "key": LINE}}),
    )
    worker = check.quick_worker()
    for where, words in settings:
        outcome = check.run_one_weave(worker, settings=words, delivery_timeout=check.seconds(0.5))
        for exchange in requests_of(worker):
            if INJECTED in headers_of(exchange):
                check.fail(f"a line break in {where} made a header of its own: {outcome}")
    return "no header added"
