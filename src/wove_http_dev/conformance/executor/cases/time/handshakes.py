"""The case about a TLS handshake that does not begin: the executor's timeout ends it too."""

from __future__ import annotations

import os
import urllib.parse

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import MARGIN, CaseContext
from wove_http_dev.conformance.executor.existing import FOLDERS, connections_to
from wove_http_dev.conformance.executor.waits import wait_until
from wove_http_dev.faults.connection import HandshakeStall

TIMEOUT = 0.5
"""Seconds of the executor's timeout, and of the ``delivery_timeout``, which ends the weave."""
SETTLING = 1.0
"""Seconds after the executor's timeout within which the connection must be closed."""


@family.should(
    "35",
    sources.EXHAUSTION,
    scenario="a run whose connection the worker accepts, without the TLS handshake; the executor's"
    f" timeout {TIMEOUT:g} s",
    expected=f"the connection is closed {SETTLING:g} s after the timeout",
)
def handshake_ended(check: CaseContext) -> str:
    """The executor's timeout closes a connection whose TLS handshake is not answered."""
    worker = check.worker(timeout=TIMEOUT)
    stall = worker.inject(HandshakeStall())
    port = urllib.parse.urlsplit(worker.url).port or 0
    check.run_one_weave(worker, within=MARGIN, planned=TIMEOUT, delivery_timeout=TIMEOUT)
    if not stall.hits or not any(map(os.path.isdir, FOLDERS)):
        raise NotApplicable("no connection was made, or the system does not list connections")
    limit = TIMEOUT + check.seconds(SETTLING)
    if not wait_until(lambda: not connections_to(port), limit):
        check.fail(
            f"{limit:.1f} s after a weave whose TLS handshake was not answered, its connection is"
            " still open: the executor's timeout does not end the handshake",
            late=True,
        )
    return "closed"
