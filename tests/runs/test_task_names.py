"""Patterns of task names, and the text that lists the tasks seen."""

from __future__ import annotations

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.runs.task_names import check_task, matches_task, tasks_seen


@pytest.mark.parametrize(
    ("pattern", "task_id", "fits"),
    [
        (None, "a", True),
        (None, None, True),
        ("a", "a", True),
        ("a*", "abc", True),
        ("a?", "abc", False),
        ("[ab]", "b", True),
        ("A", "a", False),
        ("*", None, False),
    ],
)
def test_matches_task(pattern: str | None, task_id: str | None, fits: bool) -> None:
    """A pattern is a task's name, a glob, or None for every task."""
    assert matches_task(pattern, task_id) is fits


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("covert", "tasks seen: convert, store; did you mean 'convert'?"),
        ("Store", "tasks seen: convert, store; did you mean 'store'?"),
        ("convert", "tasks seen: convert, store"),
        ("con*", "tasks seen: convert, store"),
        ("zzz", "tasks seen: convert, store"),
        (None, "tasks seen: convert, store"),
    ],
)
def test_tasks_seen(pattern: str | None, text: str) -> None:
    """Each task is listed once; a name that none of them has comes with the nearest."""
    assert tasks_seen(pattern, ["convert", "store", "convert"]) == text


def test_no_task_seen() -> None:
    """Before a run has arrived, that is said."""
    assert tasks_seen("convert", []) == "no run has arrived"


def test_many_tasks_seen() -> None:
    """Of many tasks the text lists twenty."""
    text = tasks_seen(None, [f"task-{number:02}" for number in range(25)])
    assert text.endswith("task-18, task-19 and 5 more")


def test_tasks_seen_are_printable() -> None:
    """A task's name cannot put control characters into the text, nor make it long."""
    assert tasks_seen(None, ["x\x1b[2J\ud800" + "A" * 9999]) == (
        r"tasks seen: x\x1b[2J\ud800" + "A" * 194
    )


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("", "task must be a name or a glob, not ''"),
        (7, "task must be a name or a glob, not 7"),
        (len, "task must be a name or a glob, not <built-in function len>; did you mean 'len'?"),
    ],
)
def test_check_task(task: object, message: str) -> None:
    """What is no name is a usage error, which suggests the name of a function."""
    with pytest.raises(UsageError) as caught:
        check_task(task)
    assert str(caught.value) == message
