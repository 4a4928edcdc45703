"""Tests against a ``serve`` of another process that its control API steers
(``--wove-http-control``)."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.pytest_plugin.control_lines import FAILS, SKIPS, TASKS, WORKS, Reports, run_all
from tests.pytest_plugin.helpers import (
    FAULTED,
    INI,
    PASSING,
    run,
    run_apart,
)
from tests.pytest_plugin.served import Control, controllable
from tests.shared import shared


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """A ``serve`` for the tests of this module."""
    with controllable(tmp_path_factory.mktemp("serve")) as control:
        yield control


@pytest.fixture
def control(served: Control) -> Iterator[Control]:
    """The ``serve``, as it was started."""
    yield served
    served.client.reset()


def passes(pytester: pytest.Pytester, control: Control, body: str) -> None:
    """Run a test with the lines ``body`` against ``serve``; it passes."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    source = f"{TASKS}\ndef test_it(wove_http_worker):\n    worker = wove_http_worker\n{lines}\n"
    run(pytester, source, *control.arguments).assert_outcomes(passed=1)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """What pytest reports of each test, by its lines."""
    return shared(tmp_path_factory, "control", run_all)


@pytest.mark.parametrize("body", WORKS)
def test_member_works(reports: Reports, body: str) -> None:
    """A member does on a worker of another process what it does on a local one."""
    assert [outcome for _, outcome, _ in reports[body]] == ["passed"] * 3, reports[body]


@pytest.mark.parametrize(("body", "reason"), SKIPS)
def test_what_cannot_work_skips(reports: Reports, body: str, reason: str) -> None:
    """What needs a worker of this process skips the test with the reason."""
    _, (_, outcome, text), (_, ended, _) = reports[body]
    assert (outcome, reason in text, ended) == ("skipped", True, "passed"), text


@pytest.mark.parametrize(("body", "message"), FAILS)
def test_strict(reports: Reports, body: str, message: str) -> None:
    """A test fails for what fails it with a local worker, with the same message."""
    failed = [text for _, outcome, text in reports[body] if outcome == "failed"]
    lines = "\n".join(failed).splitlines()
    assert any(fnmatch(line, message) for line in lines), reports[body]


def test_run_as_text(pytester: pytest.Pytester, control: Control) -> None:
    """A run has arguments, output, error, place and traceback as text."""
    body = """
        with pytest.raises(ValueError):
            weave_two().result.broken
        worker.wait_for("double", "succeeded", timeout=30)
        run, failed = worker.runs["double"].last, worker.runs["broken"].last
        assert (run.args_text, run.result_text, run.output) == ("n=21", "42", "doubling\\n")
        assert (failed.error_text, failed.result_text) == ("ValueError: too large", None)
        assert failed.error_place.endswith(" in broken") and "raise Val" in failed.traceback
    """
    passes(pytester, control, "\n".join(line[8:] for line in body.strip("\n").splitlines()))


HELD = """
import asyncio

@pytest.mark.asyncio
async def test_it(wove_http_worker):
    gate = wove_http_worker.hold("answer")
    weave = asyncio.get_running_loop().run_in_executor(None, weave_one)
    [run] = await gate.arrived(timeout=30)
    assert (run.task_id, run.executions) == ("answer", 0)
    gate.release()
    assert await weave == 42
    assert wove_http_worker.wait_for("answer", "succeeded", timeout=30) and run.executions == 1
"""


def test_a_run_is_held(pytester: pytest.Pytester, control: Control) -> None:
    """A run is held until the test releases it."""
    run(pytester, HELD, *control.arguments).assert_outcomes(passed=1)


TWO = """
def test_one(wove_http_worker):
    wove_http_worker.stub("answer", result=1)
    wove_http_worker.inject("slow-response delay=0")
    wove_http_worker.hold(release_when=1)
    assert weave_one() == 1
    {end}

def test_two(wove_http_worker):
    assert len(wove_http_worker.runs) == len(wove_http_worker.exchanges) == 0
    assert weave_one() == 42
    assert not wove_http_worker.runs.last.faults
"""


@pytest.mark.parametrize("end", ["pass", "assert False"])
def test_two_tests_do_not_see_each_other(
    pytester: pytest.Pytester, control: Control, end: str
) -> None:
    """Runs, faults, stubs and holds of a test are gone with it, also when it fails."""
    outcome = run(pytester, TWO.format(end=end), *control.arguments)
    outcome.assert_outcomes(passed=2 - (end != "pass"), failed=int(end != "pass"))


