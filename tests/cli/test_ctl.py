"""``ctl``: how it finds the serve that it steers, and its flags."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from wove import weave

from tests.cli.commands import COMMAND, run_here
from tests.scripted_server import Scripted, answer, scripted
from tests.support import TIMEOUT
from wove_http_dev.cli.running import announced
from wove_http_dev.inspector.inspector import Inspector
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

NONE = answer(200, {"runs": []})
pytestmark = pytest.mark.usefixtures("environ")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The default state directory, with a token."""
    return with_token(tmp_path / "state" / "wove-http-dev", "kept")


def with_token(directory: Path, token: str) -> Path:
    """``directory`` with the token that a serve has made."""
    directory.mkdir(parents=True)
    (directory / "token").write_text(token)
    (directory / "token").chmod(0o600)
    return directory


@contextmanager
def running(directory: Path, *answers: bytes, port: int = 8443) -> Iterator[Scripted]:
    """A serve that has announced itself in ``directory``, and gives prepared answers."""
    with scripted(*answers) as server:
        fields = {"url": "https://localhost:8443", "api_url": server.url, "token_file": "token"}
        with announced(directory, port, fields, lambda line: None):
            yield server


def test_finds_the_serve(state: Path) -> None:
    """The serve of the default state directory is asked, with its token."""
    with running(state, NONE) as server:
        done = run_here("ctl", "runs")
    assert (done.returncode, server.headers()["authorization"]) == (0, "Bearer kept")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_state_dir(tmp_path: Path, after: bool) -> None:
    """``--state-dir`` names the state directory, before or after the word that says what to do."""
    other = with_token(tmp_path / "other", "another")
    flag = ["--state-dir", "other"]
    with running(other, NONE) as server:
        run_here("ctl", *(["runs", *flag] if after else [*flag, "runs"]))
    assert server.headers()["authorization"] == "Bearer another"


def test_api(state: Path) -> None:
    """``--api`` names another serve, whose token is that of the state directory."""
    with running(state) as unused, scripted(NONE) as server:
        run_here("ctl", "--api", server.url, "runs")
    assert (unused.requests, server.headers()["authorization"]) == ([], "Bearer kept")


def test_api_chooses_among_several(state: Path) -> None:
    """Of several serves of a state directory, ``--api`` chooses one."""
    with running(state, port=1), running(state, NONE, port=2) as second:
        done = run_here("ctl", "--api", second.url, "runs")
    assert (done.returncode, len(second.requests)) == (0, 1)


def test_several_run(state: Path) -> None:
    """Where several run, one line names the choices."""
    with running(state, port=1) as first, running(state, port=2) as second:
        done = run_here("ctl", "runs")
    found = (done.returncode, len(done.stderr.splitlines()), first.url in done.stderr)
    assert (found, second.url in done.stderr) == ((2, 1, True), True)


@pytest.mark.parametrize(
    ("flag", "value"), [("--token-env", "TOKEN"), ("--token-file", "given")], ids=["env", "file"]
)
def test_given_token(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, value: str
) -> None:
    """A token that is given is used in place of the kept one."""
    monkeypatch.setenv("TOKEN", "given")
    (tmp_path / "given").write_text("given")
    with running(state, NONE) as server:
        run_here("ctl", flag, value, "runs")
    assert server.headers()["authorization"] == "Bearer given"


