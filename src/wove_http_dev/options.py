"""The options of a worker: their declarations, checks of several together, and their secrets.

The markers, the factory fixture, ``HttpWorker(...)`` and the ``--flags`` of the command line take
the same options.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.fields import check_fields, field, fields_of
from wove_http_dev.hosts import Host
from wove_http_dev.option_checks import (
    RUNNERS,
    check_dask,
    check_headers,
    check_hosts,
    check_path,
    check_runner,
)
from wove_http_dev.option_urls import impersonated, upstream_address
from wove_http_dev.secret import Secret, hide, is_private
from wove_http_dev.spelling import did_you_mean

SECURITY_WORDS = ("signed", "bearer", "none")
"""The values of the option ``security`` that are words; its other forms are those of Wove's own."""
_PUBLIC_SECURITY = ("type", "key", "secret_env", "token_env")
"""The names in a dict ``security`` whose texts are not secret."""
RESPONSE_SHAPES = ("events", "list", "frame")
"""The three forms of a response, as on Wove's http page."""

SERVICE = "service"
"""Options of the service itself; the child process of an isolated worker gets them."""
CREDENTIALS = "credentials"
"""Options that worker and client share as :class:`Credentials`."""
CLIENT = "client"
"""Options for Wove's executor."""
BOTH = "both"
"""Options that the service checks and Wove's executor gets."""
TEST = "test"
"""Options for the test process; the command line has no flags for them."""


