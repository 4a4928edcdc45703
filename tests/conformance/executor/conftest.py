"""The context of a case for an executor without a defect, and that no test leaves a weave open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.executor.checks import authority, environments, left_open
from tests.conformance.executor.conforming_executor import ConformingExecutor
from tests.support import TIMEOUT
from wove_http_dev.conformance.executor.context import CaseContext, Session
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.own_process import trusted_ca
from wove_http_dev.conformance.worker.machine import MOST


@pytest.fixture(autouse=True)
def every_weave_ends() -> Iterator[None]:
    """Fail a test that leaves a weave open, also of an executor with a defect. The tests after it
    in its process would find its environment."""
    before = environments()
    yield
    left = left_open(before, TIMEOUT)
    assert left == set(), f"the weaves in these environments did not end: {sorted(left)}"


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with an executor without a defect."""
    with trusted_ca(authority()) as ca:
        subject = ExecutorUnderTest("conforming", ConformingExecutor)
        yield Session(subject, ca, slowdown=lambda: MOST)


@pytest.fixture
def check(session: Session) -> Iterator[CaseContext]:
    """The context of one case."""
    with session.case() as check:
        yield check
