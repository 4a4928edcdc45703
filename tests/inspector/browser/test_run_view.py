"""The page of one run: where a body is, what it prints, and the runs that may be its retries."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from wove import weave

from tests.inspector.browser.helpers import Page, ServedPage, StartWeave, row, run_weave
from tests.support import TIMEOUT
from wove_http_dev.runs.capture import Capture

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds; a busy machine


COPIED = "(text) => navigator.clipboard.readText().then((copied) => copied === text)"
"""Whether a text is in the clipboard."""


class Steps:
    """Events of a task that waits twice. The worker runs it in this process."""

    started = threading.Event()
    first = threading.Event()
    second = threading.Event()


def waits() -> None:
    """A task that waits for two events. A browser on a busy machine takes its time."""
    Steps.started.set()
    assert Steps.first.wait(10 * TIMEOUT), "the first place"
    assert Steps.second.wait(10 * TIMEOUT), "the second place"


@pytest.fixture
def waiting(page: Page, weave_in_thread: StartWeave) -> Iterator[Page]:
    """The page of a run whose body waits; it goes on when the test ends."""
    for event in (Steps.started, Steps.first, Steps.second):
        event.clear()
    weave_in_thread(lambda: run_weave(waits))
    row(page, "waits").get_by_role("link").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("running")
    yield page
    Steps.first.set()
    Steps.second.set()


def test_a_running_body_shows_where_it_is(waiting: Page) -> None:
    expect(waiting.get_by_role("heading", name="Where the body is now")).to_be_visible()
    expect(waiting.locator("pre").first).to_contain_text('"the first place"')


def test_a_body_that_has_gone_on_shows_its_new_place(waiting: Page) -> None:
    expect(waiting.locator("pre").first).to_contain_text('"the first place"')
    Steps.first.set()
    expect(waiting.locator("pre").first).to_contain_text('"the second place"')


def test_a_run_that_has_ended_is_nowhere(waiting: Page) -> None:
    Steps.first.set()
    Steps.second.set()
    expect(waiting.get_by_role("heading", level=2)).to_contain_text("succeeded")
    expect(waiting.get_by_role("heading", name="Where the body is now")).to_have_count(0)


def test_output_appears_while_the_body_runs(waiting: Page, served: ServedPage) -> None:
    run = served.worker.runs["waits"].last
    run._capture = Capture(str)
    run._capture.write(b"one\n")
    output = waiting.locator("h3:has-text('Output') + p + pre")
    expect(output).to_have_text("one\n")
    run._capture.write(b"two\n")
    expect(output).to_have_text("one\ntwo\n")


def test_output_that_is_read_at_its_end_stays_there(waiting: Page, served: ServedPage) -> None:
    run = served.worker.runs["waits"].last
    run._capture = Capture(str)
    run._capture.write(b"line\n" * 100)
    output = waiting.locator("h3:has-text('Output') + p + pre")
    expect(output).to_contain_text("line")
    output.evaluate("element => element.scrollTo(0, element.scrollHeight)")
    run._capture.write(b"last\n" * 100)
    expect(output).to_contain_text("last")
    rest = "element => element.scrollHeight - element.clientHeight - element.scrollTop"
    assert output.evaluate(rest) < 2


def test_headers_that_are_open_stay_open(waiting: Page) -> None:
    waiting.get_by_text("headers", exact=False).last.click()
    Steps.first.set()
    expect(waiting.locator("pre").first).to_contain_text('"the second place"')
    expect(waiting.get_by_role("rowheader", name="Content-Type")).to_be_visible()


def test_a_selected_text_stays_selected(waiting: Page) -> None:
    expect(waiting.locator("pre").first).to_contain_text('"the first place"')
    waiting.locator("pre").first.evaluate("element => getSelection().selectAllChildren(element)")
    for _ in range(2):  # the second answer comes after the first was drawn
        with waiting.expect_response("**/api/v1/exchanges/*"):
            pass
    assert "the first place" in waiting.evaluate("getSelection().toString()")


def test_a_run_that_could_not_be_loaded_is_shown_again(waiting: Page) -> None:
    expect(waiting.locator("pre").first).to_contain_text('"the first place"')
    waiting.route("**/api/v1/runs/*", lambda route: route.abort())
    expect(waiting.get_by_role("heading", level=2)).to_have_text("Run not loaded")
    waiting.unroute("**/api/v1/runs/*")
    expect(waiting.get_by_role("heading", level=2)).to_contain_text("running")


def test_a_failed_attempt_leads_to_its_retry(page: Page, weave_in_thread: StartWeave) -> None:
    Steps.started.clear()

    def retried() -> None:
        with weave(environment="workers") as w:

            @w.do(retries=1)
            def fetch() -> str:
                if not Steps.started.is_set():
                    Steps.started.set()
                    raise ConnectionError("not yet")
                return "fetched"

    weave_in_thread(retried)
    expect(row(page, "fetch")).to_have_count(2)
    row(page, "fetch").last.get_by_role("link").click()
    other = page.locator(".siblings li")
    expect(other).to_contain_text("succeeded")
    other.get_by_role("link").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("succeeded")
    expect(page.locator(".siblings li")).to_contain_text("ConnectionError: not yet")


def test_a_run_with_other_arguments_is_no_retry(page: Page, weave_in_thread: StartWeave) -> None:
    def mapped() -> None:
        with weave(environment="workers") as w:

            @w.do([1, 2])
            def double(item: int) -> int:
                return 2 * item

    weave_in_thread(mapped).join()
    expect(row(page, "double")).to_have_count(2)
    row(page, "double").first.get_by_role("link").click()
    expect(page.get_by_text("arguments", exact=True)).to_be_visible()
    assert page.locator(".siblings li").count() == 0


def test_a_button_is_pressed_while_output_arrives(waiting: Page, served: ServedPage) -> None:
    run = served.worker.runs["waits"].last
    run._capture = Capture(str)
    waiting.get_by_role("button", name="Copy run id").hover()
    waiting.mouse.down()
    run._capture.write(b"one\n")
    for _ in range(2):  # the second answer comes after the first would have been drawn
        with waiting.expect_response("**/api/v1/exchanges/*"):
            pass
    waiting.mouse.up()
    # Not the word "Copied", which is shown for a moment only.
    waiting.wait_for_function(COPIED, arg=run.run_id)
    expect(waiting.locator("h3:has-text('Output') + p + pre")).to_have_text("one\n")


def test_a_delivery_key_is_shown(page: Page, weave_in_thread: StartWeave) -> None:
    def keyed() -> None:
        with weave(environment="workers") as w:

            @w.do(delivery_idempotency_key="invoice-7")
            def charge() -> int:
                return 7

    weave_in_thread(keyed).join()
    row(page, "charge").get_by_role("link").click()
    expect(page.locator("#view-run dl").first).to_contain_text("invoice-7")
