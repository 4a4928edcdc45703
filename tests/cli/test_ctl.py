"""``ctl``: how it finds the serve that it steers, and its flags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import run_here
from tests.scripted_server import Scripted, answer, scripted
from wove_http_dev.cli.running import announced

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
    found = (done.returncode, done.stdout, server.headers()["authorization"])
    assert found == (0, "no run\n", "Bearer kept")


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
