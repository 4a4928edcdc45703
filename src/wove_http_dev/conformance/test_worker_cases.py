"""The cases for a worker service as pytest tests, one for each case:

``pytest --pyargs wove_http_dev.conformance --wove-http-url URL --wove-http-secret-env NAME``

A SHOULD that fails is an expected failure (xfail).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from wove_http_dev.conformance.case import FAILED, NOT_RUN, SHOULD, SKIPPED, Case
from wove_http_dev.conformance.reporters.failed_case import describe
from wove_http_dev.conformance.second_runs import perform_twice_if_late
from wove_http_dev.conformance.worker.client import ServiceUnderTest, UrlError
from wove_http_dev.conformance.worker.context import Session
from wove_http_dev.conformance.worker.suite import PREREQUISITES, WORKER_CASES
from wove_http_dev.pytest_plugin.remote import given_credentials
from wove_http_dev.pytest_plugin.settings import URL, setting


@pytest.fixture(scope="module")
def session(pytestconfig: pytest.Config) -> Iterator[Session]:
    """Yield a session with the service at ``--wove-http-url``. If a prerequisite case fails, all
    tests fail."""
    url = setting(pytestconfig, URL)
    if url is None:
        pytest.skip(f"no worker service to check: give {URL}")
    given = given_credentials(pytestconfig)
    try:
        service = ServiceUnderTest(
            url, secret=given.secret, bearer=given.bearer, ca_file=given.ca_file
        )
    except (UrlError, OSError) as exc:
        pytest.fail(f"{url}: {exc}", pytrace=False)
    with closing(Session(service)) as session:
        for prerequisite in PREREQUISITES:
            result = perform_twice_if_late(prerequisite, session.case)
            if result.status == FAILED:
                pytest.fail(f"{prerequisite.title}: {result.actual}", pytrace=False)
        yield session


@pytest.mark.parametrize("case", WORKER_CASES, ids=lambda case: case.title)
def test_worker_case(case: Case, session: Session) -> None:
    """The service meets the requirement of the case."""
    result = perform_twice_if_late(case, session.case)
    if result.status == SKIPPED:
        pytest.skip(result.actual)
    if result.status == NOT_RUN:  # neither met nor broken: a pass would claim too much
        pytest.fail(f"it could not be run to its end: {result.actual}", pytrace=False)
    if result.status == FAILED:
        if case.level == SHOULD:
            pytest.xfail(describe(result))
        pytest.fail(describe(result), pytrace=False)
