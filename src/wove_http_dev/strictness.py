"""What strict mode minds, in words. This room reads the journal and the injections; it raises
nothing, and who asked for strictness is not its business.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable

from wove_http_dev.engine import State
from wove_http_dev.environment import config
from wove_http_dev.options import is_loopback


def unasked(state: State, *, allow_refusals: bool) -> list[str]:
    """A line for everything that happened and no fault asked for, or that was asked for and did
    not happen (an injection with ``times`` that never fired, with the nearest misses)."""
    complaints = []
    for exchange in state.journal.unasked:
        if exchange.blames_us:
            complaints.append(f"the worker service itself failed: {exchange.line()}")
        elif not allow_refusals:
            what = "a request was refused"
            if exchange.certificate_rejected:
                what = "a client rejected our certificate"
            complaints.append(f"{what} and no fault asked for it: {exchange.line()}")
    for injection in state.faults.unfired:
        why = "; ".join(injection.missed[-3:]) or "nothing arrived"
        complaints.append(f"{injection!r} never fired: {why}")
    return complaints


def repointed(environment: str, urls: Iterable[str]) -> list[str]:
    """A line if ``environment`` no longer sends to any of ``urls``."""
    url = config.url_of(environment)
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
