"""The options of a worker, and the host names and URLs in them.

The markers, the factory fixture, ``HttpWorker(...)`` and the ``--flags`` of the command line take
the same options.
"""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.fields import check_fields, did_you_mean, field, fields_of
from wove_http_dev.secret import Secret, hide, is_private, shown_url
from wove_http_dev.upstream_address import upstream_address

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""The host names that Wove treats as local (``wove.security._is_local_host``)."""
SECURITY_WORDS = ("signed", "bearer", "none")
"""The values of the option ``security`` that are words; its other forms are those of Wove's own."""
_SCHEDULER = re.compile(r"[a-z]+://[^\s/@]+")
_PUBLIC_SECURITY = ("type", "key", "secret_env", "token_env")
"""The names in a dict ``security`` whose texts are not secret."""
RUNNERS = ("threads", "processes", "dask")
"""The values of the option ``runner`` that are words."""
RESPONSE_SHAPES = ("events", "list", "frame")
"""The three forms of a response, as on Wove's http page."""
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "localhost"}
"""The hosts that stand for every address of this machine, each with a host that clients can connect
to."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]@]*))(?::[0-9]*)?")
_LONGEST_SECRET = 2**16  # one argument of a command may have 128 KiB (Linux, MAX_ARG_STRLEN)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SENDERS_HEADERS = frozenset(
    [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
"""Headers about one connection or one message (RFC 9110, 7.6.1; RFC 9112, 6). urllib sends another
value than the executor gave, or a request that no server can read."""

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
        "signed, bearer, none, or any form of executor_config.security",
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
        300.0, "seconds that a timestamp may differ", "seconds", side=CREDENTIALS
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
        "how to authenticate at upstream: any form of executor_config.security",
        metavar="signed|bearer|none",
        side=SERVICE,
    )
    upstream_ca_file: str | None = field(
        None,
        "CAs that upstream's certificate must be of (default: the system's)",
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
        _check_path(self.path)
        _check_hosts(self.hosts)
        for directory in self.app_dirs:
            if not os.path.isdir(directory):
                raise UsageError(f"app_dir {directory!r} is not a directory")
        check_headers(self.headers)
        _check_runner(self.runner, isolated=self.isolated)
        if self.workers is not None and self.runner not in ("processes", "dask"):
            raise UsageError(
                "workers is the number of processes: it needs runner='processes', or 'dask'"
            )
        self._check_upstream()
        _check_dask(self.dask_scheduler, self.runner, self.workers)
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
        address = upstream_address(self.upstream)
        if self.runner != "threads":
            raise UsageError("upstream and runner do not go together: upstream runs the tasks")
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
                f"upstream {host!r} is not loopback: give it https:// and upstream_security, or set"
                " insecure=True (--insecure)"
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


@dataclass(frozen=True)
class Host:
    """A host name or IP address, in the forms used in options, URLs and certificates."""

    text: str

    @classmethod
    def of_authority(cls, authority: str) -> Host:
        """Return the host in ``authority``, which is ``host:port`` as in a ``Host`` header. For any
        other text, return a host with that whole text as its name, which no host has."""
        parts = _AUTHORITY.fullmatch(authority)
        return cls((parts[1] or parts[2]) if parts else authority)

    @property
    def name(self) -> str:
        """The host name, or the IP address without the brackets of a URL."""
        return self.text.strip("[]")

    @property
    def in_url(self) -> str:
        """The host as written in a URL, an IPv6 address in brackets. A wildcard becomes the
        loopback address of its family: ``localhost`` may have an address of the other one."""
        return f"[{self.connectable}]" if ":" in self.connectable else self.connectable

    @property
    def connectable(self) -> str:
        """A name or address of this host that clients on this machine can connect to."""
        return _WILDCARDS.get(self.name, self.name)

    @property
    def is_address(self) -> bool:
        """Whether the text is an IP address."""
        return self._address is not None

    @property
    def is_name(self) -> bool:
        """Whether the text is a valid host name (RFC 1123, 2.1). Underscores are allowed, and a
        leading ``*.`` as in a certificate."""
        return len(self.text) <= 253 and _HOST_NAME.fullmatch(self.text) is not None

    @property
    def is_localhost(self) -> bool:
        """Whether the text is the name ``localhost``."""
        return self.name.lower() == "localhost"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is always this machine: ``localhost`` or a loopback address."""
        return self.is_localhost or (self._address is not None and self._address.is_loopback)

    @property
    def is_wildcard(self) -> bool:
        """Whether the text stands for every address of this machine."""
        return self.name in _WILDCARDS

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None


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


def impersonated(url: str) -> tuple[str, int, str]:
    """Split a URL to impersonate into (host, port, path). Raises :class:`UsageError` unless it is
    an https URL with a host name; Wove's executor refuses http URLs of non-local hosts."""
    __tracebackhide__ = True  # --showlocals would show a password in the parts of the URL
    if not isinstance(url, str):
        raise UsageError(f"impersonate takes an https:// URL, not {url!r}")
    shown = repr(shown_url(url))
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError as exc:
        why = "" if "@" in url else f": {exc}"  # it can have a part of a password
        raise UsageError(f"impersonate: {shown} is not a URL{why}") from None
    if parts.scheme != "https" or not host:
        raise UsageError(f"impersonate takes an https:// URL, not {shown}")
    if parts.username is not None or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            f"impersonate takes a URL without a user name, percent-encoded, not {shown}"
        )
    if Host(host).is_address:
        raise UsageError(
            f"impersonate takes a host name, not the address {host}; use host= for that"
        )
    if not Host(host).is_name:
        raise UsageError(f"impersonate: {host!r} is not a host name")
    return host, port, parts.path or "/"


