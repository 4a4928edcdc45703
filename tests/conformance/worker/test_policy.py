"""transport.02: Wove requires TLS and authentication for services on other machines."""

from __future__ import annotations

from wove_http_dev.conformance.case import FAILED, PASSED, SKIPPED, Result
from wove_http_dev.conformance.perform import perform
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import Session
from wove_http_dev.conformance.worker.suite import WORKER_CASES


def policy(service: ServiceUnderTest) -> Result:
    """Return the result of transport.02, which opens no connection."""
    case = next(case for case in WORKER_CASES if case.id == "transport.02")
    return perform(case, Session(service).case)


def test_plain_http_beyond_this_machine_is_flagged() -> None:
    """A service on another machine without TLS is flagged."""
    result = policy(ServiceUnderTest("http://workers.internal/wove/tasks", secret="s"))
    assert (result.status, "lacks TLS" in result.actual) == (FAILED, True)


def test_no_authentication_beyond_this_machine_is_flagged() -> None:
    """A service on another machine without authentication is flagged."""
    result = policy(ServiceUnderTest("https://workers.internal/wove/tasks"))
    assert (result.status, "lacks authentication" in result.actual) == (FAILED, True)


def test_https_with_a_secret_passes() -> None:
    """A service on another machine with TLS and a secret passes."""
    assert (
        policy(ServiceUnderTest("https://workers.internal/wove/tasks", secret="s")).status == PASSED
    )


def test_a_local_service_may_do_without() -> None:
    """For a local service the case is skipped."""
    assert policy(ServiceUnderTest("http://localhost:8080/wove/tasks")).status == SKIPPED
