"""The matrix on the terminal: what fits, what is said, and no text that does harm."""

from __future__ import annotations

import re

import pytest

from tests.survival.matrices import CUSTOMER, HOSTILE, TEST, cell, large_matrix, matrix_of
from wove_http_dev.survival.matrix import Matrix
from wove_http_dev.survival.terminal import COLOURS, ROWS, WORST, terminal_lines
from wove_http_dev.survival.verdicts import FAILING, SHOWN


def lines_of(matrix: Matrix, width: int = 80) -> list[str]:
    return terminal_lines(matrix, width)


def paint(text: str, **colours: bool) -> str:
    """``text`` as if a terminal showed it in a colour."""
    return f"<{next(iter(colours))}>{text}</>"


class TestTable:
    def test_words(self) -> None:
        """Two faults fit 80 columns with their names, and a word for each cell."""
        lines = lines_of(matrix_of({TEST: {"hang": "ran-twice", "status": "survived"}}))
        assert lines[:3] == [
            "tests in tests/test_orders.py::",
            "test      hang       status",
            "test_pay  RAN TWICE  survived",
        ]

    def test_letters(self) -> None:
        """All faults fit 130 columns with a letter each, by family."""
        lines = lines_of(large_matrix(1, verdicts=["handled"]), 130)
        assert re.fullmatch(r"test_pay\[0\]( +o+){6}", lines[2])

    def test_letters_have_a_legend(self) -> None:
        """The legend has the letters that occur."""
        lines = lines_of(large_matrix(1, verdicts=["handled", "wrong"]), 130)
        assert lines[3] == "W WRONG  o handled"

    def test_families(self) -> None:
        """All faults are six columns of a terminal with 80, each with a number."""
        lines = lines_of(large_matrix(1, verdicts=["handled"]))
        assert lines[2].split() == ["test_pay[0]", "13o", "5o", "11o", "22o", "12o", "9o"]

    def test_family_with_several_failing_cells(self) -> None:
        """A family's cell is its worst verdict, with the number of others that fail."""
        matrix = large_matrix(1, verdicts=["handled"])
        for fault, verdict in (("hang", "hung"), ("lost-response", "ran-twice")):
            matrix.add(f"{TEST}[0]", fault, cell(verdict))  # type: ignore[arg-type]
        assert "1H+1" in lines_of(matrix)[2].split()

    def test_narrow_terminal(self) -> None:
        """Where no table fits, each test has its counts below its name."""
        lines = lines_of(large_matrix(1, verdicts=["handled"]), 40)
        assert lines[1:3] == ["test_pay[0]", "    72 handled"]

    def test_names_longer_than_the_room(self) -> None:
        """Of a long name the end is shown, which tells it from others."""
        matrix = Matrix()
        for fault in large_matrix(1).faults:
            matrix.add(f"t.py::test_{'x' * 100}_end", fault, cell("survived"))
        assert lines_of(matrix)[2].startswith("...xxx")

    def test_one_row_for_each_test(self) -> None:
        matrix = large_matrix(ROWS, verdicts=["survived"])
        assert sum(line.startswith("test_pay[") for line in lines_of(matrix)) == ROWS

    def test_many_tests(self) -> None:
        """Of many tests those with a failing verdict have a row, and the others are counted."""
        matrix = large_matrix(ROWS + 1, verdicts=["survived"])
        matrix.add(f"{TEST}[7]", "hang", cell("wrong"))
        lines = lines_of(matrix)
        assert [line.split()[0] for line in lines if line.startswith("test_pay")] == ["test_pay[7]"]
        assert f"and {ROWS} more tests, none with a failing verdict" in "\n".join(lines)

    def test_five_hundred_tests(self) -> None:
        """A suite of 500 tests has a report that a person reads."""
        assert len(lines_of(large_matrix(500))) < 400

    def test_cell_that_was_not_tried(self) -> None:
        """A cell that the session did not get to is empty."""
        matrix = Matrix(["hang", "status"])
        matrix.add(TEST, "status", cell("survived"))
        assert lines_of(matrix)[2] == "test_pay             survived"

    @pytest.mark.parametrize("width", [40, 79, 80, 132])
    @pytest.mark.parametrize("tests", [1, 3, 60])
    @pytest.mark.parametrize("faults", [1, 5, 72])
    def test_no_line_of_a_table_is_wider_than_the_terminal(
        self, width: int, tests: int, faults: int
    ) -> None:
        """No line is wider than the terminal, but one that is the name of a cell."""
        names = large_matrix(1).faults[:faults]
        lines = lines_of(large_matrix(tests, names), width)
        allowed = tuple(SHOWN[verdict] for verdict in FAILING)
        assert [
            line
            for line in lines
            if len(line) > width and not (line.startswith(allowed) and TEST in line)
        ] == []


