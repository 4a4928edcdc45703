"""One request that no worker runs as a task, and what its answer means.

It is a ``cancel_task`` for a run id that does not exist. Wove's executor sends such a frame for
every run that it gives up, also after the run has ended, so each worker must take it; and because a
worker authenticates before it decodes, the answer is the verdict on the credentials. A frame of an
unknown type would test the same, but no page says what a worker does with one. Nothing of the
answer is unpickled.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wove_http_dev.explain.findings import Problem
from wove_http_dev.explain.network_checks import proxy_of, trusting_file
from wove_http_dev.explain.remote_environment import RemoteEnvironment
from wove_http_dev.protocol.messages import REASONS
from wove_http_dev.secret import Secret, shown_url
from wove_http_dev.shell import shell_word

T = TypeVar("T")
_REFUSALS = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE")
"""OpenSSL's names of the alerts with which a server ends the handshake without a client
certificate, in TLS 1.3 and before."""
MOST_READ = 65536
"""Bytes of an answer that are read."""
NOTICED_SKEW = 30.0
"""Seconds by which the two clocks may differ without a word; a worker allows 300 by default."""
CREDENTIALS = "give executor_config.security the credentials of the worker"
BY_CODE = {
    "header-missing": CREDENTIALS,
    "not-bearer": CREDENTIALS,
    "unknown-key": 'set "key" of executor_config.security to the worker\'s key id',
    "timestamp-skew": "set the clock of this machine, or the worker's",
    "signature-mismatch": "give both sides the same secret",
    "token-mismatch": "give both sides the same token",
    "nonce-memory-full": "try again later",
    "unknown-host": "use a host name that the worker accepts, or set security on both sides",
    "wrong-path": "correct the path of the url",
    "wrong-method": "correct the url: it leads to another service",
    "unavailable": "try again later",
}
"""What to do about a refusal of this package's worker, by its code."""
BY_STATUS = {
    400: "the service does not take Wove's command frames; check host, port and path of the url",
    401: f"the credentials are refused; {CREDENTIALS}, and check both clocks",
    403: f"the credentials are refused; {CREDENTIALS}, and check both clocks",
    404: "there is nothing at this path; correct the path of the url",
    405: "this path takes no POST; correct the path of the url",
    407: "a proxy requires credentials; write them into its variable, or bypass it with no_proxy",
    429: "too many requests; try again later",
}
"""What the status of another service means, and what to do."""


