"""Authentication cases about signatures that are slightly damaged, and about header names in upper
or lower case."""

from __future__ import annotations

from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    refuses,
    signed,
)
from wove_http_dev.conformance.worker.client import SIGNATURE
from wove_http_dev.conformance.worker.context import CaseContext

SCHEME = "v1="


def _flipped(digit: str) -> str:
    return "1" if digit == "0" else "0"


@auth.must(
    "22",
    sources.SECURITY,
    scenario="valid signatures, each altered: cut off, extended, or one hex digit changed",
    expected=REFUSAL,
)
@refuses("signed")
def damaged_signature(check: CaseContext) -> Attempts:
    """A signature must match completely: one that is only partly right is refused."""
    for what, damage in (
        ("of which only v1= is left", lambda digits: ""),
        ("of which only the first hex digit is left", lambda digits: digits[:1]),
        ("cut in half", lambda digits: digits[:32]),
        ("without its last hex digit", lambda digits: digits[:-1]),
        ("with one hex digit more", lambda digits: digits + "0"),
        ("with something after it", lambda digits: f"{digits},v1=0"),
        ("with another last hex digit", lambda digits: digits[:-1] + _flipped(digits[-1])),
        ("with another first hex digit", lambda digits: _flipped(digits[0]) + digits[1:]),
        ("of which only the first quarter is right", lambda digits: digits[:16] + "0" * 48),
    ):
        sent, headers = signed(check)
        digits = headers[SIGNATURE][len(SCHEME) :]
        damaged = {**headers, SIGNATURE: SCHEME + damage(digits)}
        yield Attempt(f"a signature {what}", sent, damaged)


@auth.must(
    "23",
    f"{sources.HTTP}, 5.1",
    scenario="valid requests whose header names are all in lower case, and all in upper case",
    expected="both are accepted",
)
def header_names(check: CaseContext) -> str:
    """Header names are case-insensitive; proxies change their case."""
    check.need_mode("signed", "bearer")
    body = commands.encode(commands.run_frame(tasks.nothing))
    for what, change in (("lower", str.lower), ("upper", str.upper)):
        headers = check.service.credentials(body)
        spelled = {change(name): value for name, value in headers.items()}
        answer = check.ask(f"header names in {what} case", body, spelled)
        if answer.status in (401, 403):
            check.fail(f"a good request was refused for header names in {what} case")
    return f"HTTP {answer.status}"
