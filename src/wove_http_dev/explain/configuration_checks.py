"""Checks of what is written in ``wove.config``: executor, keys, URL, credentials, headers.

Each returns what is right, or raises :class:`Problem`. The rules are those of Wove 2.x
(``wove.environment.HttpEnvironmentExecutor``, ``wove.security``), urllib and http.client.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult

from wove_http_dev.errors import UsageError
from wove_http_dev.explain.findings import Problem
from wove_http_dev.explain.remote_environment import (
    NETWORK_EXECUTORS,
    RemoteEnvironment,
    executor_names,
)
from wove_http_dev.hosts import LOCAL_NAMES, Host
from wove_http_dev.option_checks import check_headers
from wove_http_dev.protocol.authenticator import SIGNED_HEADERS
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.secret import is_private
from wove_http_dev.spelling import did_you_mean, nearest

CONFIG_KEYS = ("url", "security", "headers", "timeout", "insecure")
"""The keys of ``executor_config`` that Wove's http executor reads; it ignores all others."""
SETTINGS = (
    "max_workers",
    "background",
    "fork",
    "retries",
    "timeout",
    "workers",
    "limit_per_minute",
    "max_pending",
    "error_mode",
    "delivery_timeout",
    "delivery_idempotency_key",
    "delivery_cancel_mode",
    "delivery_heartbeat_seconds",
    "delivery_max_in_flight",
    "delivery_orphan_policy",
)
"""The settings that an environment, or ``wove.config`` for all, may have beside its executor."""
ENVIRONMENT_KEYS = ("executor", "executor_config", "config", *SETTINGS)
_TLS_KEYS = ("verify", "ca", "ca_file", "cafile", "ca_bundle", "cert", "ssl", "ssl_context")
_SECURITY_KEYS = {
    "none": ("type",),
    "signed": ("type", "secret", "secret_env", "key", "clock_skew_seconds", "remember_nonces"),
    "bearer": ("type", "token", "token_env"),
}


def executor(env: RemoteEnvironment) -> str:
    """Wove has the executor, and the environment does send its tasks by http."""
    value = env.executor
    if value in NETWORK_EXECUTORS:
        return str(value)
    if value == "local":
        raise Problem(
            "the environment has a URL, but its executor is 'local': its tasks run in this"
            ' process; set "executor": "https"'
        )
    if isinstance(value, str):
        raise Problem(f"Wove has no executor {value!r}; {did_you_mean(value, executor_names())}")
    raise Problem(
        f'executor must be text, such as "https", or an instance of an executor, not a'
        f" {type(value).__name__}"
    )


def keys(env: RemoteEnvironment) -> str:
    """Every key is one that Wove reads: it ignores others without a word."""
    ignored = [_advice(key, ENVIRONMENT_KEYS) for key in env.definition]
    ignored += [f"executor_config: {text}" for key in env.config if (text := _config_advice(key))]
    if "config" in env.definition and "executor_config" in env.definition:
        ignored.append("'config' (executor_config is there too, and is used)")
    ignored = [text for text in ignored if text]
    if ignored:
        raise Problem(f"Wove ignores {'; '.join(ignored)}")
    return "every key is one that Wove reads"


def _advice(key: Any, known: tuple[str, ...]) -> str:
    if key in known:
        return ""
    if key in CONFIG_KEYS:
        return f"{key!r} (it belongs in executor_config)"
    return f"{key!r} ({did_you_mean(str(key), known, 'remove it')})"


def _config_advice(key: Any) -> str:
    if key in CONFIG_KEYS:
        return ""
    if key in _TLS_KEYS:
        return f"{key!r} (Python's urllib trusts the CAs of the file that SSL_CERT_FILE names)"
    if key in SETTINGS:
        return f"{key!r} (it belongs beside executor_config, not in it)"
    if is_private(str(key)):
        return f"{key!r} (credentials belong in 'security')"
    return _advice(key, CONFIG_KEYS)


