"""The command line as a whole: help, version, usage errors, exit statuses."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys

import pytest

from tests.cli.commands import COMMAND, run, run_here
from wove_http_dev.cli.main import make_parser, parse

pytestmark = pytest.mark.usefixtures("environ")


# Help, version, output


def test_no_command() -> None:
    """Without a command the help is printed, with exit status 2."""
    done = run()
    assert (done.returncode, "serve" in done.stdout) == (2, True)


def test_version() -> None:
    """``--version`` prints name and version."""
    assert re.fullmatch(r"wove-http-dev \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "arguments", [["faults"], ["faults", "slow-response"], ["--version"], ["--help"]], ids=" ".join
)
def test_broken_pipe(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], unbuffered: str
) -> None:
    """A reader that has closed the pipe causes no message on stderr."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


COMMANDS = ["", "demo", "serve", "exec", "ctl", "faults", "doctor", "check"]
COMMANDS += ["check worker", "check executor", "ctl runs", "ctl show", "ctl tail", "ctl status"]
COMMANDS += [
    f"ctl {word}" for word in ("inject", "remove", "hold", "release", "stub", "replay", "reset")
]
every_command = pytest.mark.parametrize("command", COMMANDS)


@functools.cache
def help_of(command: str) -> str:
    """The help of ``command`` on a terminal of 80 columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        return run_here(*command.split(), "--help").stdout


def examples_in(command: str) -> list[list[str]]:
    """The command lines below "examples:", as words, without their comments."""
    lines = help_of(command).partition("examples:\n")[2].replace("\\\n", "").splitlines()
    return [shlex.split(line, comments=True) for line in lines]


@every_command
def test_help_has_a_sentence(command: str) -> None:
    """The help says in a sentence what the command does."""
    assert re.search(r"\n\n[A-Z](?:.+\n)*.+\.\n\n", help_of(command))


@every_command
def test_help_has_examples(command: str) -> None:
    """The help has an example, or two."""
    assert examples_in(command)


@every_command
def test_help_fits(command: str) -> None:
    """No line of the help is longer than 80 columns."""
    assert [line for line in help_of(command).splitlines() if len(line) > 80] == []


@every_command
def test_help_names_values(command: str) -> None:
    """No value is named only by the name of its option: ``--port PORT`` is a number that everybody
    knows, ``--key KEY`` would say nothing."""
    named = re.findall(r"--([a-z-]+) ([A-Z_]+)\b", help_of(command))
    same = {flag for flag, value in named if flag.replace("-", "_") == value.lower()}
    assert same <= {"host", "port", "path"}


@every_command
def test_examples_can_be_used(command: str) -> None:
    """Each example in a help is a command line that the parser accepts."""
    parser = make_parser()
    for words in examples_in(command):
        if words[-1] != "--help":
            words = words[words.index("wove-http-dev") + 1 :]
            assert parse(words, parser).run is not None


# Usage errors


USAGE = [
    pytest.param(["nonsense"], "invalid choice", id="command"),
    pytest.param(["serve", "--bogus"], "--bogus", id="flag"),
    pytest.param(["serve", "--port", "x"], "'x'", id="port-no-number"),
    pytest.param(["serve", "--port", "70000"], "65535", id="port-too-large"),
    pytest.param(["serve", "--port", "0", "--fault", "nonsense"], "'nonsense'", id="fault"),
    pytest.param(["serve", "--port", "0", "--fault", "status cod=1"], "'code'", id="fault-field"),
    pytest.param(
        ["serve", "--port", "0", "--app-dir", "/no/such/dir"], "/no/such/dir", id="app-dir"
    ),
    pytest.param(
        ["serve", "--port", "0", "--state-dir", "/proc/nope"], "/proc/nope", id="state-dir"
    ),
    pytest.param(["serve", "--security", "perhaps"], "security", id="security"),
    pytest.param(["serve", "--host", "0.0.0.0", "--no-tls"], "not loopback", id="exposed"),
    pytest.param(["serve", "--header", "nonsense"], "NAME=VALUE", id="header"),
    pytest.param(["exec"], "exec -- CMD", id="exec-without-command"),
    pytest.param(["exec", "--"], "exec -- CMD", id="exec-with-nothing"),
    pytest.param(["exec", "--", "/no/such/command"], "/no/such/command", id="exec-unknown"),
    pytest.param(["faults", "nonsense"], "'nonsense'", id="faults-unknown"),
    pytest.param(["faults", "slow-respons"], "'slow-response'", id="faults-near"),
]


@pytest.mark.parametrize(("arguments", "named"), USAGE)
def test_usage_error(arguments: list[str], named: str) -> None:
    """A usage error ends with exit status 2, and is one line on stderr that names what is wrong,
    without a traceback."""
    done = run_here(*arguments)
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines), named in lines[0]) == (2, 1, True)


def test_usage_error_of_the_process() -> None:
    """The exit status of the command line is that of its process."""
    assert run("nonsense").returncode == 2


# Typing mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "--prt", "1"], "wove-http-dev serve: .*--prt; did you mean --port"),
        (["serve", "--isolated"], "--isolated; that option is only for tests"),
        (["exec", "sh", "-c", "true"], "put the command after --"),
        (["fautls"], "'fautls'; did you mean 'faults'"),
        (["nonsense"], "'nonsense'; there are demo, serve, exec, ctl, faults, doctor, check"),
        (["check", "wroker"], "'wroker'; did you mean 'worker'"),
        (["check", "executor", "--executor", "http", "--known-failing", "bultin"], "'builtin'"),
        (["check", "worker", "--known-failing", "builtin"], "builtin is for check executor"),
        (["serve", "--security", "sgined"], "did you mean 'signed'"),
        (["check", "worker", "http://localhost:1/", "--ca-file", "/x"], "goes with an https"),
    ],
)
def test_typo(words: list[str], message: str) -> None:
    """A typing mistake is one line that says what to do, and exit status 2."""
    done = run_here(*words)
    assert done.returncode == 2
    assert re.search(message, done.stderr)
    assert done.stderr.count("\n") == 1


IMPORTED = """
import sys
from wove_http_dev.cli.main import main
try:
    main(["serve", "--help"])
except SystemExit:
    slow = ("wove", "rich", "asyncio", "ssl", "wove_http_dev.worker")
    print([name for name in slow if name in sys.modules])
"""


def test_help_imports_little() -> None:
    """The help imports neither Wove and the worker nor asyncio, a third of its time."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
