"""The two forms of a line of ``serve``'s log."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from wove_http_dev.cli.log_lines import WIDTH, TextLines, columns, cut, json_line

RUN = {"run_id": "wove-1:2:3f2a91bcdd", "task_id": "render"}
STARTED: dict[str, Any] = {"time": 0.0, "event": "run-started", **RUN, "args": None}
ENDED: dict[str, Any] = {
    "time": 0.0,
    "event": "run-ended",
    **RUN,
    "state": "succeeded",
    "args": None,
    "result": None,
    "error": None,
    "error_place": None,
    "stubbed": False,
    "faults": [],
    "drawn": {},
    "seconds": 0.057,
}
REQUEST: dict[str, Any] = {
    "time": 0.0,
    "event": "refused",
    "number": 7,
    "run_id": None,
    "task_id": None,
    "type": None,
    "method": "GET",
    "target": "/",
    "status": 401,
    "code": "header-missing",
    "reason": "X-Wove-Key is missing",
    "hint": "give it one",
    "events": [],
    "faults": [],
    "drawn": {},
    "seconds": None,
}
FAULTS = ["slow-response", "truncated-body"]
DRAWN: dict[str, Any] = {
    "faults": ["slow-response"],
    "drawn": {"slow-response delay=lognormal(median=0.2,sigma=1)": [0.134]},
}


def line(entry: dict[str, Any], *, encoding: str = "utf-8", **changes: Any) -> str:
    """The line of ``entry`` without the time of day."""
    return TextLines(encoding=encoding).line({**entry, **changes})[len("00:00:00.000  ") :]


def test_time_of_day() -> None:
    """A line begins with the time of day of this place, with milliseconds."""
    stamp = time.mktime((2026, 1, 2, 13, 4, 5, 0, 0, -1)) + 0.25
    assert TextLines().line({**STARTED, "time": stamp}).startswith("13:04:05.250  ")


def test_start() -> None:
    """The line of a start names task, run and arguments."""
    assert line(STARTED, args="n=3") == "started    render 3f2a91bc  n=3"


def test_end() -> None:
    """The line of an end has the time that the run took."""
    assert line(ENDED) == "ok         render 3f2a91bc  57.0 ms"


def test_arguments_and_result() -> None:
    """Arguments and result stand beside one another."""
    text = line(ENDED, args="n=3, name='x'", result="42")
    assert text == "ok         render 3f2a91bc  n=3, name='x' -> 42  57.0 ms"


def test_error() -> None:
    """A failed run has its error, and where it was raised."""
    words = {"state": "failed", "error": "ValueError: no", "error_place": "app.py:12 in render"}
    text = line(ENDED, **words)
    assert text == "FAILED     render 3f2a91bc  -> ValueError: no  (app.py:12 in render)  57.0 ms"


def test_stub() -> None:
    """A run that a stub answered is marked."""
    assert line(ENDED, stubbed=True).endswith("  [stub]")


def test_faults() -> None:
    """Faults are named at the end."""
    assert line(ENDED, faults=FAULTS).endswith("  [fault: slow-response, truncated-body]")


def test_drawn() -> None:
    """The number that was drawn for a fault is named."""
    assert line(ENDED, **DRAWN).endswith("(median=0.2,sigma=1) → 0.134 s]")


def test_refused() -> None:
    """A refused request has its reason, and what would mend it."""
    assert line(REQUEST) == "REFUSED    GET /  #7 401 X-Wove-Key is missing; give it one"


def test_no_answer() -> None:
    """An answer that never came is said."""
    text = line(REQUEST, event="answered", status=None, reason="hung up", hint=None)
    assert text == "answered   GET /  #7 no answer hung up"


def test_connection() -> None:
    """A connection that never became a request has neither name nor status."""
    empty = {"event": "no-request", "method": "", "target": "", "status": None}
    text = line({**REQUEST, **empty}, reason="TLS handshake: EOF", hint=None)
    assert text == "no request #7 TLS handshake: EOF"


def test_answer_in_place_of_events() -> None:
    """The event frames that another answer has replaced are not named."""
    text = line(REQUEST, event="answered", status=503, reason="", hint=None, events=["task_result"])
    assert text == "answered   GET /  #7 503"


def test_cancel() -> None:
    """A request to cancel has its answer."""
    words = {"event": "cancel", "status": 200, "reason": "", "hint": None}
    text = line({**REQUEST, **RUN, **words}, events=["task_cancelled"])
    assert text == "cancel     render 3f2a91bc  #7 200 task_cancelled"


def test_held() -> None:
    """A held run says what holds it."""
    text = line(STARTED, event="run-held", held_by=["hold('render')"])
    assert text == "held       render 3f2a91bc  by hold('render')"


def test_in_force() -> None:
    """What is in force is named as the call that makes it."""
    entry = {"time": 0.0, "event": "in-force", "call": "inject('status')"}
    assert line(entry) == "in force   inject('status')"


def test_removed() -> None:
    """What is in force no more is named likewise."""
    entry = {"time": 0.0, "event": "removed", "call": "hold('render')"}
    assert line(entry) == "removed    hold('render')"


def test_reset() -> None:
    """A reset is said."""
    assert line({"time": 0.0, "event": "reset"}) == "reset      the journal is empty"


def test_reloaded() -> None:
    """Files that are imported again are named."""
    entry = {"time": 0.0, "event": "reloaded", "files": ["a.py", "b.py"]}
    assert line(entry) == "reloaded   a.py, b.py"


def test_stopping() -> None:
    """The end says which runs have not ended, and how to end at once."""
    text = line({"time": 0.0, "event": "stopping", "runs": [RUN]})
    assert text == "stopping   1 run has not ended (Ctrl-C again ends at once): render 3f2a91bc"


def test_stopping_without_runs() -> None:
    """The end says that no run is open."""
    text = line({"time": 0.0, "event": "stopping", "runs": []})
    assert text == "stopping   no run is open"


LONG: dict[str, dict[str, Any]] = {
    "arguments": {"args": "x" * 5000, "result": "42"},
    "result": {"args": "n=1", "result": "x" * 5000},
    "both": {"args": "x" * 5000, "result": "y" * 5000},
    "error": {"error": "x" * 5000, "error_place": "y" * 5000},
    "task": {"task_id": "x" * 5000},
    "run": {"run_id": "x" * 5000},
    "faults": {"faults": ["x" * 5000], "drawn": {}},
    "wide": {"args": "報" * 5000, "result": "告" * 5000},
    "control": {"args": "\x1b" * 5000},
}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp437"])
@pytest.mark.parametrize("name", LONG)
def test_long_text(name: str, encoding: str) -> None:
    """A long text is cut, so that the line has at most so many columns."""
    text = TextLines(encoding=encoding).line({**ENDED, **LONG[name]})
    assert columns(text) <= WIDTH


@pytest.mark.parametrize("name", sorted(LONG))
def test_long_text_on_a_narrow_terminal(name: str) -> None:
    """A line is cut at the width that is asked for."""
    assert columns(TextLines(width=80).line({**ENDED, **LONG[name]})) <= 80


@pytest.mark.parametrize("name", ["arguments", "both"])
def test_result_beside_long_arguments(name: str) -> None:
    """Long arguments do not hide the result."""
    assert "... -> " in line({**ENDED, **LONG[name]})


def test_place_beside_a_long_error() -> None:
    """A long error does not hide where it was raised."""
    text = line(ENDED, error="x" * 5000, error_place="app.py:12 in render")
    assert "...  (app.py:12 in render)" in text


def test_time_beside_long_texts() -> None:
    """Long texts do not hide the time."""
    assert line({**ENDED, **LONG["both"]}).endswith("  57.0 ms")


def test_drawn_beside_long_texts() -> None:
    """Long texts do not hide the number that was drawn for a fault."""
    assert line({**ENDED, **LONG["both"], **DRAWN}).endswith("→ 0.134 s]")


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[2Jb", "a\u202eb", "a\rb"], ids=ascii)
def test_control_characters(text: str) -> None:
    """A text cannot write lines of its own, or to the terminal."""
    assert line(ENDED, result=text).isprintable()


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_small_character_set(encoding: str) -> None:
    """What the terminal cannot show is escaped."""
    assert "\\u5831..." in line(ENDED, encoding=encoding, result="報…")


def test_lone_surrogate() -> None:
    """A text that no encoding can write is escaped."""
    assert "\\udc80" in line(ENDED, result="\udc80")


def test_no_colour() -> None:
    """A line without colour has no escape sequence."""
    assert "\x1b" not in TextLines().line(ENDED)


@pytest.mark.parametrize("entry", [STARTED, ENDED, REQUEST], ids=lambda entry: entry["event"])
def test_colour(entry: dict[str, Any]) -> None:
    """With colour a line says the same."""
    coloured = TextLines(color=True).line(entry)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == TextLines().line(entry)


def test_json() -> None:
    """An entry is one line of JSON."""
    entry = {**ENDED, "result": "a\nb"}
    text = json_line(entry)
    assert (json.loads(text), "\n" in text) == (entry, False)


def test_json_is_ascii() -> None:
    """Every terminal and file can take it."""
    assert json_line({"result": "報\udc80"}).isascii()


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("報", 2), ("e\u0301", 1), ("\uff21", 2)], ids=ascii
)
def test_columns(text: str, width: int) -> None:
    """Wide characters take two columns, combining ones none."""
    assert columns(text) == width


@pytest.mark.parametrize(
    ("text", "expected"), [("abcde", "abcde"), ("abcdef", "ab..."), ("報報報", "報...")]
)
def test_cut(text: str, expected: str) -> None:
    """A text that takes more than five columns is cut."""
    assert cut(text, 5) == expected


def test_drawn_seconds() -> None:
    """A number that was drawn for a fault stands with it."""
    drawn = {"slow-response delay=0..1": [0.13412]}
    assert line(ENDED, faults=["slow-response"], drawn=drawn).endswith(
        "  [fault: slow-response delay=0..1 → 0.134 s]"
    )