INTERRUPTED = """
def test_it(wove_http_worker):
    wove_http_worker.stub("answer", result=1)
    wove_http_worker.inject("reject-auth")
    wove_http_worker.hold()
    raise KeyboardInterrupt
"""


def test_interrupted(pytester: pytest.Pytester, control: Control) -> None:
    """After Ctrl-C nothing that the test put in force is left."""
    run_apart(pytester, INTERRUPTED, *control.arguments)
    client = control.client
    assert (client.injections(), client.stubs()) == ([], [])
    assert [hold["released"] for hold in client.holds()] == [True]


def test_what_others_made_stays(pytester: pytest.Pytester, control: Control) -> None:
    """A fault that a person switched on outlives the test, and its reset()."""
    client = control.client
    made = client.inject("slow-response delay=0")
    passes(pytester, control, "weave_one()\nworker.reset()\nassert worker.injections == []")
    assert [each["id"] for each in client.injections()] == [made["id"]]


SESSION = """
def test_one(wove_http_session_worker):
    wove_http_session_worker.stub("answer", result=1)
    assert weave_one() == 1

def test_two(wove_http_session_worker):
    assert len(wove_http_session_worker.runs) == 0
    assert weave_one() == 42
"""


def test_session_worker(pytester: pytest.Pytester, control: Control) -> None:
    """The session's worker forgets what a test did with it."""
    run(pytester, SESSION, *control.arguments).assert_outcomes(passed=2)


def test_faults_marker(pytester: pytest.Pytester, control: Control) -> None:
    """A test runs once per fault; one that cannot apply skips with the reason of the API."""
    source = FAULTED.format(words="'reject-auth', 'empty-body', 'hang'")
    run(pytester, source, *control.arguments).assert_outcomes(passed=3)


def test_url_and_control(pytester: pytest.Pytester, control: Control) -> None:
    """``--wove-http-url`` may name the worker as well."""
    arguments = [*control.arguments, f"--wove-http-url={control.ready['url']}"]
    run_apart(pytester, PASSING, *arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--wove-http-control=http://127.0.0.1:1"], "*control: no serve answers at*"),
        (["--wove-http-control=ftp://a"], "*control: 'ftp://a' is not the URL of a control API*"),
        (["--wove-http-control-token-file=wrong"], "*control: *token*in the file token of its*"),
        (["--wove-http-url=https://localhost:1/x"], "*is not that of --wove-http-url*"),
        (["--wove-http-control-token-env=NOT_SET_ANYWHERE"], "*token-env*token-file, not both*"),
    ],
)
def test_wrong_options(
    pytester: pytest.Pytester, control: Control, change: list[str], message: str
) -> None:
    """A control API that cannot be used is one line before any test."""
    (pytester.path / "wrong").write_text("another")
    result = run(pytester, PASSING, *control.arguments, *change)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_no_token(pytester: pytest.Pytester, control: Control) -> None:
    """Without a token the error says where it is."""
    result = run(pytester, PASSING, control.arguments[0])
    result.stderr.fnmatch_lines(["*serve keeps the token in the file token of its --state-dir*"])


def test_no_secret(pytester: pytest.Pytester, control: Control) -> None:
    """Without the secret, which the API does not tell, the error names the options for it."""
    result = run(pytester, PASSING, *control.arguments[:2])
    result.stderr.fnmatch_lines(["*takes signed requests only: give --wove-http-secret-env or*"])


@pytest.mark.parametrize("url", [[], ["--wove-http-url=http://a"]], ids=["alone", "with-url"])
def test_token_alone(pytester: pytest.Pytester, url: list[str]) -> None:
    """A token without the API that takes it is an error."""
    result = run(pytester, PASSING, *url, "--wove-http-control-token-env=A")
    result.stderr.fnmatch_lines(["*--wove-http-control-token-env is used only with*-control"])


def test_url_that_cannot_be_used(pytester: pytest.Pytester, control: Control) -> None:
    """A URL that cannot be used is one line before any test, beside the API as well."""
    result = run(pytester, PASSING, *control.arguments, "--wove-http-url=http://localhost:x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--wove-http-url 'http://localhost:x' is not a URL*"])


