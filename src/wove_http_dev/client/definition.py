"""The Wove environment and the environment variables with which a client reaches a worker."""

from __future__ import annotations

import os
import urllib.parse
from typing import Any

from wove_http_dev.client.environ import without_proxy
from wove_http_dev.options import Options

SECRET_VARIABLE = "WOVE_WORKER_SECRET"
URL_VARIABLE = "WOVE_WORKER_URL"
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables that name a file of trusted CAs: of OpenSSL (Python, Ruby, Go), of the Python package
requests, which has a file of its own, of curl, and of Node.js."""


def environment_definition(options: Options, url: str, security: Any) -> dict[str, Any]:
    """Return an environment for ``wove.config(environments={name: …})``. It has no ``security`` if
    that is ``None``."""
    executor_config: dict[str, Any] = {"url": url}
    if security is not None:
        executor_config["security"] = security
    if options.timeout is not None:
        executor_config["timeout"] = options.timeout
    if options.headers is not None:
        executor_config["headers"] = dict(options.headers)
    if options.insecure:
        executor_config["insecure"] = True
    definition: dict[str, Any] = {
        "executor": "https" if url.startswith("https:") else "http",
        "executor_config": executor_config,
    }
    if options.delivery_timeout is not None:
        definition["delivery_timeout"] = options.delivery_timeout
    return definition


def client_env(url: str, secret: str, ca_bundle: str | None) -> dict[str, str]:
    """Return environment variables for a client in another process. ``no_proxy`` is that of this
    process with the worker's host added."""
    host = urllib.parse.urlsplit(url).hostname or "localhost"
    env = {URL_VARIABLE: url, **without_proxy(host, os.environ)}
    if secret:
        env[SECRET_VARIABLE] = secret
    if ca_bundle is not None:
        env.update(dict.fromkeys(CA_VARIABLES, ca_bundle))
    return env
