"""The directory where ``serve`` keeps its CA and its secret."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wove_http_dev.cli.state_directory import StateDirectory, kept_in
from wove_http_dev.errors import UsageError


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id that the system does not know, and no ``HOME``."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


def test_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default path is below ``$XDG_STATE_HOME``."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert StateDirectory().path == tmp_path / "wove-http-dev"


def test_default_without_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``$XDG_STATE_HOME`` the default path is below the home directory."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StateDirectory().path == tmp_path / ".local" / "state" / "wove-http-dev"


def test_directory_is_made(tmp_path: Path) -> None:
    """The directory is created with its parents, accessible to its owner only."""
    path = tmp_path / "a" / "b"
    StateDirectory(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o2770])
def test_existing_directory_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """The mode of an existing directory is not changed."""
    tmp_path.chmod(mode)
    StateDirectory(str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("mode", "exposed"), [(0o700, False), (0o775, False), (0o1777, False), (0o777, True)]
)
def test_exposed(tmp_path: Path, mode: int, exposed: bool) -> None:
    """A directory is exposed if everybody may write to it and it is not sticky."""
    tmp_path.chmod(mode)
    assert StateDirectory(str(tmp_path)).exposed is exposed


def test_exposed_to_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's directory is exposed to that user."""
    state = StateDirectory(str(tmp_path))
    owned = os.stat_result([0o40700, 0, 0, 2, os.geteuid() + 1, 0, 0, 0, 0, 0])
    monkeypatch.setattr(Path, "stat", lambda _: owned)
    assert state.exposed


def test_no_home(tmp_path: Path, no_home: None) -> None:
    """A user without a home directory can name a directory."""
    assert StateDirectory(str(tmp_path)).path == tmp_path


def test_default_without_a_home(no_home: None) -> None:
    """Without a home directory the default is a usage error that says what to do."""
    with pytest.raises(UsageError, match="no home directory; name a --state-dir"):
        StateDirectory()


@pytest.mark.parametrize("home", ["", "home"])
def test_home_that_is_no_path(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or relative ``HOME`` puts no secret into the working directory or the root."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    with pytest.raises(UsageError, match="HOME is no absolute path; set it, or name a --state-dir"):
        StateDirectory()


def test_relative_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative ``$XDG_STATE_HOME`` is ignored, as its specification says."""
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StateDirectory().path == tmp_path / ".local" / "state" / "wove-http-dev"


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path becomes absolute: its files are named to processes elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert StateDirectory("state").path == tmp_path / "state"


def test_file_in_its_place(tmp_path: Path) -> None:
    """A path that is not a directory is a usage error that names it and the option."""
    path = tmp_path / "file"
    path.write_text("")
    message = rf"cannot use {path} \(it is not a directory\); name another --state-dir"
    with pytest.raises(UsageError, match=message):
        StateDirectory(str(path))


def test_secret_is_kept(tmp_path: Path) -> None:
    """The secret is made once and read afterwards."""
    secrets = [StateDirectory(str(tmp_path)).secret() for _ in range(2)]
    assert secrets[0] == secrets[1] != ""


def test_first_starts_agree_on_the_secret(tmp_path: Path) -> None:
    """Of several first starts, all have the secret of one."""
    states = [StateDirectory(str(tmp_path)) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert len({*pool.map(StateDirectory.secret, states)}) == 1


def test_symbolic_link_in_place_of_the_secret(tmp_path: Path) -> None:
    """A symbolic link in place of the secret is refused."""
    (tmp_path / "target").write_text("another secret")
    (tmp_path / "secret").symlink_to(tmp_path / "target")
    with pytest.raises(UsageError, match="symbolic link"):
        StateDirectory(str(tmp_path)).secret()


def test_loosened_secret_is_mended(tmp_path: Path) -> None:
    """A secret that others may read is made private."""
    StateDirectory(str(tmp_path)).secret()
    (tmp_path / "secret").chmod(0o644)
    StateDirectory(str(tmp_path)).secret()
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_authority_is_kept(tmp_path: Path) -> None:
    """The CA is made once and loaded afterwards."""
    pems = [StateDirectory(str(tmp_path)).certificate_authority().cert_pem for _ in range(2)]
    assert pems[0] == pems[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; delete it"),
        (b"\xff", "cannot be used .*; delete it"),
        (b"s\n", "a line break, which a shell would drop"),
    ],
)
def test_broken_secret(tmp_path: Path, content: bytes, message: str) -> None:
    """An unreadable secret is a usage error that says what to do."""
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        StateDirectory(str(tmp_path)).secret()


def test_file_with_the_kept_secret(tmp_path: Path) -> None:
    """The stored secret has its own file."""
    state = StateDirectory(str(tmp_path))
    assert state.file_with(state.secret(), 8443) == tmp_path / "secret"


@pytest.mark.parametrize("kept", [True, False], ids=["beside-a-kept-one", "alone"])
def test_file_with_another_secret(tmp_path: Path, kept: bool) -> None:
    """Another secret is written to a file named after the worker's port, readable by its owner
    only."""
    state = StateDirectory(str(tmp_path))
    if kept:
        state.secret()
    path = state.file_with("given", 8443)
    found = (path.name, path.read_text(), stat.S_IMODE(path.stat().st_mode))
    assert found == ("secret-8443", "given", 0o600)


# kept_in()


def test_kept_in(tmp_path: Path) -> None:
    """The bundle and every secret in a state directory are found."""
    (tmp_path / "bundle.pem").write_text("")
    (tmp_path / "secret").write_text("one")
    (tmp_path / "secret-8443").write_text("two")
    bundle, secrets = kept_in(tmp_path)
    assert (bundle, [file for file, _ in secrets]) == (
        str(tmp_path / "bundle.pem"),
        [str(tmp_path / "secret"), str(tmp_path / "secret-8443")],
    )
    assert [str(secret) for _, secret in secrets] == ["one", "two"]


def test_kept_in_shows_no_secret(tmp_path: Path) -> None:
    """The repr of what was found shows no secret."""
    (tmp_path / "secret").write_text("hunter2")
    assert "hunter2" not in repr(kept_in(tmp_path))


def test_kept_in_unreadable(tmp_path: Path) -> None:
    """What is not a file of this user is left out."""
    (tmp_path / "secret").symlink_to("/etc/hostname")
    (tmp_path / "secret-1").mkdir()
    (tmp_path / "secret-2").write_bytes(b"\xff")
    assert kept_in(tmp_path) == (None, [])


def test_kept_in_absent(tmp_path: Path) -> None:
    """A directory that does not exist has nothing, and is not created."""
    assert kept_in(tmp_path / "absent") == (None, [])
    assert not (tmp_path / "absent").exists()