def test_ini_options(
    pytester: pytest.Pytester, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options may be in the ini file, with the names of variables for what is secret."""
    monkeypatch.setenv("THE_TOKEN", Path(control.ready["token_file"]).read_text())
    monkeypatch.setenv("THE_SECRET", Path(control.ready["secret_file"]).read_text())
    pytester.makeini(
        f"{INI}wove_http_control = {control.ready['api_url']}\n"
        "wove_http_control_token_env = THE_TOKEN\nwove_http_secret_env = THE_SECRET\n"
    )
    run(pytester, PASSING).assert_outcomes(passed=1)


def test_header(pytester: pytest.Pytester, control: Control) -> None:
    """The first lines of the session name the control API."""
    line = f"wove-http: the control API at {control.ready['api_url']} (--wove-http-control)"
    assert line in run(pytester, PASSING, *control.arguments).outlines


ENDS = """
import json, os, pathlib, signal

def test_it(wove_http_worker):
    weave_one()
    ready = json.loads(pathlib.Path("ready.json").read_text())
    os.kill(ready["pid"], signal.SIGKILL)
    while wove_http_worker.running:
        pass
"""


def test_serve_that_ends(pytester: pytest.Pytester) -> None:
    """A ``serve`` that ends during a test is one line of that test."""
    with controllable(pytester.path) as control:
        result = run(pytester, ENDS, *control.arguments)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["no serve answers at * (Connection refused); start it, *"])
    result.stdout.no_fnmatch_line("*During handling*")


SECOND = """
def test_it(wove_http_worker, wove_http_worker_factory):
    wove_http_worker_factory()
"""


def test_second_worker_skips(pytester: pytest.Pytester, control: Control) -> None:
    """A second worker of a test would be the same one: it skips."""
    result = run(pytester, SECOND, "-rs", *control.arguments)
    result.stdout.fnmatch_lines(["SKIPPED*a second worker needs workers of this process*"])


def test_option_of_the_service_skips(pytester: pytest.Pytester, control: Control) -> None:
    """A test with an option that this serve does not have skips with what it has."""
    source = "@pytest.mark.wove_http(max_body=10)\n" + PASSING.strip()
    result = run(pytester, source, "-rs", *control.arguments)
    result.stdout.fnmatch_lines(["SKIPPED*max_body=10 needs *which has max_body=67108864*"])


SELECTED = """
@pytest.mark.parametrize("number", range(4))
@pytest.mark.wove_http(strict=False)
def test_it(wove_http_worker, number):
    name = f"task_{number}"
    wove_http_worker.stub(name, result=number)
    def body():
        raise NotImplementedError
    body.__name__ = name
    with weave() as w:
        w.do(environment="workers")(body)
    assert w.result[name] == number
    wove_http_worker.assert_ran(name, times=1)
"""


def test_processes_that_select_by_task(pytester: pytest.Pytester, control: Control) -> None:
    """Tests of two processes at once, each with a task of its own, do not disturb each other."""
    run_apart(pytester, SELECTED, "-n", "2", *control.arguments).assert_outcomes(passed=4)


def test_plugin_without_control(pytester: pytest.Pytester) -> None:
    """Without the option nothing of the control API is imported."""
    source = """
import sys
def test_it(wove_http_worker):
    assert weave_one() == 42
    assert not [name for name in sys.modules if "wove_http_dev.inspector" in name]
    assert "wove_http_dev.controlled.worker" not in sys.modules
"""
    run_apart(pytester, source).assert_outcomes(passed=1)


ELSEWHERE = """
def test_it(fs, monkeypatch, request):
    monkeypatch.chdir(fs.create_dir("/elsewhere").path)
    worker = request.getfixturevalue("wove_http_worker")
    assert weave_one() == 42
    assert worker.runs.last.result_text == "42"
"""


def test_files_are_read_before_the_tests(pytester: pytest.Pytester, control: Control) -> None:
    """A test may change the working directory, or fake the file system."""
    pytest.importorskip("pyfakefs")
    for name in ("token", "secret"):
        (pytester.path / name).write_text(Path(control.ready[f"{name}_file"]).read_text())
    files = ["--wove-http-control-token-file=token", "--wove-http-secret-file=secret"]
    arguments = [control.arguments[0], *files]
    run_apart(pytester, ELSEWHERE, *arguments, beside="fakefs").assert_outcomes(passed=1)
