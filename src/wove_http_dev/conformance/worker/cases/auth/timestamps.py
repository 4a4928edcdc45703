"""Authentication cases about timestamps: a signed request is accepted only near the time at which
it was signed, and its nonce is remembered for as long."""

from __future__ import annotations

import datetime
import email.utils
import time

from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    cancelling,
    refuses,
    signed,
)
from wove_http_dev.conformance.worker.client import TIMESTAMP
from wove_http_dev.conformance.worker.context import CaseContext

DAY = 86400.0
"""A difference of clocks, in seconds, far beyond any that is sensible to accept (Wove's own default
is 300 s)."""
INSIDE, OUTSIDE = 60, 1800
"""A difference of clocks, in seconds, that must be accepted, and one that must be refused (Wove's
own default limit is 300 s)."""
EDGES = (-290, -180, -90, -20, 0, 90, 290)
"""Differences of clocks, in seconds, from one end of Wove's own window to the other. A service may
refuse any but 0."""


@auth.must(
    "14",
    sources.SECURITY,
    scenario="requests signed with a timestamp of a day ago, also in milliseconds or negative, with"
    " 0, with -1, with a second X-Wove-Timestamp of now before or after the old one, and with other"
    " headers that say it is sent now (Date, X-Timestamp, X-Request-Start)",
    expected=REFUSAL,
)
@refuses("signed")
def expired_timestamp(check: CaseContext) -> Attempts:
    """A timestamp behind the clock-skew window is refused."""
    stamp = str(int(time.time() - DAY))
    yield Attempt("an expired timestamp (a day old)", *signed(check, timestamp=stamp))
    for other in (f"{stamp}000", f"-{stamp}", "0", "0.0", "-1"):
        yield Attempt(f"the expired timestamp {other!r}", *signed(check, timestamp=other))
    stamp_now = str(int(time.time()))
    now = {TIMESTAMP.lower(): stamp_now}
    for where in ("after", "before"):
        sent, headers = signed(check, timestamp=stamp)
        both = {**headers, **now} if where == "after" else {**now, **headers}
        what = f"an expired timestamp, with a second X-Wove-Timestamp of now {where} it,"
        yield Attempt(what, sent, both)
    sent, headers = signed(check, timestamp=stamp)
    date = email.utils.formatdate(usegmt=True)
    now = {"Date": date, "X-Timestamp": stamp_now, "X-Request-Start": f"t={stamp_now}000"}
    yield Attempt("an expired timestamp, with a Date of now,", sent, {**headers, **now})


@auth.must(
    "15",
    sources.SECURITY,
    scenario="requests signed with timestamps of tomorrow and of far later",
    expected=REFUSAL,
)
@refuses("signed")
def future_timestamp(check: CaseContext) -> Attempts:
    """A timestamp ahead of the clock-skew window is refused."""
    for stamp in (str(int(time.time() + DAY)), "9" * 12, "9e300"):
        yield Attempt(f"the future timestamp {stamp}", *signed(check, timestamp=stamp))


# Wove's own verify_headers (2.0.3) accepts nan, but only a client with the secret can sign it.
@auth.should(
    "16",
    f"{sources.SECURITY}; NaN is in no window",
    scenario="requests signed with the timestamps nan, -nan, inf, -inf and 1e400",
    expected=REFUSAL,
)
@refuses("signed")
def endless_timestamp(check: CaseContext) -> Attempts:
    """A timestamp that is not a finite number is refused, because it would never expire."""
    for stamp in ("nan", "-nan", "NaN", "inf", "-inf", "1e400"):
        yield Attempt(f"the timestamp {stamp!r}", *signed(check, timestamp=stamp))


@auth.must(
    "17",
    sources.SECURITY,
    scenario="requests signed with timestamps that are not numbers",
    expected=f"{REFUSAL}; the service keeps serving",
)
@refuses("signed")
def malformed_timestamp(check: CaseContext) -> Attempts:
    """A timestamp that is not a number is refused."""
    for stamp in ("yesterday", "1,5", "0x10", "9" * 400):
        yield Attempt(f"the timestamp {stamp[:12]!r}", *signed(check, timestamp=stamp))
    check.still_serves("malformed timestamps")


@auth.should(
    "27",
    f"{sources.EXECUTOR} (clock_skew_seconds is 300 unless set)",
    scenario=f"requests with timestamps {INSIDE} s and {OUTSIDE} s behind and ahead",
    expected=f"those within {INSIDE} s are accepted, the others refused",
)
def clock_window(check: CaseContext) -> str:
    """Clocks may differ by minutes in either direction, but not by half an hour."""
    check.need_mode("signed")
    wrong = []
    for seconds in (-INSIDE, INSIDE, -OUTSIDE, OUTSIDE):
        stamp = str(int(time.time() + seconds))
        answer = check.ask("a timestamp", *cancelling(check, timestamp=stamp))
        where = f"a timestamp {abs(seconds)} s {'behind' if seconds < 0 else 'ahead'}"
        if abs(seconds) == INSIDE and answer.status in (401, 403):
            wrong.append(f"{where} was refused")
        elif abs(seconds) == OUTSIDE and answer.ok:
            wrong.append(f"{where} was accepted")
    if wrong:
        check.fail("; ".join(wrong))
    return "accepted within the window only"


@auth.must(
    "34",
    sources.SECURITY,
    scenario="requests with timestamps from 290 s ago to 290 s ahead, and then each of those that"
    " were accepted a second time",
    expected="the replays are refused",
)
def replay_with_any_timestamp(check: CaseContext) -> str:
    """A nonce is remembered as long as its own timestamp is valid, whether that is old or ahead,
    and whatever other requests say the time is."""
    check.need_mode("signed")
    accepted = []
    for seconds in EDGES:
        request = cancelling(check, timestamp=str(int(time.time() + seconds)))
        if check.ask("a timestamp", *request).ok:
            accepted.append((seconds, request))
    for seconds, request in accepted:
        again = check.ask("a replay", *request)
        if again.ok:
            where = f"{abs(seconds)} s {'behind' if seconds < 0 else 'ahead'}"
            check.fail(f"a replay of a request with a timestamp {where} was accepted")
    return f"{len(accepted)} timestamps accepted, each once"


@auth.should(
    "35",
    sources.EXECUTOR,
    scenario="requests signed with a timestamp of now in other forms: in milliseconds, negative,"
    " hexadecimal, as a date, with something after it",
    expected=REFUSAL,
)
@refuses("signed")
def timestamp_spelling(check: CaseContext) -> Attempts:
    """A timestamp has one form, seconds since 1970; one that can be read in two ways could expire
    at two times."""
    now = int(time.time())
    date = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
    for stamp in (
        *(f"{now}000", f"{now}000000", f"-{now}", hex(now), f"{now}abc", f"{now},{now}"),
        *(f"{now} {now}", date.isoformat(), email.utils.format_datetime(date, usegmt=True)),
    ):
        yield Attempt(f"the timestamp {stamp!r}", *signed(check, timestamp=stamp))
