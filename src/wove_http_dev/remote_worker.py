"""A worker service that somebody else runs, with the client's side of ``HttpWorker``.

For ``--wove-http-url``: the same tests against a service already running. A member that needs our
own worker skips the test with the reason; strictness is off.
"""

from __future__ import annotations

import ssl
import urllib.parse
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

from wove_http_dev.client import urllib_opener, wove_config
from wove_http_dev.client.definition import client_env, environment_definition
from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Secret

OURS = "needs a worker of our own, not the one of --wove-http-url"


class RemoteWorker:
    """The service at ``url``. ``skip(reason)`` is called for those ``members`` that only a
    worker of our own has."""

    def __init__(
        self,
        url: str,
        *,
        secret: str | None,
        token: str | None,
        ca_file: str | None,
        skip: Callable[[str], NoReturn],
        members: Collection[str],
        **options: Any,
    ) -> None:
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port or {"https": 443}.get(parts.scheme, 80)
        except ValueError as exc:
            raise UsageError(f"--wove-http-url {url!r} is no URL: {exc}") from exc
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--wove-http-url takes an http or https URL, not {url!r}")
        if secret is not None and token is not None:
            raise UsageError("give --wove-http-secret-env or --wove-http-bearer-env, not both")
        self.options = Options.of(**{**options, "strict": False})
        self.url = url
        self.port = port
        self.secret = Secret(secret or token or "")
        self.environment = self.options.environment
        self._mode = "bearer" if token else "signed" if secret else "none"
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        if ca_file:
            try:
                self._context = ssl.create_default_context(cafile=ca_file)
            except OSError as exc:
                raise UsageError(f"--wove-http-ca-file {ca_file}: {exc}") from exc
        self._skip = skip
        self._members = members
        for name in ("faults", "impersonate", "isolated"):
            if getattr(self.options, name):
                skip(f"{name}= {OURS}")
        asked = options.get("security", self._mode)
        if asked != self._mode:
            skip(f"security={asked!r} {OURS}; the tests run with {self._mode!r} here")

    def __repr__(self) -> str:
        return f"<RemoteWorker {self.environment!r} {self.url}>"

    def report(self) -> str:
        """What a failing test should show."""
        return f"{self!r}: no journal, the worker service is not ours"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._members:
            raise AttributeError(f"a worker has no member {name!r}")
        self._skip(f"worker.{name} {OURS}")

    def why_not(self, fault: object) -> NoReturn:
        """A fault needs a worker of our own."""
        self._skip(f"the fault {fault} {OURS}")

    @property
    def ca_file(self) -> str | None:
        """Path of the CA certificate given, if any."""
        return self._ca_file

    @property
    def environment_definition(self) -> dict[str, Any]:
        """As :attr:`HttpWorker.environment_definition`."""
        security: dict[str, Any] | None = None
        if self._mode == "bearer":
            security = {"type": "bearer", "token": self.secret}
        elif self._mode == "signed":
            security = {"type": "signed", "secret": self.secret, "key": self.options.key}
        return environment_definition(self.options, self.url, security)

    @property
    def client_env(self) -> dict[str, str]:
        """As :attr:`HttpWorker.client_env`."""
        return client_env(self.url, self.secret, self._ca_file)

    @contextmanager
    def configured(self) -> Iterator[RemoteWorker]:
        """As :meth:`HttpWorker.configured`; with a CA file, that CA alone is trusted."""
        with ExitStack() as stack:
            if self._context is not None:
                stack.enter_context(urllib_opener.routed(self.url, self._context))
            stack.enter_context(
                wove_config.configured(
                    self.environment, self.environment_definition, self.options.delivery_timeout
                )
            )
            yield self

    def allow_refusals(self) -> None:
        """Strictness is off anyway."""

    def check(self) -> None:
        """Strictness is off."""

    def __enter__(self) -> RemoteWorker:
        return self

    def __exit__(self, *_: object) -> None:
        return None
