"""``wove-http-dev serve``: what it prints, serves and keeps in its state directory."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import json
import os
import re
import shlex
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import preloaded
from tests.cli.commands import COMMAND, EXEC_CONFIG, ON_MACOS, PATIENCE, WEAVE, run_here
from tests.cli.served import Served, by_name, serving, write_jobs
from tests.support import LOOPBACKS, MakeWorker, free_port, with_ipv6
from wove_http_dev import cli
from wove_http_dev.cli import state_directory
from wove_http_dev.cli.main import main
from wove_http_dev.cli.output import lines_by_thread
from wove_http_dev.cli.serve import _how_to_connect, _how_to_reach, _log_changes, _writer
from wove_http_dev.cli.serve_log import ServeLog
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.client.definition import CA_VARIABLES
from wove_http_dev.inspector.control import Control

pytestmark = pytest.mark.usefixtures("environ", "secret")


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """``SOME_SECRET`` is set."""
    monkeypatch.setenv("SOME_SECRET", "correct horse")


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, inode and time of change of every file."""
    return {
        path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
        for path in directory.iterdir()
    }


def test_printed_paths_are_quoted(make_worker: MakeWorker, tmp_path: Path) -> None:
    """The printed shell lines quote a state directory with a blank in its name."""
    state = tmp_path / "two words"
    state.mkdir()
    worker = make_worker()
    line = next(
        text
        for text in _how_to_connect(worker, StateDirectory(str(state))).exports
        if "cat " in text
    )
    assert shlex.quote(str(state / f"secret-{worker.port}")) in line


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, []),
        ({"upstream": "http://localhost:1/x"}, ["where tasks run: upstream localhost port 1"]),
    ],
    ids=["threads", "upstream"],
)
def test_where_tasks_run(
    make_worker: MakeWorker, tmp_path: Path, options: dict[str, str], lines: list[str]
) -> None:
    """A line says where tasks run, unless that is in the worker itself."""
    worker = make_worker(**options)
    connect = _how_to_connect(worker, StateDirectory(str(tmp_path)))
    printed = _how_to_reach(worker, connect, None).splitlines()
    assert [line for line in printed if "tasks run" in line] == lines


def test_reload_before_upstream(tmp_path: Path) -> None:
    """``--reload`` with ``--upstream`` is refused in one line, and changes nothing on disk."""
    done = run_here("serve", "--port", "0", "--reload", "--upstream", "http://localhost:1/x")
    expected = "wove-http-dev: --reload does not go with --upstream, which imports the tasks\n"
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (2, expected, [])


def test_port_in_use() -> None:
    """A port that is in use is named in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run_here("serve", "--port", port)
    assert (done.returncode, len(done.stderr.splitlines()), port in done.stderr) == (2, 1, True)


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "wove-http-dev"


@dataclass
class Session:
    """A ``serve`` that served a weave and was interrupted, and one after it on the same state."""

    state: Path
    printed: str
    """What it printed before it accepted connections."""
    log: str
    """What it wrote afterwards, to stdout and stderr."""
    modes: dict[str, int]
    """The permissions of each file, and of the state directory (``.``)."""
    before: dict[str, bytes]
    """The content of each file at the end of the first."""
    after: dict[str, bytes]
    """The content of each file at the start of the second."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One session, whose traces several tests read."""
    directory = tmp_path_factory.mktemp("session")
    state = directory / "state" / "wove-http-dev"

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in state.iterdir()}

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        patch.setenv("PYTHONWARNINGS", "error")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # see ``interruptible``
        with serving() as first:
            first.weave()
            before = contents()
            modes = {name: stat.S_IMODE((state / name).stat().st_mode) for name in (".", *before)}
            _, out, err = first.interrupt()
        with serving():
            return Session(state, first.printed, out + err, modes, before, contents())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--no-tls"],
        ["--security", "bearer"],
        ["--security", "none"],
        ["--key", "team-a"],
        ["--secret-env", "SOME_SECRET"],
        ["--path", "/api/tasks"],
        ["--response-shape", "list"],
        ["--host", "127.0.0.1"],
        ["--header", "X-Tenant=blue"],
    ],
    ids=" ".join,
)
def test_printed_instructions_work(arguments: list[str]) -> None:
    """A weave in another process that follows the printed instructions, and only them, is
    served."""
    with serving(*arguments) as served:
        done = served.weave()
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_serve_on_macos() -> None:
    """Under macOS's rules ``serve`` serves, and SIGINT ends it."""
    with serving(command=ON_MACOS) as served:
        done = served.weave()
        assert (done.stdout, done.stderr) == ("42\n", "")
        assert served.interrupt()[0] == 0


