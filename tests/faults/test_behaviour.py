"""The behaviour table: what it records about each fault, and how a measurement updates it."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS, behaviour
from wove_http_dev.faults.behaviour import Row, differences, recorded, update
from wove_http_dev.weave_outcome import wove_errors

VERSIONS = {"wove": "9.1.0", "python": "3.99.0"}
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def rows_of(path: Path) -> dict[str, Row]:
    """The rows of the table file."""
    rows: dict[str, Row] = json.loads(path.read_text())["faults"]
    return rows


def by_hand(row: Row) -> dict[str, Any]:
    """The hand-written part of a row."""
    return {key: row[key] for key in ("python", "or") if key in row}


def row_of(name: str) -> Row:
    """The recorded row of the fault ``name``; fails the test if there is none."""
    rows = recorded()
    if name not in rows:
        command = f"python -m wove_http_dev faults --measure --update {name}"
        pytest.fail(f"behaviour.json has no row for {name}: run {command}", pytrace=False)
    return rows[name]


def change(path: Path, name: str, **values: Any) -> None:
    """Change the row of ``name`` in the file."""
    document = json.loads(path.read_text())
    document["faults"][name].update(values)
    path.write_text(json.dumps(document))


def test_the_table_has_a_row_for_every_fault() -> None:
    """The table lists exactly the catalogue."""
    for name in FAULTS:
        row_of(name)
    assert list(recorded()) == list(FAULTS)


def test_a_missing_row_is_named() -> None:
    """The failure for a fault without a row says which command adds it."""
    with pytest.raises(pytest.fail.Exception, match=r"no row for tea: .* --update tea$"):
        row_of("tea")


def test_a_difference_is_named() -> None:
    """A difference is reported with both values."""
    assert differences("hang", {"outcome": "result"}, {"hang": {"outcome": "error"}}) == [
        "hang: outcome: measured 'result', recorded 'error'"
    ]


def test_a_row_of_another_python_is_applied() -> None:
    """A row may have other values for other Python versions: in Python 3.10 a remote TimeoutError
    is raised as such, in newer versions it cancels."""
    assert recorded((3, 10))["timeout-exception"]["type"] == "TimeoutError"


def test_what_leaves_the_weave_is_not_contained() -> None:
    """A fault whose outcome leaves the weave is recorded as one that an application cannot
    contain."""
    wove = behaviour.recorded_with()["wove"]
    leaving = [name for name in FAULTS if row_of(name)["outcome"] == "raised out of the weave"]
    unexplained = [name for name in leaving if not FAULTS[name].why_uncontained(wove)]
    assert leaving
    assert unexplained == [], (
        "the outcomes of these leave the weave: say why, by version of Wove, in the class attribute"
        " uncontained"
    )


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.uncontained])
def test_what_is_not_contained_is_not_an_error_of_woves(name: str) -> None:
    """A fault recorded as not contained does not end in one of Wove's own errors."""
    assert row_of(name).get("type") not in {error.__name__ for error in wove_errors()}


@pytest.mark.parametrize(
    ("wove", "says"), [("2.0", True), ("2.0.3", True), ("2.1.0", False), ("2.01", False)]
)
def test_uncontained_by_version(wove: str, says: bool) -> None:
    """A version in the list stands for itself and its patch releases."""
    assert (FAULTS["task-cancelled"].why_uncontained(wove) is not None) is says


def test_an_update_without_a_difference_changes_nothing(behaviour_table: Path) -> None:
    """An update without a difference leaves the file unchanged, byte for byte."""
    before = behaviour_table.read_bytes()
    update({"hang": recorded()["hang"]}, VERSIONS)
    assert behaviour_table.read_bytes() == before


def test_an_update_replaces_what_differs(behaviour_table: Path) -> None:
    """An update writes the measured value into the row."""
    update({"hang": {**recorded()["hang"], "message": "another"}}, VERSIONS)
    assert rows_of(behaviour_table)["hang"]["message"] == "another"


def test_an_update_removes_what_is_not_measured(behaviour_table: Path) -> None:
    """An update removes the error of a row whose outcome is now a result."""
    row = {key: recorded()["hang"][key] for key in ("when", "run_task frames", "hit", "bodies run")}
    update({"hang": {"outcome": "result", "value": "1", **row}}, VERSIONS)
    assert not {"type", "message", "kind", "source"} & set(rows_of(behaviour_table)["hang"])


@pytest.mark.parametrize("name", [name for name, row in recorded().items() if "or" in row])
def test_an_update_keeps_the_alternatives(behaviour_table: Path, name: str) -> None:
    """An update keeps ``or``, which is written by hand."""
    before = by_hand(rows_of(behaviour_table)[name])
    measured = {key: value for key, value in recorded()[name].items() if key != "or"}
    update({name: {**measured, "message": "another"}}, VERSIONS)
    assert by_hand(rows_of(behaviour_table)[name]) == before


def test_a_measured_alternative_changes_nothing(behaviour_table: Path) -> None:
    """A measured value that ``or`` lists is not a difference."""
    before = behaviour_table.read_bytes()
    row = recorded()["crash-before-run"]
    (other,) = row.pop("or")
    update({"crash-before-run": {**row, **other}}, VERSIONS)
    assert behaviour_table.read_bytes() == before


