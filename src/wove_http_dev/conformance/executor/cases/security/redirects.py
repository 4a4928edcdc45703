"""Cases about redirects: the executor sends no credentials to another origin, and uses no answer
from there as a result.

The other origin is a second port of the worker. It records the requests that it receives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import CANCEL_WITHIN, NO_CANCEL, TIMEOUTS
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import frames_of, requests_of
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async, watch_async
from wove_http_dev.faults.response import Redirect
from wove_http_dev.runs.records import Exchange

FOLLOWED = 0.1
"""Seconds within which a redirect is followed."""
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


def leaked(requests: Sequence[Exchange]) -> str:
    """Describe the credentials or data in the first of ``requests`` (sent to another origin) that
    has any; return an empty string if none has."""
    for request in requests:
        names = [name for name, _ in request.headers if name.lower() in CREDENTIALS]
        if names:
            return f"a {request.method} with {', '.join(names)}"
        if request.body_size:
            return f"a {request.method} with the {request.body_size} bytes of a command frame"
    return ""


@family.each(
    dict(zip(("01", "02", "03", "04", "05"), CODES, strict=True)),
    sources.REDIRECT,
    name="redirect-{}-credentials",
    scenario="a run answered with {} to another origin; "
    f"{' and '.join(mode for mode, _ in MODES)}; from https to https, and from http to https",
    expected="the other origin gets no credentials and no command frame",
)
def redirect_credentials(check: CaseContext, code: int) -> str:
    """Credentials and command frames are sent only to the configured origin."""
    followed = False
    for mode, options in MODES:
        worker = check.worker(**options)
        injection = worker.inject(Redirect(code))
        check.run_one_weave(worker, delivery_timeout=1.0)
        what = leaked(injection.redirected)
        if what:
            check.fail(
                f"a {code} redirect was followed to another origin, which was sent {what} ({mode})"
            )
        followed = followed or bool(injection.redirected)
    # An executor may take https for the same service with more security, and follow to it.
    elsewhere, worker = check.worker(security="none"), check.worker(tls=False)
    worker.inject(Redirect(code, target=elsewhere.url))
    check.run_one_weave(worker, delivery_timeout=1.0)
    what = leaked(requests_of(elsewhere))
    if what:
        check.fail(
            f"a {code} redirect from http to https was followed to another origin, which was sent"
            f" {what}"
        )
    return "followed without credentials" if followed else "not followed"


@family.each(
    dict(zip(("06", "07", "08", "09", "10"), CODES, strict=True)),
    sources.REDIRECT,
    name="redirect-{}-not-believed",
    scenario="a run answered with {} to another origin, which answers with a result",
    expected="an error",
)
def redirect_not_believed(check: CaseContext, code: int) -> str:
    """Only an answer from the configured worker can end a run with a result."""
    worker = check.worker()
    injection = worker.inject(Redirect(code))
    outcome = check.run_one_weave(worker)
    if outcome.kind == "result":
        check.fail(
            f"a {code} redirect was followed to another origin, and its answer was"
            f" used: the weave has {outcome}"
        )
    return f"{outcome}; {len(injection.redirected)} request(s) at the other origin"


@family.must(
    "11",
    sources.REDIRECT,
    scenario="runs answered with each redirect, from https to a plain http URL",
    expected="no credentials are sent to that URL",
)
def redirect_to_plaintext(check: CaseContext) -> str:
    """Data sent over https is not sent again in plain text."""
    elsewhere = check.worker(tls=False, security="none")
    for code in CODES:
        worker = check.worker(security="bearer")
        worker.inject(Redirect(code, target=elsewhere.url))
        check.run_one_weave(worker, delivery_timeout=1.0)
        what = leaked(requests_of(elsewhere))
        if what:
            check.fail(
                f"a {code} redirect from https to http was followed and sent in plain text {what}"
            )
    return "no credentials sent"


@family.must(
    "39",
    sources.REDIRECT,
    scenario=f"runs that are abandoned, and whose cancel_tasks are answered with"
    f" {', '.join(map(str, CODES))} to another origin; signed, with an X-Api-Key header",
    expected="the other origin gets no credentials and no command frame",
)
def cancel_redirects(check: CaseContext) -> str:
    """The credentials of a cancel_task are sent only to the configured origin."""
    worker = check.worker(headers={"X-Api-Key": "conformance"})
    gate = worker.hold("merge:abandoned*")
    injections = {
        code: worker.inject(Redirect(code), command="cancel_task", task=f"merge:abandoned{code}")
        for code in CODES
    }

    def cancelled() -> int:
        return len(frames_of(worker, "cancel_task"))

    async def script(remote: Remote) -> None:
        for timeout in TIMEOUTS:
            before = len(gate.runs)
            runs = [attempt(remote(f"abandoned{code}", delivery_timeout=timeout)) for code in CODES]
            await asyncio.gather(*runs)
            if len(gate.runs) == before + len(CODES):
                break
        limit = check.seconds(CANCEL_WITHIN)
        await wait_until_async(lambda: cancelled() >= len(CODES), limit)
        # A request that follows a redirect is sent by the thread that read it.
        await watch_async(
            lambda: any(injection.redirected for injection in injections.values()),
            check.silence(FOLLOWED),
        )

    check.run_script(worker, script)
    for code, injection in injections.items():
        what = leaked(injection.redirected)
        if what:
            check.fail(
                f"a {code} redirect of a cancel_task was followed to another origin, which was sent"
                f" {what}"
            )
    if not any(injection.hits for injection in injections.values()):
        raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
    return "no credentials sent"
