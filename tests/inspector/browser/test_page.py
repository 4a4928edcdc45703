"""The page, as a person uses it, with Wove's own executor on the other side."""

from __future__ import annotations

import re
from typing import Any

import pytest
from wove import weave

from tests.inspector.browser.helpers import Page, ServedPage, StartWeave, open_view, row, run_weave
from wove_http_dev.cli.output import lines_by_thread

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: tox -e browser")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds; a busy machine


def convert(n: int = 3) -> int:
    """A task that succeeds."""
    return 2 * n


def fail() -> None:
    """A task that fails."""
    raise ValueError("too large")


def filter_by(page: Page, field: str, value: str) -> None:
    """Fill in, or choose, a field of the filter of runs."""
    control = page.locator(f"#filter-{field}")
    if field == "state":
        control.select_option(value)
    else:
        control.fill(value)


SHOWN = {
    "Runs": "#runs td.task",
    "Refused": "#problems summary",
    "Faults": "#catalogue summary",
    "Connect": "#connect pre",
}
"""What each view has once it is drawn, by the text of its link."""


def open_drawn(page: Page, view: str) -> None:
    """Open a view, and wait until it shows something."""
    open_view(page, view)
    expect(page.locator(SHOWN[view]).first).to_be_visible()


def test_where_tasks_run(page: Page) -> None:
    open_drawn(page, "Connect")
    place = page.locator("#connect p").filter(has_text="threads of the worker's process")
    expect(place).to_be_visible()


def test_a_weave_appears_without_a_reload(page: Page, weave_in_thread: StartWeave) -> None:
    expect(page.get_by_text("No task has arrived.")).to_be_visible()
    weave_in_thread(lambda: run_weave(convert))
    expect(row(page, "convert")).to_contain_text("succeeded")


def test_a_result_is_in_its_row(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(convert))
    expect(row(page, "convert")).to_contain_text("→ 6")


def test_from_a_failed_run_to_the_line_that_failed(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(fail))
    expect(row(page, "fail")).to_contain_text("ValueError: too large")
    row(page, "fail").get_by_role("link").click()
    line = fail.__code__.co_firstlineno + 2
    expect(page.locator(".failure")).to_contain_text(f"test_page.py:{line}")
    expect(page.locator("pre").first).to_contain_text('raise ValueError("too large")')


def test_names_of_tasks_are_text(page: Page, weave_in_thread: StartWeave) -> None:
    name = "<img src=x onerror=document.title='hit'>"
    weave_in_thread(lambda: run_weave(convert, name))
    row(page, name).get_by_role("link").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert page.locator("main img").count() == 0
    assert "hit" not in page.title()