def test_api_without_a_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With ``--api`` and a token no state directory is needed, and none is created."""
    monkeypatch.setenv("TOKEN", "given")
    with scripted(NONE) as server:
        done = run_here("ctl", "--api", server.url, "--token-env", "TOKEN", "runs")
    assert (done.returncode, (tmp_path / "state").exists()) == (0, False)


def test_api_without_a_token(tmp_path: Path) -> None:
    """Where there is no token for ``--api``, one line says how to give it."""
    done = run_here("ctl", "--api", "http://127.0.0.1:1", "runs")
    found = (done.returncode, len(done.stderr.splitlines()), "--token-file" in done.stderr)
    assert (found, (tmp_path / "state").exists()) == ((2, 1, True), False)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"two words", b"a\nb"], ids=["empty", "bytes", "words", "lines"]
)
def test_broken_token(state: Path, content: bytes) -> None:
    """A token file that cannot be used is one line with what to do."""
    (state / "token").write_bytes(content)
    done = run_here("ctl", "--api", "http://127.0.0.1:1", "runs")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_nothing_runs(state: Path) -> None:
    """Where no serve runs, one line says how to start one."""
    done = run_here("ctl", "runs")
    found = (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert (found, "start one: wove-http-dev serve" in done.stderr) == ((2, "", 1), True)


def test_serve_that_does_not_answer(state: Path) -> None:
    """A serve that runs and does not answer is named."""
    with running(state) as server:
        pass
    fields = {"url": "u", "api_url": server.url, "token_file": "token"}
    with announced(state, 1, fields, lambda line: None):
        done = run_here("ctl", "runs")
    assert (done.returncode, f"no serve answers at {server.url}" in done.stderr) == (2, True)


def test_no_word() -> None:
    """Without a word that says what to do, the help is printed, with status 2."""
    done = run_here("ctl")
    assert (done.returncode, "inject" in done.stdout) == (2, True)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_json(state: Path, after: bool) -> None:
    """``--json`` may stand before or after the word that says what to do."""
    with running(state, NONE):
        done = run_here("ctl", *(["runs", "--json"] if after else ["--json", "runs"]))
    assert json.loads(done.stdout) == {"runs": []}


def test_token_is_never_printed(state: Path) -> None:
    """The token is on neither stream."""
    refused = answer(401, {"error": "no"})
    with running(state, refused):
        done = run_here("ctl", "runs")
    assert "kept" not in done.stdout + done.stderr


# A worker


@pytest.fixture
def worker_alone(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """A worker as ``serve`` makes it, to which Wove's environment points."""
    with HttpWorker(ca=wove_http_ca, inspected=True) as made, made.configured():
        yield made


@pytest.fixture
def worker(worker_alone: HttpWorker, state: Path) -> Iterator[HttpWorker]:
    """A worker whose control API ``ctl`` finds."""
    with Inspector(worker_alone, Port("localhost", 0), "kept") as inspector:
        fields = {"url": worker_alone.url, "api_url": inspector.api_url, "token_file": "token"}
        with announced(state, worker_alone.port, fields, lambda line: None):
            yield worker_alone