@dataclass(frozen=True)
class LocalServe:
    """What a ``serve`` on this machine keeps for its clients in its state directory."""

    bundle_file: str | None = None
    """The file of CAs with its own."""
    secrets: tuple[tuple[str, Secret], ...] = field(default=(), repr=False)
    """Files that hold a secret, each with its content."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read up to :data:`MOST_READ` bytes."""

    status: int
    headers: Any
    body: bytes = field(repr=False)
    received: float = 0.0
    """Seconds since the epoch."""

    def says(self, name: str) -> str:
        """Return a text of the JSON object in the body; empty if there is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return ""
        value = document.get(name) if isinstance(document, dict) else None
        return value if isinstance(value, str) else ""


def ask(env: RemoteEnvironment, seconds: float, *, secret: str | None = None) -> Answer:
    """Send the request as Wove's executor would, with the same opener, headers and credentials, and
    return the answer. With ``secret`` it is signed with that instead.

    Raises :class:`Unanswered` if there is no answer, at the latest after ``seconds``.
    """
    request = _request(env, secret)
    try:
        return bounded(lambda: _send(request, seconds), seconds)
    except urllib.error.URLError as exc:
        raise Unanswered(exc.reason if isinstance(exc.reason, BaseException) else exc) from None
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise Unanswered(exc) from None


class Unanswered(Exception):
    """There was no answer, because of ``cause``."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def bounded(action: Callable[[], T], seconds: float) -> T:
    """Return what ``action`` returns. Raises ``TimeoutError`` after ``seconds``: a socket's timeout
    bounds neither the look-up of a name nor a body that comes byte by byte."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action())
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=run, name="doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no complete answer within {seconds:g} s")
    return results[0]


def _request(env: RemoteEnvironment, secret: str | None) -> urllib.request.Request:
    from wove.security import NetworkExecutorSecurity

    frame = {
        "type": "cancel_task",
        "run_id": f"doctor:{uuid.uuid4().hex}",
        "task_id": "doctor",
        "delivery_cancel_mode": "best_effort",
        "delivery_orphan_policy": "cancel",
    }
    body = json.dumps(frame, separators=(",", ":")).encode()
    security = NetworkExecutorSecurity.from_config(env.config.get("security"))
    if secret is not None:
        security = NetworkExecutorSecurity(mode="signed", secret=secret, key=security.key)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers.update(
        {str(name): str(each) for name, each in (env.config.get("headers") or {}).items()}
    )
    headers.update(security.headers_for(transport="http", target=env.target, body=body))
    request = urllib.request.Request(env.url, data=body, method="POST", headers=headers)
    # urllib would send the credentials on to wherever an answer redirects. Its handler refuses that
    # to a request which has been redirected ten times (HTTPRedirectHandler.max_redirections).
    request.redirect_dict = dict.fromkeys(range(10), 1)  # type: ignore[attr-defined]
    return request


def _send(request: urllib.request.Request, seconds: float) -> Answer:
    try:
        response = urllib.request.urlopen(request, timeout=seconds)
    except urllib.error.HTTPError as exc:
        response = exc
    with response:
        body = response.read(MOST_READ)
        return Answer(response.status, response.headers, body, time.time())


def verdict(env: RemoteEnvironment, answer: Answer) -> str:
    """Return what an answer that lets tasks in means. Raises :class:`Problem` for any other."""
    status = answer.status
    shown = f"HTTP {status} {REASONS.get(status, '')}".rstrip()
    if 200 <= status < 300:
        if answer.headers.get_content_type() == "text/html":
            raise Problem(f"{shown} with a web page, so no worker is there; check the url")
        how = "without credentials" if env.mode == "none" else f"with {env.mode} credentials"
        return f"{shown}: a request {how} is accepted"
    if 300 <= status < 400:
        location = shown_url(answer.headers.get("Location", ""))
        raise Problem(
            f"{shown} to {location}: Wove would send its credentials there, and not the task; write"
            " the final address into url"
        )
    said = env.clean("; ".join(filter(None, (answer.says("error"), answer.says("hint")))))
    code = answer.says("code")
    advice = BY_CODE.get(code) or BY_STATUS.get(status) or "see the log of the service"
    if env.secret_variable and code in ("signature-mismatch", "token-mismatch"):
        advice += f" ({env.secret_variable} here)"
    raise Problem(f"{shown}{': ' if said else ''}{said}; {advice}")


def clock(env: RemoteEnvironment, answer: Answer) -> str:
    """Return by how much the two clocks differ. Raises :class:`Problem` if that is a lot, and
    requests are signed."""
    try:
        there = email.utils.parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return "the answer has no Date"
    skew = there - answer.received
    if env.mode == "signed" and abs(skew) > NOTICED_SKEW:
        side = "ahead of" if skew > 0 else "behind"
        raise Problem(
            f"the worker's clock is {abs(skew):.0f} s {side} this one; signed requests must not be"
            " older than its limit (300 s by default); set one of the clocks"
        )
    return f"{skew:+.0f} s"


def kept_secret(env: RemoteEnvironment, serve: LocalServe, seconds: float) -> str | None:
    """Return the file of a local ``serve`` whose secret the worker accepts, if there is one.

    Only requests to this machine are signed with it, and a bearer token is not sent anywhere.
    """
    if env.mode != "signed" or not env.host.is_loopback:
        return None
    for file, secret in serve.secrets:
        try:
            if ask(env, seconds, secret=secret).status < 300:
                return file
        except Unanswered:
            return None
    return None


def why_unanswered(
    env: RemoteEnvironment, cause: BaseException, serve: LocalServe, seconds: float
) -> str:
    """Return why there was no answer, and what to do."""
    place = f"{env.host.name} port {env.port}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _distrust(env, cause, serve, seconds)
    if isinstance(cause, ssl.SSLError):
        if cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return f"{place} does not speak TLS; write http://, or the port of a service that does"
        if cause.reason in _REFUSALS:
            return (
                f"{place} refuses the TLS handshake; if it wants a client certificate, Wove's"
                " executor cannot send one"
            )
    if isinstance(cause, socket.gaierror):
        return f"the host name {env.host.name} cannot be looked up here; correct the url"
    if isinstance(cause, ConnectionRefusedError):
        return f"nothing listens on {place}; start the worker, or correct the url"
    if isinstance(cause, TimeoutError):
        return (
            f"{place} did not answer within {seconds:g} s; is it reachable from here? (--timeout"
            " waits longer)"
        )
    if isinstance(cause, (ConnectionResetError, http.client.HTTPException)) and not env.is_https:
        return f"{place} closed the connection; if it speaks TLS, write https://"
    return f"{place}: {type(cause).__name__}: {env.clean(str(cause))}"


def _distrust(
    env: RemoteEnvironment, cause: ssl.SSLCertVerificationError, serve: LocalServe, seconds: float
) -> str:
    reason = cause.verify_message
    # X509_V_ERR_… of OpenSSL's x509_vfy.h
    if cause.verify_code in (9, 10):
        return f"the worker's certificate: {reason}; renew it, or set this machine's clock"
    if cause.verify_code in (62, 64):
        return f"the worker's certificate: {reason}; write a host name into url that it is for"
    found = None if proxy_of(env) else trusting_file(env, serve.bundle_file, seconds)
    if found is not None:
        file, origin = found
        return (
            f"the worker's certificate is not trusted ({reason}), but would be with the CAs of"
            f" {origin}: export SSL_CERT_FILE={shell_word(file)}"
        )
    return (
        f"the worker's certificate is not trusted ({reason}); export SSL_CERT_FILE=FILE, where"
        " FILE has the certificate of its CA and of every other CA that you need (Wove's executor"
        " reads no other variable)"
    )
