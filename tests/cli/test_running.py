"""The file by which ``ctl`` finds a running ``serve``."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.forked import status_in_a_fork
from tests.support import MakeWorker
from wove_http_dev.cli.running import START, Serve, announced, find_serve, ready_fields
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.errors import UsageError

API = "http://127.0.0.1:8444/api/v1"


def fields(**words: Any) -> dict[str, Any]:
    """The fields of a file, as :func:`ready_fields` makes them, with ``words`` in place of some."""
    names = ("page_url", "token_file", "secret_file", "ca_file", "bundle_file")
    return {
        "url": "https://localhost:8443/wove/tasks",
        "api_url": API,
        "pid": os.getpid(),
        **dict.fromkeys(names),
        **words,
    }


def quiet(line: str) -> None:
    raise AssertionError(line)


@contextmanager
def serving(directory: Path, port: int = 8443, **words: Any) -> Iterator[Path]:
    """A ``serve`` announces itself during the block; yields its file."""
    with announced(directory, port, fields(**words), quiet):
        yield directory / f"running-{port}.json"


def abandoned(directory: Path, port: int = 8443) -> Path:
    """The file of a ``serve`` that was killed."""
    path = directory / f"running-{port}.json"
    path.write_text(json.dumps(fields()))
    path.chmod(0o600)
    return path


# ready_fields()


def test_fields_of_a_worker(make_worker: MakeWorker, tmp_path: Path) -> None:
    """The address, the files and the process of a worker are named."""
    worker, state = make_worker(), StateDirectory(str(tmp_path))
    named = ready_fields(worker, state, page_url="p", api_url="a", token_file="t")
    assert named == {
        "url": worker.url,
        "page_url": "p",
        "api_url": "a",
        "token_file": "t",
        "secret_file": str(tmp_path / f"secret-{worker.port}"),
        "ca_file": worker.ca_file,
        "bundle_file": worker.client_env["SSL_CERT_FILE"],
        "pid": os.getpid(),
        "runner": "threads of the worker's process",
    }


def test_files_are_there(make_worker: MakeWorker, tmp_path: Path) -> None:
    """Each file that is named exists."""
    named = ready_fields(make_worker(), StateDirectory(str(tmp_path)))
    files = [str(each) for name, each in named.items() if name.endswith("_file") and each]
    assert [os.path.isfile(file) for file in files] == [True, True, True]


def test_no_secret_in_the_fields(make_worker: MakeWorker, tmp_path: Path) -> None:
    """The fields name the file of the secret, and do not contain it."""
    worker = make_worker(secret="hunter2")
    assert "hunter2" not in json.dumps(ready_fields(worker, StateDirectory(str(tmp_path))))


def test_fields_of_a_plain_worker(plain_worker: Any, tmp_path: Path) -> None:
    """A worker without TLS and without a secret has no files."""
    named = ready_fields(plain_worker, StateDirectory(str(tmp_path)))
    assert {name for name, each in named.items() if each is not None} == {"url", "pid", "runner"}


def test_plain_worker_ignores_a_bundle_of_the_environment(
    plain_worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``SSL_CERT_FILE`` of this process is not the worker's bundle."""
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/some.pem")
    assert ready_fields(plain_worker, StateDirectory(str(tmp_path)))["bundle_file"] is None


# announced()


def test_announced_content(tmp_path: Path) -> None:
    """The file has the fields."""
    with serving(tmp_path) as path:
        assert json.loads(path.read_text()) == fields()


def test_announced_mode(tmp_path: Path) -> None:
    """Only its owner can read the file."""
    with serving(tmp_path) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("exception", [None, KeyboardInterrupt], ids=["end", "interrupted"])
def test_file_is_removed(tmp_path: Path, exception: type[BaseException] | None) -> None:
    """No file is left, however the block ends."""
    try:
        with serving(tmp_path) as path:
            if exception is not None:
                raise exception
    except KeyboardInterrupt:
        pass
    assert (path.exists(), list(tmp_path.glob("*running*"))) == (False, [])


def test_file_of_another_is_kept(tmp_path: Path) -> None:
    """A file that another ``serve`` has put in place meanwhile is not removed."""
    with serving(tmp_path) as path:
        path.unlink()
        abandoned(tmp_path)
    assert path.exists()


