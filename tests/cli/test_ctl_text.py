"""What ``ctl`` prints: lines that fit the terminal, and escape what a client or a task has said."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from tests.cli.api_values import FAILED, exchange_of, hold_of, injection_of, run_of
from wove_http_dev.cli.ctl_text import NARROWEST, CtlText, Tail
from wove_http_dev.cli.log_lines import columns

WIDE = 200
HOSTILE = "\x1b[2J\r\n\u202e漢字" * 2000 + "\ud800"


def table(*runs: dict[str, Any], width: int = WIDE) -> list[str]:
    return CtlText(width).table(runs)


# Tables of runs


def test_table() -> None:
    """A run is a line below a heading."""
    assert table(run_of()) == [
        "RUN       STATE            MS  TASK     WHAT",
        "3f2a9c1e  ok             12.3  convert  n=3 -> 6",
    ]


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (FAILED, "n=3 -> ValueError: no (app.py:3 in f)"),
        ({"args": None}, "-> 6"),
        ({"result": None}, "n=3"),
        ({"faults": ["status"], "faults_text": "status, stall"}, "n=3 -> 6 [fault: status, stall]"),
        ({"stubbed": True}, "n=3 -> 6 [stub]"),
        ({"args": None, "result": None}, "convert"),
    ],
)
def test_what_of_a_run(words: dict[str, Any], end: str) -> None:
    """Arguments, outcome, place and faults stand at the end of the line, as far as they are
    known."""
    assert table(run_of(**words))[1].endswith(f"  {end}")


@pytest.mark.parametrize(
    ("state", "word"),
    [("failed", "FAILED"), ("lost", "LOST"), ("held", "held"), ("received", "received")],
)
def test_state_in_words(state: str, word: str) -> None:
    """The state is said in a word."""
    assert table(run_of(state=state))[1].split()[1] == word


def test_run_without_a_duration() -> None:
    """A run that has not ended has no milliseconds, and its columns stay in place."""
    heading, line = table(run_of(seconds=None, state="running"))
    assert line.index("convert") == heading.index("TASK")


@pytest.mark.parametrize("name", ["args", "result", "error", "error_place", "task_id", "run_id"])
@pytest.mark.parametrize("width", [NARROWEST, 80])
def test_line_fits(name: str, width: int) -> None:
    """Whatever a task says, a line fits the terminal and has nothing but printable characters."""
    lines = table(run_of(**{name: HOSTILE}), width=width)
    assert [line for line in lines if columns(line) > width or not line.isprintable()] == []


def test_color() -> None:
    """On a terminal a failure is coloured, and the columns are the same."""
    _, line = CtlText(80, color=True).table([run_of(**FAILED)])
    plain = table(run_of(**FAILED), width=80)[1]
    assert (
        "\x1b[1;31mFAILED\x1b[0m" in line,
        line.replace("\x1b[1;31m", "").replace("\x1b[0m", ""),
    ) == (
        True,
        plain,
    )


def test_terminal_that_cannot_write_a_character() -> None:
    """A character that the terminal's encoding lacks is escaped."""
    (_, line) = CtlText(80, "ascii").table([run_of(result="'ü'")])
    assert line.endswith("-> '\\xfc'")


# One run


def shown(width: int = 80, **words: Any) -> str:
    return "\n".join(CtlText(width).run(run_of(**words)))


LEG = {"text": "upstream 200 in 4.2 ms"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({}, "run        wove:convert:3f2a9c1e77"),
        ({}, "task       convert"),
        ({}, "state      ok, 12.3 ms"),
        ({}, "arguments  n=3"),
        ({}, "result     6"),
        ({}, "exchange   #7"),
        (FAILED, "error      ValueError: no"),
        (FAILED, "where      app.py:3 in f"),
        ({"held_by": ["hold('a')", "hold()"]}, "held by    hold('a'), hold()"),
        ({"faults_text": "status"}, "faults     status"),
        ({"executions": 0, "stubbed": True}, "state      ok, 12.3 ms, stubbed"),
        ({"executions": 2}, "executed   2 times"),
        ({"delivery_key": "invoice-7"}, "key        invoice-7"),
        ({"upstream": [LEG]}, "forwarded  upstream 200 in 4.2 ms"),
        ({"cancel_requested": True}, "state      ok, 12.3 ms, cancel requested"),
    ],
)
def test_run_in_full(words: dict[str, Any], line: str) -> None:
    """Each thing that is known of a run has a line."""
    assert line in shown(**words).splitlines()


