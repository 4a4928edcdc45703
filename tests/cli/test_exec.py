"""``wove-http-dev exec``: runs a command with a worker and the variables that lead to it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, EXEC_CONFIG, ON_MACOS, PATIENCE, WEAVE, run, run_here
from tests.cli.served import write_jobs
from wove_http_dev import HttpWorker
from wove_http_dev.cli.name_proxy import PROXY_VARIABLES
from wove_http_dev.client.definition import CA_VARIABLES

SHOW = "import os; print(os.environ.get('{0}', ''))"


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

INTERRUPTED_WHILE_IT_STARTS = """
import os, signal, subprocess, sys
from wove_http_dev.cli.main import main
class Interrupting(subprocess.Popen):
    def __init__(self, command, **words):
        if command[-1] != "pause":
            return super().__init__(command, **words)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        super().__init__(command[:-1], **pipes, **words)
        self.stdout.readline()
        os.kill(os.getpid(), signal.SIGINT)
subprocess.Popen = Interrupting
sys.exit(main())
"""
"""``exec`` gets SIGINT in the moment in which its command has begun, and nobody else does."""

pytestmark = pytest.mark.usefixtures("environ")


@pytest.mark.parametrize("status", [0, 1, 7])
def test_exec_passes_the_exit_status(status: int) -> None:
    """The exit status is the command's."""
    done = run_here("exec", "--", "sh", "-c", f"exit {status}")
    assert done.returncode == status