def url(env: RemoteEnvironment) -> str:
    """The URL is one that the executor accepts and urllib can send to."""
    if not isinstance(env.given_config, Mapping):
        kind = _kind(env.given_config)
        raise Problem(f'executor_config must be a dict, not a {kind}: {{"url": "https://…"}}')
    given = env.config.get("url")
    if not isinstance(given, str) or not given:
        what = "empty" if given == "" else f"a {_kind(given)}"
        raise Problem(f"url must be text, such as https://workers.internal/wove/tasks, not {what}")
    _check_url_text(given)
    parts = _parts(env)
    if parts.scheme not in NETWORK_EXECUTORS or not given.partition(":")[2].startswith("//"):
        raise Problem("the URL must begin with https:// or http://")
    _check_port(parts)
    _check_host(env.host)
    if parts.fragment:
        raise Problem(f"#{parts.fragment} is never sent; remove it")
    if env.executor == "https" and parts.scheme != "https":
        raise Problem("the https executor takes only https:// URLs")
    if "?" in given and not parts.query:
        # urllib sends the ?, and Wove signs the target without it.
        raise Problem(
            "the ? at the end is sent but not signed, so no signature is valid; remove it"
        )
    return f"{parts.scheme}, {env.host.name} port {env.port}"


def _check_url_text(given: str) -> None:
    if "@" in given.partition("//")[2].partition("/")[0]:
        raise Problem(
            "urllib sends no user name and password of a URL; remove what is before the @, and use"
            " security or headers"
        )
    if any(mark in given for mark in ("${", "{", "}", "<", ">", "$")):
        raise Problem("the URL has a $, {…} or <…> in it: fill in what that stands for")
    if not given.isascii() or not given.isprintable() or " " in given:
        raise Problem(
            "remove blanks and line breaks at the ends, and percent-encode whatever else is not"
            " printable ASCII"
        )


def _parts(env: RemoteEnvironment) -> SplitResult:
    try:
        return env.parts
    except ValueError as exc:
        raise Problem(f"not a URL ({exc}); an IPv6 address is in brackets, [::1]") from None


def _check_port(parts: SplitResult) -> None:
    try:
        port = parts.port
    except ValueError:
        many = parts.netloc.count(":") > 1
        advice = "an IPv6 address is in brackets, [::1]" if many else "write host:port"
        raise Problem(f"what follows the host is not a port, 1 to 65535; {advice}") from None
    if port == 0:
        raise Problem("port 0 is none to connect to; write the port of the worker")


def _check_host(host: Host) -> None:
    if not host.name:
        raise Problem("the URL has no host; write https://HOST/PATH")
    if host.is_wildcard:
        raise Problem(f"{host.name} is an address to listen on, not to connect to; write localhost")
    if not host.is_address and not host.is_name:
        raise Problem(f"{host.name!r} is not a host name; correct the URL")


def security(env: RemoteEnvironment) -> str:
    """``security`` is a form that Wove reads, and the environment variable that it names is set."""
    form = env.config.get("security")
    if form is None or form == "none":
        return "none: no credentials are sent"
    if isinstance(form, str) and not form.startswith("env:"):
        word = nearest(form, _SECURITY_KEYS)
        kind = "token" if word == "bearer" else "secret"
        right = f'{{"type": "{word}", "{kind}_env": "WOVE_WORKER_SECRET"}}'
        if word in (None, "none"):
            right = '"env:WOVE_WORKER_SECRET"'
        raise Problem(
            "security is a text that Wove does not take (not shown: it may be a secret); write"
            f" {right}"
        )
    if isinstance(form, Mapping):
        _check_security_keys(form)
    elif not isinstance(form, str):
        raise Problem(f"security must be 'env:VARIABLE' or a dict, not a {type(form).__name__}")
    variable = env.secret_variable
    if variable is not None:
        _check_variable(variable)
    elif env.mode != "none" and env.secret is None:
        name = "token_env" if env.mode == "bearer" else "secret_env"
        raise Problem(f'{env.mode} needs a secret: {{…, "{name}": "WOVE_WORKER_SECRET"}}')
    return f"{env.mode}, with {variable or 'a value in the configuration'}"


def _check_security_keys(form: Mapping[str, Any]) -> None:
    if not isinstance(form, dict):  # wove.security: isinstance(config, dict)
        raise Problem(f"security must be a dict, not a {type(form).__name__}")
    kind = form.get("type", "signed")
    if not isinstance(kind, str) or kind not in _SECURITY_KEYS:
        raise Problem(
            f"security has the unknown type {kind!r}; {did_you_mean(str(kind), _SECURITY_KEYS)}"
        )
    known = _SECURITY_KEYS[kind]
    unknown = [key for key in form if key not in known]
    if unknown:
        advice = did_you_mean(str(unknown[0]), known)
        raise Problem(f"security of type {kind!r} has no {unknown[0]!r}; {advice}")
    for name in ("secret", "token"):
        if form.get(name) is not None and form.get(f"{name}_env"):
            raise Problem(f"{name} is used, and {name}_env is ignored; remove one of them")