def ctl(*words: str) -> str:
    """What ``ctl`` prints, which succeeds."""
    done = run_here("ctl", *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def weave_convert(n: int) -> Any:
    """Weave a task ``convert``, which fails for a negative number."""
    with weave() as w:

        @w.do(environment="workers")
        def convert() -> int:
            if n < 0:
                raise ValueError(f"{n} is negative")
            return n * 2

    return w.result.convert


@pytest.fixture
def failed(worker: HttpWorker) -> str:
    """The id of a run that has failed, as ``ctl runs`` shows it."""
    with pytest.raises(ValueError, match="-3 is negative"):
        weave_convert(-3)
    return ctl("runs").splitlines()[1].split()[0]


def test_runs_of_a_worker(worker: HttpWorker) -> None:
    """A run of a weave is listed with its result."""
    weave_convert(21)
    line = ctl("runs").splitlines()[1]
    assert (line.split()[1], line.endswith("-> 42")) == ("ok", True)


def test_failed_run_of_a_worker(failed: str) -> None:
    """A run that failed is listed with its error and the line of the task that raised it."""
    line = ctl("runs", "--state", "failed").splitlines()[1]
    assert "FAILED" in line
    assert "-> ValueError: -3 is negative" in line


def test_show_of_a_failed_run(failed: str) -> None:
    """A run in full says in which line of the task it failed."""
    text = ctl("show", failed)
    (where,) = [line for line in text.splitlines() if line.startswith("where ")]
    assert (f"{Path(__file__).name}:" in where, "traceback:\n  Traceback" in text) == (True, True)


def test_injected_fault(worker: HttpWorker) -> None:
    """An injected fault hits the next weave; removed, it hits no other."""
    made = ctl("inject", "status code=503 times=5")
    with pytest.raises(Exception, match="503"):
        weave_convert(1)
    number = made.split()[1].rstrip(":")
    ctl("remove", number)
    assert weave_convert(1) == 2


def test_status_of_a_worker(worker: HttpWorker) -> None:
    """The status has the fault that was injected, with its selector."""
    ctl("inject", "status code=418 task=c* times=5")
    assert "status code=418 task=c* times=5 (0 hits)" in ctl("status")


def test_held_and_released(worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A hold holds a run until it is released."""
    made = ctl("hold", "convert")
    result = pool.submit(weave_convert, 1)
    worker.wait_for("convert", state="held", timeout=TIMEOUT)
    held = ctl("runs").splitlines()[1]
    ctl("release", made.split()[1].rstrip(":"))
    assert (held.split()[1], result.result(TIMEOUT)) == ("held", 2)


def test_stubbed(worker: HttpWorker) -> None:
    """A stub answers, and no more when it is removed."""
    made = ctl("stub", "convert", "--result", "[7]")
    stubbed = weave_convert(1)
    ctl("remove", "--stub", made.split()[1].rstrip(":"))
    assert (stubbed, weave_convert(1)) == ([7], 2)


def test_stubbed_error(worker: HttpWorker) -> None:
    """A stub raises."""
    ctl("stub", "convert", "--error", "KeyError: gone: away")
    with pytest.raises(KeyError, match="gone: away"):
        weave_convert(1)


def test_replayed(failed: str, worker: HttpWorker) -> None:
    """A run that is replayed is executed again."""
    ctl("replay", failed)
    worker.wait_for("convert", state="failed", count=2, timeout=TIMEOUT)


def test_reset(failed: str, worker: HttpWorker) -> None:
    """After a reset there is no run."""
    ctl("reset")
    assert ctl("runs").startswith("no run has arrived since")


def test_misspelt_fault(worker: HttpWorker) -> None:
    """A misspelt fault is one line that offers the right one."""
    done = run_here("ctl", "inject", "slow-respnse delay=2")
    found = (done.returncode, len(done.stderr.splitlines()), "'slow-response'" in done.stderr)
    assert found == (2, 1, True)


def test_fault_in_several_arguments() -> None:
    """A field that is not in the same argument as its fault is told to be put there."""
    done = run_here("ctl", "inject", "status", "code=503")
    advice = "unrecognized arguments: code=503; a fault and its fields are one argument: 'status"
    assert (done.returncode, advice in done.stderr) == (2, True)


def test_wrong_token(worker: HttpWorker, state: Path) -> None:
    """Another token is refused in one line."""
    (state / "token").write_text("another")
    done = run_here("ctl", "runs")
    found = (done.returncode, len(done.stderr.splitlines()), "--state-dir" in done.stderr)
    assert found == (2, 1, True)


# tail


def streaming(inspector: Inspector) -> None:
    """Wait until a client reads the events of the API."""
    deadline = time.monotonic() + TIMEOUT
    while not inspector.events.open_streams and time.monotonic() < deadline:
        time.sleep(0.01)


def test_tail_survives_a_restart(worker_alone: HttpWorker, state: Path) -> None:
    """``tail`` prints runs as they come, says that ``serve`` has ended, and goes on when it is
    back."""
    port = Port("localhost", 0)
    command = [*COMMAND, "ctl", "tail", "--api", f"http://127.0.0.1:{port.number}"]
    with Inspector(worker_alone, port, "kept") as first, tailing(command) as (out, err):
        streaming(first)
        weave_convert(1)
        before = until(out, " ok ")
        first.__exit__()
        waiting = err.readline()
        with Inspector(worker_alone, Port("localhost", port.number), "kept") as second:
            streaming(second)
            weave_convert(2)
            after = until(out, " ok ")
    assert ("-> 2" in before, "waiting for it" in waiting, "-> 4" in after) == (True, True, True)


@contextmanager
def tailing(command: list[str]) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run ``command`` until the block ends; yields its stdout and stderr."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        watch = threading.Timer(TIMEOUT * 2, process.kill)
        watch.start()
        try:
            yield process.stdout, process.stderr
        finally:
            watch.cancel()
            process.kill()


def until(stream: IO[str], text: str) -> str:
    """The first line of ``stream`` with ``text``, or an empty one at its end."""
    return next((line for line in stream if text in line), "")
