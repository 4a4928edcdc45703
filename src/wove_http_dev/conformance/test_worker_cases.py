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
from wove_http_dev.errors import UsageError
from wove_http_dev.given_secrets import secret_from_environment


@pytest.fixture(scope="module")
def session(pytestconfig: pytest.Config) -> Iterator[Session]:
    """Yield a session with the service at ``--wove-http-url``. If a prerequisite case fails, all
    tests fail."""
    option = pytestconfig.getoption
    url = option("--wove-http-url", default=None)
    if not url:
        pytest.skip("no worker service to check: give --wove-http-url")
    try:
        service = ServiceUnderTest(
            url,
            secret=secret_from_environment(
                "--wove-http-secret-env", option("--wove-http-secret-env")
            ),
            bearer=secret_from_environment(
                "--wove-http-bearer-env", option("--wove-http-bearer-env")
            ),
            ca_file=option("--wove-http-ca-file"),
        )
    except (UsageError, UrlError, OSError) as exc:
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
