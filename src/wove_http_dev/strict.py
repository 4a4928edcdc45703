"""Strict mode: fails a test when the worker saw refusals or errors that no injected fault explains,
when a fault never fired, or when the environment was redirected."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterable

from wove_http_dev.client import wove_config
from wove_http_dev.errors import StrictnessError
from wove_http_dev.options import Host
from wove_http_dev.runs.records import shortened_line
from wove_http_dev.secret import shown_url
from wove_http_dev.service.host import HostState

SHOWN = 20
"""Violations of one kind that the message lists."""


def check(
    state: HostState,
    *,
    allow_refusals: bool,
    environment: str | None,
    urls: Iterable[str],
    report: Callable[[], str],
) -> None:
    """Raise :class:`StrictnessError` if there are violations. The message lists them and contains
    ``report()``.

    Wove's environment ``environment`` must send to one of ``urls``; ``None`` means that no
    environment is configured.
    """
    refusals = [] if allow_refusals else _refused(state)
    violations = [*_first(_failed(state)), *_first(refusals), *_first(_unfired(state))]
    if environment is not None:
        violations += elsewhere(environment, urls)
    if not violations:
        return
    listed = "\n".join(f"- {violation}" for violation in violations)
    ways = "strict=False as an option"
    if refusals:
        ways += ", or worker.allow_refusals() in a test that expects refusals"
    raise StrictnessError(f"strict mode:\n{listed}\n{report()}\n(to opt out: {ways})")


def _first(violations: list[str]) -> list[str]:
    more = len(violations) - SHOWN
    return [*violations[:SHOWN], *([f"and {more} more of this kind"] if more > 0 else [])]


def _failed(state: HostState) -> list[str]:
    return [
        f"the worker service itself failed: {exchange.line()}"
        for exchange in state.journal.violations
        if exchange.internal_error
    ]


def _refused(state: HostState) -> list[str]:
    lines = []
    for exchange in state.journal.violations:
        if not exchange.internal_error:
            what = "a request was refused"
            if exchange.certificate_rejected:
                what = "a client rejected the worker's certificate"
            lines.append(f"{what} and no fault explains it: {exchange.line()}")
    return lines


def _unfired(state: HostState) -> list[str]:
    return [
        shortened_line(
            f"{injection!r} never fired: {'; '.join(injection.missed[-3:]) or 'nothing arrived'}"
        )
        for injection in state.faults.unfired
    ]


def elsewhere(environment: str, urls: Iterable[str]) -> list[str]:
    """Return, as a list of one text, where Wove's ``environment`` sends to instead of ``urls``; an
    empty list if it sends to one of them."""
    url = wove_config.url_of(environment)
    # The worker accepts any query, so URLs are compared without it.
    known = {each.partition("?")[0] for each in urls}
    if url is not None and url.partition("?")[0] in known:
        return []
    now = "at no http service" if url is None else f"at {shown_url(url)!r}"
    offer = ""
    if url and not Host(urllib.parse.urlsplit(url).hostname or "").is_loopback:
        offer = f"; impersonate={shown_url(url)!r} makes that URL reach this worker"
    return [
        f"environment {environment!r} no longer points at this worker but {now}: something called"
        f" wove.config() (an application's import?){offer}"
    ]
