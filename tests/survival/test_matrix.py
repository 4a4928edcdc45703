"""The matrix of verdicts: merging, order, JSON, exit status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.survival.matrices import HOSTILE, TEST, cell, large_matrix, matrix_of
from wove_http_dev.errors import UsageError
from wove_http_dev.survival import matrix as module
from wove_http_dev.survival.matrix import VERDICTS, Matrix, by_test, family, reasons
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Cell, Verdict

OTHER = "tests/test_orders.py::test_refund"


def test_every_verdict_has_a_place() -> None:
    """The order of severity has each verdict once."""
    assert sorted(VERDICTS) == sorted(SHOWN)


class TestOrder:
    def test_tests(self) -> None:
        """Tests are in the order of their names, with numbers as numbers."""
        matrix = matrix_of({f"t[{n}]": {"hang": "survived"} for n in (10, 9, 1)})
        assert matrix.tests == ["t[1]", "t[9]", "t[10]"]

    def test_numbers_of_any_length(self) -> None:
        """A number with more digits than int() reads sorts too."""
        long = f"t[{'9' * 6000}]"
        assert matrix_of({long: {}, "t[1]": {}}).tests == []
        matrix = matrix_of({long: {"hang": "survived"}, "t[1]": {"hang": "survived"}})
        assert matrix.tests == ["t[1]", long]

    def test_faults(self) -> None:
        """Faults are in the order of the catalogue, a user's own last."""
        matrix = Matrix(["my-fault", "status code=503", "hang", "status code=404", "untrusted-ca"])
        assert matrix.faults == [
            "untrusted-ca",
            "hang",
            "status code=404",
            "status code=503",
            "my-fault",
        ]

    def test_families(self) -> None:
        """Faults are grouped by the stage that they change."""
        matrix = Matrix(["status code=503", "hang", "my-fault", "lost-response"])
        assert matrix.families == {
            "run": ["hang", "lost-response"],
            "response": ["status code=503"],
            "own": ["my-fault"],
        }

    def test_order_of_arrival_does_not_matter(self) -> None:
        """Cells that xdist's workers send in another order make the same matrix."""
        cells = [(t, f) for t in (TEST, OTHER) for f in ("hang", "status")]
        one, other = Matrix(seed=1), Matrix(seed=1)
        for nodeid, fault in cells:
            one.add(nodeid, fault, cell("handled"))
        for nodeid, fault in reversed(cells):
            other.add(nodeid, fault, cell("handled"))
        assert json.dumps(one.as_json()) == json.dumps(other.as_json())

    def test_worst_first(self) -> None:
        """Failing cells are ordered by severity."""
        row: dict[str, Verdict] = dict(
            zip(("hang", "status", "redirect", "lost-response"), reversed(FAILING), strict=True)
        )
        failing = matrix_of({TEST: {**row, "empty-body": "survived"}}).failing()
        assert [each.cell.verdict for each in failing] == list(FAILING)


class TestRepeatedTest:
    @pytest.mark.parametrize("verdicts", [("survived", "wrong"), ("wrong", "survived")])
    def test_worst_counts(self, verdicts: tuple[Verdict, ...]) -> None:
        """Of several runs under one node id the worst verdict counts."""
        matrix = Matrix()
        for verdict in verdicts:
            matrix.add(TEST, "hang", cell(verdict))
        found = matrix.cell(TEST, "hang")
        assert found is not None
        assert found.verdict == "wrong"

    def test_says_what_the_other_runs_gave(self) -> None:
        """Verdicts that differ between runs are counted in the detail."""
        matrix = Matrix()
        verdicts: tuple[Verdict, ...] = ("survived", "wrong", "survived")
        for verdict in verdicts:
            matrix.add(TEST, "hang", cell(verdict, "stale"))
        found = matrix.cell(TEST, "hang")
        assert found is not None
        assert found.detail == "stale (of 3 runs: 1 WRONG, 2 survived)"

    def test_same_verdicts(self) -> None:
        """Runs that agree are one cell, as it is."""
        matrix = Matrix()
        for _ in range(3):
            matrix.add(TEST, "hang", cell("handled"))
        assert matrix.cell(TEST, "hang") == cell("handled")