def test_a_fault_that_is_switched_on_hits_the_next_weave(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    open_view(page, "Faults")
    page.get_by_role("switch", name="status", exact=True).click()
    expect(page.get_by_role("switch", name="status", exact=True)).to_have_text("on")
    weave_in_thread(lambda: run_weave(convert)).join()
    hits = page.locator("#force tbody tr").first.locator("td").nth(2)
    expect(hits).to_have_text(re.compile("1|2"))  # Wove may cancel what has failed
    assert served.worker.runs["convert"].last.faults == ["status"]


def slow_response(page: Page, delay: str) -> Any:
    """The card of the fault slow-response, open, with ``delay`` in its field."""
    open_view(page, "Faults")
    page.get_by_text("slow-response", exact=True).click()
    card = page.locator(".fault", has=page.get_by_text("slow-response", exact=True))
    card.get_by_label(re.compile("^delay")).fill(delay)
    return card


def test_a_fault_is_made_with_its_fields_and_selectors(page: Page, served: ServedPage) -> None:
    card = slow_response(page, "0.25")
    card.get_by_label("task", exact=True).fill("conv*")
    card.get_by_label("times", exact=True).fill("2")
    card.get_by_role("switch").click()
    expect(card.get_by_role("switch")).to_have_text("on")
    (injection,) = served.worker.injections
    assert [str(fault) for fault in injection.faults] == ["slow-response delay=0.25"]
    assert (injection.selector.task, injection.selector.times) == ("conv*", 2)


def test_a_delay_is_drawn_from_a_distribution(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    card = slow_response(page, "normal(mean=0.001, sd=0.0001)")
    card.get_by_role("switch").click()
    expect(card.get_by_role("switch")).to_have_text("on")
    weave_in_thread(lambda: run_weave(convert)).join()
    open_view(page, "Runs")
    drawn = served.worker.runs["convert"].last.faults_text
    assert drawn.startswith("slow-response delay=normal(mean=0.001,sd=0.0001) → 0.00")
    expect(row(page, "convert")).to_contain_text(drawn)


def test_a_fault_that_is_switched_off_acts_no_more(page: Page, served: ServedPage) -> None:
    open_view(page, "Faults")
    switch = page.get_by_role("switch", name="status", exact=True)
    switch.click()
    expect(switch).to_have_text("on")
    switch.click()
    expect(switch).to_have_text("off")
    expect(page.get_by_text("No fault is in force.")).to_be_visible()
    assert served.active_faults() == []


def test_a_fault_of_the_command_line_is_in_force(page: Page, served: ServedPage) -> None:
    served.inject("status code=502")
    page.reload()
    open_view(page, "Faults")
    expect(page.locator("#force")).to_contain_text("status code=502")


def test_a_wrong_field_says_what_is_allowed(page: Page) -> None:
    card = slow_response(page, "-1")
    card.get_by_role("switch").click()
    expect(page.get_by_role("alert")).to_contain_text("delay")
    expect(card.get_by_role("switch")).to_have_text("off")


def test_a_held_run_is_released(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    open_view(page, "Faults")
    form = page.get_by_role("form", name="New hold")
    form.get_by_label("Task").fill("convert")
    form.get_by_role("button", name="Hold").click()
    release = page.get_by_role("button", name="release convert")
    expect(release).to_be_visible()
    weave_in_thread(lambda: run_weave(convert))
    expect(page.locator("#list-holds")).to_contain_text("1 arrived")
    assert served.worker.all_runs["convert"].last.executions == 0
    release.click()
    open_view(page, "Runs")
    expect(row(page, "convert")).to_contain_text("succeeded")


def test_a_stub_answers(page: Page, served: ServedPage, weave_in_thread: StartWeave) -> None:
    open_view(page, "Faults")
    form = page.get_by_role("form", name="New stub")
    form.get_by_label("Task").fill("convert")
    form.get_by_label("Result (JSON)").fill('{"rows": 7}')
    form.get_by_role("button", name="Stub").click()
    expect(page.locator("#list-stubs")).to_contain_text('{"rows":7}')
    results: list[Any] = []
    weave_in_thread(lambda: results.append(run_weave(convert))).join()
    assert results == [{"rows": 7}]


def test_a_result_that_is_no_json_says_what_to_write(page: Page) -> None:
    open_view(page, "Faults")
    form = page.get_by_role("form", name="New stub")
    form.get_by_label("Task").fill("convert")
    form.get_by_label("Result (JSON)").fill("hello")
    form.get_by_role("button", name="Stub").click()
    expect(page.get_by_role("alert")).to_contain_text('write text as "text"')


def test_a_run_is_run_again(page: Page, served: ServedPage, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(convert))
    row(page, "convert").get_by_role("link").click()
    first = page.url
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: url != first)
    expect(page.get_by_role("heading", level=2)).to_contain_text("succeeded")
    assert len(served.worker.runs["convert"]) == 2


def test_a_run_is_copied_as_a_test(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(convert))
    row(page, "convert").get_by_role("link").click()
    page.get_by_role("button", name="Copy as a pytest test").click()
    # Not the word "Copied", which is shown for a moment only.
    page.wait_for_function(
        "navigator.clipboard.readText().then("
        "(copied) => copied.includes('def test_convert(wove_http_worker):'))"
    )


def test_a_restart_of_the_server_is_survived(
    page: Page, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    expect(page.locator("#connection")).to_have_text("live")
    served.stop()
    expect(page.locator("#connection")).to_contain_text("not connected")
    served.start()
    expect(page.locator("#connection")).to_have_text("live")
    weave_in_thread(lambda: run_weave(convert))
    expect(row(page, "convert")).to_contain_text("succeeded")


def test_nothing_is_shown_without_the_token(
    browser: Any, served: ServedPage, weave_in_thread: StartWeave
) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(served.url)
        expect(page.locator("body")).to_contain_text("token")
        assert "convert" not in page.content()


def test_a_refusal_says_what_would_mend_it(page: Page, served: ServedPage) -> None:
    served.send_unsigned()
    open_view(page, "Refused")
    problem = page.locator("#problems details").first
    expect(problem).to_contain_text("401")
    expect(problem).to_contain_text("What to do:")
    problem.locator("summary").first.click()
    expect(problem.locator(".steps .failed")).to_contain_text("FAILED")


def test_a_refusal_leads_to_how_to_connect(page: Page, served: ServedPage) -> None:
    served.send_unsigned()
    open_view(page, "Refused")
    page.locator("#problems summary").first.click()
    page.get_by_role("link", name="Settings and variables for an application").click()
    expect(page.get_by_role("heading", name="How to connect")).to_be_visible()


def test_the_title_names_the_task_that_failed(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(fail))
    expect(page).to_have_title("✗ fail: ValueError (1 failed) – wove-http-dev")


def test_the_title_forgets_what_was_cleared(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(fail))
    expect(row(page, "fail")).to_contain_text("failed")
    page.get_by_role("button", name="Clear").click()
    expect(page).to_have_title("wove-http-dev")


def test_the_line_of_the_settings_is_not_cut(page: Page) -> None:
    open_view(page, "Connect")
    settings = page.locator("#connect pre").first
    expect(settings).to_contain_text("wove.config")
    assert settings.evaluate("element => element.scrollWidth - element.clientWidth") <= 0


HOSTILE = "\x1b[31m\u202e</pre><script>document.title='hit'</script><img src=x onerror=alert(1)>"


def prints_and_fails(x: str) -> None:
    """A task whose output and error are hostile."""
    print(x)
    raise ValueError(x)


def returns(x: str) -> str:
    """A task whose result is hostile."""
    return x


@pytest.mark.parametrize(
    ("task", "places"),
    [
        (
            prints_and_fails,
            [".failure", "h3:has-text('Traceback') ~ pre", "h3:has-text('Output') ~ pre"],
        ),
        (returns, ["dt:has-text('arguments') + dd", "dt:has-text('result') + dd"]),
    ],
)
def test_what_a_task_says_is_text(
    page: Page, weave_in_thread: StartWeave, task: Any, places: list[str]
) -> None:
    def run() -> None:
        with lines_by_thread(), weave(environment="workers", x=HOSTILE) as w:
            w.do(task)

    weave_in_thread(run)
    expect(row(page, task.__name__)).to_contain_text("<img src=x")
    row(page, task.__name__).get_by_role("link").click()
    for place in places:
        expect(page.locator(place).first).to_contain_text("<img src=x")
    assert page.locator("main img, main script").count() == 0
    assert "hit" not in page.title()


@pytest.mark.parametrize(
    ("field", "value"), [("text", "→ no such thing"), ("task", "x*"), ("state", "failed")]
)
def test_a_filter_hides_what_does_not_match(
    page: Page, weave_in_thread: StartWeave, field: str, value: str
) -> None:
    weave_in_thread(lambda: run_weave(convert))
    expect(row(page, "convert")).to_contain_text("succeeded")
    filter_by(page, field, value)
    expect(page.locator("#shown")).to_have_text("0 of 1 runs")
    expect(page.get_by_text("No run matches the filter.")).to_be_visible()


@pytest.mark.parametrize(
    ("field", "value"), [("text", "CONV"), ("task", "con*"), ("state", "succeeded")]
)
def test_a_filter_keeps_what_matches(
    page: Page, weave_in_thread: StartWeave, field: str, value: str
) -> None:
    weave_in_thread(lambda: [run_weave(convert), run_weave(fail)])
    expect(page.locator("#shown")).to_have_text("2 of 2 runs")
    filter_by(page, field, value)
    expect(page.locator("#shown")).to_have_text("1 of 2 runs")
    expect(row(page, "convert")).to_be_visible()


def test_a_paused_table_says_what_is_new(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(row(page, "convert")).to_contain_text("succeeded")
    page.get_by_role("button", name="Pause").click()
    weave_in_thread(lambda: run_weave(fail)).join()
    expect(page.locator("#shown")).to_have_text("paused; 1 new or changed")
    assert row(page, "fail").count() == 0
    page.get_by_role("button", name="Go on").click()
    expect(row(page, "fail")).to_be_visible()


def test_a_cleared_table_shows_only_later_runs(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(row(page, "convert")).to_contain_text("succeeded")
    page.get_by_role("button", name="Clear").click()
    expect(row(page, "convert")).to_have_count(0)
    weave_in_thread(lambda: run_weave(fail))
    expect(row(page, "fail")).to_be_visible()


def test_siblings_are_grouped(page: Page, weave_in_thread: StartWeave) -> None:
    def mapped() -> None:
        with weave(environment="workers") as w:

            @w.do([1, 2, 3])
            def double(item: int) -> int:
                return 2 * item

    weave_in_thread(mapped).join()
    expect(page.locator("#shown")).to_have_text("3 of 3 runs")
    page.get_by_label("Group by task").check()
    group = page.get_by_role("button", name="runs of double")
    expect(row(page, "double")).to_have_count(1)
    expect(row(page, "double")).to_contain_text("succeeded 3")
    group.click()
    expect(row(page, "double")).to_have_count(4)


def test_a_run_is_reached_by_keyboard(page: Page, weave_in_thread: StartWeave) -> None:
    weave_in_thread(lambda: run_weave(convert)).join()
    expect(row(page, "convert")).to_contain_text("succeeded")
    page.keyboard.press("/")
    expect(page.get_by_label("Text")).to_be_focused()
    page.locator("#scroll").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_contain_text("convert")


def test_rows_that_are_not_seen_are_no_elements(page: Page, served: ServedPage) -> None:
    served.pretend_runs(10_000)
    page.reload()
    expect(page.locator("#shown")).to_have_text("10000 of 10000 runs")
    assert page.locator("#runs tbody tr").count() < 100
    page.locator("#scroll").evaluate("element => element.scrollTo(0, element.scrollHeight)")
    expect(row(page, "pretended-0")).to_be_visible()


@pytest.mark.parametrize("width", [400, 2000])
@pytest.mark.parametrize("view", SHOWN)
def test_no_view_is_wider_than_the_window(
    page: Page, served: ServedPage, weave_in_thread: StartWeave, width: int, view: str
) -> None:
    served.send_unsigned()
    weave_in_thread(lambda: run_weave(convert, "a_task_with_a_name_" * 5)).join()
    page.set_viewport_size({"width": width, "height": 800})
    open_drawn(page, view)
    for part in ("document.documentElement", "document.querySelector('main')"):
        wide = page.evaluate(f"() => {part}.scrollWidth - {part}.clientWidth")
        assert wide <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", [*SHOWN, "one run"])
def test_axe_has_nothing_serious_to_say(
    page: Page, served: ServedPage, weave_in_thread: StartWeave, scheme: str, view: str
) -> None:
    axe_core_python = pytest.importorskip("axe_core_python.sync_playwright")
    served.send_unsigned()
    weave_in_thread(lambda: run_weave(fail)).join()
    page.emulate_media(color_scheme=scheme)
    if view == "one run":
        row(page, "fail").get_by_role("link").click()
        expect(page.get_by_role("heading", level=2)).to_contain_text("failed")
    else:
        open_drawn(page, view)
    found = axe_core_python.Axe().run(page)["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious] == []
