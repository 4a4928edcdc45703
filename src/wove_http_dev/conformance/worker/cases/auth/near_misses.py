"""Authentication cases about signatures that are slightly damaged, and about header names in upper
or lower case."""

from __future__ import annotations

import base64
import hashlib
import hmac

from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    refuses,
    signed,
)
from wove_http_dev.conformance.worker.client import KEY, NONCE, SIGNATURE, TIMESTAMP
from wove_http_dev.conformance.worker.context import CaseContext

SCHEME = "v1="
UNREADABLE = (
    (SIGNATURE, "v1=\xe9\xfc\xc3\xa9"),
    (SIGNATURE, "v1=" + "z" * 64),
    (SIGNATURE, "v1"),
    (SIGNATURE, "v1=" + "a" * 5000),
    (KEY, "\xe9"),
    (NONCE, "\xe9"),
    (NONCE, "n" * 5000),
    (TIMESTAMP, "\xe9"),
    (TIMESTAMP, "nan"),
    (TIMESTAMP, "9" * 400),
)
"""Headers that may cause an error where they are read, which must not be taken for success."""


def _flipped(digit: str) -> str:
    return "1" if digit == "0" else "0"


@auth.must(
    "22",
    sources.SECURITY,
    scenario="valid signatures, each altered: cut off, extended, one hex digit changed,"
    " or replaced; wrong ones beside headers that cannot be read",
    expected=REFUSAL,
)
@refuses("signed")
def damaged_signature(check: CaseContext) -> Attempts:
    """A signature must match completely: one that is only partly right is refused."""
    for what, damage in (
        ("of which only v1= is left", lambda digits: ""),
        ("replaced by the word none", lambda digits: "none"),
        ("of zeros", lambda digits: "0" * 64),
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
    for name, value in UNREADABLE:
        sent, headers = signed(check, secret=b"another secret")
        what = f"a wrong signature, and {value[:12]!r} as {name},"
        yield Attempt(what, sent, {**headers, name: value})


@auth.must(
    "23",
    f"{sources.HTTP}, 5.1",
    scenario="valid requests whose header names are all in lower case, and all in upper case",
    expected="both are accepted",
)
def header_names(check: CaseContext) -> str:
    """Header names are case-insensitive; proxies change their case."""
    check.need_mode("signed", "bearer")
    for what, change in (("lower", str.lower), ("upper", str.upper)):
        body = commands.encode(commands.run_frame(tasks.nothing))
        headers = check.service.credentials(body)
        spelled = {change(name): value for name, value in headers.items()}
        answer = check.ask(f"header names in {what} case", body, spelled)
        if answer.status in (401, 403):
            check.fail(f"a good request was refused for header names in {what} case")
    return f"HTTP {answer.status}"


@auth.should(
    "41",
    sources.SECURITY,
    scenario="right signatures in other forms: in upper case, without v1=, as base64, quoted, made"
    " with other hash functions",
    expected=REFUSAL,
)
@refuses("signed")
def signature_spelling(check: CaseContext) -> Attempts:
    """A signature has one form, as Wove's own verification requires; a request that has several can
    be taken for several requests."""
    for what, spell in (
        ("in upper case", lambda digits: f"v1={digits.upper()}"),
        ("with V1=", lambda digits: f"V1={digits}"),
        ("without v1=", lambda digits: digits),
        ("with sha256= instead of v1=", lambda digits: f"sha256={digits}"),
        ("with v2= instead of v1=", lambda digits: f"v2={digits}"),
        ("in quotes", lambda digits: f'"v1={digits}"'),
        ("as base64", lambda digits: f"v1={base64.b64encode(bytes.fromhex(digits)).decode()}"),
        ("after another one", lambda digits: f"v1={'0' * 64},v1={digits}"),
    ):
        sent, headers = signed(check)
        digits = headers[SIGNATURE][len(SCHEME) :]
        yield Attempt(f"a signature {what}", sent, {**headers, SIGNATURE: spell(digits)})
    for name in ("md5", "sha1", "sha512"):
        sent, headers = signed(check)
        lines = ("wove-v1", "http", check.service.target, headers[TIMESTAMP], headers[NONCE])
        text = "\n".join((*lines, hashlib.sha256(sent.body).hexdigest())).encode()
        digest = hmac.new(check.service.secret, text, name).hexdigest()
        yield Attempt(f"a signature made with {name}", sent, {**headers, SIGNATURE: f"v1={digest}"})
