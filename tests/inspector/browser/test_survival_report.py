"""The survival matrix as an HTML file, as a person uses it, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.inspector.browser.helpers import Page
from tests.survival.matrices import HOSTILE, TEST, cell, large_matrix
from wove_http_dev.printable import printable
from wove_http_dev.survival.matrix import VERDICTS, Matrix
from wove_http_dev.survival.report_file import write_report
from wove_http_dev.survival.verdicts import FAILING, Cell

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds; a busy machine


def three_tests() -> Matrix:
    """Three tests: the second loses money, the third hangs and has a hostile name."""
    matrix = Matrix(["hang", "lost-response", "status"], wove="2.0.3", python="3.12.1")
    for name in ("test_a", "test_b"):
        for fault in ("hang", "lost-response", "status"):
            matrix.add(name, fault, cell("survived", journal=f"{name} met {fault}"))
    matrix.add("test_b", "lost-response", cell("ran-twice", journal="POST\n  twice"))
    matrix.add(HOSTILE, "hang", Cell("hung", HOSTILE, 1.5, HOSTILE, HOSTILE))
    matrix.add(HOSTILE, "status", cell("skipped", HOSTILE))
    return matrix


class Report:
    """Opens reports in a browser. Errors of a page, and requests that it makes, fail the test."""

    def __init__(self, context: Any, folder: Path) -> None:
        self._context = context
        self._path = folder / "report.html"
        self.errors: list[str] = []

    def open(self, matrix: Matrix, fragment: str = "") -> Page:
        """Write the matrix, and open it as a file."""
        write_report(matrix, self._path)
        page = self._context.new_page()
        page.set_default_timeout(60_000)  # milliseconds
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("request", self._refuse_others)
        page.goto(self._path.as_uri() + fragment)
        return page

    def _refuse_others(self, request: Any) -> None:
        if request.url.partition("#")[0] != self._path.as_uri():
            self.errors.append(request.url)


@pytest.fixture
def report(browser: Any, tmp_path: Path) -> Iterator[Report]:
    """Opens reports."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    report = Report(context, tmp_path)
    yield report
    context.close()
    assert not report.errors


@pytest.fixture
def page(report: Report) -> Page:
    """The report of three tests."""
    return report.open(three_tests())


def names(page: Page) -> list[str]:
    """The tests in the table, from the top, as far as they are shown."""
    return [each.inner_text() for each in page.locator("tbody tr:visible th").all()]


def cell_of(page: Page, test: str, fault: str) -> Any:
    """The cell of a test and a fault."""
    column = page.locator("thead tr").nth(1).locator("th").all_inner_texts().index(fault)
    return page.locator("tbody tr", has_text=test).locator("th, td").nth(column)


def test_a_click_opens_the_journal(page: Page) -> None:
    cell_of(page, "test_b", "lost-response").click()
    expect(page.get_by_role("dialog", name="test_b")).to_be_visible()
    expect(page.locator("#cell-journal")).to_have_text("POST\n  twice")


def test_an_open_cell_says_what_the_customer_would_have_seen(page: Page) -> None:
    cell_of(page, "test_b", "lost-response").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("RAN TWICE: render ran 2 times")
    expect(dialog).to_contain_text("A customer would have been charged twice")


def test_the_list_of_the_worst_opens_the_journal(page: Page) -> None:
    page.locator("#worst").get_by_role("button", name="lost-response").click()
    expect(page.locator("#cell-journal")).to_have_text("POST\n  twice")


def test_a_cell_has_an_address(report: Report) -> None:
    """The address of an open cell opens it again."""
    page = report.open(three_tests())
    cell_of(page, "test_b", "lost-response").click()
    fragment = page.url[page.url.index("#") :]
    page = report.open(three_tests(), fragment)
    expect(page.locator("#cell-journal")).to_have_text("POST\n  twice")


def test_sort_by_a_fault(page: Page) -> None:
    """A click on a fault puts the tests first that fare worst with it."""
    heading = page.locator("#matrix").get_by_role("button", name="lost-response")
    heading.click()
    assert names(page)[0] == "test_b"
    heading.click()
    assert names(page)[-1] == "test_b"


def test_sort_by_the_number_of_failing_cells(page: Page) -> None:
    page.get_by_role("button", name="fails").click()
    assert names(page)[-1] == "test_a"


def test_the_order_is_said(page: Page) -> None:
    """Who does not see the table hears by what it is sorted."""
    page.get_by_role("button", name="fails").click()
    header = page.locator("th", has=page.get_by_role("button", name="fails"))
    expect(header).to_have_attribute("aria-sort", "descending")


