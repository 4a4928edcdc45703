"""``RemoteWorker``: the client's side of a worker service that another process runs.

With ``--wove-http-url``, tests run against a service that is already running. Reading a member that
only a worker of this process has skips the test with a reason. Strict mode is off.
(``controlled.worker`` is for a ``serve`` whose control API is known.)
"""

from __future__ import annotations

import ssl
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, overload

from wove_http_dev.client_side import ClientSide
from wove_http_dev.errors import UsageError, cannot_travel
from wove_http_dev.options import Options, hide_secrets
from wove_http_dev.protocol.credentials import Credentials, credentials
from wove_http_dev.secret import hide, shown_url


class LocalOnly:
    """A member that only a worker of this process has: reading it skips the test."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, worker: None, owner: type) -> LocalOnly: ...
    @overload
    def __get__(self, worker: RemoteSide, owner: type) -> NoReturn: ...
    def __get__(self, worker: RemoteSide | None, owner: type) -> LocalOnly:
        if worker is None:
            return self
        worker._skip_as_local(f"worker.{self._name}")


class RemoteSide(ClientSide):
    """The address of a worker service that another process runs, and what trusts its
    certificate."""

    _skip: Callable[[str], NoReturn]
    """Ends the test, which needs what only a worker of this process has."""
    _given_by = "--wove-http-url"
    """The option of pytest that names the service."""
    _url: str
    _port: int
    _ca_file: str | None
    _context: ssl.SSLContext | None

    def _set_address(self, url: str, ca_file: str | None) -> None:
        """Raises :class:`UsageError` for a URL, or a CA file, that cannot be used."""
        self._url, self._port = url, port_of(url)
        self._ca_file = ca_file
        self._context = _trusting(ca_file) if ca_file else None

    def _skip_as_local(self, what: str, more: str = "") -> NoReturn:
        """Skip the test, because ``what`` is not for a service of another process."""
        self._skip(f"{what} needs a worker of this process, not the one of {self._given_by}{more}")

    def _skip_unless_remote(self, options: Mapping[str, Any], names: Iterable[str]) -> None:
        """Skip the test if it asks for one of the options ``names``, or for other credentials."""
        for name in names:
            if getattr(self.options, name):
                self._skip_as_local(f"{name}=")
        mode = self.credentials.mode
        asked = options.get("security", mode)
        if asked != mode:
            self._skip_as_local(f"security={asked!r}", f"; the tests run with {mode!r} here")

    @property
    def url(self) -> str:
        """The URL of the endpoint that accepts command frames."""
        return self._url

    @property
    def port(self) -> int:
        """The TCP port of the URL."""
        return self._port

    @property
    def ca_file(self) -> str | None:
        """Path of the given CA certificate, PEM; if there is one, only that CA is trusted."""
        return self._ca_file

    @property
    def _bundle_file(self) -> str | None:
        return self._ca_file

    @property
    def _client_context(self) -> ssl.SSLContext | None:
        return self._context

    def __reduce__(self) -> Any:
        raise cannot_travel(self)


def remote_credentials(secret: str | None, token: str | None, options: Options) -> Credentials:
    """Return the credentials of a service with the signing ``secret``, or the bearer ``token``;
    without either, those of one with ``security="none"``."""
    if secret is not None and token is not None:
        raise UsageError("give --wove-http-secret-… or --wove-http-bearer-…, not both")
    mode = "bearer" if token else "signed" if secret else "none"
    return credentials(mode, secret=secret or token, key=options.key)


class RemoteWorker(RemoteSide):
    """The worker service at ``url``.

    ``skip(reason)`` is called for an option or a member that only a worker of this process has.
    Raises :class:`UsageError` for a URL, credentials or a CA file that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None,
        token: str | None,
        ca_file: str | None,
        skip: Callable[[str], NoReturn],
        **options: Any,
    ) -> None:
        options, secret, token = hide_secrets(options), hide(secret), hide(token)
        self._skip = skip
        given = Options.of(**{**options, "strict": False})
        super().__init__(given, remote_credentials(secret, token, given))
        self._set_address(url, ca_file)
        self._skip_unless_remote(options, ("faults", "hosts", "impersonate", "isolated"))

    def __repr__(self) -> str:
        return f"<RemoteWorker {self.environment!r} {shown_url(self.url)}>"

    def why_not(self, fault: object) -> NoReturn:
        """Skip the test: no fault can be injected into another process."""
        self._skip_as_local(f"the fault {fault}")

    def report(self, hint: str = "") -> str:
        """Return the text that a failing test shows. It says that there is no journal, and why.
        ``hint`` says what the test's exception means."""
        text = f"{hint}\n" if hint else ""
        text += f"{self!r}: no journal, because another process runs the worker service"
        if self._url.lower().startswith("https:") and self._ca_file is None:
            text += (
                "\nits certificate must be from a CA that the system trusts, or from the one that"
                " --wove-http-ca-file names"
            )
        return text

    def allow_refusals(self) -> None:
        """Do nothing: strict mode is off."""

    def check(self) -> None:
        """Do nothing: strict mode is off."""

    def __enter__(self) -> RemoteWorker:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    # Members that only HttpWorker has

    exchanges = LocalOnly()
    runs = LocalOnly()
    all_runs = LocalOnly()
    journal = LocalOnly()
    wait_for = LocalOnly()
    assert_ran = LocalOnly()
    assert_not_ran = LocalOnly()
    inject = LocalOnly()
    injections = LocalOnly()
    gates = LocalOnly()
    stub = LocalOnly()
    hold = LocalOnly()
    reset = LocalOnly()
    running = LocalOnly()
    start = LocalOnly()
    stop = LocalOnly()
    restart = LocalOnly()
    crash = LocalOnly()
    impersonate = LocalOnly()
    order = LocalOnly()
    orders = LocalOnly()


def port_of(url: str) -> int:
    """Return the TCP port of a service's ``url``. Raises :class:`UsageError` for a URL that cannot
    be used."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
    except ValueError as exc:
        why = "" if "@" in url else f": {exc}"  # it can have a part of a password
        raise UsageError(f"--wove-http-url {shown_url(url)!r} is not a URL{why}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--wove-http-url takes an http or https URL, not {shown_url(url)!r}")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"--wove-http-url takes a percent-encoded URL, not {shown_url(url)!r}")
    return port


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise UsageError(f"--wove-http-ca-file {ca_file} holds no certificate in PEM") from None
    except OSError as exc:
        raise UsageError(f"--wove-http-ca-file: cannot read {ca_file} ({exc.strerror})") from None
