"""Runs an executor check in this process, as the command line does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wove_http_dev.conformance.case import Result
from wove_http_dev.conformance.executor.context import Session, trusted_ca
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.suite import BUDGET, EXECUTOR_CASES, PREREQUISITES
from wove_http_dev.conformance.runner import Checking, select


@contextmanager
def checking(subject: ExecutorUnderTest, known: Sequence[str] = ()) -> Iterator[Checking]:
    """A runner of the executor's cases against ``subject``, which has not started."""
    with trusted_ca() as ca:
        session = Session(subject, ca)
        yield Checking(session.case, budget=BUDGET, alive=lambda: True, known=known)


def check(subject: ExecutorUnderTest, *globs: str, known: Sequence[str] = ()) -> list[Result]:
    """The results of the cases that match ``globs``, or of all cases if none is given."""
    with checking(subject, known) as made:
        return made.run(select(EXECUTOR_CASES, globs, ()), PREREQUISITES)


def failed(results: Sequence[Result]) -> dict[str, str]:
    """The cases that neither passed nor were skipped, each with what was observed."""
    return {r.case.id: r.actual for r in results if r.status not in ("passed", "skipped")}
