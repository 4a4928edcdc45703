"""The directory where ``serve`` keeps its CA and its secret, so that its clients need no change
after a restart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from wove_http_dev.errors import UsageError
from wove_http_dev.private_files import write_private
from wove_http_dev.tls import CertificateAuthority


class StateDirectory:
    """The directory at ``path``, created if it is absent (mode 0700).

    The default is ``$XDG_STATE_HOME/wove-http-dev``, or ``~/.local/state/wove-http-dev``. Raises
    :class:`UsageError` for a directory that cannot be used.
    """

    def __init__(self, path: str | None = None) -> None:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self.path = Path(path) if path else Path(base) / "wove-http-dev"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as exc:
            raise UsageError(
                f"cannot use {self.path} ({exc.strerror}); name another --state-dir"
            ) from exc

    def certificate_authority(self) -> CertificateAuthority:
        """Return the CA in this directory, created if it is absent."""
        return CertificateAuthority.kept_in(self.path)

    def secret(self) -> str:
        """Return the secret in this directory, created if it is absent. Raises :class:`UsageError`
        for a file that cannot be read, or is empty."""
        path = self.path / "secret"
        try:
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32).encode())
            kept = path.read_text("ascii").strip()
        except (OSError, ValueError) as exc:
            raise UsageError(f"{path} cannot be used ({exc}); delete it") from exc
        if not kept:
            raise UsageError(f"{path} is empty; delete it")
        return kept

    def file_with(self, secret: str, port: int) -> Path:
        """Return a file in this directory that contains ``secret``: the stored one, or else a
        separate file for the worker on ``port``, because several workers may share the
        directory."""
        path = self.path / "secret"
        if not path.exists() or path.read_text() != secret:
            path = self.path / f"secret-{port}"
            write_private(path, secret.encode())
        return path