def _check_variable(variable: str) -> None:
    if not variable:
        raise Problem('name the environment variable: "env:WOVE_WORKER_SECRET"')
    if variable not in os.environ:
        # A secret is not a URL: WOVE_WORKER_URL is not what WOVE_WORKER_SECRET was meant to be.
        close = nearest(variable, [name for name, text in os.environ.items() if "://" not in text])
        advice = f"; did you mean {close}?" if close else ""
        raise Problem(f"environment variable {variable} is not set{advice} (export {variable}=…)")
    if not os.environ[variable]:
        raise Problem(f"environment variable {variable} is empty (export {variable}=…)")


def secret(env: RemoteEnvironment) -> str:
    """The secret is one that the worker can have too, and a token one that a header can carry."""
    if env.mode == "none":
        return "not needed"
    value = env.secret
    source = env.secret_variable or "security"
    allowed = (str, bytes, int) if env.mode == "signed" else (str, int)
    if not isinstance(value, allowed):
        raise Problem(
            f"{source}: the secret must be text, not a {type(value).__name__}: Wove would use the"
            " repr of that"
        )
    if value in ("", b""):
        raise Problem(f"{source}: the secret is empty; set that of the worker")
    form = env.config["security"]
    if isinstance(value, bytes):  # any bytes sign; the other settings are still to be checked
        form = {**form, "secret": "bytes"}
    try:
        credentials(form)
    except UsageError as exc:
        raise Problem(str(exc)) from None
    return "can be sent" if env.mode == "bearer" else "can be used to sign"


def policy(env: RemoteEnvironment) -> str:
    """Wove's policy for endpoints that are not local allows the request
    (``wove.security._ensure_network_executor_security``)."""
    insecure = env.config.get("insecure", False)
    if isinstance(insecure, str):
        raise Problem(
            f"insecure is the text {insecure!r}, and any text is true; write True or False"
        )
    local = env.host.name.lower() in LOCAL_NAMES
    if local:
        return "local, so everything is allowed"
    if insecure:
        if not env.is_https:
            return "insecure=True: whoever is on the way can read and replace tasks and results"
        return "insecure=True: the policy is off"
    if not env.is_https:
        raise Problem(
            f"Wove refuses http:// to {env.host.name}, which it does not take for local; write"
            " https://, or set insecure=True for development"
        )
    if env.mode == "none":
        raise Problem(
            f"Wove refuses {env.host.name} without security, because it is not local; set"
            ' "security": "env:WOVE_WORKER_SECRET"'
        )
    return "TLS and credentials"


def headers(env: RemoteEnvironment) -> str:
    """The extra headers can be sent, and do not spoil the request or its answer."""
    given = env.config.get("headers")
    if given is None:
        return "no extra ones"
    if not isinstance(given, dict):
        raise Problem(
            f'headers must be a dict, such as {{"X-Tenant": "acme"}}, not a {_kind(given)}'
        )
    try:
        check_headers(given)
    except UsageError as exc:
        raise Problem(str(exc)) from None
    sent = {"none": (), "signed": SIGNED_HEADERS, "bearer": ("Authorization",)}[env.mode]
    replaced = {name.lower() for name in sent}
    for name, value in given.items():
        if str(name).lower() in replaced:
            raise Problem(f"security sends {name!r} itself, and replaces yours; remove it")
        if str(name).lower() == "content-type" and "json" not in str(value):
            raise Problem(f"{name!r}: the body is JSON, so a worker may refuse it; remove it")
        if str(name).lower() == "accept-encoding" and str(value) != "identity":
            raise Problem(f"{name!r}: urllib does not decompress the answer; remove it")
    return ", ".join(map(str, given)) or "no extra ones"


def _kind(value: object) -> str:
    return type(value).__name__


def starts(env: RemoteEnvironment) -> str:
    """Wove's executor starts with this configuration. That opens no connection."""
    from wove.environment import HttpEnvironmentExecutor

    started = HttpEnvironmentExecutor(require_https=env.executor == "https")

    async def start() -> None:
        config = {**env.config, "timeout": None}  # which has a check of its own
        try:
            await started.start(environment_name=env.name, environment_config=config, run_config={})
        finally:
            await started.stop()

    try:
        asyncio.run(start())
    except Exception as exc:
        raise Problem(f"Wove refuses this: {env.clean(str(exc))}") from None
    return "Wove's executor takes it"