class TestTotals:
    def test_families_and_sum(self) -> None:
        """Each family has the number of each verdict, and the sum follows."""
        lines = lines_of(matrix_of({TEST: {"hang": "wrong", "status": "survived"}}))
        start = lines.index("         WRONG  survived")
        assert lines[start + 1 : start + 4] == [
            "run          1         0",
            "response     0         1",
            "total        1         1",
        ]

    def test_all_verdicts_fit_80_columns(self) -> None:
        """The table of sums has all eight verdicts within 80 columns."""
        lines = lines_of(large_matrix(10))
        (heading,) = [line for line in lines if "RAN TWICE" in line and "survived  skipped" in line]
        assert len(heading) <= 80

    def test_versions(self) -> None:
        """The versions and the seed are said."""
        assert "Wove 2.0.3, Python 3.12.1, --wove-http-seed=0" in lines_of(large_matrix(1))


class TestWorst:
    def test_one_line(self) -> None:
        """A failing cell has one line where it fits: verdict, test, fault, and the sentence."""
        lines = lines_of(matrix_of({TEST: {"hang": "ran-twice"}}), 160)
        assert f"RAN TWICE  {TEST}  hang  {CUSTOMER}" in lines

    def test_sentence_on_a_line_of_its_own(self) -> None:
        """Where it does not fit, the sentence is below, indented."""
        lines = lines_of(matrix_of({TEST: {"hang": "ran-twice"}}))
        start = lines.index(f"RAN TWICE  {TEST}  hang")
        assert lines[start + 1] == f"    {CUSTOMER}"

    def test_worst_first(self) -> None:
        """The cells are ordered by severity."""
        lines = lines_of(matrix_of({TEST: {"hang": "ran-twice", "status": "wrong"}}), 160)
        found = [line.split("  ")[0] for line in lines if CUSTOMER in line]
        assert found == ["WRONG", "RAN TWICE"]

    def test_same_with_several_faults(self) -> None:
        """What a test does wrong with several faults is said once, with their names."""
        lines = lines_of(matrix_of({TEST: {"hang": "wrong", "status": "wrong"}}), 200)
        start = lines.index(f"WRONG  {TEST}")
        assert lines[start + 1 : start + 3] == [
            f"    {CUSTOMER}",
            "    with 2 faults: hang, status",
        ]

    def test_many(self) -> None:
        """Of many problems the worst are listed, and the others counted."""
        lines = lines_of(large_matrix(WORST + 3, ["hang"], ["wrong"]))
        assert sum(CUSTOMER in line for line in lines) == WORST
        assert "and 3 more" in "\n".join(lines)

    def test_none(self) -> None:
        """A matrix without a failing verdict has no such list."""
        assert CUSTOMER not in "\n".join(lines_of(large_matrix(3, verdicts=["handled"])))


class TestReasons:
    def test_grouped(self) -> None:
        """Skipped cells are counted by reason."""
        matrix = Matrix()
        for fault in ("hang", "status", "redirect"):
            matrix.add(TEST, fault, cell("skipped", "hit nothing"))
        matrix.add(TEST, "untrusted-ca", cell("skipped", "it needs tls=True"))
        text = "\n".join(lines_of(matrix))
        assert "4 skipped:\n    3  hit nothing\n    1  it needs tls=True" in text

    def test_expected(self) -> None:
        """What Wove cannot contain is said by fault, with the reason."""
        matrix = Matrix(wove="2.0.3")
        for number in range(3):
            matrix.add(f"test_{number}", "task-cancelled", cell("expected", f"seen {number}"))
        text = "\n".join(lines_of(matrix))
        title = "3 expected: Wove 2.0.3 itself cannot contain them:\n    3  task-cancelled: "
        assert title in text
        assert "seen" not in text

    def test_expected_of_an_own_fault(self) -> None:
        """The reason of a fault that is not in the catalogue is the cell's."""
        matrix = Matrix()
        matrix.add(TEST, "my-fault", cell("expected", "it was meant so"))
        assert "    1  my-fault: it was meant so" in lines_of(matrix)

    def test_many(self) -> None:
        """Rare reasons are counted together."""
        matrix = Matrix()
        for number in range(20):
            matrix.add(TEST, f"fault-{number}", cell("skipped", f"reason {number}"))
        assert "    8  for other reasons" in "\n".join(lines_of(matrix))

    def test_empty_reason(self) -> None:
        """A cell without a reason is counted as well."""
        matrix = Matrix()
        matrix.add(TEST, "hang", cell("skipped", ""))
        assert "1 skipped:\n    1" in "\n".join(lines_of(matrix))


