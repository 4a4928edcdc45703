"""Cases about a worker that refuses a run, and perhaps says when to ask again.

The Retry-After of an answer is the worker's text: a number of seconds, a date, or anything else.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.retries import family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, MARGIN, CaseContext
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import ResponseStage
from wove_http_dev.protocol.messages import Reply, json_reply
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

SHORT = 0.3
"""Seconds of the timeout that ends the wait for a Retry-After of an hour."""
HOUR = 3600
RESENT_AFTER = (401, 403, 408, 409, 425, 429, 503)
"""Statuses after which HTTP libraries, or code around them, send a request again: with fresh
credentials, on a new connection, or later."""


@dataclass(frozen=True)
class Refused(Fault):
    """Answers ``status``, with ``retry_after`` as Retry-After if it is given."""

    stage: ClassVar[str] = "response"
    status: int = 503
    retry_after: str | None = None

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Refuse the request."""
        words = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return json_reply(self.status, {"error": "busy"}, **words)

    def __str__(self) -> str:
        header = "" if self.retry_after is None else f" and Retry-After: {self.retry_after}"
        return f"{self.status}{header}"


def _date(seconds: float) -> str:
    """Return the date and time in ``seconds`` from now, as HTTP writes it."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


def _long() -> list[Refused]:
    """Return refusals with a Retry-After of an hour and more; nothing can wait ``inf`` seconds, or
    as many as the largest number."""
    return [Refused(503, text) for text in (str(HOUR), _date(HOUR), "9" * 30, "inf")]


def _without_wait() -> list[Refused]:
    """Return refusals whose Retry-After asks for no wait: zero, in the past, or not a time."""
    return [Refused(503, text) for text in ("0", "-5", _date(-HOUR), "soon", "")]


def _answered_with(
    check: CaseContext,
    worker: HttpWorker,
    refusals: Iterable[Refused],
    options: Mapping[str, float],
    within: float,
) -> list[tuple[Refused, WeaveOutcome | None]]:
    """Run a task for each of ``refusals``, all at once, with ``options``, and return the outcome of
    each, or ``None`` for a run that has not ended after ``within`` seconds."""
    planned = list(enumerate(refusals))
    for number, refusal in planned:
        worker.inject(refusal, task=f"merge:refused_{number}")

    async def script(remote: Remote) -> list[tuple[Refused, WeaveOutcome | None]]:
        runs = [
            asyncio.ensure_future(attempt(remote(f"refused_{number}", **options)))
            for number, _ in planned
        ]
        await asyncio.wait(runs, timeout=within)
        ended = [run.result() if run.done() else None for run in runs]
        for run in runs:
            run.cancel()
        return [(refusal, end) for (_, refusal), end in zip(planned, ended, strict=True)]

    found: list[tuple[Refused, WeaveOutcome | None]] = check.run_script(
        worker, script, planned=within
    )
    return found


@family.should(
    "06",
    sources.RUNTIME,
    scenario=f"tasks without retries, whose answers are {', '.join(map(str, RESENT_AFTER))}, and"
    " 503 with a Retry-After of an hour",
    expected="one run_task frame each",
)
def refusal_not_resent(check: CaseContext) -> str:
    """The executor does not resend a run that was refused: its author asked for one attempt. After
    the Retry-After of the answer it may."""
    worker = check.worker()
    refusals = [*map(Refused, RESENT_AFTER), Refused(503, str(HOUR))]
    limit = check.silence(SHORT)
    _answered_with(check, worker, refusals, {"delivery_timeout": limit}, limit + MARGIN)
    for number, refusal in enumerate(refusals):
        count = len(frames_of(worker, "run_task", f"merge:refused_{number}"))
        if count > 1:
            check.fail(f"after {refusal} {count} run_task frames arrived within {limit:.2f} s")
    return "one frame each"


@family.must(
    "07",
    sources.RETRY_AFTER,
    scenario="runs answered with 503, at once: with a Retry-After of an hour as seconds and as a"
    f" date, of 10^30 s and inf, and a delivery_timeout of {SHORT:g} s; then with one of 0 s, -5"
    " s, a date in the past, and with texts that are not a time; then the weave's end",
    expected="the runs and the weave end in time; where there is nothing to wait for, the error"
    " names the status",
)
def retry_after_bounded(check: CaseContext) -> str:
    """No Retry-After, whatever its text, keeps a run beyond its delivery_timeout, or hides the
    status of the answer."""
    worker = check.worker()
    within = SHORT + check.seconds(MARGIN)
    for refusal, outcome in _answered_with(
        check, worker, _long(), {"delivery_timeout": SHORT}, within
    ):
        if outcome is None:
            what = f"answered with {refusal}, a run had not ended after {within:.1f} s"
            check.fail(what, late=True)
        check.expect_error(outcome, f"answered with {refusal}")
    if not check.last_weave.wait(check.seconds(MARGIN)):
        check.fail(
            "a Retry-After of an hour keeps the weave from ending after its last run", late=True
        )
    limit = check.seconds(DELIVERY_TIMEOUT)
    for refusal, outcome in _answered_with(
        check, check.worker(), _without_wait(), {"delivery_timeout": limit}, limit + MARGIN
    ):
        if outcome is None:
            what = f"answered with {refusal}, a run had not ended after {limit:.1f} s"
            check.fail(what, late=True)
        check.expect_error(outcome, f"answered with {refusal}")
        if "503" not in outcome.text:
            what = f"answered with {refusal}, the error does not name the status: {outcome}"
            check.fail(what)
    return str(outcome)


@family.should(
    "08",
    sources.RETRY_AFTER,
    scenario="runs answered with 503, at once, with a Retry-After of an hour as seconds and as a"
    f" date, of 10^30 s and inf; the executor's timeout {SHORT:g} s, no delivery_timeout",
    expected="an error for each run, at most the timeout after its answer",
)
def retry_after_within_timeout(check: CaseContext) -> str:
    """A Retry-After is waited for no longer than the executor's timeout."""
    within = 2 * SHORT + check.seconds(MARGIN)
    worker = check.worker(timeout=SHORT)
    for refusal, outcome in _answered_with(check, worker, _long(), {}, within):
        if outcome is None:
            check.fail(
                f"answered with {refusal}, a run had not ended after {within:.1f} s, although the"
                f" executor's timeout is {SHORT:g} s",
                late=True,
            )
        check.expect_error(outcome, f"answered with {refusal}")
    return str(outcome)
