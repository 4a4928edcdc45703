"""What strict mode minds, in words. This room reads the journal and the injections; it raises
nothing, and who asked for strictness is not its business.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable

from wove_http_dev.client import wove_config
from wove_http_dev.options import is_loopback
from wove_http_dev.service.host import HostState


def failed(state: HostState) -> list[str]:
    """A line for every failure of the service's own."""
    return [
        f"the worker service itself failed: {exchange.line()}"
        for exchange in state.journal.violations
        if exchange.internal_error
    ]


def refused(state: HostState) -> list[str]:
    """A line for every request that was refused, and every client that rejected our certificate,
    where no fault asked for it."""
    complaints = []
    for exchange in state.journal.violations:
        if not exchange.internal_error:
            what = "a request was refused"
            if exchange.certificate_rejected:
                what = "a client rejected our certificate"
            complaints.append(f"{what} and no fault asked for it: {exchange.line()}")
    return complaints


def unfired(state: HostState) -> list[str]:
    """A line for every injection with ``times`` that never fired, with the nearest misses."""
    return [
        f"{injection!r} never fired: {'; '.join(injection.missed[-3:]) or 'nothing arrived'}"
        for injection in state.faults.unfired
    ]


def repointed(environment: str, urls: Iterable[str]) -> list[str]:
    """A line if ``environment`` no longer sends to any of ``urls``."""
    url = wove_config.url_of(environment)
    # Any query is accepted on the way here, so it does not count here either.
    ours = {each.partition("?")[0] for each in urls}
    if url is not None and url.partition("?")[0] in ours:
        return []
    now = "at no http service at all" if url is None else f"at {url!r}"
    offer = ""
    if url and not is_loopback(urllib.parse.urlsplit(url).hostname or ""):
        offer = f"; impersonate={url!r} makes that URL reach this worker"
    return [
        f"environment {environment!r} no longer points at this worker but {now}: something called"
        f" wove.config() (an application's import?){offer}"
    ]
