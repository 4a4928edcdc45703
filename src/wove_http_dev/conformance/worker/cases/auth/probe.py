"""Requests whose effect the checker can see: one runs a task that reports to the checker (a probe),
another holds a pickle that reports when it is loaded (a canary).

The decorator `refuses` makes a case from requests that the service must refuse.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, pickles, tasks
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.client import in_chunks, request_bytes
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import AnswerTimeout, HttpResponse, NoAnswer

AFTERMATH = 0.05
"""Seconds, on an idle machine, to wait after an answer for the report of a task that should not
run."""
LOADED = 0.15
"""Seconds, on an idle machine, to wait after an answer for the report of a pickle that should not
be loaded."""
REFUSAL = "a refusal (no 2xx status), and the task does not run"
UNVERIFIED = (401, 403)
"""Statuses of an answer to a request whose credentials are wrong."""
UNRELATED = (408, 413, 429, 502, 503, 504)
"""Statuses that have nothing to do with the request's credentials or with its frame."""
NO_REFUSAL = "though no run was seen: a refusal needs 401 or 403"


@dataclass(frozen=True)
class Probe:
    """A request body that asks for a task which reports to ``callback`` when it runs; so the
    checker sees whether it ran."""

    body: bytes
    callback: Callback | None
    """``None`` if tasks cannot connect to the checker; then nothing is reported."""
    aftermath: float
    """Seconds to wait for a report after the answer."""

    def ran(self) -> bool:
        """Wait for a report that the task runs, and return whether one came. ``False`` if tasks
        cannot connect to the checker."""
        return self.times() > 0

    def has_run(self) -> bool:
        """Return whether a report that the task runs has come, without waiting for one."""
        return self.times(0.0) > 0

    def times(self, timeout: float | None = None, at_least: int = 1) -> int:
        """Wait up to ``timeout`` seconds (default: ``aftermath``) for ``at_least`` reports, and
        return how many came."""
        if self.callback is None:
            return 0
        self.callback.arrived(self.aftermath if timeout is None else timeout, at_least)
        return self.callback.counted()


def probe(check: CaseContext) -> Probe:
    """Return a new request body whose task reports to the checker, if tasks can connect to it."""
    callback = check.callback_if_possible()
    if callback is None:
        frame = commands.run_frame(tasks.nothing)
    else:
        frame = commands.run_frame(tasks.report_back, callback.address)
    return Probe(commands.encode(frame), callback, check.silence(AFTERMATH))


def signed(check: CaseContext, **changes: Any) -> tuple[Probe, dict[str, str]]:
    """Return a new probe and the headers that authenticate it. ``changes`` are passed to
    :meth:`ServiceUnderTest.credentials`, e.g. to make the headers wrong."""
    new = probe(check)
    return new, check.service.credentials(new.body, **changes)


def cancelling(check: CaseContext, **changes: Any) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request that costs the service little: a cancel_task for
    an unknown run. ``changes`` are passed to :meth:`ServiceUnderTest.credentials`."""
    body = commands.encode(commands.cancel_frame("conformance:replay"))
    return body, check.service.credentials(body, **changes)


@dataclass(frozen=True)
class PickleCanary:
    """A request body with a pickle that reports to ``callback`` when someone loads it. The checker
    waits ``aftermath`` seconds for the report."""

    body: bytes
    callback: Callback
    aftermath: float

    def was_loaded(self, times: int = 1) -> bool:
        """Wait for the pickle to be loaded ``times`` times, and return whether it was."""
        self.callback.arrived(self.aftermath, times)
        return self.callback.counted() >= times

    def has_loaded(self) -> bool:
        """Return whether the pickle has been loaded, without waiting for it."""
        return self.callback.counted() > 0


def canary(check: CaseContext, field: str = "callable_pickle") -> PickleCanary:
    """Return a run_task frame whose ``field`` holds a pickle that reports to the checker when it is
    loaded. The case is skipped if tasks cannot connect to the checker."""
    callback = check.callback()
    payload = pickles.pickled(pickles.report_on_load(callback.host, callback.port, callback.token))
    frame = {**commands.run_frame(tasks.nothing), field: commands.text(payload)}
    return PickleCanary(commands.encode(frame), callback, check.silence(LOADED))


@dataclass(frozen=True)
class Attempt:
    """A request that the service must refuse. ``what`` names it in messages."""

    what: str
    probe: Probe
    headers: Mapping[str, str]
    target: str | None = None
    method: str = "POST"
    request: bytes = b""
    """The whole request, if it is not sent in the form that Wove's executor uses."""
    source: str = ""
    """The address of this machine from which it is sent, if not the usual one."""
    elsewhere: bool = False
    """Whether a 2xx status alone is no acceptance, because the request is not a POST to the
    service's URL; then only the task's run is."""
    wrong: Mapping[str, str] | None = None
    """Headers that are certainly wrong for the same request. If they are refused as such, and
    ``headers`` are answered with another error, ``headers`` were taken for right."""
    parts: Callable[[], Iterable[Attempt]] = tuple
    """Makes the attempts that this one combines. If it is accepted, they are sent one by one, so
    that the message names the part that was accepted."""

    def send(self, check: CaseContext) -> HttpResponse:
        """Send the request and return the answer. Raises :class:`NoAnswer` if none comes."""
        service = check.service.sent_from(self.source)
        request = self.request or service.request(
            self.probe.body, self.headers, target=self.target, method=self.method
        )
        return service.exchange(request, check.deadline(), self.method)


