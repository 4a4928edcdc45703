"""The page of a worker that forwards to another worker service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inspector.browser.helpers import Page, ServedPage, StartWeave, open_view, row, run_weave
from wove_http_dev import HttpWorker

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds; a busy machine


def forwarded() -> int:
    return 1


@pytest.fixture
def behind() -> Iterator[HttpWorker]:
    """The worker to which what arrives is forwarded."""
    with HttpWorker(tls=False, security="none", environment="behind") as behind:
        yield behind


@pytest.fixture
def served(behind: HttpWorker) -> Iterator[ServedPage]:
    """The page of a worker that forwards what it gets."""
    with (
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


def test_a_failure_of_upstream_is_shown_as_it_comes(
    page: Page, behind: HttpWorker, weave_in_thread: StartWeave
) -> None:
    behind.inject("status code=500")
    expect(page.locator("#connection")).to_have_text("live")
    weave_in_thread(lambda: run_weave(forwarded))
    open_view(page, "Refused")
    expect(page.locator("#problems summary")).to_contain_text("500")
