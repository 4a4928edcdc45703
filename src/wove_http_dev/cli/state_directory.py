"""The directory where ``serve`` keeps its CA and its secret, so that its clients need no change
after a restart.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from wove_http_dev.errors import UsageError
from wove_http_dev.given_secrets import check_secret
from wove_http_dev.private_files import locked, read_own, write_private
from wove_http_dev.secret import Secret
from wove_http_dev.tls import CertificateAuthority


class StateDirectory:
    """The directory at ``path``, created if it is absent (mode 0700). An existing one keeps its
    mode: it may be shared, and its private files have mode 0600.

    The default is ``$XDG_STATE_HOME/wove-http-dev``, or ``~/.local/state/wove-http-dev``. Raises
    :class:`UsageError` for a directory that cannot be used.
    """

    def __init__(self, path: str | None = None) -> None:
        chosen = Path(path) if path else default_directory()
        try:
            self.path = chosen.absolute()  # clients read its files from other directories
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            why = "it is not a directory" if chosen.is_file() else exc.strerror
            raise UsageError(f"cannot use {chosen} ({why}); name another --state-dir") from exc

    @property
    def exposed(self) -> bool:
        """Whether other users may replace files in the directory: they own it, or may write to it
        and it has no sticky bit."""
        status = self.path.stat()
        open_to_all = status.st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
        return open_to_all or status.st_uid not in (os.geteuid(), 0)

    def certificate_authority(self) -> CertificateAuthority:
        """Return the CA in this directory, created if it is absent."""
        return CertificateAuthority.kept_in(self.path)

    def secret(self) -> str:
        """Return the secret in this directory, created if it is absent. Raises :class:`UsageError`
        for a file that cannot be read, is empty, or has a line break."""
        return self._kept(self.path / "secret")

    @property
    def token_file(self) -> Path:
        """The file with the token of the control API."""
        return self.path / "token"

    def token(self) -> Secret:
        """Return the token of the control API, created if it is absent. Raises
        :class:`UsageError` as :meth:`secret`."""
        return Secret(self._kept(self.token_file))

    def _kept(self, path: Path) -> str:
        try:
            if not path.exists():
                with locked(self.path):
                    if not path.exists():
                        write_private(path, secrets.token_urlsafe(32).encode())
            kept = read_own(path, private=True).decode("ascii")
        except UsageError:
            raise
        except (OSError, ValueError) as exc:
            raise UsageError(f"{path} cannot be used ({exc}); delete it") from exc
        if not kept:
            raise UsageError(f"{path} is empty; delete it")
        check_secret(kept, str(path))
        return kept

    def file_with(self, secret: str, port: int) -> Path:
        """Return a file in this directory that contains ``secret``: the stored one, or else a
        separate file for the worker on ``port``, because several workers may share the
        directory."""
        path = self.path / "secret"
        if not path.exists() or read_own(path, private=True) != secret.encode():
            path = self.path / f"secret-{port}"
            write_private(path, secret.encode())
        return path


def kept_in(directory: Path) -> tuple[str | None, list[tuple[str, Secret]]]:
    """Return what ``serve`` keeps in ``directory`` for its clients: the file of CAs, and each file
    with a secret, and its content. What cannot be read is left out, and nothing is created."""
    bundle, secrets = directory / "bundle.pem", []
    for path in sorted(directory.glob("secret*")):
        with suppress(OSError, ValueError):  # a UsageError is a ValueError
            secrets.append((str(path), Secret(read_own(path, private=True).decode())))
    return str(bundle) if bundle.is_file() else None, secrets


def default_directory() -> Path:
    """Return the directory that ``serve`` uses if none is named. Raises :class:`UsageError` if this
    user has no home directory, or ``HOME`` is empty or relative."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):  # XDG Base Directory Specification: a relative path is invalid
        return Path(base) / "wove-http-dev"
    if not os.path.isabs(os.environ.get("HOME", "/")):  # the secret would be in any directory
        raise UsageError("HOME is no absolute path; set it, or name a --state-dir")
    try:
        return Path.home() / ".local" / "state" / "wove-http-dev"
    except RuntimeError as exc:  # a user id that the system does not know, and no HOME
        raise UsageError("this user has no home directory; name a --state-dir") from exc
