"""Response faults, from the client's side."""

from __future__ import annotations

import pytest

from tests.faults.helpers import error_of, post_raw, read_all
from tests.support import weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory

CREDENTIALS = {
    "signed": {"X-Wove-Key", "X-Wove-Timestamp", "X-Wove-Nonce", "X-Wove-Signature"},
    "bearer": {"Authorization"},
}


@pytest.mark.parametrize("code", [301, 302, 303])
@pytest.mark.parametrize("security", CREDENTIALS)
def test_a_redirect_forwards_the_credentials(
    wove_http_worker_factory: WorkerFactory, security: str, code: int
) -> None:
    """The executor sends its authentication headers to another origin."""
    worker = wove_http_worker_factory(security=security)
    sent = worker.inject(f"redirect code={code}")
    weave_one()
    assert {name for name, _ in sent.redirected[0].headers} >= CREDENTIALS[security]


def test_a_redirect_reaches_a_second_worker(wove_http_worker_factory: WorkerFactory) -> None:
    """The journal of the worker that is redirected to has the request."""
    first, second = wove_http_worker_factory(), wove_http_worker_factory()
    second.allow_refusals()  # a GET without a body
    first.inject(f"redirect target={second.url}")
    error_of()
    assert {"X-Wove-Signature"} <= {name for name, _ in second.exchanges[0].headers}


def test_the_second_origin_is_believed(wove_http_worker: HttpWorker) -> None:
    """The executor uses the second origin's response as the task's result."""
    wove_http_worker.inject("redirect")
    assert weave_one() == "answered by the second origin"


@pytest.mark.parametrize("code", [307, 308])
def test_a_307_is_not_followed(wove_http_worker: HttpWorker, code: int) -> None:
    """urllib does not repeat a POST after a 307 or 308."""
    sent = wove_http_worker.inject(f"redirect code={code}")
    error_of()
    assert sent.redirected == []


def test_the_token_is_redacted_at_the_second_origin(
    wove_http_worker_factory: WorkerFactory,
) -> None:
    """The second origin records requests without the secret."""
    worker = wove_http_worker_factory(security="bearer")
    sent = worker.inject("redirect")
    weave_one()
    assert worker.secret not in repr([exchange.headers for exchange in sent.redirected])


@pytest.fixture
def plain(wove_http_worker_factory: WorkerFactory) -> HttpWorker:
    """A worker that accepts raw, unsigned requests."""
    return wove_http_worker_factory(tls=False, security="none", strict=False)


def test_a_status_has_its_retry_after(plain: HttpWorker) -> None:
    """The response has the Retry-After header."""
    plain.inject("status code=429 retry_after=7")
    assert b"Retry-After: 7\r\n" in read_all(post_raw(plain, b'{"close":1}'))


def test_a_status_has_its_reason(plain: HttpWorker) -> None:
    """The status line has the reason phrase."""
    plain.inject("status code=503 reason='Back soon'")
    assert read_all(post_raw(plain)).startswith(b"HTTP/1.1 503 Back soon\r\n")


def test_an_interim_response_comes_first(plain: HttpWorker) -> None:
    """The interim response and the response have a status line each."""
    plain.inject("interim-response code=102")
    assert read_all(post_raw(plain)).count(b"HTTP/1.1 ") == 2


def test_a_100_is_skipped(wove_http_worker: HttpWorker) -> None:
    """The executor reads past a 100 Continue."""
    wove_http_worker.inject("interim-response code=100")
    assert weave_one() == (1, 2)


def test_an_oversized_body_has_its_size(wove_http_worker: HttpWorker) -> None:
    """The executor reads the whole body of any size."""
    wove_http_worker.inject("oversized-body size=5000000")
    assert weave_one() == (1, 2)


def test_a_drawn_retry_after(plain: HttpWorker) -> None:
    """The Retry-After header has the number that was drawn."""
    plain.inject("status code=429 retry_after=7..7")
    assert b"Retry-After: 7\r\n" in read_all(post_raw(plain, b'{"close":1}'))
