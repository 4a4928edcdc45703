"""Secrets in environment variables and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.given_secrets import (
    check_secret,
    given_secret,
    secret_from_environment,
    secret_from_file,
)


class TestGivenSecret:
    """The secret of ``--…-env`` or ``--…-file``."""

    def test_none(self) -> None:
        """Without either there is no secret."""
        assert given_secret("--secret", None, None) is None

    def test_both(self) -> None:
        """Both are a usage error that names them."""
        with pytest.raises(UsageError, match="--secret-env or --secret-file, not both"):
            given_secret("--secret", "NAME", "file")


class TestSecretFromEnvironment:
    """A secret from an environment variable."""

    def test_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The secret is the variable's value."""
        monkeypatch.setenv("SOME_SECRET", "correct-horse")
        assert secret_from_environment("--secret-env", "SOME_SECRET") == "correct-horse"

    def test_no_variable(self) -> None:
        """Without a variable's name there is no secret."""
        assert secret_from_environment("--secret-env", None) is None

    def test_no_name(self) -> None:
        """What is no name of a variable may be the secret, and is not in the message."""
        with pytest.raises(UsageError) as caught:
            secret_from_environment("--secret-env", "correct/horse==")
        assert "horse" not in str(caught.value)

    def test_unusual_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A variable may have any name."""
        monkeypatch.setenv("some-secret.of", "correct-horse")
        assert secret_from_environment("--secret-env", "some-secret.of") == "correct-horse"

    @pytest.mark.parametrize("value", [None, ""])
    def test_not_set(self, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
        """A variable that is not set, or empty, is a usage error that names option and variable."""
        monkeypatch.delenv("SOME_SECRET", raising=False)
        if value is not None:
            monkeypatch.setenv("SOME_SECRET", value)
        with pytest.raises(UsageError, match="--secret-env: environment variable SOME_SECRET"):
            secret_from_environment("--secret-env", "SOME_SECRET")


BAD_SECRETS = ["s\n", "s\r\n", "a\nb", "\x00", "\x1b[2J", "\udcff"]
"""What a shell, a terminal or an environment variable changes."""


class TestSecretFromFile:
    """A secret in a file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """The file."""
        return tmp_path / "secret"

    def test_content(self, path: Path) -> None:
        """The secret is the whole content."""
        path.write_text(" gr\xf6\xdfe ", "utf-8")
        assert secret_from_file("--secret-file", str(path)) == " gr\xf6\xdfe "

    def test_no_file(self) -> None:
        """Without a file there is no secret."""
        assert secret_from_file("--secret-file", None) is None

    @pytest.mark.parametrize(
        ("content", "message"),
        [(b"", "is empty"), (b"s\n", "ends with a line break"), (b"s" * 2**17, "65536 bytes")],
    )
    def test_bad_content(self, path: Path, content: bytes, message: str) -> None:
        """A file that is no secret is a usage error that names option and file."""
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"--secret-file: {path} .*{message}"):
            secret_from_file("--secret-file", str(path))

    def test_absent(self, path: Path) -> None:
        """A file that cannot be read is a usage error that says why."""
        with pytest.raises(UsageError, match=f"cannot read {path} .No such file"):
            secret_from_file("--secret-file", str(path))


@pytest.mark.parametrize("secret", BAD_SECRETS, ids=map(ascii, BAD_SECRETS))
def test_secret_that_a_shell_changes(secret: str) -> None:
    """A secret that a shell would change is a usage error, and is not in its message."""
    with pytest.raises(UsageError, match=r"^NAME must be without line breaks") as caught:
        check_secret(secret, "NAME")
    assert secret not in str(caught.value)


def test_variable_that_a_shell_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break at the end of a variable is a usage error that names option and variable."""
    monkeypatch.setenv("SOME_SECRET", "s\n")
    with pytest.raises(UsageError, match=r"--secret-env: environment variable SOME_SECRET must"):
        secret_from_environment("--secret-env", "SOME_SECRET")
