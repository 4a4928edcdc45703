"""What each word of ``ctl`` asks the control API, and prints."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from tests.cli.api_values import FAILED, hold_of, injection_of, run_of
from tests.cli.commands import run_here
from tests.scripted_server import Scripted, answer, scripted, stream

RUN = run_of()
OTHER = run_of(run_id="wove:convert:3f2b000000")
LISTED = answer(200, {"runs": [RUN, OTHER]})


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """``TOKEN`` has the token, and ``COLUMNS`` says that the terminal is wide."""
    monkeypatch.setenv("TOKEN", "correct-horse")
    monkeypatch.setenv("COLUMNS", "120")


class Done:
    """What ``ctl`` did with prepared answers."""

    def __init__(self, *words: str, answers: tuple[bytes, ...]) -> None:
        server: Scripted
        with scripted(*answers) as server:
            done = run_here("ctl", "--api", server.url, "--token-env", "TOKEN", *words)
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.requests = [line.replace("/api/v1/", "", 1) for line in server.lines]
        self.bodies = server.bodies


def ctl(*words: str, answers: tuple[bytes, ...]) -> Done:
    return Done(*words, answers=answers)


STEERING: list[tuple[list[str], list[bytes], str, Any, str]] = [
    (
        ["inject", "status times=1"],
        [answer(201, injection_of())],
        "POST injections",
        {"fault": "status times=1"},
        "injection 1: status code=503 (0 hits)\n  remove it: wove-http-dev ctl remove 1\n",
    ),
    (["remove", "1"], [answer(204, b"")], "DELETE injections/1", None, "injection 1 removed\n"),
    (["remove", "--stub", "1"], [answer(204, b"")], "DELETE stubs/1", None, "stub 1 removed\n"),
    (
        ["hold", "convert"],
        [answer(201, hold_of())],
        "POST holds",
        {"task": "convert"},
        "hold 1: holding 'convert' (0 arrived)\n  release them: wove-http-dev ctl release 1\n",
    ),
    (
        ["hold", "*", "--release-when", "3"],
        [answer(201, hold_of(task="*"))],
        "POST holds",
        {"task": "*", "release_when": 3},
        "hold 1: holding '*' (0 arrived)\n  release them: wove-http-dev ctl release 1\n",
    ),
    (
        ["release", "1"],
        [answer(200, hold_of(released=True, arrived=2))],
        "POST holds/1/release",
        {},
        "hold 1: released 'convert' (2 arrived)\n",
    ),
    (
        ["stub", "t", "--result", '{"a": [1]}'],
        [answer(201, {"id": 1, "task": "t", "result": {"a": [1]}})],
        "POST stubs",
        {"task": "t", "result": {"a": [1]}},
        "stub 1: 't' returns {\"a\": [1]}\n  remove it: wove-http-dev ctl remove --stub 1\n",
    ),
    (
        ["stub", "t", "--result", "null"],
        [answer(201, {"id": 1, "task": "t", "result": None})],
        "POST stubs",
        {"task": "t", "result": None},
        "stub 1: 't' returns null\n  remove it: wove-http-dev ctl remove --stub 1\n",
    ),
    (
        ["stub", "t", "--error", "ValueError: too: large"],
        [answer(201, {"id": 1, "task": "t", "error": {"type": "ValueError", "message": "x"}})],
        "POST stubs",
        {"task": "t", "error": {"type": "ValueError", "message": "too: large"}},
        "stub 1: 't' raises ValueError: x\n  remove it: wove-http-dev ctl remove --stub 1\n",
    ),
    (
        ["reset"],
        [answer(200, {"reset": True})],
        "POST reset",
        {},
        "the journal is empty; faults, holds and stubs are removed; what ran in processes is"
        " killed\n",
    ),
]
steering = pytest.mark.parametrize(
    ("words", "answers", "request_line", "body", "out"),
    STEERING,
    ids=[" ".join(words) for words, *_ in STEERING],
)


@steering
def test_steering_asks(
    words: list[str], answers: list[bytes], request_line: str, body: Any, out: str
) -> None:
    """Each word that changes something sends its request."""
    done = ctl(*words, answers=(*answers,))
    assert (done.requests, done.bodies) == ([request_line], [body])


@steering
def test_steering_prints(
    words: list[str], answers: list[bytes], request_line: str, body: Any, out: str
) -> None:
    """Each word that changes something prints what it did, and how to undo it."""
    done = ctl(*words, answers=(*answers,))
    assert (done.status, done.out, done.err) == (0, out, "")


@steering
def test_steering_prints_json(
    words: list[str], answers: list[bytes], request_line: str, body: Any, out: str
) -> None:
    """With ``--json`` each prints what the API answered; nothing if that is nothing."""
    done = ctl(*words, "--json", answers=(*answers,))
    sent = answers[-1].partition(b"\r\n\r\n")[2].decode()
    assert done.out.strip() == sent


# runs


@pytest.mark.parametrize(
    ("words", "request_line"),
    [
        ([], "GET runs?limit=20"),
        (["--limit", "5"], "GET runs?limit=5"),
        (["--all"], "GET runs"),
        (["--all", "--task", "a*"], "GET runs?task=a%2A"),
        (["--all", "--state", "failed"], "GET runs?state=failed"),
        (["--all", "--initial-values"], "GET runs?initial_values=true"),
        (["--all", "--after", "1795651200.5"], "GET runs?after=1795651200.5"),
    ],
)
def test_runs_asks(words: list[str], request_line: str) -> None:
    """The flags of ``runs`` are the API's parameters."""
    assert ctl("runs", *words, answers=(LISTED,)).requests == [request_line]


