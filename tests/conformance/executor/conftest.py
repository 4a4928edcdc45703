"""The context of a case for an executor without a defect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.executor.conforming_executor import ConformingExecutor
from wove_http_dev.conformance.executor.context import CaseContext, Session, trusted_ca
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.worker.machine import MOST


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with an executor without a defect."""
    with trusted_ca() as ca:
        subject = ExecutorUnderTest("conforming", ConformingExecutor)
        yield Session(subject, ca, slowdown=lambda: MOST)


@pytest.fixture
def check(session: Session) -> Iterator[CaseContext]:
    """The context of one case."""
    with session.case() as check:
        yield check
