"""What a client of a worker service needs: the base of ``HttpWorker`` and ``RemoteWorker``."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from wove_http_dev.client import urllib_opener, wove_config
from wove_http_dev.client.definition import (
    SECRET_VARIABLE,
    client_env,
    environment_definition,
)
from wove_http_dev.faults.fault import Fault
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Credentials, Secret


class ClientSide(ABC):
    """Where a worker service is, and what reaches it from this process and from others.

    A context manager; what it starts, if anything, is stopped at its end.
    """

    def __init__(self, options: Options, credentials: Credentials) -> None:
        self.options = options
        self.credentials = credentials

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL that takes command frames."""

    @property
    @abstractmethod
    def port(self) -> int:
        """The TCP port."""

    @property
    @abstractmethod
    def ca_file(self) -> str | None:
        """Path of the CA certificate, PEM; ``None`` if the system's CAs are enough."""

    @property
    @abstractmethod
    def _bundle_file(self) -> str | None:
        """What ``SSL_CERT_FILE`` of another process must be; ``None``: as it is."""

    @property
    @abstractmethod
    def _client_context(self) -> ssl.SSLContext | None:
        """What this process is to trust for :attr:`url`; ``None``: what it trusts anyway."""

    @property
    def secret(self) -> Secret:
        """The shared secret, or the bearer token; empty with ``security="none"``."""
        return Secret(self.credentials.secret.decode("utf-8", "surrogateescape"))

    @property
    def environment(self) -> str:
        """The name of the Wove environment."""
        return self.options.environment

    @property
    def environment_definition(self) -> dict[str, Any]:
        """For ``wove.config(environments={worker.environment: worker.environment_definition})``."""
        url, secret_env = self.url, None
        if self.options.impersonate is not None:
            url = self.options.impersonate
            if self.credentials.mode == "signed" and self.credentials.key == "default":
                secret_env = SECRET_VARIABLE  # as Wove's http page has it
        security = self.credentials.client_security(secret_env)
        return environment_definition(self.options, url, security)

    @property
    def client_env(self) -> dict[str, str]:
        """Environment variables for another process that is to reach this worker.

        ``SSL_CERT_FILE`` is a file with every CA that the process then trusts. The worker's host is
        appended to this process's ``no_proxy``.
        """
        return client_env(self.url, self.secret, self._bundle_file)

    @contextmanager
    def configured(self) -> Iterator[ClientSide]:
        """Inside the block Wove's environment is this worker's, its CA is trusted and no proxy is
        used for it. Everything is restored at the end.

        An environment of that name is replaced meanwhile. The global ``delivery_timeout`` is set
        where it was ``None``, and then bounds local tasks too.
        """
        with ExitStack() as stack:
            if self._client_context is not None:
                stack.enter_context(urllib_opener.route_requests(self.url, self._client_context))
            stack.enter_context(
                wove_config.configured(
                    self.environment, self.environment_definition, self.options.delivery_timeout
                )
            )
            yield self

    @abstractmethod
    def why_not(self, fault: Fault | str) -> str | None:
        """Why ``fault`` cannot apply to this worker; ``None`` if it can."""

    @abstractmethod
    def report(self) -> str:
        """What a failing test shows of this worker."""

    @abstractmethod
    def allow_refusals(self) -> None:
        """Let :meth:`check` pass although requests were refused."""

    @abstractmethod
    def check(self) -> None:
        """Raise :class:`StrictnessError` if something happened that no fault asked for."""

    @abstractmethod
    def __enter__(self) -> ClientSide: ...

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None: ...