Attempts = Iterator[Attempt]


def chunked(check: CaseContext, body: bytes, headers: Mapping[str, str], first: int) -> bytes:
    """Return a POST that sends ``body`` in two chunks, without a Content-Length; the first chunk
    has ``first`` bytes."""
    fields = {"Content-Type": "application/json", "Transfer-Encoding": "chunked", **headers}
    fields["Connection"] = "close"
    data = in_chunks(body[:first], body[first:])
    return request_bytes(check.service.authority, check.service.target, fields, data)


def refuses(
    *modes: str,
) -> Callable[[Callable[[CaseContext], Attempts]], Callable[[CaseContext], str]]:
    """Return a decorator that turns a generator of requests into the body of a case: the service
    must refuse each request, and must not run its task. The case is skipped unless the check's
    credentials are of one of the types ``modes``."""

    def make(attempts: Callable[[CaseContext], Attempts]) -> Callable[[CaseContext], str]:
        @functools.wraps(attempts)
        def body(check: CaseContext) -> str:
            check.need_mode(*modes)
            answered = [(each, _refusal(check, each)) for each in attempts(check)]
            _require_not_run(check, answered)
            return answered[-1][1]

        return body

    return make


def refused(check: CaseContext, attempt: Attempt) -> str:
    """Send ``attempt``, require that the service refuses it and does not run its task, and return a
    description of the response.

    A connection that is closed without an answer counts as a refusal; case auth.19 checks the
    status.
    """
    seen = _refusal(check, attempt)
    _require_not_run(check, [(attempt, seen)])
    return seen


def require_refusal(what: str, exc: NoAnswer) -> None:
    """Raise :class:`CaseFailed` if ``exc`` means that the service did not answer in time, which is
    no refusal. ``what`` names the request in the message."""
    if isinstance(exc, AnswerTimeout):
        raise CaseFailed(f"{what} was neither accepted nor refused: {exc}") from exc


def _refusal(check: CaseContext, attempt: Attempt) -> str:
    """Send ``attempt``, require that it is not accepted, and return what the service did."""
    try:
        answer = attempt.send(check)
    except NoAnswer as exc:
        require_refusal(attempt.what, exc)
        return str(exc)
    seen = f"HTTP {answer.status}"
    if answer.ok and not attempt.elsewhere:
        for part in attempt.parts():
            _refusal(check, part)
        sent, what = attempt.probe, attempt.what
        if sent.callback is not None and not sent.ran():
            check.fail(f"{what} was answered {seen}, {NO_REFUSAL}")
        check.fail(f"{what} was accepted: {seen}{', and the task ran' if sent.ran() else ''}")
    if attempt.wrong is not None and answer.status not in (*UNVERIFIED, *UNRELATED):
        _require_unverified(check, attempt, attempt.wrong, seen)
    return seen


def _require_unverified(
    check: CaseContext, attempt: Attempt, wrong: Mapping[str, str], seen: str
) -> None:
    """Require that ``attempt``, which got the error ``seen``, gets the same with the headers
    ``wrong``."""
    try:
        other = replace(attempt, headers=wrong).send(check)
    except NoAnswer:
        return
    if other.status in UNVERIFIED:
        check.fail(
            f"{attempt.what} was accepted and then rejected as a frame: {seen}, while HTTP"
            f" {other.status} answers a wrong signature"
        )


def _require_not_run(check: CaseContext, answered: Sequence[tuple[Attempt, str]]) -> None:
    """Require that no task of the requests in ``answered`` has run, each given with a description
    of its response."""
    answered[-1][0].probe.ran()  # the earlier ones have had more time than this wait
    for attempt, seen in answered:
        if attempt.probe.has_run():
            for part in attempt.parts():
                refused(check, replace(part, elsewhere=True))
            how = f"answered {seen}" if attempt.elsewhere else f"refused ({seen})"
            check.fail(f"{attempt.what} was {how}, and yet the task ran")
