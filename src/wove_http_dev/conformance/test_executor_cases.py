"""The cases for an executor as pytest tests, one for each case:

``pytest --pyargs wove_http_dev.conformance.test_executor_cases --wove-http-executor MOD:FACTORY``

A SHOULD that fails is an expected failure (xfail), and so is, for ``http`` and ``https``, a case of
the list for the installed Wove.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from wove_http_dev.cli.user_code import importable
from wove_http_dev.conformance.case import FAILED, SHOULD, SKIPPED, Case
from wove_http_dev.conformance.reporters.failed_case import describe
from wove_http_dev.conformance.second_runs import perform_twice_if_late
from wove_http_dev.errors import UsageError
from wove_http_dev.pytest_plugin.settings import EXECUTOR, setting

if TYPE_CHECKING:  # imported only if an executor is checked: a check of a worker needs none of it
    from wove_http_dev.conformance.executor.context import Session


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each case, or one that is skipped if there is no executor to check."""
    if "executor_case" not in metafunc.fixturenames:
        return
    if setting(metafunc.config, EXECUTOR) is None:
        skipped = pytest.mark.skip(reason=f"no executor to check: give {EXECUTOR}")
        metafunc.parametrize("executor_case", [pytest.param(None, marks=skipped, id="none")])
        return
    from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES

    metafunc.parametrize("executor_case", EXECUTOR_CASES, ids=lambda case: case.title)


@pytest.fixture(scope="module")
def executor_session(pytestconfig: pytest.Config) -> Iterator[Session]:
    """Yield a session with the executor that ``--wove-http-executor`` names. If a prerequisite case
    fails, all tests fail."""
    from wove_http_dev.conformance.executor.context import Session
    from wove_http_dev.conformance.executor.executor_under_test import (
        BUILTIN_NAMES,
        builtin_executor,
        load_executor,
    )
    from wove_http_dev.conformance.executor.own_process import trusted_ca
    from wove_http_dev.conformance.executor.suite import PREREQUISITES

    name = setting(pytestconfig, EXECUTOR) or ""
    with trusted_ca() as ca, importable(os.getcwd()):
        try:
            subject = (builtin_executor if name in BUILTIN_NAMES else load_executor)(name)
        except UsageError as exc:
            pytest.fail(f"{EXECUTOR}: {exc}", pytrace=False)
        session = Session(subject, ca)
        for prerequisite in PREREQUISITES:
            result = perform_twice_if_late(prerequisite, session.case)
            if result.status == FAILED:
                pytest.fail(f"{prerequisite.title}: {result.actual}", pytrace=False)
        yield session


@pytest.fixture(scope="module")
def known_failing(executor_session: Session) -> list[str]:
    """Globs of the cases that the executor is known to fail, if it is one of Wove's own."""
    from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
    from wove_http_dev.conformance.known_failures import shipped_list

    if not executor_session.subject.builtin:
        return []
    try:
        return shipped_list(EXECUTOR_CASES)
    except UsageError as exc:
        pytest.fail(str(exc), pytrace=False)


def test_executor_case(
    executor_case: Case, executor_session: Session, known_failing: list[str]
) -> None:
    """The executor meets the requirement of the case."""
    result = perform_twice_if_late(executor_case, executor_session.case)
    if result.status == SKIPPED:
        pytest.skip(result.actual)
    known = any(executor_case.matches(glob) for glob in known_failing)
    if result.status == FAILED:
        if known or executor_case.level == SHOULD:
            pytest.xfail(describe(result))
        pytest.fail(describe(result), pytrace=False)
    if known:
        pytest.fail("it passed, but is on the list of cases that are known to fail", pytrace=False)
