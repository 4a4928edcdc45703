"""The directory where ``serve`` keeps its CA and its secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.errors import UsageError


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


def test_file_in_its_place(tmp_path: Path) -> None:
    """A path that is not a directory is a usage error that names it and the option."""
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UsageError, match=f"cannot use {path} .*--state-dir"):
        StateDirectory(str(path))


def test_secret_is_kept(tmp_path: Path) -> None:
    """The secret is made once and read afterwards."""
    secrets = [StateDirectory(str(tmp_path)).secret() for _ in range(2)]
    assert secrets[0] == secrets[1] != ""


def test_authority_is_kept(tmp_path: Path) -> None:
    """The CA is made once and loaded afterwards."""
    pems = [StateDirectory(str(tmp_path)).certificate_authority().cert_pem for _ in range(2)]
    assert pems[0] == pems[1]


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"\xff", "cannot be used")])
def test_broken_secret(tmp_path: Path, content: bytes, message: str) -> None:
    """An unreadable secret is a usage error that says what to delete."""
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(UsageError, match=f"{message}.*delete it"):
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