def test_runs_after_a_run() -> None:
    """``--after`` takes the shown id of a run."""
    done = ctl("runs", "--all", "--after", "3f2a", answers=(LISTED, LISTED))
    assert done.requests[-1] == "GET runs?after=wove%3Aconvert%3A3f2a9c1e77"


def test_runs_prints() -> None:
    """A line for each run."""
    lines = ctl("runs", answers=(LISTED,)).out.splitlines()
    assert [line.split()[0] for line in lines] == ["RUN", "3f2a9c1e", "3f2b0000"]


def test_no_runs() -> None:
    """Where there is no run, what to do is said."""
    out = ctl("runs", answers=(answer(200, {"runs": []}),)).out
    assert "wove-http-dev doctor MODULE" in out


@pytest.mark.parametrize("words", [("--task", "t"), ("--state", "failed"), ("--after", "1" * 10)])
def test_no_run_that_matches(words: tuple[str, str]) -> None:
    """Where no run is of the kind that is asked for, that is said."""
    out = ctl("runs", *words, answers=(answer(200, {"runs": []}),)).out
    assert out == "no run matches; without --task, --state and --after, all are listed\n"


def test_runs_json() -> None:
    """With ``--json`` the runs are printed as the API answers them."""
    done = ctl("runs", "--json", answers=(LISTED,))
    assert json.loads(done.out) == {"runs": [RUN, OTHER]}


# RUN


def test_show() -> None:
    """A run is found by the beginning of its shown id, and shown in full."""
    done = ctl("show", "3f2a", answers=(LISTED, answer(200, RUN)))
    assert (done.requests[-1], done.out.splitlines()[0]) == (
        "GET runs/wove%3Aconvert%3A3f2a9c1e77",
        "run        wove:convert:3f2a9c1e77",
    )


def test_show_by_the_whole_id() -> None:
    """A whole id names its run, though another begins with it."""
    longer = run_of(run_id="a:bc")
    listed = answer(200, {"runs": [longer, run_of(run_id="b")]})
    done = ctl("show", "b", answers=(listed, answer(200, RUN)))
    assert done.requests[-1] == "GET runs/b"


def test_show_searches_initial_values() -> None:
    """A run that delivers an initial value can be shown, too."""
    done = ctl("show", "3f2a", answers=(LISTED, answer(200, RUN)))
    assert done.requests[0] == "GET runs?initial_values=true"


def test_show_json() -> None:
    """With ``--json`` the run is printed as the API answers it."""
    done = ctl("show", "3f2a", "--json", answers=(LISTED, answer(200, RUN)))
    assert json.loads(done.out) == RUN


def test_ambiguous_run() -> None:
    """A beginning of several ids is an error that names some of them."""
    done = ctl("show", "3f2", answers=(LISTED,))
    assert (done.status, done.err) == (
        2,
        "wove-http-dev: 2 runs begin with '3f2', such as 3f2a9c1e77, 3f2b000000; give more of it\n",
    )


def test_unknown_run() -> None:
    """An unknown run is an error that names the newest."""
    done = ctl("show", "nope", answers=(LISTED,))
    assert (done.status, done.err) == (
        2,
        "wove-http-dev: no run 'nope'; the newest are 3f2a9c1e, 3f2b0000; list them: wove-http-dev"
        " ctl runs\n",
    )


def test_name_of_a_task() -> None:
    """A task's name in place of a run's id is answered with the newest run of the task."""
    done = ctl("show", "convert", answers=(LISTED,))
    expected = "wove-http-dev: no run 'convert'; the newest of that task is 3f2b0000\n"
    assert done.err == expected


def test_run_of_an_empty_journal() -> None:
    """Where no run has arrived, the error says so."""
    done = ctl("show", "nope", answers=(answer(200, {"runs": []}),))
    assert (done.status, done.err) == (2, "wove-http-dev: no run 'nope'; none has arrived yet\n")


# replay


def test_replay() -> None:
    """A run is sent again; the new run and how to see it are printed."""
    made = answer(201, {"id": OTHER["run_id"], "run": OTHER})
    done = ctl("replay", "3f2a", answers=(LISTED, made))
    lines = done.out.splitlines()
    assert (done.requests[-1], lines[1].split()[0], lines[2]) == (
        "POST runs/wove%3Aconvert%3A3f2a9c1e77/replay",
        "3f2b0000",
        "  see it: wove-http-dev ctl show 3f2b0000",
    )