def test_an_update_keeps_other_pythons(behaviour_table: Path) -> None:
    """An update keeps ``python``, which is written by hand."""
    before = by_hand(rows_of(behaviour_table)["timeout-exception"])
    update({"timeout-exception": {"outcome": "result", "value": "1"}}, VERSIONS)
    assert by_hand(rows_of(behaviour_table)["timeout-exception"]) == before


def test_a_difference_from_what_is_written_by_hand_is_left(behaviour_table: Path) -> None:
    """A difference from a hand-written value is reported but not written."""
    change(behaviour_table, "hang", python={THIS_PYTHON: {"message": "by hand"}})
    left = update({"hang": {**recorded()["hang"], "message": "another"}}, VERSIONS)
    assert left == [f"hang: message is written by hand, under \"python\", '{THIS_PYTHON}'"]


def test_an_update_leaves_other_rows_alone(behaviour_table: Path) -> None:
    """An update changes only the rows that were measured."""
    before = rows_of(behaviour_table)
    update({"hang": {**recorded()["hang"], "message": "another"}}, VERSIONS)
    assert {name for name, row in rows_of(behaviour_table).items() if row != before[name]} == {
        "hang"
    }


def test_a_new_fault_gets_a_row(behaviour_table: Path) -> None:
    """A fault without a row gets one, at its place in the order of the catalogue."""
    row = recorded()["hang"]
    document = json.loads(behaviour_table.read_text())
    del document["faults"]["hang"]
    behaviour_table.write_text(json.dumps(document))
    update({"hang": row}, VERSIONS)
    assert (list(rows_of(behaviour_table)), rows_of(behaviour_table)["hang"]) == (list(FAULTS), row)


def test_an_update_of_one_row_keeps_the_versions(behaviour_table: Path) -> None:
    """An update of some rows keeps ``versions``, because the other rows were not measured."""
    before = behaviour.recorded_with()
    update({"hang": recorded()["hang"]}, VERSIONS)
    assert behaviour.recorded_with() == before


def test_an_update_of_all_rows_has_the_versions(behaviour_table: Path) -> None:
    """An update of all rows writes the versions it was measured with."""
    update(recorded(), VERSIONS)
    assert behaviour.recorded_with() == VERSIONS


def test_a_killed_update_leaves_the_table(
    behaviour_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update that ends before it is complete leaves the table as it was."""
    before = behaviour_table.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        update({"hang": {**recorded()["hang"], "message": "another"}}, VERSIONS)
    assert behaviour_table.read_bytes() == before


def test_an_update_keeps_the_mode(behaviour_table: Path) -> None:
    """An update keeps the permissions of the file."""
    behaviour_table.chmod(0o664)
    update({"hang": recorded()["hang"]}, VERSIONS)
    assert stat.S_IMODE(behaviour_table.stat().st_mode) == 0o664


def rename_a_row(path: Path) -> Row:
    """Give the row of ``hang`` a name that no fault has; return the row."""
    document = json.loads(path.read_text())
    row: Row = document["faults"].pop("hang")
    document["faults"]["old-name"] = row
    path.write_text(json.dumps(document))
    return row


def test_a_row_without_a_fault_is_kept(behaviour_table: Path) -> None:
    """An update keeps the row of a fault that was renamed."""
    row = rename_a_row(behaviour_table)
    update({}, VERSIONS)
    assert rows_of(behaviour_table)["old-name"] == row


def test_a_row_without_a_fault_is_reported(behaviour_table: Path) -> None:
    """An update names the row of a fault that was renamed."""
    rename_a_row(behaviour_table)
    assert update({}, VERSIONS) == ["old-name: no fault has this name; rename the row or delete it"]


@pytest.mark.parametrize(
    "text",
    ["", '{"faults": {', "[]", "{}", '{"faults": [], "measured": {}}', '{"faults": {"a": 1}}'],
)
def test_a_broken_table_is_a_usage_error(behaviour_table: Path, text: str) -> None:
    """A file that is not a table is a usage error that says what to do."""
    behaviour_table.write_text(text)
    with pytest.raises(UsageError, match=r"is not a table of behaviours .* restore it"):
        recorded()


LATE = {name for name, kind in FAULTS.items() if "delay" in kind.__dataclass_fields__}
"""Faults after which the answer comes late by itself. The table was measured with a time limit that
is shorter than their delay."""


def test_a_fault_that_stalls_is_one_that_a_time_limit_ends() -> None:
    """``stalls`` says of a fault that it was measured to end with an error, and not at once. (What
    acts on a ``cancel_task`` was measured with a run that is held.)"""
    rows = {name: row_of(name) for name in sorted(set(FAULTS) - LATE)}
    measured = {
        name: row["outcome"] == "error"
        and row["when"] != "at once"
        and not FAULTS[name].recipe().hold
        for name, row in rows.items()
    }
    assert {name: FAULTS[name].stalls for name in measured} == measured


@pytest.mark.parametrize("name", sorted(LATE))
def test_a_late_answer_is_no_stall(name: str) -> None:
    """A fault that only delays the answer does not stall."""
    assert not FAULTS[name].stalls
