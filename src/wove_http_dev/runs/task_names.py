"""Task names and run ids in messages: which tasks a worker has seen, which of them was probably
meant, and what is shown of an id."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from wove_http_dev.errors import UsageError
from wove_http_dev.printable import printable
from wove_http_dev.spelling import nearest

SHOWN = 20
"""Names that a message lists."""
NAME_LIMIT = 200
"""Characters of a name that a message shows."""


def check_task(task: object) -> None:
    """Raise :class:`UsageError` for a ``task`` that is not the name of one, or a glob of names: of
    a function it says its name."""
    if isinstance(task, str) and task:
        return
    name = getattr(task, "__name__", None)
    advice = f"; did you mean {name!r}?" if isinstance(name, str) else ""
    raise UsageError(printable(f"task must be a name or a glob, not {task!r}{advice}"))


def check_matching(task: str, unused_ok: bool) -> None:
    """Raise :class:`UsageError` for a ``task`` that can match no run, or an ``unused_ok`` that is
    neither true nor false: a text such as ``"no"`` would count as true."""
    check_task(task)
    if not isinstance(unused_ok, bool):
        raise UsageError(f"unused_ok takes true or false, not {unused_ok!r}")


def matches_task(pattern: str | None, task_id: str | None) -> bool:
    """Whether ``pattern`` (a name, a glob, or ``None`` for every task) matches a task's name."""
    if pattern is None or pattern == task_id:
        return True
    return task_id is not None and fnmatch.fnmatchcase(task_id, pattern)


def tasks_seen(pattern: str | None, names: Iterable[str]) -> str:
    """Return text that lists ``names``, those of the runs that have arrived, and suggests the
    nearest of them if ``pattern`` matches none: ``tasks seen: convert, store; did you mean
    'convert'?``."""
    seen = list(dict.fromkeys(name[:NAME_LIMIT] for name in names))
    if not seen:
        return "no run has arrived"
    text = f"tasks seen: {', '.join(seen[:SHOWN])}"
    if len(seen) > SHOWN:
        text += f" and {len(seen) - SHOWN} more"
    if pattern is not None and not any(matches_task(pattern, name) for name in seen):
        close = nearest(pattern, seen)
        text += f"; did you mean {close!r}?" if close is not None else ""
    return printable(text)


def short_id(run_id: str) -> str:
    """Return the part of ``run_id`` by which a person tells it from others."""
    return run_id.rpartition(":")[2][:8]
