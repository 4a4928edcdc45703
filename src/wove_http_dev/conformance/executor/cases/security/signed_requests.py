"""Cases about credentials in requests: every command frame is sent with them, and each signature is
made for the request that carries it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from wove_http_dev.client import environ
from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    CANCEL_WITHIN,
    NO_CANCEL,
    TIMEOUTS,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames.command_frames import TARGETS
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.received import frames_of, headers_of, requests_of
from wove_http_dev.conformance.executor.refusals import refusal, signed_over
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async, watch_async
from wove_http_dev.faults.response import Status
from wove_http_dev.protocol.authenticator import NONCE, TIMESTAMP
from wove_http_dev.runs.records import Exchange
from wove_http_dev.worker import HttpWorker

REQUESTS = 20
ZONE = "AHEAD-13:30"
"""A time zone far from UTC."""
AGAIN = 0.05
"""Seconds within which a refused request is sent again."""
TIMESTAMP_TOLERANCE = 30.0
"""The greatest difference, in seconds, that is accepted between a request's timestamp and its
arrival."""
PAUSE = 1.1
"""Seconds between two requests, so that their timestamps differ even if they are in whole
seconds."""


def _expect_accepted(check: CaseContext, worker: HttpWorker) -> list[Exchange]:
    """Return all requests that ``worker`` has received. Raises :class:`CaseFailed` if it refused
    one."""
    requests = requests_of(worker)
    for exchange in requests:
        if not exchange.accepted:
            what = exchange.frame_type or "request"
            check.fail(f"a {what} was not authenticated as configured: {refusal(exchange)}")
    return requests


def _runs(check: CaseContext, mode: str) -> str:
    worker = check.worker(security=mode)

    async def script(remote: Remote) -> list[object]:
        return [await remote("task", number) for number in range(5)]

    try:
        check.run_script(worker, script)
    finally:
        requests = _expect_accepted(check, worker)
    return f"{len(requests)} requests, all accepted"


@family.must(
    "12",
    sources.SECURITY,
    scenario="five runs, with a signing secret configured",
    expected="every run_task carries a valid signature",
)
def run_frames_signed(check: CaseContext) -> str:
    """If a secret is configured, every run_task carries a valid signature."""
    return _runs(check, "signed")


@family.must(
    "13",
    sources.SECURITY,
    scenario="five runs, with a bearer token configured",
    expected="every run_task carries the token",
)
def run_frames_bearer(check: CaseContext) -> str:
    """If a bearer token is configured, every run_task carries it."""
    return _runs(check, "bearer")


def _cancels(check: CaseContext, mode: str) -> str:
    worker = check.worker(security=mode)
    worker.hold(ABANDONED)
    worker.inject(Status(401), command="cancel_task", times=1)

    async def script(remote: Remote) -> None:
        runs = [attempt(remote("abandoned", delivery_timeout=0.3)) for _ in range(2)]
        await asyncio.gather(*runs)
        limit = check.seconds(CANCEL_WITHIN)
        # The journal also has the type of a refused frame, so an unsigned cancel_task is found too.
        await wait_until_async(lambda: len(frames_of(worker, "cancel_task")) >= 2, limit)
        # An executor that tries again without credentials does so at once.
        await watch_async(lambda: len(frames_of(worker, "cancel_task")) > 2, check.silence(AGAIN))

    check.run_script(worker, script)
    _expect_accepted(check, worker)
    cancels = frames_of(worker, "cancel_task")
    if not cancels:
        raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
    return f"{len(cancels)} cancel_task, accepted"


@family.must(
    "14",
    sources.SECURITY,
    scenario="two runs whose delivery_timeout ends, with a signing secret configured; one of the"
    " cancel_tasks is answered with 401",
    expected="each cancel_task carries a valid signature",
)
def cancel_frames_signed(check: CaseContext) -> str:
    """If a secret is configured, every cancel_task carries a valid signature."""
    return _cancels(check, "signed")


@family.must(
    "15",
    sources.SECURITY,
    scenario="two runs whose delivery_timeout ends, with a bearer token configured; one of the"
    " cancel_tasks is answered with 401",
    expected="each cancel_task carries the token",
)
def cancel_frames_bearer(check: CaseContext) -> str:
    """If a bearer token is configured, every cancel_task carries it."""
    return _cancels(check, "bearer")


@family.must(
    "16",
    sources.SECURITY,
    scenario="runs to URLs with escapes in path and query, an empty path, doubled slashes, empty"
    " parameters and a fragment",
    expected="a signature over the target exactly as on the request line",
)
def signature_covers_target(check: CaseContext) -> str:
    """The signature covers the target exactly as sent, including the query and escapes."""
    for path, rest in TARGETS:
        worker, recorder = check.quick_worker(path=path or "/"), RequestRecorder()
        url = f"{worker.url.partition(':')[0]}://localhost:{worker.port}{path}{rest}"
        worker.inject(recorder)
        outcome = check.run_one_weave(worker, settings={"url": url})
        for exchange, request in zip(requests_of(worker), recorder.requests, strict=False):
            if exchange.code == "signature-mismatch":
                secret = worker.credentials.secret
                check.fail(
                    f"the signature of a {exchange.frame_type} does not cover the target on its"
                    f" request line, {request.target!r}: {signed_over(request, secret, url)}"
                )
        _expect_accepted(check, worker)
        if outcome.kind != "result":
            check.fail(f"with the URL {url!r} the weave has {outcome}")
    return f"accepted: {requests_of(worker)[-1].target}"


@family.must(
    "17",
    sources.SECURITY,
    scenario=f"{REQUESTS} runs in one weave, a task with two retries that fails, a run that is"
    " abandoned, and a run in another weave",
    expected="different nonces in all requests",
)
def fresh_nonces(check: CaseContext) -> str:
    """Each request has a new nonce: each run, each attempt, each cancel_task."""
    worker = check.quick_worker()
    worker.stub("merge:failing", error=ValueError("boom"))
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> None:
        for number in range(REQUESTS):
            await attempt(remote("task", number))
        await attempt(remote("failing", retries=2))
        await attempt(remote("abandoned", delivery_timeout=TIMEOUTS[0]))
        if worker.journal.runs[ABANDONED]:
            limit = check.seconds(CANCEL_WITHIN)
            await wait_until_async(lambda: bool(frames_of(worker, "cancel_task")), limit)

    check.run_script(worker, script, within=PATIENCE + REQUESTS)
    check.run_one_weave(worker)
    nonces = [nonce for each in requests_of(worker) for nonce in headers_of(each).getlist(NONCE)]
    if len(nonces) != len(set(nonces)):
        check.fail(f"a nonce was used again: {len(set(nonces))} among {len(nonces)} requests")
    _expect_accepted(check, worker)
    if len(nonces) < REQUESTS + 1:
        check.fail(f"{len(nonces)} signed requests arrived for {REQUESTS + 1} runs")
    return f"{len(nonces)} nonces, all different"


@family.must(
    "34",
    sources.SECURITY,
    scenario=f"two runs on one executor, {PAUSE:g} s apart",
    expected="the time of each request in its X-Wove-Timestamp",
)
def fresh_timestamps(check: CaseContext) -> str:
    """A signature's timestamp is the time of its request."""
    worker = check.worker()

    async def script(remote: Remote) -> None:
        await attempt(remote("first"))
        await asyncio.sleep(PAUSE)
        await attempt(remote("second"))

    check.run_script(worker, script, planned=PAUSE)
    timestamps = _expect_timestamps(check, worker)
    if len(timestamps) >= 2 and timestamps[-1] == timestamps[0]:
        check.fail(
            f"two requests {PAUSE:g} s apart have the same timestamp: once it is too old, workers"
            " will refuse every request"
        )
    return f"{len(timestamps)} timestamps, each the time of its request"


