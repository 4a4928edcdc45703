"""Checks of what lies between the executor and the worker: proxies, and the CAs that are trusted.

Each returns what is right, or raises :class:`Problem`. Wove's executor uses urllib's opener, so
both come from the environment variables of the process, or from an opener that the application has
installed.
"""

from __future__ import annotations

import os
import socket
import ssl
import urllib.request
from pathlib import Path

from wove_http_dev.client.definition import CA_VARIABLES
from wove_http_dev.explain.findings import Problem
from wove_http_dev.explain.remote_environment import RemoteEnvironment
from wove_http_dev.secret import shown_url


def proxy_of(env: RemoteEnvironment) -> str | None:
    """Return the proxy that urllib uses for the URL; ``None`` if it connects directly."""
    scheme, authority = env.parts.scheme, env.parts.netloc
    opener = getattr(urllib.request, "_opener", None)
    if opener is None:
        proxies = urllib.request.getproxies()
    else:  # an opener has the proxies of the time when it was made
        kinds = (each for each in opener.handlers if isinstance(each, urllib.request.ProxyHandler))
        proxies = next((getattr(each, "proxies", {}) for each in kinds), {})
    address = proxies.get(scheme)
    return address if address and not urllib.request.proxy_bypass(authority) else None


def proxy(env: RemoteEnvironment) -> str:
    """No proxy is in the way: urllib uses one for loopback too."""
    address = proxy_of(env)
    if address is None:
        return "none"
    names = (f"{env.parts.scheme}_proxy", f"{env.parts.scheme}_proxy".upper())
    variable = next((name for name in names if os.environ.get(name)), "the system's settings")
    shown, host = shown_url(address), env.host.name
    around = f"export no_proxy={host} NO_PROXY={host}"
    if env.host.is_loopback:
        raise Problem(f"{shown} ({variable}) cannot reach {host} of this machine; {around}")
    if address.lower().startswith("socks"):
        raise Problem(
            f"{shown} ({variable}) is a SOCKS proxy, which urllib does not speak; {around}"
        )
    if not env.is_https:
        raise Problem(
            f"{shown} ({variable}) can read tasks and results, which http:// does not"
            f" encrypt; {around}"
        )
    return f"{shown} ({variable}) is asked for a tunnel"


def certificates(env: RemoteEnvironment) -> str:
    """The files of trusted CAs can be read. OpenSSL says nothing about one that is absent, and then
    trusts no server."""
    if not env.is_https:
        return "not needed for http"
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        _check_file(file)
        return f"the CAs of {file} (SSL_CERT_FILE) are trusted"
    if directory and not any(Path(each).is_dir() for each in directory.split(os.pathsep)):
        raise Problem(f"SSL_CERT_DIR is {directory}, which is not a directory: unset it")
    return f"the CAs of {directory} (SSL_CERT_DIR)" if directory else "the system's are trusted"


def _check_file(file: str) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise Problem(
            f"SSL_CERT_FILE is {file}, which holds no certificate in PEM: no worker is trusted;"
            " name another file, or unset it for the system's CAs"
        ) from None
    except OSError as exc:
        raise Problem(
            f"SSL_CERT_FILE is {file} ({exc.strerror}): no worker is trusted; name a file, or unset"
            " it for the system's CAs"
        ) from None


def trusting_file(
    env: RemoteEnvironment, kept: str | None, seconds: float
) -> tuple[str, str] | None:
    """Return a file of CAs with which the worker's certificate would be trusted, and where it is
    known from: another program's variable, or ``kept``, the bundle of a local ``serve``."""
    candidates = [(os.environ.get(name), name) for name in CA_VARIABLES[1:]]
    for file, origin in [*candidates, (kept, "a local serve")]:
        if file and _is_trusted(env, file, seconds):
            return file, origin
    return None


def _is_trusted(env: RemoteEnvironment, file: str, seconds: float) -> bool:
    host = env.host.name
    try:
        context = ssl.create_default_context(cafile=file)
        with (
            socket.create_connection((host, env.port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False
