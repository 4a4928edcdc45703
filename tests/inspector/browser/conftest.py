"""A browser, and the page of a worker in it.

The tests are skipped where Playwright or a browser is missing; with ``WOVE_HTTP_DEV_BROWSER``, the
path of a browser, that is an error.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.inspector.browser.helpers import ARGUMENTS, Page, ServedPage
from wove_http_dev import HttpWorker

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A headless Chromium. Playwright's event loop runs in this thread until it has ended, so the
    tests of other folders, which run loops of their own, come before or after it."""
    asked = os.environ.get("WOVE_HTTP_DEV_BROWSER")
    path = asked or next(filter(None, map(shutil.which, _NAMES)), None)
    if asked is None:
        pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
    if path is None:
        pytest.skip(f"needs a browser: one of {', '.join(_NAMES)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def served() -> Iterator[ServedPage]:
    """The page of a worker to which the environment ``workers`` leads."""
    with HttpWorker(inspected=True) as worker, worker.configured(), ServedPage(worker) as served:
        yield served


@pytest.fixture
def page(browser: Any, served: ServedPage) -> Iterator[Page]:
    """The page, opened at the address that has the token. Its errors fail the test."""
    context = browser.new_context(
        permissions=["clipboard-read", "clipboard-write"], viewport={"width": 1200, "height": 800}
    )
    page = context.new_page()
    page.set_default_timeout(60_000)  # milliseconds; a busy machine
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(served.address)
    yield page
    context.close()
    assert not errors


@pytest.fixture
def weave_in_thread() -> Iterator[Callable[[Callable[[], Any]], threading.Thread]]:
    """Starts a function in a thread of its own: Playwright's own event loop runs in this one."""
    threads: list[threading.Thread] = []

    def start(function: Callable[[], Any]) -> threading.Thread:
        thread = threading.Thread(target=function, name="weave")
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for thread in threads:
        thread.join()