def test_exec_of_a_killed_command() -> None:
    """A command ended by a signal gives the exit status 128 + the signal's number, as in a
    shell."""
    assert run("exec", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    """The environment variables of a command."""
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    found: dict[str, str] = json.loads(run("exec", "--", sys.executable, "-c", show).stdout)
    return found


@pytest.mark.parametrize("name", ["WOVE_WORKER_URL", "WOVE_WORKER_SECRET", *CA_VARIABLES])
def test_exec_sets_variables(variables: dict[str, str], name: str) -> None:
    """The command has the environment variables that lead to the worker."""
    assert variables[name]


def test_exec_options_reach_the_worker() -> None:
    """Words before ``--`` are options of the worker, words after it the command."""
    done = run(
        "exec", "--no-tls", "--path", "/a", "--", sys.executable, "-c",
        SHOW.format("WOVE_WORKER_URL"), "--no-tls",
    )  # fmt: skip
    assert re.fullmatch(r"http://localhost:\d+/a\n", done.stdout)


def test_exec_weave() -> None:
    """A weave in the command is served."""
    script = WEAVE.format(config=EXEC_CONFIG)
    done = run("exec", "--", sys.executable, "-W", "default", "-c", script)
    assert done.stdout == "42\n"


def test_exec_with_processes() -> None:
    """A task that ends its process costs the command that task's error, which the report names."""
    script = WEAVE.format(config=EXEC_CONFIG).replace("return 42", "os._exit(3)")
    words = ("--runner", "processes", "--workers", "1")
    done = run("exec", *words, "--", sys.executable, "-W", "default", "-c", script)
    assert "the command failed; what its worker has seen:" in done.stderr
    assert "TaskProcessEnded: the task ended its process with exit status 3" in done.stderr


@pytest.mark.parametrize("words", [(), ("--app-dir", "worker")], ids=["default", "app-dir"])
def test_exec_app_dir(words: tuple[str, ...], tmp_path: Path) -> None:
    """Tasks sent by name are imported from the working directory, or from ``--app-dir``."""
    directory = tmp_path.joinpath(*words[1:])
    write_jobs(directory, "a result")
    weave = WEAVE.format(config=EXEC_CONFIG).replace("return 42", "return jobs.answer()")
    script = f"import sys; sys.path.append({str(directory)!r}); import jobs\n{weave}"
    # In another process than this one, which would keep the module.
    runner = ("--runner", "processes", "--workers", "1")
    assert run_here("exec", *runner, *words, "--", sys.executable, "-c", script).returncode == 0


def test_exec_on_macos() -> None:
    """Under macOS's rules ``exec`` serves a weave, and passes on the signal that ends the
    command."""
    signals = "import signal, sys; sys.stdout.flush(); os.kill(os.getppid(), signal.SIGTERM)"
    script = f"{WEAVE.format(config=EXEC_CONFIG)}\n{signals}; signal.pause()"
    done = subprocess.run(
        [*ON_MACOS, "exec", "--", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "42\n")


def test_exec_before_an_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks of the command are forwarded to the service of ``--upstream``."""
    with HttpWorker(environment="upstream") as upstream:
        monkeypatch.setenv("UPSTREAM_SECRET", str(upstream.secret))
        words = ["--upstream", upstream.url, "--upstream-ca-file", upstream.ca_file]
        words += ["--upstream-secret-env", "UPSTREAM_SECRET"]
        script = WEAVE.format(config=EXEC_CONFIG)
        done = run("exec", *words, "--", sys.executable, "-W", "default", "-c", script)
        assert (done.stdout, len(upstream.runs["answer"])) == ("42\n", 1)


def test_exec_fault() -> None:
    """A fault on the command line is in force."""
    script = WEAVE.format(config=EXEC_CONFIG)
    done = run("exec", "--fault", "status code=503", "--", sys.executable, "-c", script)
    assert "HTTP Error 503" in done.stderr


def test_exec_leaves_the_clients_options_to_the_command() -> None:
    """``exec`` has no flag for what only the command's own ``wove.config`` can set."""
    done = run("exec", "--timeout", "3", "--", sys.executable, "-c", "")
    assert (done.returncode, "wove.config" in done.stderr) == (2, True)


def test_exec_cleans_up_under_two_signals(tmp_path: Path) -> None:
    """A second SIGTERM during clean-up does not leave the CA's files behind."""
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


def test_interrupt_during_the_start() -> None:
    """A Ctrl-C that comes while the command is being started ends the command, too."""
    # The command ends without the signal only if the end of ``exec`` closes its standard input.
    command = ("sh", "-c", "trap 'exit 7' INT; echo; read line; exit 3", "pause")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IT_STARTS, "exec", "--", *command],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 7


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_exec_keeps_ignored_signals(name: str) -> None:
    """A signal that is ignored when ``exec`` starts, as by ``nohup``, is ignored by its command."""
    show = f"import signal; print(signal.getsignal(signal.{name}) is signal.SIG_IGN)"
    command = shlex.join([*COMMAND, "exec", "--", sys.executable, "-c", show])
    script = f"trap '' {name.removeprefix('SIG')}; exec {command}"
    done = subprocess.run(
        ["sh", "-c", script], stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "True\n"


PRODUCTION = """
wove.config(environments={"workers": {"executor": "http", "executor_config": {
    "url": "https://workers.internal/wove/tasks", "security": "env:WOVE_WORKER_SECRET"}}})
"""
IMPERSONATE = ("--impersonate", "https://workers.internal/wove/tasks")


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable for proxies is set."""
    for name in (*PROXY_VARIABLES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_impersonated_url() -> None:
    """A weave in the command for the URL of production is served."""
    script = WEAVE.format(config=PRODUCTION)
    done = run("exec", *IMPERSONATE, "--", sys.executable, "-W", "default", "-c", script)
    assert (done.stdout, done.stderr) == ("42\n", "")


@pytest.mark.usefixtures("no_proxies")
def test_variables_of_an_impersonated_url() -> None:
    """The command has the URL, for a configuration that reads it."""
    done = run("exec", *IMPERSONATE, "--", sys.executable, "-c", SHOW.format("WOVE_WORKER_URL"))
    assert done.stdout == "https://workers.internal/wove/tasks\n"


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    "words",
    [("--impersonate", "http://workers.internal/"), (*IMPERSONATE, "--no-tls")],
    ids=" ".join,
)
def test_url_that_cannot_be_impersonated(words: tuple[str, ...]) -> None:
    """A URL that Wove would refuse is one line, and exit status 2."""
    done = run_here("exec", *words, "--", "true")
    assert (done.returncode, len(done.stderr.splitlines()), "https" in done.stderr) == (2, 1, True)


def test_help_names_the_variables(variables: dict[str, str]) -> None:
    """``--help`` says which variables the command gets."""
    text = " ".join(run_here("exec", "--help").stdout.split())
    with HttpWorker() as worker:
        missing = [name for name in worker.client_env if name not in text]
    assert missing == []


FAILING = f"""
{WEAVE.format(config=EXEC_CONFIG)}
raise SystemExit(3)
"""


@pytest.fixture(scope="module")
def failed() -> subprocess.CompletedProcess[str]:
    """A command that has failed after a weave."""
    return run("exec", "--", sys.executable, "-c", FAILING)


def test_status_of_a_failed_command(failed: subprocess.CompletedProcess[str]) -> None:
    """The report does not change the exit status."""
    assert failed.returncode == 3


def test_journal_of_a_failed_command(failed: subprocess.CompletedProcess[str]) -> None:
    """What the worker has seen is on stderr when the command fails."""
    assert re.search(r"^journal: 1 exchange.*\n.* run_task answer ", failed.stderr, re.MULTILINE)


def test_failed_command_without_a_request() -> None:
    """If nothing arrived, the report says what the command must do."""
    assert (
        "take the url of its wove.config from WOVE_WORKER_URL"
        in run_here("exec", "--", "false").stderr
    )


def test_quiet_if_the_command_succeeds() -> None:
    """Nothing is said of a command that has not failed."""
    assert run_here("exec", "--", "true").stderr == ""


LEAVES_A_RUN = """
import os, threading, wove
from wove import weave
{config}
def left():
    print("started", flush=True)
    threading.Event().wait()
def send():
    with weave() as w:
        w.do(environment="workers")(left)
threading.Thread(target=send, daemon=True).start()
os.read(0, 1)
os._exit(0)
"""


def test_run_that_a_command_leaves() -> None:
    """A run that has not ended with its command is named in a line, and nothing else is said."""
    script = LEAVES_A_RUN.format(config=EXEC_CONFIG)
    with subprocess.Popen(
        [*COMMAND, "exec", "--", sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (
        0,
        "wove-http-dev: still running when the command ended: left\n",
    )
