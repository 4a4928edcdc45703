"""Security cases, redirects: no credentials to another origin, and no belief in what it answers.

Another origin is another port of ours; what arrives there is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wove_http_dev.conformance.case import MUST, Family
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.faults.response import Redirect
from wove_http_dev.runs.records import Exchange

redirects = Family("security")
CODES = (301, 302, 303, 307, 308)
MODES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("signed, with an X-Api-Key header", {"headers": {"X-Api-Key": "conformance"}}),
    ("bearer", {"security": "bearer"}),
)
CREDENTIALS = (
    "authorization",
    "x-wove-key",
    "x-wove-timestamp",
    "x-wove-nonce",
    "x-wove-signature",
    "x-api-key",
)


def leaked(visits: Sequence[Exchange]) -> str:
    """What was given away at another origin, in words; empty for nothing."""
    for visit in visits:
        names = [name for name, _ in visit.headers if name.lower() in CREDENTIALS]
        if names:
            return f"a {visit.method} with {', '.join(names)}"
        if visit.body_size:
            return f"a {visit.method} with the {visit.body_size} bytes of a command frame"
    return ""


def _credentials(check: CaseContext, code: int) -> str:
    followed = False
    for mode, options in MODES:
        worker = check.worker(**options)
        injection = worker.inject(Redirect(code))
        check.one(worker, delivery_timeout=1.0)
        what = leaked(injection.redirected)
        if what:
            check.fail(
                f"a {code} redirect was followed to another origin, which was sent {what} ({mode})"
            )
        followed = followed or bool(injection.redirected)
    return "followed without credentials" if followed else "not followed"


def _belief(check: CaseContext, code: int) -> str:
    worker = check.worker()
    injection = worker.inject(Redirect(code))
    told = check.one(worker)
    if told.kind == "result":
        check.fail(
            f"a {code} redirect was followed to another origin, and what that answered was"
            f" believed: the weave has {told}"
        )
    return f"{told}; {len(injection.redirected)} request(s) at the other origin"


def _add(number: int, code: int) -> None:
    def credentials(check: CaseContext) -> str:
        return _credentials(check, code)

    def belief(check: CaseContext) -> str:
        return _belief(check, code)

    credentials.__doc__ = "Credentials and command frames go to the configured origin alone."
    belief.__doc__ = "Only the configured worker may say how a run ended."
    redirects.case(
        f"{number:02}",
        f"redirect-{code}-credentials",
        MUST,
        sources.REDIRECT,
        sent=f"a run answered with {code} to another origin; {' and '.join(m for m, _ in MODES)}",
        expected="no credentials and no command frame there",
    )(credentials)
    redirects.case(
        f"{number + len(CODES):02}",
        f"redirect-{code}-not-believed",
        MUST,
        sources.REDIRECT,
        sent=f"a run answered with {code} to another origin, which answers with a result",
        expected="an error",
    )(belief)


for _index, _code in enumerate(CODES):
    _add(_index + 1, _code)


@redirects.case(
    "11",
    "redirect-to-plaintext",
    MUST,
    sources.REDIRECT,
    sent="runs answered with each redirect, from https to a plain http URL",
    expected="no credentials there",
)
def redirect_to_plaintext(check: CaseContext) -> str:
    """Nothing that https protects is sent on in plain text."""
    elsewhere = check.worker(tls=False, security="none")
    for code in CODES:
        worker = check.worker(security="bearer")
        worker.inject(Redirect(code, target=elsewhere.url))
        check.one(worker, delivery_timeout=1.0)
        what = leaked([e for e in elsewhere.exchanges if e.kind == "request"])
        if what:
            check.fail(f"a {code} redirect from https to http was followed: in plain text {what}")
    return "nothing given away"
