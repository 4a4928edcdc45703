"""The command line, as a user meets it: a child process, what it prints, and its exit status."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from wove_http_dev.faults import FAULTS

COMMAND = [sys.executable, "-m", "wove_http_dev"]
PATIENCE = 60.0
"""Seconds after which a child process counts as hanging."""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory and a state directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")


pytestmark = pytest.mark.usefixtures("environ")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


# demo, faults, help


def test_demo() -> None:
    """The demo shows what it expected."""
    done = run("demo")
    assert (done.returncode, done.stderr) == (0, "")


def test_demo_says_so() -> None:
    """Its last line says that everything was as expected."""
    assert run("demo").stdout.splitlines()[-1] == "all as expected"


def test_faults_lists_all() -> None:
    """The catalogue has every fault."""
    words = run("faults").stdout.split()
    assert set(FAULTS) - set(words) == set()


@pytest.mark.parametrize("part", ["slow-response", "delay=1.0 seconds", "DeliveryTimeoutError"])
def test_fault_in_full(part: str) -> None:
    """One fault is shown with its fields, their units, and what to expect."""
    assert part in run("faults", "slow-response").stdout


def test_no_command() -> None:
    """Without a command there is the help."""
    done = run()
    assert (done.returncode, "serve" in done.stdout) == (2, True)


def test_version() -> None:
    """The version is printed."""
    assert re.fullmatch(r"wove-http-dev \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "arguments", [["faults"], ["faults", "slow-response"], ["--version"], ["--help"]], ids=" ".join
)
def test_broken_pipe(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], unbuffered: str
) -> None:
    """A reader that went away is no error to speak of."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


# Usage errors


USAGE = [
    pytest.param(["nonsense"], "invalid choice", id="command"),
    pytest.param(["serve", "--bogus"], "--bogus", id="flag"),
    pytest.param(["serve", "--port", "x"], "'x'", id="port-no-number"),
    pytest.param(["serve", "--port", "70000"], "65535", id="port-too-large"),
    pytest.param(["serve", "--fault", "nonsense"], "'nonsense'", id="fault"),
    pytest.param(["serve", "--fault", "status cod=1"], "'code'", id="fault-field"),
    pytest.param(["serve", "--app-dir", "/no/such/dir"], "/no/such/dir", id="app-dir"),
    pytest.param(["serve", "--state-dir", "/proc/nope"], "/proc/nope", id="state-dir"),
    pytest.param(["serve", "--security", "perhaps"], "security", id="security"),
    pytest.param(["serve", "--host", "0.0.0.0", "--no-tls"], "not loopback", id="exposed"),
    pytest.param(["serve", "--header", "nonsense"], "NAME=VALUE", id="header"),
    pytest.param(["exec"], "exec -- CMD", id="exec-without-command"),
    pytest.param(["exec", "--"], "exec -- CMD", id="exec-with-nothing"),
    pytest.param(["exec", "--", "/no/such/command"], "/no/such/command", id="exec-unknown"),
    pytest.param(["faults", "nonsense"], "'nonsense'", id="faults-unknown"),
    pytest.param(["faults", "slow-respons"], "'slow-response'", id="faults-near"),
]
usage = pytest.mark.parametrize(("arguments", "named"), USAGE)


@usage
def test_usage_error_exits_2(arguments: list[str], named: str) -> None:
    """What cannot be ends with exit status 2."""
    assert run(*arguments).returncode == 2


@usage
def test_usage_error_is_one_line(arguments: list[str], named: str) -> None:
    """It is told in one line on stderr that names what was wrong; no traceback."""
    lines = run(*arguments).stderr.splitlines()
    assert (len(lines), named in lines[0]) == (1, True)


def test_port_in_use() -> None:
    """A port that is taken is named in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run("serve", "--port", port)
    assert (done.returncode, len(done.stderr.splitlines()), port in done.stderr) == (2, 1, True)


# exec


SHOW = "import os; print(os.environ.get('{0}', ''))"


@pytest.mark.parametrize("status", [0, 1, 7])
def test_exec_passes_the_exit_status(status: int) -> None:
    """The command's exit status is ours."""
    done = run("exec", "--", sys.executable, "-c", f"raise SystemExit({status})")
    assert done.returncode == status


def test_exec_of_a_killed_command() -> None:
    """A command that died of a signal has the shell's status for it."""
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run("exec", "--", sys.executable, "-c", kill).returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("name", ["WOVE_WORKER_URL", "WOVE_WORKER_SECRET", "SSL_CERT_FILE"])
def test_exec_sets_variables(name: str) -> None:
    """The command has the variables that lead to the worker."""
    assert run("exec", "--", sys.executable, "-c", SHOW.format(name)).stdout.strip()


