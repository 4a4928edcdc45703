"""The matrix as a page: complete in itself, and text from outside stays text. What its script does
is tested in a browser (``tests/inspector/browser/test_survival_report.py``)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from tests.survival.html_text import ReadHtml
from tests.survival.matrices import CUSTOMER, HOSTILE, TEST, cell, large_matrix, matrix_of
from wove_http_dev.printable import printable
from wove_http_dev.survival.html import WORST, html
from wove_http_dev.survival.matrix import Matrix
from wove_http_dev.survival.verdicts import SHOWN, Cell


def data_of(page: str) -> Any:
    """What the script shows."""
    found = re.search('<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def hostile_matrix() -> Matrix:
    """A matrix with text that has a meaning everywhere that text from outside is shown."""
    matrix = Matrix(["hang"])
    matrix.add(HOSTILE, HOSTILE, Cell("wrong", HOSTILE, 0.1, HOSTILE, HOSTILE))
    matrix.add(HOSTILE, "hang", cell("skipped", HOSTILE))
    matrix.skip_test(HOSTILE + "2", HOSTILE)
    return matrix


@pytest.fixture(scope="module")
def page() -> str:
    """The page of two tests and all faults."""
    return html(large_matrix(2))


def test_a_cell_for_each_test_and_fault(page: str) -> None:
    assert page.count('<td class="wrong') == sum(
        row.count("wrong") for row in [[cell[0] for cell in row] for row in data_of(page)["cells"]]
    )


def test_each_cell_has_its_journal(page: str) -> None:
    """The data has what the worker saw in each cell."""
    journals = [row[0][4] for row in data_of(page)["cells"]]
    assert journals == ["0 refuse-connections", "1 refuse-connections"]


def test_a_verdict_is_not_only_a_colour(page: str) -> None:
    """A cell has a letter, and a word for who does not see it."""
    assert re.search(r'<td class="ran-twice[^>]* aria-label="RAN TWICE">R</td>', page)


@pytest.mark.parametrize("verdict", SHOWN)
def test_a_verdict_has_a_style(page: str, verdict: str) -> None:
    """The style names the cells of each verdict."""
    assert re.search(rf"td\.{verdict}\b[^{{}}]*{{", page)


def test_families_are_headings(page: str) -> None:
    """The columns of a family are below its name."""
    assert 'colspan="13" data-family="connection">connection</th>' in page


def test_worst_cells_are_listed() -> None:
    """Each failing cell is in a list above the table, with what a customer would have seen."""
    text = ReadHtml(html(matrix_of({TEST: {"hang": "ran-twice"}}))).text
    assert f"RAN TWICE {TEST} {CUSTOMER}\nhang" in text


def test_many_failing_cells() -> None:
    """Of many problems the worst are listed, and the others counted."""
    page = html(large_matrix(WORST + 3, ["hang"], ["wrong"]))
    assert "and 3 more, in the table" in page


def test_reasons() -> None:
    matrix = Matrix()
    matrix.add(TEST, "hang", cell("skipped", "it needs tls=True"))
    matrix.skip_test("other", "fails without a fault")
    text = ReadHtml(html(matrix)).text
    assert "1 × it needs tls=True" in text
    assert "fails without a fault: other" in text


def test_session_that_ended_early() -> None:
    """A cell that was not tried is empty, and counted."""
    matrix = Matrix(["hang", "status"])
    matrix.add(TEST, "hang", cell("survived"))
    page = html(matrix)
    assert '<td class="none first"></td>' in page
    assert "1 cell: the session ended before" in page


def test_nothing_tried() -> None:
    assert "nothing was tried" in html(Matrix())


class TestSelfContained:
    def test_loads_nothing(self, page: str) -> None:
        """No element names another file."""
        assert ReadHtml(page).links == []

    def test_style_names_no_file(self, page: str) -> None:
        """The style loads nothing."""
        assert "url(" not in page
        assert "@import" not in page

    @pytest.mark.parametrize(
        ("tag", "directive"), [("style", "style-src"), ("script", "script-src")]
    )
    def test_policy(self, page: str, tag: str, directive: str) -> None:
        """The policy allows the page's own style and script, by their hashes, and nothing else."""
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        policy = re.search('Content-Security-Policy" content="([^"]*)"', page)
        assert policy is not None
        assert f"{directive} 'sha256-{digest}'" in policy[1]
        assert policy[1].startswith("default-src 'none'")

    def test_no_style_or_script_in_an_attribute(self, page: str) -> None:
        """The policy would forbid them."""
        attributes = ReadHtml(page).attributes
        assert not [each for each in attributes if each == "style" or each.startswith("on")]


class TestTextFromOutside:
    def test_makes_no_element(self) -> None:
        """Hostile text makes no element."""
        matrix = Matrix(["hang"])
        matrix.add("t", "f", Cell("wrong", "d", 0.1, "c", "j"))
        matrix.add("t", "hang", cell("skipped", "r"))
        matrix.skip_test("t2", "r")
        assert ReadHtml(html(hostile_matrix())).tags == ReadHtml(html(matrix)).tags

    def test_is_shown(self) -> None:
        """Hostile text is shown as it is, escaped."""
        text = ReadHtml(html(hostile_matrix())).text
        assert text.count(printable(HOSTILE)) >= 6

    def test_in_the_data(self) -> None:
        """The data is not ended by a tag in a text, and has control characters escaped."""
        (row,) = data_of(html(hostile_matrix()))["cells"]
        assert [printable(HOSTILE) in str(text) for text in row[-1][1:]] == [
            True,
            False,
            True,
            False,
        ]
        assert row[-1][4] == printable(HOSTILE, keep="\n")

    def test_can_be_written(self) -> None:
        """A lone surrogate is escaped, so that the page is UTF-8."""
        assert html(hostile_matrix()).encode("utf-8")

    def test_seconds_that_are_no_number(self) -> None:
        """The script's reader of JSON knows no NaN."""
        matrix = Matrix()
        matrix.add(TEST, "hang", Cell("survived", "", float("nan")))
        assert "NaN" not in html(matrix)
