"""Pictures of the page for the README: ``python -m tests.inspector.browser.screenshots``."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

from wove import weave

from tests.inspector.browser.helpers import ARGUMENTS, ServedPage, row
from wove_http_dev import HttpWorker

FOLDER = Path(__file__).parents[3] / ".github"
SIZE = {"width": 960, "height": 440}
"""Pixels. Small, because the pictures are in the repository."""
PATIENCE = 60_000.0
"""Milliseconds that something may take to be on the page."""


def convert(item: int) -> dict[str, int]:
    """Convert one page."""
    if item == 3:
        raise ValueError(f"page {item} is too large")
    return {"page": item, "bytes": item * 1024}


def _weave() -> None:
    with weave(environment="workers", error_mode="return") as w:

        @w.do
        def pages() -> list[int]:
            return [1, 2, 3, 4]

        w.do("pages")(convert)

    with weave(environment="workers", error_mode="return") as w:

        @w.do(retries=1)
        def upload() -> str:
            return "s3://reports/2026-11.pdf"

        @w.do
        def notify() -> None:
            """Never runs: the page's picture is taken while it is held."""


def take(browser: Any, folder: Path) -> list[Path]:
    """Write the pictures into ``folder``, and return their paths."""
    runs, failed = folder / "page-runs.png", folder / "page-run.png"
    with HttpWorker(inspected=True) as worker, worker.configured(), ServedPage(worker) as served:
        worker.inject("status code=503", task="upload", times=1)
        gate = worker.hold("notify")
        with browser.new_context(viewport=SIZE, color_scheme="light") as context:
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(served.address)
            thread = threading.Thread(target=_weave, name="weave")
            thread.start()
            try:
                row(page, "notify").filter(has_text="held").wait_for()
                row(page, "upload").filter(has_text="succeeded").nth(1).wait_for()
                page.screenshot(path=runs)
                row(page, "convert").filter(has_text="failed").get_by_role("link").click()
                page.locator(".failure").wait_for()
                page.screenshot(path=failed)
            finally:
                gate.release()
                thread.join()
    return [runs, failed]


def main() -> None:
    """Take the pictures anew."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("WOVE_HTTP_DEV_BROWSER") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        print(*take(browser, FOLDER), sep="\n")
        browser.close()


if __name__ == "__main__":
    main()
