"""The executor's own rule for services beyond this machine, and what a URL may be."""

from __future__ import annotations

import pytest

from wove_http_dev.conformance.case import FAILED, PASSED, SKIPPED, Result
from wove_http_dev.conformance.runner import perform
from wove_http_dev.conformance.worker.client import ServiceUnderTest, UrlError
from wove_http_dev.conformance.worker.context import Session
from wove_http_dev.conformance.worker.suite import WORKER_CASES


def policy(service: ServiceUnderTest) -> Result:
    """What transport.02 says; it opens no connection."""
    case = next(case for case in WORKER_CASES if case.id == "transport.02")
    return perform(case, Session(service).case)


def test_plain_http_beyond_this_machine_is_flagged() -> None:
    """It lacks TLS."""
    result = policy(ServiceUnderTest("http://workers.internal/wove/tasks", secret="s"))
    assert (result.status, "lacks TLS" in result.actual) == (FAILED, True)


def test_no_authentication_beyond_this_machine_is_flagged() -> None:
    """It lacks authentication."""
    result = policy(ServiceUnderTest("https://workers.internal/wove/tasks"))
    assert (result.status, "lacks authentication" in result.actual) == (FAILED, True)


def test_https_with_a_secret_passes() -> None:
    """That is the normal path."""
    assert (
        policy(ServiceUnderTest("https://workers.internal/wove/tasks", secret="s")).status == PASSED
    )


def test_a_local_service_may_do_without() -> None:
    """Plain http without authentication is for local development."""
    assert policy(ServiceUnderTest("http://localhost:8080/wove/tasks")).status == SKIPPED


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080/wove",
        "ftp://localhost/wove",
        "http:///wove",
        "http://user:secret@localhost/wove",
        "http://localhost/a b",
        "http://localhost/größe",
        "http://localhost:99999/wove",
    ],
)
def test_a_url_that_wove_would_not_take_is_an_error(url: str) -> None:
    """It is told before anything is sent."""
    with pytest.raises(UrlError):
        ServiceUnderTest(url)


def test_the_target_is_the_url_s_path_and_query_as_written() -> None:
    """That is what Wove signs; a fragment is not sent."""
    assert ServiceUnderTest("http://localhost/a%2Fb;c?d=%20#e").target == "/a%2Fb;c?d=%20"