def test_exec_options_reach_the_worker() -> None:
    """Options before ``--`` are the worker's, words after it the command's."""
    done = run(
        "exec", "--no-tls", "--path", "/a", "--", sys.executable, "-c",
        SHOW.format("WOVE_WORKER_URL"), "--no-tls",
    )  # fmt: skip
    assert re.fullmatch(r"http://localhost:\d+/a\n", done.stdout)


WEAVE = """
import os
import wove
from wove import weave
{config}
with weave() as w:
    @w.do(environment="workers")
    def answer():
        return 42
print(w.result.answer)
"""
EXEC_CONFIG = """
wove.config(environments={"workers": {"executor": "http", "executor_config": {
    "url": os.environ["WOVE_WORKER_URL"], "security": "env:WOVE_WORKER_SECRET", "timeout": 10.0}}})
"""


def test_exec_weave() -> None:
    """A weave in the command is served."""
    script = WEAVE.format(config=EXEC_CONFIG)
    done = run("exec", "--", sys.executable, "-W", "default", "-c", script)
    assert done.stdout == "42\n"


def test_exec_fault() -> None:
    """A fault from the command line is in force."""
    script = WEAVE.format(config=EXEC_CONFIG)
    done = run("exec", "--fault", "status code=503", "--", sys.executable, "-c", script)
    assert "HTTP Error 503" in done.stderr


# serve


@dataclass
class Served:
    """A ``serve`` that is running, and what it printed before it served."""

    process: subprocess.Popen[str]
    printed: str

    @property
    def url(self) -> str:
        found = re.search(r"worker service at (\S+)", self.printed)
        assert found is not None
        return found.group(1)

    @property
    def port(self) -> int:
        port = urllib.parse.urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def snippet(self) -> str:
        """The lines that are to go into the application."""
        block = self.printed.partition("in your application:")[2].partition("in the shell")[0]
        return textwrap.dedent(block)

    @property
    def exports(self) -> str:
        """The lines that are to go into the shell."""
        lines = self.printed.splitlines()
        return "\n".join(line for line in lines if line.strip().startswith("export "))

    def weave(self) -> subprocess.CompletedProcess[str]:
        """A weave in a fresh process that does what was printed and nothing else."""
        Path("app.py").write_text(WEAVE.format(config=self.snippet))
        script = f"{self.exports}\nexec {sys.executable} app.py\n"
        return subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def interrupt(self) -> tuple[int, str, str]:
        """Ctrl-C; exit status, the rest of stdout, stderr."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if "no_proxy" in line:  # the last of what it prints
                    break
            yield Served(process, "".join(lines))
        finally:
            process.kill()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "wove-http-dev"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--no-tls"],
        ["--security", "bearer"],
        ["--security", "none"],
        ["--key", "team-a"],
        ["--secret", "given by hand"],
        ["--path", "/api/tasks"],
        ["--response-shape", "list"],
        ["--host", "127.0.0.1"],
        ["--header", "X-Tenant=blue"],
    ],
    ids=" ".join,
)
def test_printed_instructions_work(arguments: list[str]) -> None:
    """A weave in another process that follows what was printed, and only that, is served."""
    with serving(*arguments) as served:
        done = served.weave()
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_serve_logs_requests(served: Served) -> None:
    """Each request is a line."""
    served.weave()
    assert "run_task answer" in served.interrupt()[1]


def test_serve_fault(tmp_path: Path) -> None:
    """A fault of the command line is in force."""
    with serving("--fault", "status code=503 times=1") as served:
        assert "HTTP Error 503" in served.weave().stderr


def by_name(served: Served, application: Path) -> str:
    """What a weave of ``jobs.answer`` prints, where the client has ``jobs`` in ``application``."""
    Path("by_name.py").write_text(
        BY_NAME.format(application=str(application), config=served.snippet)
    )
    done = subprocess.run(
        ["bash", "-c", f"{served.exports}\nexec {sys.executable} by_name.py"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout + done.stderr


BY_NAME = """
import sys
sys.path.insert(0, {application!r})
import wove
from wove import weave
import jobs
{config}
with weave() as w:
    w.do(environment="workers")(jobs.answer)
