"""The words that all forms of the matrix share."""

from __future__ import annotations

from tests.survival.matrices import CUSTOMER, TEST, cell, matrix_of
from wove_http_dev.survival.matrix import VERDICTS, Matrix
from wove_http_dev.survival.summary import (
    LETTERS,
    MEANINGS,
    explained,
    grouped_by_reason,
    headline,
    plural,
    problems,
    sentence,
    untried,
    versions,
)
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Verdict


def test_every_verdict_has_a_meaning() -> None:
    assert MEANINGS.keys() == SHOWN.keys()


class TestLetters:
    def test_every_verdict_has_one(self) -> None:
        assert LETTERS.keys() == SHOWN.keys()

    def test_they_differ(self) -> None:
        """No two letters differ by case or colour only."""
        assert len({letter.lower() for letter in LETTERS.values()}) == len(VERDICTS)

    def test_failing_ones_are_capitals(self) -> None:
        assert all(LETTERS[verdict].isupper() for verdict in FAILING)


def test_headline() -> None:
    """The headline counts each verdict, worst first."""
    matrix = matrix_of({TEST: {"hang": "survived", "status": "ran-twice", "redirect": "survived"}})
    assert headline(matrix) == "1 test x 3 faults: 1 RAN TWICE, 2 survived"


def test_headline_of_nothing() -> None:
    assert headline(Matrix(["hang"])) == "0 tests x 1 fault: nothing was tried"


def test_versions() -> None:
    """A person who reads the report can make it again."""
    matrix = Matrix(seed=3, wove="2.0.3", python="3.12.1")
    assert versions(matrix) == "Wove 2.0.3, Python 3.12.1, --wove-http-seed=3"


def test_sentence_about_the_customer() -> None:
    assert sentence(cell("wrong", "why")) == CUSTOMER


def test_sentence_without_a_customer() -> None:
    assert sentence(cell("handled", "why")) == "why"


def test_plural() -> None:
    assert [plural(1, "test"), plural(2, "test")] == ["1 test", "2 tests"]


def test_not_tried_by_reason() -> None:
    """Tests that were not tried are grouped by the reason."""
    found = grouped_by_reason({"a": "fails", "b": "own faults", "c": "fails"})
    assert found == [("fails", ["a", "c"]), ("own faults", ["b"])]


def test_untried() -> None:
    """Cells that a session did not get to are counted; tests that were not to be tried are not."""
    matrix = Matrix(["hang", "status", "redirect"])
    matrix.add(TEST, "hang", cell("survived"))
    matrix.skip_test("other", "fails without a fault")
    assert untried(matrix) == 2


def test_explained() -> None:
    """What was no matter of the application is titled by its number."""
    matrix = Matrix(wove="2.0.3")
    matrix.add(TEST, "hang", cell("skipped", "hit nothing"))
    matrix.add(TEST, "my-fault", cell("expected", "why"))
    assert explained(matrix, matrix.entries()) == {
        "1 expected: Wove 2.0.3 itself cannot contain them": [("my-fault: why", 1)],
        "1 skipped": [("hit nothing", 1)],
    }


def test_nothing_to_explain() -> None:
    matrix = matrix_of({TEST: {"hang": "survived"}})
    assert explained(matrix, matrix.entries()) == {}


def test_problems() -> None:
    """Cells of one test with the same verdict and sentence are one problem, the worst first."""
    row: dict[str, Verdict] = {"hang": "hung", "status": "wrong", "redirect": "hung"}
    found = problems(matrix_of({TEST: row}))
    assert [(each.verdict, [entry.fault for entry in each.entries]) for each in found] == [
        ("wrong", ["status"]),
        ("hung", ["hang", "redirect"]),
    ]