@pytest.mark.parametrize("name", ["result", "error", "held by", "traceback", "output", "answered"])
def test_unknown_has_no_line(name: str) -> None:
    """What is not known has no line."""
    text = shown(result=None)
    assert [line for line in text.splitlines() if line.startswith(name)] == []


def test_traceback() -> None:
    """The traceback keeps its lines and its indentation."""
    text = shown(traceback='Traceback:\n  File "app.py"\n\tx\n')
    assert text.endswith('\n\ntraceback:\n  Traceback:\n    File "app.py"\n  \tx')


def test_stack() -> None:
    """A run whose body runs has the place where it is."""
    text = shown(state="running", stack='  File "app.py", line 3, in f\n')
    assert text.endswith('\n\nbody is here now:\n    File "app.py", line 3, in f')


def test_long_value_is_wrapped() -> None:
    """A long value goes on below its beginning, within the terminal's width."""
    text = shown(width=40, result="[" + ", ".join(["1000"] * 30) + "]")
    assert [line for line in text.splitlines() if len(line) > 40] == []


@pytest.mark.parametrize("name", ["task_id", "args", "error", "traceback", "output"])
def test_hostile_value(name: str) -> None:
    """What a task says writes no control characters and adds no line of its own."""
    text = shown(80, **{name: "a\x1b[2J\rb\u202ec\ud800"})
    assert (text.replace("\n", "").isprintable(), "a\\x1b[2J\\rb\\u202ec\\ud800" in text) == (
        True,
        True,
    )


# What is in force


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({}, "injection 1: status code=503 (0 hits)"),
        ({"hits": 1}, "injection 1: status code=503 (1 hit)"),
        ({"task": "a*", "times": 2}, "injection 1: status code=503 task=a* times=2 (0 hits)"),
        ({"active": False}, "injection 1: status code=503 (0 hits, no longer in force)"),
    ],
)
def test_injection(words: dict[str, Any], line: str) -> None:
    """An injection is shown with its fault, its selector and its hits."""
    assert CtlText(80).injection(injection_of(**words)) == line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({}, "hold 1: holding 'convert' (0 arrived)"),
        ({"task": None, "arrived": 2}, "hold 1: holding all tasks (2 arrived)"),
        ({"released": True}, "hold 1: released 'convert' (0 arrived)"),
    ],
)
def test_hold(words: dict[str, Any], line: str) -> None:
    """A hold is shown with its task and how many runs have arrived."""
    assert CtlText(80).hold(hold_of(**words)) == line


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ({"result": [1, None]}, "returns [1, null]"),
        ({"result": None}, "returns null"),
        ({"error": {"type": "ValueError", "message": "no"}}, "raises ValueError: no"),
    ],
)
def test_stub(answer: dict[str, Any], end: str) -> None:
    """A stub is shown with its answer."""
    assert CtlText(80).stub({"id": 2, "task": "t", **answer}) == f"stub 2: 't' {end}"


WORKER = {
    "url": "https://localhost:8443/wove/tasks",
    "page_url": None,
    "environment": "workers",
    "runner": "2 processes",
}


def test_status() -> None:
    """The status shows where the worker is, where its tasks run, and everything in force."""
    lines = [*CtlText(80).status(WORKER, [injection_of()], [hold_of()], [])]
    assert lines == [
        "worker     https://localhost:8443/wove/tasks",
        "serving    environment 'workers'",
        "runner     2 processes",
        "injection 1: status code=503 (0 hits)",
        "hold 1: holding 'convert' (0 arrived)",
    ]


@pytest.mark.parametrize("holds", [[], [hold_of(released=True)]], ids=["none", "released"])
def test_nothing_in_force(holds: list[dict[str, Any]]) -> None:
    """If nothing is in force, the status says so; a released hold is not."""
    assert [*CtlText(80).status(WORKER, [], holds, [])][-1] == "no fault, hold or stub is in force"


