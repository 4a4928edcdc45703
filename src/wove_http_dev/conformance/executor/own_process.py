"""The process of a check, in which the executor under test runs: what the check sets there, and the
settings that an executor must not change."""

from __future__ import annotations

import gc
import logging
import os
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from wove_http_dev.client import environ
from wove_http_dev.tls import CertificateAuthority


@contextmanager
def trusted_ca(ca: CertificateAuthority | None = None) -> Iterator[CertificateAuthority]:
    """Yield a certificate authority (CA) that HTTP clients trust by default, and make them bypass
    proxies for the workers. It is ``ca``, which the caller closes, or else a new one.

    Both are set in environment variables. Enter the block before the executor is imported, because
    some HTTP clients read the variables at import.
    """
    with ExitStack() as stack:
        ca = ca or stack.enter_context(CertificateAuthority())
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            stack.enter_context(environ.set_variable(name, ca.bundle_file))
        proxyless = dict(os.environ)
        for host in ("localhost", "127.0.0.1", ".conformance.internal"):
            proxyless.update(environ.without_proxy(host, proxyless))
        for name in ("no_proxy", "NO_PROXY"):
            stack.enter_context(environ.set_variable(name, proxyless[name]))
        yield ca


def environment() -> dict[str, str]:
    """Return the environment variables, without the one that pytest sets for each test."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def process_settings() -> dict[str, Any]:
    """Return settings of the whole process that an executor must not change, keyed by a description
    for the report."""
    return {
        "the working directory": os.getcwd(),
        "socket.getdefaulttimeout()": socket.getdefaulttimeout(),
        "sys.getrecursionlimit()": sys.getrecursionlimit(),
        "sys.excepthook": sys.excepthook,
        "gc.isenabled()": gc.isenabled(),
        "the level of the root logger": logging.getLogger().level,
        "urllib's and http.client's verification of certificates": (
            ssl._create_default_https_context
        ),
    }