class TestNotTried:
    def test_tests(self) -> None:
        """Tests that were not tried are named by the reason."""
        matrix = Matrix(["hang"])
        matrix.skip_test(TEST, "fails without a fault")
        text = "\n".join(lines_of(matrix))
        assert f"1 test not tried: fails without a fault\n    {TEST}" in text

    def test_session_that_ended_early(self) -> None:
        matrix = Matrix(["hang", "status"])
        matrix.add(TEST, "hang", cell("survived"))
        assert lines_of(matrix)[-1] == "1 cell not tried: the session ended before"

    def test_nothing(self) -> None:
        """A session without a test that uses a worker says so."""
        first, second = lines_of(Matrix(["hang"]))
        assert first == "no test that uses a worker was tried"
        assert "wove_http_adopt(worker)" in second


class TestColour:
    def test_failing_cells_are_red(self) -> None:
        """pytest paints, in its own words for colours."""
        matrix = matrix_of({TEST: {"hang": "wrong"}})
        assert "<red>WRONG</>" in "\n".join(terminal_lines(matrix, paint=paint))

    def test_colour_takes_no_room(self) -> None:
        """Columns are aligned whatever a colour adds to the text."""
        matrix = large_matrix(3)
        painted = "\n".join(terminal_lines(matrix, paint=paint))
        assert re.sub("<[a-z]+>|</>", "", painted) == "\n".join(terminal_lines(matrix))

    def test_words_of_pytest(self, pytestconfig: pytest.Config) -> None:
        """The colours are words that pytest's terminal knows."""
        writer = pytest.importorskip("_pytest.config").create_terminal_writer(pytestconfig)
        writer.hasmarkup = True
        assert all("\x1b" in writer.markup("x", **{each: True}) for each in COLOURS.values())


class TestTextFromOutside:
    def test_no_control_character(self) -> None:
        """Names and reasons are escaped: no line has a control character or breaks."""
        matrix = Matrix()
        matrix.add(HOSTILE, HOSTILE, cell("wrong", HOSTILE))
        matrix.add(HOSTILE, "hang", cell("skipped", HOSTILE))
        matrix.skip_test(HOSTILE + "2", HOSTILE)
        assert all(line.isprintable() for line in lines_of(matrix))

    def test_long_text(self) -> None:
        """A text of any length is cut."""
        matrix = Matrix()
        matrix.add("t" * 100_000, "f" * 100_000, cell("wrong", "d" * 100_000))
        assert max(map(len, lines_of(matrix))) < 3_000

    def test_ascii(self) -> None:
        """What a locale cannot express is written as an escape."""
        matrix = Matrix()
        matrix.add("t.py::test_größe", "hang", cell("skipped", "2 × … “x”"))
        lines = terminal_lines(matrix, encoding="ascii")
        assert '1  2 x ... "x"' in "\n".join(lines)
        assert all(line.isascii() for line in lines)

    def test_unknown_encoding(self) -> None:
        matrix = matrix_of({"test_größe": {"hang": "survived"}})
        assert all(line.isascii() for line in terminal_lines(matrix, encoding="no-such"))

    def test_own_text_is_ascii(self) -> None:
        """Nothing that the report itself says needs more than ASCII."""
        assert all(line.isascii() for line in lines_of(large_matrix(60)))

    def test_wide_characters(self) -> None:
        """A character that takes two columns is counted as two."""
        matrix = matrix_of({"test_日本": {"hang": "survived"}, "test_ab": {"hang": "survived"}})
        assert lines_of(matrix)[1:3] == ["test_ab    survived", "test_日本  survived"]
