"""The page of a worker that forwards to another worker service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inspector.browser.helpers import Page, ServedPage, StartWeave, row, run_weave
from wove_http_dev import HttpWorker

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds; a busy machine


def forwarded() -> int:
    return 1


@pytest.fixture
def served() -> Iterator[ServedPage]:
    """The page of a worker that forwards what it gets."""
    with (
        HttpWorker(tls=False, security="none", environment="behind") as behind,
        HttpWorker(upstream=behind.url, inspected=True) as worker,
        worker.configured(),
        ServedPage(worker) as served,
    ):
        yield served


def test_a_run_shows_the_request_to_upstream(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(forwarded))
    row(page, "forwarded").get_by_role("link").click()
    leg = page.locator("dt:has-text('forwarded') + dd")
    expect(leg).to_contain_text("200")