class TestJson:
    def test_form(self) -> None:
        """The JSON form has what the documentation says, and nothing else."""
        matrix = Matrix(seed=7, wove="2.0.3", python="3.12.1")
        matrix.add(TEST, "hang", Cell("ran-twice", "why", 1.23456, "customer", "journal"))
        assert matrix.as_json() == {
            "version": 1,
            "wove": "2.0.3",
            "python": "3.12.1",
            "seed": 7,
            "tests": {TEST: {"hang": {"verdict": "ran-twice", "detail": "why", "seconds": 1.235}}},
        }

    def test_test_that_was_not_tried(self) -> None:
        """A test that was not tried is skipped with every fault."""
        matrix = Matrix(["hang", "status"])
        matrix.skip_test(TEST, "fails without a fault")
        skipped = {
            "verdict": "skipped",
            "detail": "not tried: fails without a fault",
            "seconds": 0.0,
        }
        assert matrix.as_json()["tests"] == {TEST: {"hang": skipped, "status": skipped}}

    def test_interrupted(self) -> None:
        """What was not tried before the session ended is left out."""
        matrix = Matrix(["hang", "status"])
        matrix.add(TEST, "hang", cell("survived"))
        assert list(matrix.as_json()["tests"][TEST]) == ["hang"]

    def test_hostile_names(self) -> None:
        """Names with a lone surrogate and control characters can be written and read."""
        matrix = Matrix()
        matrix.add(HOSTILE, HOSTILE, cell("wrong", HOSTILE))
        text = json.dumps(matrix.as_json())
        assert Matrix.from_json(json.loads(text)).as_json() == matrix.as_json()

    def test_seconds_that_are_no_number(self) -> None:
        """JSON has no NaN."""
        matrix = Matrix()
        matrix.add(TEST, "hang", Cell("survived", "", float("nan")))
        assert json.loads(json.dumps(matrix.as_json(), allow_nan=False))

    def test_read(self) -> None:
        """A matrix that is read from its JSON form has the same form."""
        document = large_matrix(3).as_json()
        assert Matrix.from_json(document).as_json() == document

    @pytest.mark.parametrize(
        "document",
        [
            None,
            [],
            {},
            {"version": 2},
            {"version": 1, "wove": "2", "python": "3", "seed": 0},
            {"version": 1, "wove": "2", "python": "3", "seed": True, "tests": {}},
            {"version": 1, "wove": "2", "python": "3", "seed": 0, "tests": {"t": []}},
            {"version": 1, "wove": "2", "python": "3", "seed": 0, "tests": {"t": {"hang": {}}}},
            {
                "version": 1,
                "wove": "2",
                "python": "3",
                "seed": 0,
                "tests": {"t": {"hang": {"verdict": "fine", "detail": "", "seconds": 0}}},
            },
        ],
    )
    def test_another_form(self, document: Any) -> None:
        """A document of another form is refused."""
        with pytest.raises(UsageError, match="survival matrix"):
            Matrix.from_json(document)


class TestExitStatus:
    @pytest.mark.parametrize("verdict", VERDICTS)
    def test_failing_verdicts(self, verdict: Verdict) -> None:
        """The four failing verdicts fail the session, and no other."""
        assert matrix_of({TEST: {"hang": verdict}}).exit_failing() == (verdict in FAILING)

    def test_strict(self) -> None:
        """With strict, a fault that is only handled fails the session too."""
        assert matrix_of({TEST: {"hang": "handled"}}).exit_failing(strict=True)

    def test_nothing_tried(self) -> None:
        """A session that tried nothing does not fail."""
        assert not Matrix(["hang"]).exit_failing(strict=True)


class TestJournals:
    @pytest.fixture(autouse=True)
    def room_for_100_characters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "JOURNALS", 100)

    def test_limit(self) -> None:
        """Journals beyond the limit are not kept, and the cell says so."""
        matrix = Matrix()
        matrix.add(TEST, "hang", cell("wrong", journal="x" * 60))
        matrix.add(TEST, "status", cell("wrong", journal="y" * 60))
        found = matrix.cell(TEST, "status")
        assert found is not None
        assert "not kept" in found.journal

    def test_room_for_failing_cells(self) -> None:
        """Cells that do not fail leave room for the journals of those that do."""
        matrix = Matrix()
        for number in range(20):
            matrix.add(TEST, f"fault-{number}", cell("handled", journal="x" * 10))
        matrix.add(TEST, "hang", cell("wrong", journal="y" * 60))
        found = matrix.cell(TEST, "hang")
        assert found is not None
        assert found.journal == "y" * 60


def test_reasons_are_grouped() -> None:
    """The reasons of a verdict are counted, most frequent first."""
    matrix = Matrix()
    for number, detail in enumerate(["a", "b", "b"]):
        matrix.add(TEST, f"fault-{number}", cell("skipped", detail))
    assert reasons(matrix.entries(), "skipped") == [("b", 2), ("a", 1)]


def test_family_of_a_fault_with_fields() -> None:
    """A fault with fields belongs to the family of its name."""
    assert family("slow-response delay=2") == "run"


def test_by_test() -> None:
    """The cells of each test are together, by fault."""
    matrix = matrix_of({"a": {"hang": "survived", "status": "wrong"}, "b": {"hang": "handled"}})
    found = {test: list(row) for test, row in by_test(matrix.entries()).items()}
    assert found == {test: [e.fault for e in matrix.entries([test])] for test in ("a", "b")}