@contextmanager
def _time_zone(name: str) -> Iterator[None]:
    """Let ``name`` be the time zone of this process until the block ends."""
    with ExitStack() as stack:
        stack.callback(time.tzset)  # once the variable is restored
        stack.enter_context(environ.set_variable("TZ", name))
        time.tzset()
        yield


@family.must(
    "45",
    sources.SECURITY,
    scenario=f"a run in the time zone {ZONE}",
    expected="the time of the request in its X-Wove-Timestamp",
    alone=True,
)
def any_time_zone(check: CaseContext) -> str:
    """A signature's timestamp counts seconds since 1970 in UTC, wherever the process is."""
    worker = check.worker()
    with _time_zone(ZONE):
        check.run_one_weave(worker)
    return f"{len(_expect_timestamps(check, worker))} timestamps, each the time of its request"


def _expect_timestamps(check: CaseContext, worker: HttpWorker) -> list[float]:
    """Return the timestamps of all requests. Raises :class:`CaseFailed` if one is not the time of
    its request."""
    timestamps: list[float] = []
    for exchange in requests_of(worker):
        try:
            timestamps.append(float(headers_of(exchange).get(TIMESTAMP, "")))
        except ValueError:
            check.fail(f"X-Wove-Timestamp is not a number of seconds: {refusal(exchange)}")
        off = abs(timestamps[-1] - exchange.received)
        if off > TIMESTAMP_TOLERANCE:
            check.fail(
                f"X-Wove-Timestamp is {off:.0f} s off the time of its request; a worker whose clock"
                " differs a little more refuses it"
            )
    return timestamps