print(w.result.answer)
"""


def write_jobs(directory: Path, result: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "jobs.py").write_text(f"def answer():\n    return {result!r}\n")


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    """Where the worker has ``jobs``, and where the client has it."""
    theirs, ours = tmp_path / "worker", tmp_path / "client"
    write_jobs(theirs, "the worker's")
    write_jobs(ours, "the client's")
    return theirs, ours


def test_serve_app_dir(directories: tuple[Path, Path]) -> None:
    """Tasks that are sent by name are imported from ``--app-dir``."""
    theirs, ours = directories
    with serving("--app-dir", str(theirs)) as served:
        assert by_name(served, ours) == "the worker's\n"


@pytest.mark.parametrize("runs_before", [1, 2])
def test_serve_reload(directories: tuple[Path, Path], runs_before: int) -> None:
    """With ``--reload`` a changed module is imported afresh, also right after its first run."""
    theirs, ours = directories
    with serving("--app-dir", str(theirs), "--reload") as served:
        for _ in range(runs_before):
            by_name(served, ours)
        write_jobs(theirs, "the worker's, changed")
        assert by_name(served, ours) == "the worker's, changed\n"


def test_secret_is_never_printed(served: Served, state: Path) -> None:
    """Neither the instructions nor the log show the secret."""
    served.weave()
    _, out, err = served.interrupt()
    assert (state / "secret").read_text() not in served.printed + out + err


def test_given_secret_is_never_printed() -> None:
    """Nor one that was given."""
    with serving("--secret", "hush-hush-hush") as served:
        served.weave()
        _, out, err = served.interrupt()
    assert "hush" not in served.printed + out + err


def test_state_directory_is_private(served: Served, state: Path) -> None:
    """Only its owner may enter it."""
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_existing_state_directory_is_made_private(state: Path) -> None:
    """One that others could enter is closed to them."""
    state.mkdir(parents=True, mode=0o755)
    with serving():
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["secret", "ca.key"])
def test_state_files_are_private(served: Served, state: Path, name: str) -> None:
    """Only their owner may read the secret and the key."""
    assert stat.S_IMODE((state / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["secret", "ca.key", "ca.pem"])
def test_restart_keeps_the_state(state: Path, name: str) -> None:
    """The next ``serve`` has the same CA and the same secret."""
    with serving() as served:
        first = (state / name).read_bytes()
        served.interrupt()
    with serving():
        assert (state / name).read_bytes() == first


def test_client_of_before_is_served_after_a_restart() -> None:
    """What a client was told before a restart still holds, on the same port."""
    with serving() as before:
        before.interrupt()
    with serving("--port", str(before.port)):
        assert before.weave().stdout == "42\n"


def test_default_port() -> None:
    """The default port is a fixed one."""
    assert "(default: 8443)" in " ".join(run("serve", "--help").stdout.split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_on_a_signal(served: Served, number: signal.Signals) -> None:
    """A signal stops it with exit status 0 and nothing on stderr."""
    served.process.send_signal(number)
    _, err = served.process.communicate(timeout=PATIENCE)
    assert (served.process.returncode, err) == (0, "")


def test_serve_stops_at_once(served: Served) -> None:
    """It does not wait for a client that is connected and silent."""
    with socket.create_connection(("127.0.0.1", served.port), PATIENCE):
        before = time.monotonic()
        served.interrupt()
        assert time.monotonic() - before < 3.0


def test_serve_survives_a_reader_that_went_away(served: Served) -> None:
    """When nobody reads its log any more it serves on."""
    assert served.process.stdout is not None
    served.process.stdout.close()
    assert [served.weave().stdout for _ in range(2)] == ["42\n", "42\n"]


def test_unusable_state(state: Path) -> None:
    """A CA that cannot be read is named in one line."""
    state.mkdir(parents=True)
    (state / "ca.key").write_text("nonsense")
    (state / "ca.pem").write_text("nonsense")
    done = run("serve", "--port", "0")
    assert (done.returncode, len(done.stderr.splitlines()), str(state) in done.stderr) == (
        2,
        1,
        True,
    )


# What a typo is told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "--prt", "1"], "wove-http-dev serve: .*--prt 1; did you mean --port"),
        (["serve", "--isolated"], "--isolated; that is an option of tests"),
        (["exec", "sh", "-c", "true"], "the command goes behind --"),
        (["check", "worker", "http://localhost:1/", "--ca-file", "/x"], "goes with an https"),
    ],
)
def test_typo(words: list[str], message: str) -> None:
    """One line that says what to do, and status 2."""
    done = run(*words)
    assert done.returncode == 2
    assert re.search(message, done.stderr)
    assert done.stderr.count("\n") == 1


def test_check_of_nothing() -> None:
    """``check`` alone shows what can be checked."""
    done = run("check")
    assert done.returncode == 2
    assert "usage: wove-http-dev check" in done.stdout


SIGNALLED_WHILE_IT_CLEANS_UP = """
import os, signal, sys
from wove_http_dev import HttpWorker
from wove_http_dev.cli.main import main
stop = HttpWorker.stop
def signalled(self):
    os.kill(os.getpid(), signal.SIGTERM)
    stop(self)
HttpWorker.stop = signalled
sys.exit(main())
"""


def test_exec_cleans_up_under_two_signals(tmp_path: Path) -> None:
    """The second SIGTERM of an impatient caller does not leave the CA's files behind."""
    script = "echo started; exec sleep 60"
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALLED_WHILE_IT_CLEANS_UP, "exec", "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