def given_secret(flag: str, variable: str | None, path: str | None) -> str | None:
    """Return the secret that ``flag`` gives, with the end ``-env`` (the environment variable
    ``variable``) or ``-file`` (the file ``path``); ``None`` if both are ``None``.

    Raises :class:`UsageError` if both are given, and for a secret that cannot be used.
    """
    if variable is not None and path is not None:
        raise UsageError(f"give {flag}-env or {flag}-file, not both")
    secret = secret_from_environment(f"{flag}-env", variable)
    return secret if variable is not None else secret_from_file(f"{flag}-file", path)


def secret_from_environment(option: str, variable: str | None) -> str | None:
    """Return the value of the environment variable ``variable``; ``None`` if ``variable`` is
    ``None``.

    Raises :class:`UsageError`, which names the option ``option``, if the variable is not set or
    empty, or its value is no secret.
    """
    if variable is None:
        return None
    __tracebackhide__ = True
    value = os.environ.get(variable)
    if not value:
        raise UsageError(f"{option}: environment variable {variable} is not set")
    check_secret(value, f"{option}: environment variable {variable}")
    return Secret(value)


def secret_from_file(option: str, path: str | None) -> str | None:
    """Return the content of the file ``path``; ``None`` if ``path`` is ``None``.

    Raises :class:`UsageError`, which names the option ``option``, if the file cannot be read, is
    empty, or its content is no secret.
    """
    if path is None:
        return None
    __tracebackhide__ = True
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST_SECRET + 1)
    except OSError as exc:
        raise UsageError(f"{option}: cannot read {path} ({exc.strerror})") from exc
    if not content:
        raise UsageError(f"{option}: {path} is empty")
    if len(content) > _LONGEST_SECRET:
        raise UsageError(f"{option}: {path} has more than {_LONGEST_SECRET} bytes")
    value = content.decode("utf-8", "surrogateescape")
    check_secret(value, f"{option}: {path}")
    return Secret(value)


def check_secret(secret: str, owner: str) -> None:
    """Raise :class:`UsageError`, beginning with ``owner``, for a secret that does not survive its
    way through a shell: ``"$(cat FILE)"`` drops null bytes, and line breaks at the end."""
    __tracebackhide__ = True  # pytest --showlocals would show the secret
    if secret.endswith(("\n", "\r")):
        raise UsageError(
            f"{owner} must be without line breaks and control characters, and ends with a line"
            " break, which a shell would drop; write it with printf %s, not echo"
        )
    if not secret.isprintable():
        raise UsageError(
            f"{owner} must be without line breaks and control characters: printable UTF-8 text"
        )


def _check_runner(runner: Any, *, isolated: bool) -> None:
    if isinstance(runner, Executor):
        if isolated:
            raise UsageError(
                "an executor as runner needs isolated=False: it cannot travel to another process"
            )
        return
    if runner == "dask" and isolated:
        raise UsageError("runner 'dask' needs isolated=False: task bodies run in processes anyway")
    if isinstance(runner, type) and issubclass(runner, Executor):
        raise UsageError(f"runner takes an executor, not its class: write {runner.__name__}(…)")
    if runner not in RUNNERS:
        advice = did_you_mean(runner, RUNNERS)
        known = ", ".join(RUNNERS)
        raise UsageError(
            f"runner takes {known} or a concurrent.futures.Executor, not {runner!r}; {advice}"
        )


def _check_dask(address: str | None, runner: Any, workers: int | None) -> None:
    if address is None:
        return
    if runner != "dask":
        raise UsageError("dask_scheduler goes with runner 'dask' (--runner dask)")
    if workers is not None:
        raise UsageError("workers does not go with dask_scheduler, whose workers are there already")
    if not _SCHEDULER.fullmatch(address):
        raise UsageError(
            "dask_scheduler takes an address that 'dask scheduler' prints, such as"
            f" tcp://10.0.0.5:8786, not {address!r}"
        )


def _check_hosts(hosts: Any) -> None:
    if not isinstance(hosts, (list, tuple)):
        raise UsageError('hosts is a list of host names: hosts=["worker"]')
    for name in hosts:
        host = Host(name) if isinstance(name, str) else None
        if host is None or not (host.is_name or host.is_address) or name.startswith("*"):
            raise UsageError(f"hosts: {name!r} is not a host name or address")


def _check_path(path: str) -> None:
    if not path.startswith("/") or not path.isascii() or " " in path:
        raise UsageError(f"path must start with '/' and be percent-encoded, not {path!r}")
    if "?" in path or "#" in path:
        raise UsageError("path must have no query and no fragment: every query is accepted")


def check_headers(headers: Any) -> None:
    """Raise :class:`UsageError` for headers that urllib cannot send, or would send changed. The
    message names the header, never its value."""
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        raise UsageError('headers is a dict of names and values: {"X-Tenant": "acme"}')
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(str(name)):
            # Shown up to the first character that is wrong: a value may follow it.
            right = _HEADER_NAME.match(str(name))
            shown = repr(f"{right.group()}…" if right else "")
            raise UsageError(f"headers: {shown} is not a header name (RFC 9110, 5.1)")
        if str(name).lower() in _SENDERS_HEADERS:
            raise UsageError(f"header {name!r} is set by the client itself; leave it out")
        if not isinstance(value, (str, int, float)):  # the executor would send its str()
            raise UsageError(f"the value of header {name!r} must be text or a number")
        if not str(value).isprintable():
            raise UsageError(f"the value of header {name!r} has line breaks or control characters")
        if not _in_latin_1(str(value)):  # http.client encodes it so
            raise UsageError(
                f"the value of header {name!r} has characters beyond latin-1; percent-encode it"
            )


def _in_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)