def test_replay_that_is_not_accepted() -> None:
    """A replay that the worker refused, for example by a fault, is said, with status 1."""
    done = ctl("replay", "3f2a", answers=(LISTED, answer(201, {"id": "x", "run": None})))
    assert (done.status, "sent again as x, and not accepted" in done.out) == (1, True)


def test_replay_that_is_impossible() -> None:
    """What the worker cannot do now is one line, with status 1."""
    refused = answer(409, {"error": "its payload was dropped", "hint": "send it again"})
    done = ctl("replay", "3f2a", answers=(LISTED, refused))
    assert (done.status, done.out, done.err) == (
        1,
        "",
        "wove-http-dev: its payload was dropped; send it again\n",
    )


# status


def lists(**words: Any) -> tuple[bytes, ...]:
    names = ("injections", "holds", "stubs")
    worker = {"url": "u", "page_url": "p", "environment": "workers", "runner": "r"}
    return (*(answer(200, {name: words.get(name, [])}) for name in names), answer(200, worker))


def test_status() -> None:
    """The worker and what is in force are printed."""
    done = ctl("status", answers=lists(injections=[injection_of()]))
    assert done.out.splitlines() == [
        "worker     u",
        "page       p",
        "serving    environment 'workers'",
        "runner     r",
        "injection 1: status code=503 (0 hits)",
    ]


def test_status_json() -> None:
    """With ``--json`` the answers are printed as one object."""
    done = ctl("status", "--json", answers=lists(holds=[hold_of()]))
    assert json.loads(done.out) == {
        "worker": {"url": "u", "page_url": "p", "environment": "workers", "runner": "r"},
        "injections": [],
        "holds": [hold_of()],
        "stubs": [],
    }


# tail

RUNNING = run_of(state="running", seconds=None, finished=None)
FOLLOWED = stream(
    "retry: 1000\nid: 1-0\n\n",
    f"id: 1-1\nevent: run\ndata: {json.dumps(RUNNING)}\n\n",
    f"id: 1-2\nevent: run\ndata: {json.dumps(run_of(**FAILED))}\n\n",
)
ENOUGH = answer(401, {"error": "enough"})


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client connects again at once."""
    monkeypatch.setattr("wove_http_dev.inspector.client.RECONNECT", 0.0)


@pytest.mark.usefixtures("no_pause")
def test_tail() -> None:
    """Each step of a run is a line as it comes."""
    done = ctl("tail", answers=(FOLLOWED, ENOUGH))
    assert [line.split()[1] for line in done.out.splitlines()] == ["started", "FAILED"]


@pytest.mark.usefixtures("no_pause")
def test_tail_json() -> None:
    """With ``--json`` each event is an object on a line."""
    done = ctl("tail", "--json", answers=(FOLLOWED, ENOUGH))
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines == [
        {"event": "run", "data": RUNNING},
        {"event": "run", "data": run_of(**FAILED)},
    ]


@pytest.mark.usefixtures("no_pause")
def test_tail_says_that_serve_has_ended() -> None:
    """An interruption is said on stderr, once, and then what ended the command."""
    done = ctl("tail", answers=(FOLLOWED, ENOUGH))
    waiting, refused = done.err.splitlines()
    found = ("has ended; waiting for it" in waiting, "enough" in refused, done.status)
    assert found == (True, True, 2)


# Errors


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "--limit", "0"],
        ["runs", "--limit", "5", "--all"],
        ["hold"],
        ["hold", "t", "--release-when", "0"],
        ["stub", "t"],
        ["stub", "t", "--result", "1", "--error", "E"],
        ["stub", "t", "--result", "{"],
        ["stub", "t", "--result", "[" * 100_000],
        ["nonsense"],
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_wrong_usage(words: list[str]) -> None:
    """Wrong words are one line on stderr, with status 2, and nothing is asked."""
    done = ctl(*words, answers=())
    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 1)


def test_refused() -> None:
    """What the API refuses is one line with its hint, and status 2."""
    refused = answer(400, {"error": "unknown fault 'stats'", "hint": "did you mean 'status'?"})
    done = ctl("inject", "stats", answers=(refused,))
    assert (done.status, done.err) == (
        2,
        "wove-http-dev: unknown fault 'stats'; did you mean 'status'?\n",
    )


@pytest.mark.parametrize("run", [{}, "x", None, run_of(received="x")])
def test_other_version(run: Any) -> None:
    """JSON without what is expected is that of another version."""
    done = ctl("show", "3f2a", answers=(LISTED, answer(200, {"runs": []} if run is None else run)))
    assert (done.status, "is of another version" in done.err) == (2, True)


def test_every_word_has_an_operation() -> None:
    """Each word of the command line can be done."""
    from wove_http_dev.cli.ctl_operations import _OPERATIONS
    from wove_http_dev.cli.main import make_parser

    def choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
        found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        return dict(found[0].choices)

    assert set(choices(choices(make_parser())["ctl"])) == set(_OPERATIONS)
