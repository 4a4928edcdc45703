"""An executor that takes https URLs only is checked over TLS."""

from __future__ import annotations

import pytest

from tests.conformance.executor.checks import check, failed
from tests.conformance.executor.conforming_executor import ConformingExecutor
from tests.conformance.parts import JOBS
from wove_http_dev.conformance.executor.context import Session
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest

QUICK = (
    *("frames.06", "frames.07", "frames.18", "frames.19", "frames.20", "frames.21", "frames.23"),
    *("frames.25", "frames.26", "frames.27", "frames.33", "frames.34", "frames.36"),
    *("frames.38", "frames.39", "routing.01", "routing.16", "routing.18", "routing.19"),
    *("security.16", "security.17", "security.28", "security.41", "time.07", "time.27", "time.33"),
)
"""Cases that do without TLS where the executor can, but for those of dozens of runs at once, which
take a second here and differ from others by their number only."""


class HttpsOnly(ConformingExecutor):
    """Takes https URLs only, as Wove's ``https``."""

    def __init__(self) -> None:
        super().__init__(require_https=True)


@pytest.mark.parametrize(
    ("executor", "taken", "scheme"),
    [(ConformingExecutor, True, "http"), (HttpsOnly, False, "https")],
)
def test_a_quick_worker(
    session: Session, executor: type[ConformingExecutor], taken: bool, scheme: str
) -> None:
    """A worker does without TLS if the executor takes its URL."""
    session.subject = ExecutorUnderTest("an executor", executor)
    with session.case() as case:
        url = case.quick_worker().url
    assert (session.plain_http.taken, url.partition(":")[0]) == (taken, scheme)


def test_an_executor_for_https_passes() -> None:
    """A correct executor that takes https URLs only passes the cases that are quicker over http."""
    subject = ExecutorUnderTest("https only", HttpsOnly)
    assert failed(check(subject, *QUICK, jobs=JOBS)) == {}
