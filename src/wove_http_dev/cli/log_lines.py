"""The two forms of a line of ``serve``'s log: text for a person, JSON for a program.

A line is made from an entry, a dict of JSON values that ``cli/README.md`` documents. A text line
says what happened in words, never by colour alone.
"""

from __future__ import annotations

import json
import math
import time
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from wove_http_dev.printable import printable
from wove_http_dev.runs.drawn import faults_text
from wove_http_dev.runs.task_names import short_id

Entry = dict[str, Any]

WIDTH = 200
"""Columns of a line; a longer text is cut."""
_SHOWN = 1000
"""Characters of a text that are looked at."""
_NAME_WIDTH = 60
"""Columns of a task's name, or of a request's method and target."""
_RED, _GREEN, _YELLOW, _CYAN, _DIM = "1;31", "32", "33", "36", "2"
_WORDS = {
    "in-force": ("in force", _YELLOW),
    "removed": ("removed", _CYAN),
    "reset": ("reset", _CYAN),
    "reloaded": ("reloaded", _CYAN),
    "stopping": ("stopping", _CYAN),
    "run-held": ("held", _YELLOW),
    "run-started": ("started", _CYAN),
    "succeeded": ("ok", _GREEN),
    "failed": ("FAILED", _RED),
    "cancelled": ("cancelled", _YELLOW),
    "lost": ("LOST", _RED),
    "cancel": ("cancel", _CYAN),
    "answered": ("answered", _YELLOW),
    "refused": ("REFUSED", _RED),
    "no-request": ("no request", _YELLOW),
    "worker-failed": ("WORKER BUG", _RED),
}
"""By event, and for ``run-ended`` by state: the word of a text line and its colour, a parameter of
the terminal's SGR sequence (ECMA-48, 8.3.117)."""


def json_line(entry: Entry) -> str:
    """Return ``entry`` as one line of ASCII."""
    return json.dumps(entry)