def test_killed_serve_is_removed_by_the_next(tmp_path: Path) -> None:
    """The file that a killed ``serve`` left is removed when another starts."""
    old = abandoned(tmp_path, 1)
    with serving(tmp_path, 2):
        assert not old.exists()


def test_running_serve_is_kept_by_the_next(tmp_path: Path) -> None:
    """The file of a running ``serve`` is not removed when another starts."""
    with serving(tmp_path, 1) as old, serving(tmp_path, 2):
        assert old.exists()


def test_no_lock_in_a_fork(tmp_path: Path) -> None:
    """A child that outlives ``serve`` does not keep its lock."""
    with serving(tmp_path) as path:
        assert open_files(path)
        assert status_in_a_fork(lambda: not open_files(path)) == 0


def open_files(path: Path) -> list[str]:
    """The descriptors of this process that are open on the file."""
    status = path.stat()
    found = []
    for name in os.listdir("/dev/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), status):
                found.append(name)
        except OSError:
            continue
    return found


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Where there can be no file, a line says so and what to do, and the block runs."""
    lines: list[str] = []
    with announced(tmp_path / "absent", 8443, fields(), lines.append):
        pass
    (line,) = lines
    assert re.search(r"ctl will not find this worker by itself \(.*\); give it --api", line)


# find_serve()


def test_find(tmp_path: Path) -> None:
    """The one that is running is found."""
    with serving(tmp_path, token_file="/t"):
        assert find_serve(tmp_path) == Serve("https://localhost:8443/wove/tasks", API, "/t")


def message(directory: Path) -> str:
    """What :func:`find_serve` raises."""
    with pytest.raises(UsageError) as caught:
        find_serve(directory)
    return str(caught.value)


def test_none_runs(tmp_path: Path) -> None:
    """Where none runs, the message names the directory and what to do."""
    text = message(tmp_path)
    assert (str(tmp_path) in text, START in text, "--state-dir" in text) == (True, True, True)


def test_absent_directory(tmp_path: Path) -> None:
    """A directory that does not exist has none, and is not created."""
    text = message(tmp_path / "absent")
    assert (START in text, list(tmp_path.iterdir())) == (True, [])


def test_killed_serve_is_named(tmp_path: Path) -> None:
    """The file that a killed ``serve`` left is named, and left."""
    old = abandoned(tmp_path)
    text = message(tmp_path)
    assert (f"one that was killed left {old}" in text, old.exists()) == (True, True)


def test_killed_serve_beside_a_running_one(tmp_path: Path) -> None:
    """A file that is left does not hide the one that is running."""
    with serving(tmp_path, 2):
        abandoned(tmp_path, 1)
        assert find_serve(tmp_path).api_url == API


def test_several_run(tmp_path: Path) -> None:
    """Of several, the message names the ``--api`` of each."""
    with serving(tmp_path, 1, api_url="http://one"), serving(tmp_path, 2, api_url="http://two"):
        text = message(tmp_path)
    found = re.findall(r"--api (\S+) \(tasks at https://localhost:8443/wove/tasks\)", text)
    assert (found, text.startswith("2 serves are running")) == (["http://one", "http://two"], True)


def test_without_an_api(tmp_path: Path) -> None:
    """One without a control API is named, with the flag that took it away."""
    with serving(tmp_path, api_url=None):
        assert "has no control API; start it without --no-page" in message(tmp_path)


def test_one_without_an_api_beside_one_with(tmp_path: Path) -> None:
    """One without a control API is no choice."""
    with serving(tmp_path, 1, api_url=None), serving(tmp_path, 2):
        assert find_serve(tmp_path).api_url == API


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"url": 1, "api_url": 2, "token_file": 3}']
)
def test_broken_file(tmp_path: Path, content: bytes) -> None:
    """What is not the file of a ``serve`` is left out."""
    (tmp_path / "running-1.json").write_bytes(content)
    assert START in message(tmp_path)


def test_symbolic_link(tmp_path: Path) -> None:
    """A symbolic link in place of the file is left out."""
    with serving(tmp_path) as path:
        path.rename(tmp_path / "other")
        path.symlink_to(tmp_path / "other")
        assert START in message(tmp_path)
