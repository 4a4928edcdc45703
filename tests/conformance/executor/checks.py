"""Runs an executor check in this process, as the command line does.

No verdict depends on how busy the machine is. By default the limits that a correct executor never
reaches are long, and the waits for what should not happen are short. An executor with a defect is
checked at several paces, because its check goes through a limit or a wait in full.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager

from tests.conformance.paces import SHORT_SILENCE
from wove_http_dev.conformance.case import Result
from wove_http_dev.conformance.executor.context import Session
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest
from wove_http_dev.conformance.executor.own_process import trusted_ca
from wove_http_dev.conformance.executor.suite import BUDGET, EXECUTOR_CASES, PREREQUISITES
from wove_http_dev.conformance.executor.waits import watch
from wove_http_dev.conformance.runner import Checking, select
from wove_http_dev.conformance.worker.machine import MOST
from wove_http_dev.tls import CertificateAuthority


@functools.cache
def authority() -> CertificateAuthority:
    """The CA of all checks of this process. To make one, its bundle with the system's CAs, and a
    TLS context that trusts these takes half of the processor time of a short check."""
    return CertificateAuthority()


@contextmanager
def checking(
    subject: ExecutorUnderTest,
    known: Sequence[str] = (),
    slowdown: float = MOST,
    silence: float = SHORT_SILENCE,
    jobs: int = 1,
) -> Iterator[Checking]:
    """A runner of the executor's cases against ``subject``, which has not started. ``slowdown`` is
    the factor for the limits, ``silence`` another one for waits. No case is run a second time: a
    defect may be that a weave hangs."""
    with trusted_ca(authority()) as ca:
        session = Session(subject, ca, slowdown=lambda: slowdown, silence=silence)
        yield Checking(
            session.case,
            budget=BUDGET,
            jobs=jobs,
            again=False,
            alive=lambda: True,
            known=known,
        )


def check(
    subject: ExecutorUnderTest,
    *globs: str,
    known: Sequence[str] = (),
    slowdown: float = MOST,
    silence: float = SHORT_SILENCE,
    jobs: int = 1,
) -> list[Result]:
    """The results of the cases that match ``globs``, or of all cases if none is given."""
    with checking(subject, known, slowdown, silence, jobs) as made:
        return made.run(select(EXECUTOR_CASES, globs, ()), PREREQUISITES)


def failed(results: Sequence[Result]) -> dict[str, str]:
    """The cases that neither passed nor were skipped, each with what was observed."""
    return {r.case.id: r.actual for r in results if r.status not in ("passed", "skipped")}


def environments() -> set[str]:
    """The names of Wove's environments: those of the process, and one for each weave of a case that
    has not ended."""
    from wove.runtime import runtime

    return set(runtime.environments)


def left_open(before: Set[str], seconds: float) -> set[str]:
    """The environments, besides those of ``before``, whose weaves have still not ended after
    ``seconds``. Such a weave keeps the process from restoring Wove's configuration."""
    watch(lambda: environments() <= before, seconds)
    return environments() - before