@pytest.mark.parametrize("width", [40, 80])
def test_lists_fit(width: int) -> None:
    """A long fault, task or answer is cut at the width of the terminal."""
    text = CtlText(width)
    long = "x" * 500
    lines = [
        text.injection(injection_of(fault=long)),
        text.hold(hold_of(task=long)),
        text.stub({"id": 1, "task": "t", "result": long}),
    ]
    assert [columns(line) <= width for line in lines] == [True] * 3


# Tail


def tail(*events: tuple[str, Any], width: int = 80) -> list[str]:
    """The lines for events, without the time of day."""
    following = Tail(CtlText(width))
    return [
        line[14:] if line[2:3] == ":" else line
        for name, data in events
        for line in following.lines(name, data)
    ]


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ({"state": "running", "finished": None}, "started"),
        ({"state": "held", "started": None, "finished": None}, "held"),
        ({}, "ok"),
        (FAILED, "FAILED"),
    ],
)
def test_tail_of_a_run(words: dict[str, Any], word: str) -> None:
    """A line says that a run has started, is held, or has ended."""
    (line,) = tail(("run", run_of(**words)))
    assert line.split()[:3] == [word, "convert", "3f2a9c1e"]


def test_tail_of_a_life() -> None:
    """Each step of a run is one line, however often it is sent."""
    running = run_of(state="running", finished=None)
    events = [run_of(state="received"), running, running, run_of(), run_of(answered=1.0)]
    lines = tail(*(("run", each) for each in events))
    assert [line.split()[0] for line in lines] == ["started", "ok"]


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ({"refusal": "signature: does not match"}, "REFUSED"),
        ({"kind": "connection", "error": "not HTTP", "status": None}, "no request"),
        ({"internal_error": True, "error": "a bug"}, "WORKER BUG"),
    ],
)
def test_tail_of_an_exchange(words: dict[str, Any], word: str) -> None:
    """A line says that a request was refused, or that a connection never became one."""
    (line,) = tail(("exchange", exchange_of(**words)))
    assert line.startswith(word)


@pytest.mark.parametrize(
    "event",
    [
        ("exchange", exchange_of(status=200)),
        ("exchange", exchange_of(refusal="no", seconds=None)),
        ("run", run_of(initial_value=True)),
        ("run", run_of(state="received")),
        ("injections", {"injections": []}),
        ("reload", {}),
        ("a later version's", {}),
    ],
)
def test_tail_is_silent(event: tuple[str, Any]) -> None:
    """What the lines of runs say already has no line."""
    assert tail(event) == []


def test_tail_of_a_failed_initial_value() -> None:
    """An initial value that could not be delivered has a line."""
    (line,) = tail(("run", run_of(initial_value=True, **FAILED)))
    assert line.startswith("FAILED")


def test_tail_of_a_reset() -> None:
    """A reset has a line, and what comes after it is shown, even under the same number."""
    refused = exchange_of(refusal="no")
    lines = tail(("exchange", refused), ("reset", {}), ("exchange", refused))
    assert (len(lines), lines[1]) == (3, "the journal was emptied")


@pytest.mark.parametrize("name", ["task_id", "run_id", "args", "result", "error"])
def test_tail_fits(name: str) -> None:
    """A line of ``tail`` fits the terminal, whatever a task says."""
    (line,) = Tail(CtlText(80)).lines("run", run_of(**{name: HOSTILE}))
    assert (columns(line) <= 80, line.isprintable()) == (True, True)


# The stream


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "colored"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
    ids=["terminal", "no-color", "dumb", "file"],
)
def test_color_of_a_stream(
    stream: io.StringIO, variables: dict[str, str], colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is colour on a terminal only, and none where the user wants none."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (heading, _) = CtlText.for_stream(stream).table([run_of()])
    assert ("\x1b" in heading) is colored


def test_width_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines for a file have at most 80 columns."""
    monkeypatch.delenv("COLUMNS", raising=False)
    with monkeypatch.context() as patch:  # pytest asks for the width as well, before the teardown
        patch.setattr("shutil.get_terminal_size", os.terminal_size)
        width = CtlText.for_stream(io.StringIO()).width
    assert width == 80


def test_long_line_says_what_is_left_out() -> None:
    """A line of the output that is too long to be shown says so."""
    lines = list(CtlText(WIDE).run(run_of(output="x" * 10_123)))
    assert lines[-1].endswith("x[... 123 characters left out ...]")