def test_localhost_is_the_worker(served: Served) -> None:
    """The name that is printed is this worker, whichever of its addresses a client tries first."""
    context = ssl.create_default_context(cafile=str(Path("state/wove-http-dev/ca.pem")))
    for address in LOOPBACKS:
        with (
            socket.create_connection((address, served.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert secure.version()


@with_ipv6
def test_localhost_of_another_server() -> None:
    """A port on which another server has ``::1`` alone is refused."""
    port = free_port()
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        done = run_here("serve", "--port", str(port))
    expected = f"port {port} on localhost is in use at ::1;"
    assert (done.returncode, expected in done.stderr) == (2, True)


@pytest.mark.parametrize("name", CA_VARIABLES)
def test_printed_exports_name_the_bundle(session: Session, name: str) -> None:
    """The bundle is exported for every kind of client."""
    assert f"export {name}={session.state / 'bundle.pem'}" in session.printed.splitlines()


LOG_LINE = r"\d\d:\d\d:\d\d\.\d{3}  "


@pytest.mark.parametrize("word", ["started", "ok"])
def test_serve_logs_runs(session: Session, word: str) -> None:
    """The start and the end of a run is a line each on stdout."""
    assert re.search(rf"^{LOG_LINE}{word:<10} answer \w{{8}}\b", session.log, re.MULTILINE)


def test_serve_says_what_it_stops(session: Session) -> None:
    """SIGINT is answered with a line."""
    assert re.search(rf"^{LOG_LINE}stopping   no run is open$", session.log, re.MULTILINE)


def test_log_without_a_terminal(session: Session) -> None:
    """A pipe gets no colours."""
    assert "\x1b" not in session.log


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_serve_on_a_small_character_set(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """A task whose name the terminal cannot show has its line, and the client its reply."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    with serving("--no-tls") as served:
        body = json.dumps({"type": "run_task", "run_id": "r", "task_id": "größe 報告"}).encode()
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(served.url, body)
        assert served.interrupt()[1].count("REFUSED") == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_printed_paths_on_a_small_character_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """The printed lines name the files, also where the terminal cannot show their names."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    state = tmp_path / "größe 報告"
    with serving("--state-dir", str(state)) as served:
        exports = [line for line in served.printed.splitlines() if line.startswith("export ")]
        script = "\n".join([*exports, 'printf %s "$WOVE_WORKER_SECRET" | cat - "$SSL_CERT_FILE"'])
        done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60, check=True)
    assert done.stdout == (state / "secret").read_bytes() + (state / "bundle.pem").read_bytes()


def test_serve_with_a_closed_stderr() -> None:
    """It serves with a closed stderr, whose number no socket gets."""
    line = shlex.join([*COMMAND, "serve", "--port", "0"])
    with subprocess.Popen(
        ["sh", "-c", f"exec {line} 2>&-"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        printed = ""
        while "no_proxy" not in printed:
            printed += process.stdout.readline() or pytest.fail(printed)
        served = Served(process, printed)
        assert served.weave().stdout == "42\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_serve_fault(tmp_path: Path) -> None:
    """A fault of the command line is in force."""
    with serving("--fault", "status code=503 times=1") as served:
        assert "HTTP Error 503" in served.weave().stderr


def test_fault_in_force() -> None:
    """A fault of the command line is named in the log."""
    with serving("--fault", "status code=503 times=1") as served:
        assert "in force   inject('status', times=1)\n" in served.interrupt()[1]


@pytest.fixture
def steered(make_worker: MakeWorker) -> tuple[Control, list[tuple[str, str]]]:
    """What steers a worker, and what is logged of it: each event with the call that it is of."""
    logged: list[tuple[str, str]] = []
    worker = make_worker()
    control = Control(worker)
    entries = ServeLog(
        lambda entry: logged.append((entry["event"], entry.get("call", ""))),
        clean=worker.journal.redaction.clean,
    )
    _log_changes(control, entries)
    return control, logged


def test_change_is_logged(steered: tuple[Control, list[tuple[str, str]]]) -> None:
    """What a client of the control API puts in force is in the log, and when it is removed."""
    control, logged = steered
    control.remove_injection(str(control.inject("status")["id"]))
    assert logged == [("in-force", "inject('status')"), ("removed", "inject('status')")]


def test_reset_is_logged(steered: tuple[Control, list[tuple[str, str]]]) -> None:
    """A reset is in the log, and what it removes."""
    control, logged = steered
    control.hold("render")
    control.reset()
    assert logged[1:] == [("reset", ""), ("removed", "hold('render')")]


def test_other_listeners_are_kept(make_worker: MakeWorker) -> None:
    """The streams of events are told as well."""
    told: list[str] = []
    worker = make_worker()
    control = Control(worker)
    control.on_change = lambda: told.append("change")
    control.on_reset = lambda: told.append("reset")
    _log_changes(control, ServeLog(lambda entry: None, clean=worker.journal.redaction.clean))
    control.hold("render")
    control.reset()
    assert told == ["change", "reset"]


@pytest.mark.parametrize(
    ("words", "color"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_colour(
    words: dict[str, str],
    color: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A terminal gets colours, unless it or the user wants none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with lines_by_thread() as out:
        monkeypatch.setattr(out, "isatty", lambda: True)
        _writer(out, "text")({"time": 0.0, "event": "reloaded", "files": ["app.py"]})
    assert ("\x1b[" in capsys.readouterr().out) is color


@dataclass
class JsonSession:
    """A ``serve --log json`` that served a task which prints, and was stopped."""

    entries: list[dict[str, object]]
    """What was on stdout."""
    err: str
    """What was on stderr."""
    secrets: list[str]
    """The token of the control API, and the secret."""

    def of(self, event: str) -> dict[str, object]:
        return next(entry for entry in self.entries if entry["event"] == event)


@pytest.fixture(scope="module")
def json_session(tmp_path_factory: pytest.TempPathFactory) -> JsonSession:
    """One session, whose traces several tests read."""
    directory = tmp_path_factory.mktemp("json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        with serving("--log", "json", until='"serving"') as served:
            first = json.loads(served.printed)
            environ = {
                **os.environ,
                "WOVE_WORKER_URL": first["url"],
                "WOVE_WORKER_SECRET": Path(first["secret_file"]).read_text(),
                "SSL_CERT_FILE": first["bundle_file"],
                "no_proxy": "localhost",
            }
            script = WEAVE.format(config=EXEC_CONFIG).replace("return 42", "print('printed')")
            Path("client.py").write_text(script)
            assert preloaded.run(["client.py"], PATIENCE, environ).returncode == 0
            served.process.send_signal(signal.SIGTERM)
            _, out, err = served.end()
    entries = [first, *(json.loads(line) for line in out.splitlines())]
    secrets = [Path(first[name]).read_text() for name in ("token_file", "secret_file")]
    return JsonSession(entries, err, secrets)


def test_json_log(json_session: JsonSession) -> None:
    """Each line on stdout is an entry: nothing else is."""
    assert [entry["event"] for entry in json_session.entries] == [
        "serving",
        "run-started",
        "run-ended",
        "stopping",
    ]


def test_json_log_has_no_secret(json_session: JsonSession) -> None:
    """Neither the token of the control API nor the secret is in the log, which may be stored."""
    text = json.dumps(json_session.entries)
    assert [secret in text for secret in json_session.secrets] == [False, False]


def test_json_log_of_a_printing_task(json_session: JsonSession) -> None:
    """What a task prints is on stderr then."""
    assert json_session.err == "printed\n"


@pytest.mark.parametrize("event", ["serving", "run-started", "run-ended", "stopping"])
def test_json_keys(json_session: JsonSession, event: str) -> None:
    """The reference page documents each key of an entry."""
    page = (Path(cli.__file__).parent / "README.md").read_text(encoding="utf-8")
    missing = [name for name in json_session.of(event) if f"`{name}`" not in page]
    assert missing == []


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    """The worker's directory, which contains ``jobs.py``, and the client's."""
    the_workers, the_clients = tmp_path / "worker", tmp_path / "client"
    write_jobs(the_workers, "the worker's")
    write_jobs(the_clients, "the client's")
    return the_workers, the_clients


def test_serve_app_dir(directories: tuple[Path, Path]) -> None:
    """Tasks that are sent by name are imported from ``--app-dir``."""
    the_workers, the_clients = directories
    with serving("--app-dir", str(the_workers)) as served:
        assert by_name(served, the_clients) == "the worker's\n"


@pytest.mark.parametrize("runs_before", [1, 2])
def test_serve_reload(directories: tuple[Path, Path], runs_before: int) -> None:
    """With ``--reload`` a changed module is imported again, even right after its first run."""
    the_workers, the_clients = directories
    with serving("--app-dir", str(the_workers), "--reload") as served:
        for _ in range(runs_before):
            by_name(served, the_clients)
        write_jobs(the_workers, "the worker's, changed")
        assert by_name(served, the_clients) == "the worker's, changed\n"


def test_reload_is_logged(directories: tuple[Path, Path]) -> None:
    """The file that has changed is named in the log."""
    the_workers, the_clients = directories
    with serving("--app-dir", str(the_workers), "--reload") as served:
        by_name(served, the_clients)
        write_jobs(the_workers, "the worker's, changed")
        by_name(served, the_clients)
        assert "reloaded   jobs.py\n" in served.interrupt()[1]


def test_secret_is_never_printed(session: Session) -> None:
    """Neither the instructions nor the log show the secret."""
    assert session.before["secret"].decode() not in session.printed + session.log


def test_given_secret_is_never_printed() -> None:
    """A secret given with ``--secret-env`` is not printed either."""
    with serving("--secret-env", "SOME_SECRET") as served:
        served.weave()
        _, out, err = served.interrupt()
    assert "horse" not in served.printed + out + err


def test_state_directory_is_private(session: Session) -> None:
    """Only the owner of the state directory may enter it."""
    assert session.modes["."] == 0o700


def test_exposed_state_directory(state: Path) -> None:
    """A state directory whose files others can replace is said in one line, and serves."""
    state.mkdir(parents=True)
    state.chmod(0o777)
    with serving() as served:
        _, _, err = served.interrupt()
    assert err == (
        f"wove-http-dev: other users can replace files in {state}; use a directory of your own\n"
    )


def test_second_serve_changes_nothing(state: Path) -> None:
    """A second ``serve`` on the state directory leaves every file of the first as it is."""
    with serving():
        before = snapshot(state)
        with serving():
            assert before.items() <= snapshot(state).items()  # and a file of its own


@pytest.mark.parametrize(
    "words",
    [
        ["--fault", "nonsense"],
        ["--security", "env:NOT_SET_ANYWHERE"],
        ["--ready-file", "missing/ready"],
        [],
    ],
    ids=" ".join,
)
def test_refused_serve_changes_nothing(tmp_path: Path, words: list[str]) -> None:
    """A first ``serve`` that is refused (here with a port in use at least) makes no directory."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        run_here("serve", "--port", str(other.getsockname()[1]), *words)
    assert list(tmp_path.iterdir()) == []


def test_wrong_fault_before_the_port() -> None:
    """A port that is in use does not hide a wrong fault."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run_here("serve", "--port", str(other.getsockname()[1]), "--fault", "slow-respose")
    assert "did you mean 'slow-response'" in done.stderr


def test_secret_with_a_line_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that the printed lines would change is one line, and exit status 2."""
    monkeypatch.setenv("SOME_SECRET", "correct-horse\n")
    done = run_here("serve", "--port", "0", "--security", "env:SOME_SECRET")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_bundle_after_a_restart_in_the_same_shell(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``SSL_CERT_FILE`` as it was printed does not change the next bundle."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with serving():
        first = (state / "bundle.pem").read_bytes()
    monkeypatch.setenv("SSL_CERT_FILE", str(state / "bundle.pem"))
    with serving():
        assert (state / "bundle.pem").read_bytes() == first


@pytest.mark.parametrize("name", ["secret", "ca.key"])
def test_state_files_are_private(session: Session, name: str) -> None:
    """Only the owner may read the secret and the key."""
    assert session.modes[name] == 0o600


@pytest.mark.parametrize("name", ["secret", "ca.key", "ca.pem"])
def test_restart_keeps_the_state(session: Session, name: str) -> None:
    """The next ``serve`` has the same CA and the same secret."""
    assert session.after[name] == session.before[name]


def test_client_of_before_is_served_after_a_restart() -> None:
    """A client that follows the instructions of an earlier ``serve`` is served on the same port."""
    port = str(free_port())
    with serving("--port", port) as before:
        before.interrupt()
    with serving("--port", port):
        assert before.weave().stdout == "42\n"


def test_default_port() -> None:
    """The default port is fixed, 8443."""
    assert "(default: 8443)" in " ".join(run_here("serve", "--help").stdout.split())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve_stops_on_a_signal(served: Served, number: signal.Signals) -> None:
    """SIGINT, SIGTERM and SIGHUP stop ``serve`` with exit status 0 and nothing on stderr."""
    served.process.send_signal(number)
    _, err = served.process.communicate(timeout=PATIENCE)
    assert (served.process.returncode, err) == (0, "")


def test_serve_in_the_background() -> None:
    """A SIGINT that was ignored at the start, as in the background of a shell, does not stop
    ``serve``; SIGTERM does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the fixture ``interruptible`` restores it
    with serving(command=COMMAND) as served:
        served.process.send_signal(signal.SIGINT)
        assert served.weave().stdout == "42\n"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0


WITHOUT_LIMITS = f"""
import functools, sys
from wove_http_dev import HttpWorker
from wove_http_dev.cli.main import main
from wove_http_dev.service.limits import Limits
limits = Limits(handshake={100 * PATIENCE})
HttpWorker.__init__ = functools.partialmethod(HttpWorker.__init__, limits=limits)
sys.exit(main())
"""
"""A command line whose worker waits for a client as long as it takes."""


def test_serve_stops_at_once() -> None:
    """A connected client that sends nothing does not delay the stop."""
    with (
        serving(command=[sys.executable, "-c", WITHOUT_LIMITS]) as served,
        socket.create_connection(("127.0.0.1", served.port), PATIENCE),
    ):
        assert served.interrupt()[0] == 0


def test_serve_survives_a_reader_that_went_away(served: Served) -> None:
    """``serve`` keeps serving after the reader of its log has closed the pipe."""
    assert served.process.stdout is not None
    served.process.stdout.close()
    assert [served.weave().stdout for _ in range(2)] == ["42\n", "42\n"]


def test_reader_that_stops(served: Served, state: Path) -> None:
    """Nobody waits for a terminal that is paused, or a pipe that is not read: 2,000 lines are more
    than a pipe holds, and 300 more than the smallest of Linux."""
    assert served.process.stdout is not None
    lines = 2000
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        lines = 300
        fcntl.fcntl(served.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    ca = ssl.create_default_context(cafile=state / "ca.pem")
    connection = http.client.HTTPSConnection("localhost", served.port, timeout=PATIENCE, context=ca)
    with contextlib.closing(connection):
        for _ in range(lines):
            connection.request("POST", "/wove/tasks", b"{}")
            connection.getresponse().read()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(PATIENCE) == 0


def test_files_that_cannot_be_written(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file for the clients that cannot be written (a full disk) is one line, and ends it."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_directory, "write_private", full)
    status = main(["serve", "--port", "0", "--no-tls", "--secret-env", "SOME_SECRET"])
    assert (status, capsys.readouterr().err) == (
        2,
        "wove-http-dev: [Errno 28] No space left on device\n",
    )


def test_unusable_state(state: Path) -> None:
    """An unreadable CA is reported in one line."""
    state.mkdir(parents=True)
    (state / "ca.key").write_text("nonsense")
    (state / "ca.pem").write_text("nonsense")
    done = run_here("serve", "--port", "0")
    assert (done.returncode, len(done.stderr.splitlines()), str(state) in done.stderr) == (
        2,
        1,
        True,
    )


class TestPage:
    """The page and the control API of ``serve``."""

    @staticmethod
    def entry(served: Served) -> urllib.parse.SplitResult:
        """The printed address of the page."""
        (line,) = (text for text in served.printed.splitlines() if text.startswith("page: "))
        return urllib.parse.urlsplit(line.removeprefix("page: "))

    def test_printed_address(self, state: Path) -> None:
        """The printed address has the token, which is in the state directory."""
        with serving() as served:
            query = self.entry(served).query
        assert query == f"token={(state / 'token').read_text()}"

    def test_token_is_private(self, session: Session) -> None:
        """Only the owner may read the token."""
        assert session.modes["token"] == 0o600

    def test_token_is_kept(self, session: Session) -> None:
        """The token is the same after a restart, so that an open page goes on."""
        assert session.before["token"] == session.after["token"]

    def test_token_is_not_logged(self, session: Session) -> None:
        """The log does not show the token."""
        assert session.before["token"].decode() not in session.log

    def ask(self, served: Served, state: Path, path: str) -> Any:
        """GET a path of the API with the token of the state directory."""
        request = urllib.request.Request(
            f"http://{self.entry(served).netloc}/api/v1/{path}",
            headers={"Authorization": f"Bearer {(state / 'token').read_text()}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def test_api(self, state: Path) -> None:
        """The API answers with the token of the state directory."""
        with serving() as served:
            found = self.ask(served, state, "worker")
            assert found["url"] == served.url
            assert found["snippet"] in served.printed

    def test_large_output(self, state: Path, tmp_path: Path) -> None:
        """What the API says of a task that prints 10 MB has a limited length."""
        application = tmp_path / "worker"
        application.mkdir()
        source = "def answer():\n    print('x' * 10_000_000)\n    return 'done'\n"
        (application / "jobs.py").write_text(source)
        with serving("--app-dir", str(application)) as served:
            assert by_name(served, application) == "done\n"
            (listed,) = self.ask(served, state, "runs")["runs"]
            whole = self.ask(served, state, f"runs/{listed['run_id']}")
        assert (len(listed["output"]), 60_000 < len(whole["output"]) < 70_000) == (2000, True)

    def test_given_port(self) -> None:
        """The page is on the port that was given."""
        number = free_port()
        with serving("--page-port", str(number)) as served:
            assert self.entry(served).port == number

    def test_no_page(self) -> None:
        """Without a page no address is printed, and no token made."""
        with serving("--no-page") as served:
            assert "page:" not in served.printed
        assert not list(Path().rglob("token"))

    def test_port_in_use(self, tmp_path: Path) -> None:
        """A port that is in use is one line, and nothing is made."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = str(other.getsockname()[1])
            done = run_here("serve", "--port", "0", "--page-port", number)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert f"page port {number} is in use" in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_same_port(self, tmp_path: Path) -> None:
        """The page cannot have the port of the worker."""
        number = str(free_port())
        done = run_here("serve", "--port", number, "--page-port", number)
        assert (done.returncode, f"page port {number} is in use" in done.stderr) == (2, True)

    @pytest.mark.parametrize("port", ["x", "-1", "65536", "1.5", "", "９"])
    def test_no_port(self, port: str) -> None:
        """What is no port is one line."""
        done = run_here("serve", "--port", "0", f"--page-port={port}")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)

    def test_port_without_a_page(self) -> None:
        """A port for no page is an error."""
        done = run_here("serve", "--port", "0", "--page-port", "0", "--no-page")
        assert (done.returncode, "--no-page" in done.stderr) == (2, True)
