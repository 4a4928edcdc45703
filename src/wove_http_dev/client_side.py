"""``ClientSide``: URL, credentials, CA and ``configured()``, common to ``HttpWorker`` and
``RemoteWorker``."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from wove_http_dev.client import forked_weaves, wove_config
from wove_http_dev.client.definition import (
    SECRET_VARIABLE,
    client_env,
    environment_definition,
)
from wove_http_dev.faults.fault import Fault
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.secret import Secret


class ClientSide(ABC):
    """The address of a worker service, and the settings with which clients reach it.

    A context manager that starts and stops the service, if it belongs to this process.
    """

    def __init__(self, options: Options, credentials: Credentials) -> None:
        self.options = options
        self.credentials = credentials
        self.forked_tasks: list[str] = []
        """Tasks for this worker in weaves with ``fork=True``, which do not reach it."""
        self._never_entered: list[str] = []
        """Calls of ``assert_contained()`` whose block was not entered."""
        self.marked_fault: Any = None
        """The fault of this run of a test that runs once per fault, if it is one."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL of the endpoint that accepts command frames."""

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
        """The value of ``SSL_CERT_FILE`` for another process; ``None`` leaves that variable
        unchanged."""

    @property
    @abstractmethod
    def _client_context(self) -> ssl.SSLContext | None:
        """The TLS context with which this process reaches :attr:`url`; ``None`` is the default
        one."""

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
        """The definition of the Wove environment, for
        ``wove.config(environments={worker.environment: worker.environment_definition})``."""
        url, secret_env = self.url, None
        if self.options.impersonate is not None:
            url = self.options.impersonate
            if self.credentials.mode == "signed" and self.credentials.key == "default":
                secret_env = SECRET_VARIABLE  # as on Wove's http page
        security = self.credentials.client_security(secret_env)
        return environment_definition(self.options, url, security)

    @property
    def client_env(self) -> dict[str, str]:
        """Environment variables with which another process can reach this worker.

        ``SSL_CERT_FILE``, and the same for requests, curl and Node.js, names a file with all CAs
        that the process then trusts. ``no_proxy`` is that of this process with the worker's host
        added.
        """
        return client_env(self.url, self.secret, self._bundle_file)

    @contextmanager
    def configured(self) -> Iterator[ClientSide]:
        """Point Wove's environment at this worker, trust its CA and bypass proxies for it, until
        the block ends.

        An existing environment of the same name is replaced inside the block. The global
        ``delivery_timeout`` is set if it was ``None``, and then limits local tasks too.
        """
        with ExitStack() as stack:
            stack.enter_context(self._route_requests(self.url))
            stack.enter_context(
                wove_config.configured(
                    self.environment,
                    self.environment_definition,
                    self.options.delivery_timeout,
                    default=self.options.default,
                )
            )
            stack.enter_context(forked_weaves.noticed(self.environment, self.forked_tasks.extend))
            yield self

    def _route_requests(self, url: str) -> AbstractContextManager[None]:
        """Return a context manager that sends urllib's requests for ``url`` with this worker's TLS
        context and without a proxy."""
        context = self._client_context
        if context is None:
            return nullcontext()
        # urllib.request and http.client take a tenth of the time that a worker's import takes, and
        # a worker whose clients are other processes never needs them.
        from wove_http_dev.client.urllib_opener import route_requests

        return route_requests(url, context)

    @abstractmethod
    def why_not(self, fault: Fault | str) -> str | None:
        """Return why ``fault`` cannot apply to this worker; ``None`` if it can."""

    @abstractmethod
    def report(self, hint: str = "") -> str:
        """Return the text that a failing test shows for this worker. ``hint`` says what its
        exception means, and comes first."""

    @abstractmethod
    def allow_refusals(self) -> None:
        """Let :meth:`check` pass although requests were refused."""

    @abstractmethod
    def check(self) -> None:
        """Raise :class:`StrictnessError` if strict mode finds a problem that no fault explains."""

    @abstractmethod
    def __enter__(self) -> ClientSide: ...

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None: ...