def test_filter_by_verdict(page: Page) -> None:
    """Tests and faults without a chosen verdict are not shown."""
    page.get_by_role("button", name="only failing").click()
    assert names(page) == [printable(HOSTILE), "test_b"]
    expect(page.get_by_role("button", name="status", exact=True)).to_be_hidden()
    expect(page.locator("#shown")).to_have_text("2 of 3 tests shown")


def test_a_box_for_each_verdict(page: Page) -> None:
    page.get_by_role("checkbox", name="survived").uncheck()
    assert "test_a" not in names(page)


def test_everything_again(page: Page) -> None:
    page.get_by_role("button", name="only failing").click()
    page.get_by_role("button", name="all", exact=True).click()
    assert len(names(page)) == 3


def test_search_for_a_test(page: Page) -> None:
    page.get_by_role("searchbox").fill("TEST_A")
    assert names(page) == ["test_a"]


def test_nothing_found(page: Page) -> None:
    """A filter that nothing matches leaves the page in order, and can be undone."""
    page.get_by_role("searchbox").fill("no such test")
    expect(page.locator("#shown")).to_have_text("0 of 3 tests shown")
    page.get_by_role("searchbox").fill("")
    assert len(names(page)) == 3


def test_keyboard(page: Page) -> None:
    """Tab leads into the table, arrows to a cell, Enter opens it, Escape leads back."""
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "End", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="test_b")).to_contain_text("RAN TWICE")
    page.keyboard.press("Escape")
    expect(cell_of(page, "test_b", "lost-response")).to_be_focused()


def test_keyboard_sorts(page: Page) -> None:
    """The headings are part of the same table."""
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert names(page)[-1] == "test_a"


def test_the_table_is_one_stop(page: Page) -> None:
    """Tab leaves the table, however many cells it has."""
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator("#matrix [tabindex='0']").count() == 1


def test_close_by_the_button(page: Page) -> None:
    cell_of(page, "test_a", "hang").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_an_empty_cell_opens_nothing(page: Page) -> None:
    """A cell that was not tried has nothing to show."""
    page.locator("td.none").last.click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_names_and_journals_are_text(page: Page) -> None:
    """Nothing of what a test or a task says becomes an element."""
    page.locator("td.hung").click()
    expect(page.get_by_role("heading", name="<script>hit()</script>")).to_be_visible()
    assert page.locator("dialog script, dialog b, main script").count() == 0


def test_no_other_script_runs(report: Report) -> None:
    """The policy of the page refuses a script that is not its own."""
    page = report.open(three_tests())
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'document.title = 1';"
        " document.body.append(s); }"
    )
    expect(page).to_have_title("Survival of faults")
    assert ["violates" in error for error in report.errors] == [True]
    report.errors.clear()


@pytest.fixture
def without_javascript(browser: Any, tmp_path: Path) -> Iterator[Page]:
    """The report of three tests in a viewer that runs no scripts."""
    write_report(three_tests(), tmp_path / "report.html")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    context.close()


def test_without_javascript(without_javascript: Page) -> None:
    """The table is complete, and what needs the script is not offered."""
    expect(without_javascript.locator("td.ran-twice")).to_have_text("R")
    expect(without_javascript.locator("#filter")).to_be_hidden()
    expect(without_javascript.locator("#worst button").first).to_be_disabled()


@pytest.mark.parametrize("faults", [1, 72])
@pytest.mark.parametrize("tests", [1, 100])
def test_sizes(report: Report, tests: int, faults: int) -> None:
    """From one cell to a whole suite, the page is not wider than the window."""
    page = report.open(large_matrix(tests, large_matrix(1).faults[:faults]))
    assert len(page.locator("tbody tr:visible").all()) == tests
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["table", "cell"])
def test_axe_has_nothing_serious_to_say(report: Report, scheme: str, view: str) -> None:
    axe_core_python = pytest.importorskip("axe_core_python.sync_playwright")
    page = report.open(large_matrix(2, verdicts=VERDICTS))
    page.emulate_media(color_scheme=scheme)
    if view == "cell":
        page.locator("td.wrong").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
    found = axe_core_python.Axe().run(page)["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []


def test_all_failing_verdicts_are_kept_by_only_failing(report: Report) -> None:
    page = report.open(large_matrix(1))
    page.get_by_role("button", name="only failing").click()
    shown = set(page.locator("tbody td:not(.off):not(.number):visible").all_inner_texts())
    assert len(shown) == len(FAILING)


def test_a_test_of_that_name_is_in_the_title(report: Report) -> None:
    page = report.open(large_matrix(1))
    page.locator("td.wrong").first.click()
    expect(page.get_by_role("heading", name=f"{TEST}[0]")).to_be_visible()
