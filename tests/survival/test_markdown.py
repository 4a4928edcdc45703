"""The matrix as Markdown: what GitHub makes of it."""

from __future__ import annotations

import pytest

from tests.survival.html_text import ReadHtml
from tests.survival.matrices import CUSTOMER, HOSTILE, TEST, cell, large_matrix, matrix_of
from wove_http_dev.printable import printable
from wove_http_dev.reports import markdown as parts
from wove_http_dev.reports.markdown import LIMIT
from wove_http_dev.survival.markdown import markdown
from wove_http_dev.survival.matrix import Matrix
from wove_http_dev.survival.summary import MEANINGS


def rendered(matrix: Matrix) -> ReadHtml:
    """The page as HTML."""
    markdown_it = pytest.importorskip("markdown_it", reason="rich 13.0 does not need it")
    reader = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return ReadHtml(reader.render(markdown(matrix)))


def hostile_matrix() -> Matrix:
    """A matrix with text that has a meaning everywhere that text from outside is shown."""
    matrix = Matrix(["hang"])
    matrix.add(HOSTILE, HOSTILE, cell("wrong", HOSTILE, HOSTILE + "\n```\n</details>\n"))
    matrix.add(HOSTILE, "hang", cell("skipped", HOSTILE))
    matrix.skip_test(HOSTILE + "2", HOSTILE)
    return matrix


def test_a_failing_cell_is_a_row() -> None:
    """The table of failing cells has verdict, test, fault and what a customer would have seen."""
    page = markdown(matrix_of({TEST: {"hang": "ran-twice", "status": "survived"}}))
    assert f"| **RAN TWICE** | `{TEST}` | `hang` | {CUSTOMER} |" in page


def test_worst_first() -> None:
    page = markdown(matrix_of({TEST: {"hang": "ran-twice", "status": "wrong"}}))
    assert page.index("| **WRONG**") < page.index("| **RAN TWICE**")


def test_families_have_counts() -> None:
    """Each test has the numbers of its verdicts by family."""
    page = markdown(matrix_of({TEST: {"hang": "wrong", "lost-response": "survived"}}))
    assert f"| `{TEST}` | 1 **WRONG**<br>1 survived |" in page


def test_verdicts_are_explained() -> None:
    """The meaning of each verdict that occurs is said."""
    page = markdown(matrix_of({TEST: {"hang": "ran-twice"}}))
    assert f"- **RAN TWICE**: {MEANINGS['ran-twice']}" in page


def test_every_cell_is_there() -> None:
    """Below each test, to unfold, is a row for each fault."""
    page = markdown(large_matrix(2))
    assert page.count("| `lost-response` |") == 2


def test_journal_of_a_failing_cell() -> None:
    """The journal of a failing cell can be unfolded; others are in the HTML report."""
    matrix = Matrix()
    matrix.add(TEST, "hang", cell("wrong", journal="POST one"))
    matrix.add(TEST, "status", cell("handled", journal="POST two"))
    page = markdown(matrix)
    assert "```text\nPOST one\n```" in page
    assert "POST two" not in page


def test_not_tried() -> None:
    """Tests that were not tried are named with the reason."""
    matrix = Matrix(["hang"])
    matrix.skip_test(TEST, "fails without a fault")
    assert f"- fails without a fault: `{TEST}`" in markdown(matrix)


def test_session_that_ended_early() -> None:
    matrix = Matrix(["hang", "status"])
    matrix.add(TEST, "hang", cell("survived"))
    assert "- 1 cell: the session ended before" in markdown(matrix)


def test_nothing_tried() -> None:
    assert "nothing was tried" in markdown(Matrix())


def test_tables_are_read_as_tables() -> None:
    """GitHub's reader finds the tables, the parts to unfold and the code of the journals."""
    matrix = matrix_of({TEST: {"hang": "ran-twice", "status": "survived"}})
    tags = rendered(matrix).tags
    assert (tags["table"], tags["details"]) == (3, 1)


class TestTextFromOutside:
    def test_is_shown(self) -> None:
        """Hostile text is shown as it is, escaped: as test, fault, sentence and reason."""
        assert rendered(hostile_matrix()).text.count(printable(HOSTILE)) >= 8

    def test_makes_no_element(self) -> None:
        """Hostile text makes no element, and ends none."""
        matrix = Matrix(["hang"])
        matrix.add("t", "f", cell("wrong", "d", "j"))
        matrix.add("t", "hang", cell("skipped", "r"))
        matrix.skip_test("t2", "r")
        assert rendered(hostile_matrix()).tags == rendered(matrix).tags

    @pytest.mark.parametrize("text", ["@team", "#12", "see @team", "(@team)"])
    def test_notifies_nobody(self, text: str) -> None:
        """GitHub finds no name of a person or an issue in a sentence."""
        matrix = Matrix()
        matrix.add(TEST, "hang", cell("skipped", text))
        assert text not in markdown(matrix)

    @pytest.mark.parametrize(
        "text", ["a|b", "a`b", "``", " ", "", "\\", "\\|", "a\\", "_a_", "~~a~~"]
    )
    def test_name_with_a_meaning_in_code(self, text: str) -> None:
        """A name with pipes, backticks or backslashes is shown as it is, in one cell."""
        matrix = matrix_of({f"t.py::test[{text}]": {"hang": "survived"}})
        page = rendered(matrix)
        assert page.text.count(f"t.py::test[{text}]") == 2
        assert page.tags["td"] == 8

    def test_name_of_blanks(self) -> None:
        """A name that is only blanks leaves the table as it is."""
        assert rendered(matrix_of({"  ": {"hang": "survived"}})).tags["table"] == 2


class TestLimit:
    def test_size(self) -> None:
        """The page of the largest suite is shown by GitHub, and says that it is not all."""
        page = markdown(large_matrix(500, verdicts=["wrong"]))
        assert len(page.encode()) < LIMIT + 1_000
        assert "the HTML report has all" in page

    def test_what_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The details go first: the worst cells are at the top."""
        monkeypatch.setattr(parts, "LIMIT", 1_500)
        page = markdown(large_matrix(1, verdicts=["wrong", "survived"]))
        assert CUSTOMER in page
        assert "## Every cell" not in page

    def test_long_text(self) -> None:
        """A text of any length is cut."""
        matrix = Matrix()
        matrix.add("t" * 100_000, "f" * 100_000, cell("wrong", "d" * 100_000, "j" * 100_000))
        assert len(markdown(matrix)) < 30_000