@dataclass(frozen=True)
class Options:
    """All options of a worker, with their defaults. Raises :class:`UsageError` for an invalid
    value."""

    tls: bool = field(True, "serve https, not plain http", side=SERVICE)
    security: Any = field(
        "signed",
        "how requests are authenticated: signed, bearer, none, or any form of Wove's"
        " executor_config.security",
        metavar="signed|bearer|none",
        side=CREDENTIALS,
    )
    secret: str | None = field(
        None,
        "shared secret or bearer token (default: random)",
        metavar="SECRET",
        secret=True,
        side=CREDENTIALS,
    )
    key: str = field("default", "key id of signed requests", metavar="NAME", side=CREDENTIALS)
    clock_skew: float = field(
        300.0,
        "seconds that the timestamp of a signed request may differ from the worker's clock",
        "seconds",
        side=CREDENTIALS,
    )
    host: str = field("localhost", "name or address to listen on", metavar="HOST", side=SERVICE)
    hosts: Sequence[str] = field(
        (), "further host names that the certificate and the Host check accept", side=SERVICE
    )
    port: int = field(
        0, "TCP port to listen on; 0: a free one", most=65535, metavar="PORT", side=SERVICE
    )
    path: str = field("/wove/tasks", "path that takes command frames", metavar="PATH", side=SERVICE)
    environment: str = field("workers", "name of the Wove environment", metavar="NAME", side=CLIENT)
    default: bool = field(
        False, "the environment is Wove's default environment as well", side=CLIENT
    )
    impersonate: str | None = field(
        None, "https URL whose requests reach this worker", metavar="URL", side=TEST
    )
    headers: Mapping[str, str] | None = field(None, "extra headers the executor sends", side=CLIENT)
    insecure: bool = field(
        False, "allow a service beyond loopback without TLS or authentication", side=BOTH
    )
    response_shape: str = field(
        "events", "form of the response to a run_task", choices=RESPONSE_SHAPES, side=SERVICE
    )
    max_body: int = field(
        64 * 2**20, "bytes of the largest request body", "bytes", least=1, side=SERVICE
    )
    idempotency: bool = field(
        False, "answer a repeated delivery_idempotency_key from its first outcome", side=SERVICE
    )
    """A key is remembered until the service stops, or the worker is reset."""
    tracebacks: bool = field(
        True, "send a task's exception with its traceback as __cause__", side=SERVICE
    )
    runner: Any = field("threads", "where task bodies run", metavar="|".join(RUNNERS), side=SERVICE)
    workers: int | None = field(
        None,
        "processes of the runners processes and dask (default: one for each core)",
        least=1,
        metavar="N",
        side=SERVICE,
    )
    upstream: str | None = field(
        None, "URL of a worker service that runs the tasks", metavar="URL", side=SERVICE
    )
    upstream_security: Any = field(
        None,
        "how to authenticate at upstream (default: signed if its secret is given)",
        metavar="signed|bearer|none",
        side=SERVICE,
    )
    upstream_ca_file: str | None = field(
        None,
        "CAs that may have issued upstream's certificate, PEM (default: the system's)",
        metavar="FILE",
        side=SERVICE,
    )
    dask_scheduler: str | None = field(
        None,
        "scheduler of the runner dask (default: a local cluster is started)",
        metavar="ADDRESS",
        side=SERVICE,
    )
    isolated: bool = field(False, "run the service in a child process", side=TEST)
    """Like any worker process, the child forgets the nonces it has seen when it is restarted."""
    app_dir: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = field(
        None, "directories from which an isolated worker can import modules", side=TEST
    )
    faults: Sequence[Any] = field((), "faults in force from the start", side=TEST)
    strict: bool = field(True, "fail a test on problems that no fault explains", side=TEST)
    timeout: float | None = field(
        10.0,
        "seconds before the executor gives up a request; none: never",
        "seconds",
        above=0.0,
        side=CLIENT,
    )
    delivery_timeout: float | None = field(
        15.0,
        "seconds before Wove gives up the delivery of a task; none: never",
        "seconds",
        above=0.0,
        side=CLIENT,
    )

    @classmethod
    def of(cls, **words: Any) -> Options:
        """Create options from keyword arguments. Raises :class:`UsageError` for an unknown name."""
        known, words = fields_of(cls), hide_secrets(words)
        for word in words:
            if word not in known:
                raise UsageError(f"unknown option {word!r}; {did_you_mean(word, known)}")
        return cls(**words)

    def __post_init__(self) -> None:
        for name, value in hide_secrets(vars(self)).items():
            object.__setattr__(self, name, value)
        check_fields(self)
        if len(self.host) > 253:  # RFC 1035, 2.3.4; looking up a longer one takes seconds
            raise UsageError(f"host {self.host!r} is longer than a host name or address can be")
        check_path(self.path)
        check_hosts(self.hosts)
        for directory in self.app_dirs:
            if not os.path.isdir(directory):
                raise UsageError(f"app_dir {directory!r} is not a directory")
        check_headers(self.headers)
        self._check_upstream()
        check_runner(self.runner, workers=self.workers, isolated=self.isolated)
        check_dask(self.dask_scheduler, self.runner, self.workers)
        if self.impersonate is not None:
            impersonated(self.impersonate)
        if isinstance(self.faults, (str, bytes)) or not isinstance(self.faults, Sequence):
            raise UsageError("faults is a list; write faults=[…]")
        if not self.environment:
            raise UsageError("environment must not be empty; the default is 'workers'")

    def _check_upstream(self) -> None:
        """Raise :class:`UsageError` for an ``upstream`` that cannot be used, and for options that
        do not go with it."""
        if self.upstream is None:
            for name in ("upstream_security", "upstream_ca_file"):
                if getattr(self, name) is not None:
                    raise UsageError(f"{name} goes with upstream=URL, which is not given")
            return
        if self.runner != "threads" or self.workers is not None:
            raise UsageError("runner and workers do not go with upstream, which runs the tasks")
        address = upstream_address(self.upstream)
        if self.upstream_ca_file is not None:
            if not address.secure:
                raise UsageError("upstream_ca_file goes with an https:// upstream")
            if not os.path.isfile(self.upstream_ca_file):
                raise UsageError(f"upstream_ca_file {self.upstream_ca_file!r} is not a file")
        self.check_upstream_exposure(address.secure)

    def check_upstream_exposure(self, safe: bool) -> None:
        """Raise :class:`UsageError` unless ``safe``, if ``upstream`` is beyond loopback. Wove's
        executor sends there only over https and with credentials, unless ``insecure`` allows it."""
        host = upstream_address(self.upstream or "").host
        if not (safe or self.insecure or Host(host).is_loopback):
            raise UsageError(
                f"upstream {host!r} is not loopback: give it https:// and upstream_security"
                " (--upstream-secret-env NAME), or set insecure=True (--insecure)"
            )

    @property
    def app_dirs(self) -> list[str]:
        """The directories of ``app_dir``, absolute. Raises :class:`UsageError` if it is neither a
        directory nor a list of them."""
        given = [] if self.app_dir is None else self.app_dir
        directories = [given] if isinstance(given, (str, os.PathLike)) else given
        if not isinstance(directories, (list, tuple)) or not all(
            isinstance(directory, (str, os.PathLike)) for directory in directories
        ):
            raise UsageError('app_dir takes a directory, or a list of them: app_dir="src"')
        return [os.path.abspath(os.fspath(directory)) for directory in directories]

    def of_side(self, side: str) -> dict[str, Any]:
        """Return the names and values of the options that are declared for ``side``, for example
        ``SERVICE`` or ``CLIENT``."""
        return {
            name: getattr(self, name)
            for name, each in fields_of(type(self)).items()
            if each.side == side
        }

    def check_exposure(self, security_mode: str) -> None:
        """Raise :class:`UsageError` if the service would be reachable beyond loopback without TLS
        or without authentication. Wove's executor refuses to call such a service, unless
        ``insecure`` allows it."""
        if self.insecure or Host(self.host).is_loopback:
            return
        if not self.tls or security_mode == "none":
            raise UsageError(
                f"host {self.host!r} is not loopback: serve it with TLS and authentication, or"
                " set insecure=True (--insecure)"
            )


def hide_secrets(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options ``words`` with the secrets in them hidden from ``repr``.

    Every function that is given options does this first: pytest ``--showlocals`` shows its local
    variables if it raises.
    """
    hidden = dict(words)
    for name in {"secret", "headers"} & hidden.keys():
        hidden[name] = hide(hidden[name])
    for name in {"security", "upstream_security"} & hidden.keys():
        hidden[name] = _hidden_security(hidden[name])
    for name in {"impersonate", "upstream"} & hidden.keys():
        url = hidden[name]
        if isinstance(url, str) and ("@" in url or is_private(url.partition("?")[2])):
            hidden[name] = Secret(url)
    return hidden


def _hidden_security(security: Any) -> Any:
    if isinstance(security, Mapping):
        return {
            name: each if name in _PUBLIC_SECURITY else hide(each)
            for name, each in security.items()
        }
    return security if _is_word(security) else hide(security)


def _is_word(security: Any) -> bool:
    return isinstance(security, str) and (security in SECURITY_WORDS or security.startswith("env:"))
