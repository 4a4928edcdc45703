"""Cases about where credentials and headers come from: the configuration of this start, and nothing
else: not an earlier start, and not a line break in a value."""

from __future__ import annotations

from typing import Any

from wove_http_dev.client import environ
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import headers_of, requests_of
from wove_http_dev.conformance.executor.refusals import refusal

ROTATED = "WOVE_CONFORMANCE_ROTATED_SECRET"
INJECTED = "X-Injected"
LINE = f"given\r\n{INJECTED}: 1"


@family.must(
    "40",
    sources.SECURITY,
    scenario=f'weaves with security "env:{ROTATED}", whose value is replaced after the first one; a'
    " new executor, and the first one again",
    expected="the new secret in each weave that starts afterwards",
)
def rotated_secret(check: CaseContext) -> str:
    """A secret that was replaced is used from the next start on."""
    before, after = check.worker(tls=False), check.worker(tls=False)
    settings = {"security": f"env:{ROTATED}"}
    executor: Any = None
    for worker, which in ((before, "first"), (after, "new"), (after, "first")):
        definition = check.definition(worker, settings)
        if which == "first":
            executor = executor or definition["executor"]
            definition["executor"] = executor
        with environ.set_variable(ROTATED, str(worker.secret)):
            outcome = check.run_one_weave(worker, 1, definition=definition)
        if worker is before:
            continue
        what = (
            f"the secret was replaced, and with {'a' if which == 'new' else 'the'} {which} executor"
        )
        for exchange in requests_of(worker):
            if not exchange.accepted:
                check.fail(f"{what} a request still had the old one: {refusal(exchange)}")
        if outcome.value != 1:
            check.fail(f"{what} the weave has {outcome}")
    return "the new secret is used"


@family.must(
    "41",
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
    worker = check.worker(tls=False)
    for where, words in settings:
        outcome = check.run_one_weave(worker, settings=words, delivery_timeout=check.seconds(0.5))
        for exchange in requests_of(worker):
            if INJECTED in headers_of(exchange):
                check.fail(f"a line break in {where} made a header of its own: {outcome}")
    return "no header added"
