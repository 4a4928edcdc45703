"""The page while runs arrive, and runs whose ids and times are unusual."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inspector.browser.helpers import Page, ServedPage, StartWeave, open_view, row, run_weave
from tests.support import run_frame, signed_request
from wove_http_dev import HttpWorker

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds; a busy machine


def convert(n: int = 3) -> int:
    """A task that succeeds."""
    return 2 * n


MARK_RESET = """
    globalThis.EventSource = class extends EventSource {
        constructor(...words) {
            super(...words);
            this.addEventListener("reset", () => { document.body.dataset.reset = "arrived"; });
        }
    };
"""
"""Sets ``data-reset`` of the body at the event ``reset``, before the page gets the event."""


def press(page: Page, element: Any) -> None:
    """Press the mouse button over ``element``, and do not release it."""
    element.hover()
    page.mouse.down()


def redraw(page: Page) -> None:
    """Let the page draw everything, as it does each second."""
    page.evaluate(
        "new Promise((drawn) => { dispatchEvent(new Event('resize'));"
        " requestAnimationFrame(() => requestAnimationFrame(drawn)); })"
    )


def arrive(worker: HttpWorker, run_id: str) -> None:
    """Run a task under a run id that Wove would not choose."""
    assert signed_request(worker, run_frame(convert, run_id=run_id)).status == 200


def test_a_run_is_opened_by_a_click_during_which_the_table_is_drawn(
    page: Page, weave_in_thread: StartWeave
) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(row(page, "convert")).to_contain_text("succeeded")
    press(page, row(page, "convert").get_by_role("link"))
    redraw(page)
    page.mouse.up()
    expect(page.get_by_role("heading", level=2)).to_contain_text("convert")


def test_a_group_is_opened_by_a_click_during_which_a_run_arrives(
    page: Page, weave_in_thread: StartWeave
) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    page.get_by_label("Group by task").check()
    group = page.get_by_role("button", name="runs of convert")
    expect(group).to_contain_text("1")
    press(page, group)
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(group).to_contain_text("2")
    page.mouse.up()
    expect(group).to_have_attribute("aria-expanded", "true")


def test_a_hold_is_released_by_a_click_during_which_a_run_arrives(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    hold = served.hold("convert")
    open_view(page, "Faults")
    press(page, page.get_by_role("button", name="release convert"))
    weave_in_thread(lambda: run_weave(convert))
    expect(page.locator("#list-holds")).to_contain_text("1 arrived")
    page.mouse.up()
    # Not to_contain_text(), which finds the word also while it is hidden.
    expect(page.locator("#list-holds").get_by_text("released", exact=True)).to_be_visible()
    assert hold.released


def test_a_fault_is_removed_by_a_click_during_which_it_hits(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    served.inject("status", command="run_task")  # Wove may cancel what has failed
    open_view(page, "Faults")
    press(page, page.get_by_role("button", name="remove status"))
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(page.locator("#force tbody tr td").nth(2)).to_have_text("1")
    page.mouse.up()
    expect(page.get_by_text("No fault is in force.")).to_be_visible()


def test_a_run_is_run_again_by_a_click_during_which_its_like_arrives(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    row(page, "convert").get_by_role("link").click()
    press(page, page.get_by_role("button", name="Run again"))
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(page.locator(".siblings li")).to_have_count(1)
    page.mouse.up()
    expect(page.locator(".siblings li")).to_have_count(2)
    assert len(served.worker.runs["convert"]) == 3


def test_a_refusal_is_opened_by_a_key_during_which_another_arrives(
    page: Page, served: ServedPage
) -> None:
    served.send_unsigned()
    open_view(page, "Refused")
    problems = page.locator("#problems > details")
    expect(problems).to_have_count(1)
    # From the keyboard: the second refusal moves the first away from under the mouse.
    problems.locator("summary").focus()
    page.keyboard.down("Space")
    served.send_unsigned()
    expect(problems).to_have_count(2)
    page.keyboard.up("Space")
    expect(problems.last.locator(".steps .failed")).to_contain_text("FAILED")


def test_a_refusal_that_is_not_opened_has_no_details(page: Page, served: ServedPage) -> None:
    """A flood of refusals costs one line each."""
    served.send_unsigned()
    open_view(page, "Refused")
    expect(page.locator("#problems summary")).to_have_count(1)
    assert page.locator("#problems .exchange").count() == 0


def test_the_title_after_a_reset(page: Page, served: ServedPage) -> None:
    served.pretend_runs(1, "failed")
    expect(page).to_have_title("✗ pretended-0: ValueError (1 failed) – wove-http-dev")
    open_view(page, "Faults")
    page.get_by_role("button", name="Reset the worker").click()
    expect(page).to_have_title("wove-http-dev")


def test_a_reset_while_everything_is_loaded(page: Page, served: ServedPage) -> None:
    """The answers that were on their way are of before the reset, and are not shown."""

    def reset_meanwhile(route: Any) -> None:
        response = route.fetch()
        served.reset()
        expect(page.locator("body")).to_have_attribute("data-reset", "arrived")
        route.fulfill(response=response)

    served.pretend_runs(1)
    # The requests of the document that is open now are not those of the test.
    expect(page.locator("#shown")).to_have_text("1 of 1 runs")
    page.add_init_script(MARK_RESET)
    page.route("**/api/v1/runs", reset_meanwhile, times=1)
    page.reload()
    expect(page.locator("#where")).to_have_text(served.worker.url)  # the answers have arrived
    expect(page.locator("#shown")).to_have_text("0 of 0 runs")


@pytest.mark.parametrize("run_id", ["a/b?c#d e", "\ud800", "%", "100%25", "\U0001f600"], ids=ascii)
def test_any_run_id(page: Page, served: ServedPage, run_id: str) -> None:
    arrive(served.worker, run_id)
    row(page, "task").get_by_role("link").click()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()


def test_an_address_that_is_no_run(page: Page) -> None:
    page.evaluate("location.hash = '#run/%'")
    expect(page.get_by_role("heading", name="Run not found")).to_be_visible()


def test_a_cleared_table_after_the_clock_was_set_back(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(row(page, "convert")).to_contain_text("succeeded")
    page.get_by_role("button", name="Clear").click()
    served.pretend_runs(1)
    expect(row(page, "pretended-0")).to_be_visible()


def test_a_replay_that_is_refused_says_so(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    served.worker.inject("reject-auth")
    row(page, "convert").get_by_role("link").click()
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("alert")).to_contain_text("has not accepted it")