class TextLines:
    """Makes lines for a person, of at most ``width`` columns, which a stream with ``encoding`` can
    write; with ``color``, for a terminal that shows colours."""

    def __init__(self, *, encoding: str = "utf-8", color: bool = False, width: int = WIDTH) -> None:
        self._room = width - _CLOCK_WIDTH
        self._third = width // 3
        self._name_width = min(_NAME_WIDTH, width // 3)
        self._encoding = encoding
        self._color = color

    def line(self, entry: Entry) -> str:
        """Return ``entry`` as one line."""
        word, style = _WORDS[entry.get("state") or entry["event"]]
        name, (given, outcome), notes = _name(entry), _texts(entry), _notes(entry)
        tail = "  ".join(["", *notes])
        text = _joined(_head(word, *name), given, outcome) + tail
        # Most lines are as they will be shown: only others are taken apart.
        if len(text) > self._room or len(name[0]) > self._name_width or not _is_plain(text):
            task, run = map(self._shown, name)
            tail = "  ".join(["", *map(self._shown, notes)])
            head = _head(word, cut(task, self._name_width), run)
            text = self._fitted(head, self._shown(given), self._shown(outcome), tail)
        clock = f"{time_of_day(entry['time'])}  "
        if not self._color:
            return clock + text
        return f"\x1b[{_DIM}m{clock}\x1b[0;{style}m{word}\x1b[0m{text[len(word) :]}"

    def _shown(self, text: str) -> str:
        if len(text) <= _SHOWN and _is_plain(text):
            return text  # as below, in an eighth of the time
        # Cut before it is escaped as well, so that a long text is not escaped first.
        text = printable(cut(text, _SHOWN)).replace("…", "...")
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _fitted(self, head: str, given: str, outcome: str, tail: str) -> str:
        """Return the line with ``given``, ``outcome`` and ``tail`` cut as far as needed."""
        room = self._room - columns(head)
        # The tail may have what the texts leave, and the texts leave all but a third of the line.
        left = room - min(columns(given) + columns(outcome) + len(" -> "), self._third)
        tail = cut(tail, max(left, self._third))
        room -= columns(tail)
        if given and outcome:
            given = cut(given, max(room // 3, room - columns(outcome) - len(" -> ")))
            outcome = cut(outcome, room - columns(given) - len(" -> "))
        else:
            given, outcome = cut(given, room), cut(outcome, room - len("-> "))
        return _joined(head, given, outcome) + tail


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _name(entry: Entry) -> tuple[str, str]:
    """Return which run or request the entry is about: the task and the short id of the run."""
    run_id, task = entry.get("run_id"), entry.get("task_id")
    if not task and not run_id:
        return f"{entry.get('method', '')} {entry.get('target', '')}".strip(), ""
    return task or "?", short_id(run_id or "")


def _head(word: str, task: str, run: str) -> str:
    name = f"{task} {run}".rstrip()
    return f"{word:<10} {name}  " if name else f"{word:<10} "


def _joined(head: str, given: str, outcome: str) -> str:
    arrow = " -> " if given and outcome else "-> " if outcome else ""
    return f"{head}{given}{arrow}{outcome}".rstrip()


def _texts(entry: Entry) -> tuple[str, str]:
    """Return what a run or a request was given, and what came of it."""
    event = entry["event"]
    if event in ("run-started", "run-ended"):
        return entry.get("args") or "", entry.get("error") or entry.get("result") or ""
    if event == "reloaded":
        return ", ".join(entry["files"]), ""
    if event in ("in-force", "removed"):
        return entry["call"], ""
    if event == "reset":
        return "the journal is empty", ""
    if event == "stopping":
        return _stopping(entry["runs"]), ""
    if event == "run-held":
        return f"by {', '.join(entry['held_by'])}" if entry["held_by"] else "", ""
    answer = str(entry["status"]) if entry["status"] is not None else "no answer"
    words = [f"#{entry['number']}"]  # as the page and the API number it
    words += [answer] if entry["event"] != "no-request" or entry["status"] is not None else []
    words += [" ".join(entry["events"])] if entry["status"] == 200 and entry["events"] else []
    words += [entry["reason"]] if entry["reason"] else []
    return "; ".join([" ".join(words), *filter(None, [entry["hint"]])]), ""


def _stopping(runs: Sequence[Entry]) -> str:
    if not runs:
        return "no run is open"
    names = ", ".join(f"{run['task_id']} {short_id(run['run_id'])}" for run in runs)
    count = "1 run has" if len(runs) == 1 else f"{len(runs)} runs have"
    return f"{count} not ended (Ctrl-C again ends at once): {names}"


def _notes(entry: Entry) -> list[str]:
    """Return what stands at the end of the line: a long text before it is cut first."""
    notes = [f"({entry['error_place']})"] if entry.get("error_place") else []
    if entry.get("seconds") is not None:
        notes.append(f"{entry['seconds'] * 1000:.1f} ms")
    if entry.get("stubbed"):
        notes.append("[stub]")
    if entry.get("faults"):
        notes.append(f"[fault: {faults_text(entry['faults'], entry['drawn'])}]")
    return notes


def time_of_day(seconds: float) -> str:
    """Return the local time of ``seconds`` since the epoch, to the millisecond."""
    return f"{_to_the_second(math.floor(seconds))}.{int(seconds % 1 * 1000):03d}"


@lru_cache(maxsize=16)  # a busy service logs hundreds of lines a second
def _to_the_second(seconds: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


_CLOCK_WIDTH = len("00:00:00.000  ")


def columns(text: str) -> int:
    """Return the columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_column_count(each) for each in text)


def _column_count(character: str) -> int:
    # Unicode Standard Annex 11: wide and fullwidth characters take two.
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return ``text``, or its beginning and ``...`` if it takes more than ``width`` columns."""
    if columns(text) <= width:
        return text
    taken = 0
    for index, character in enumerate(text):
        taken += _column_count(character)
        if taken > width - 3:
            return f"{text[:index]}..."
    return text
