"""How to mend an executor that fails a case of the family ``security``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "security.01 security.02 security.03 security.04 security.05 security.06 "
        "security.07 security.08 security.09 security.10 security.11 security.39",
        Remedy(
            "Send with http.client, which follows no redirect, and treat every status "
            "but 2xx as an error.",
            f"{EXAMPLE}: ConformingExecutor._answer()",
        ),
    ),
    (
        "security.12 security.13 security.14 security.15 security.16 security.17 "
        "security.33 security.34 security.45",
        Remedy(
            "Make the credentials of each request anew with headers_for() of Wove, from"
            " the target and the bytes that are sent, and put no header over them.",
            f"{EXAMPLE}: ConformingExecutor.credentials()",
        ),
    ),
    (
        "security.18 security.38",
        Remedy(
            "Put no header and no secret into a message, and print nothing.",
            f"{EXAMPLE}: ConformingExecutor.failure()",
        ),
    ),
    (
        "security.19",
        Remedy(
            "Unpickle payloads only of the frame that ends the run that was asked for.",
            f"{EXAMPLE}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "security.28 security.29 security.30 security.31",
        Remedy(
            "In start(), read security with NetworkExecutorSecurity.from_config() of Wove, and "
            "unless insecure is true raise for a host that is not local if the URL is http:// or "
            "security is missing. start() of Wove's HttpEnvironmentExecutor does this.",
            f"{EXAMPLE}: ConformingExecutor.start()",
        ),
    ),
    (
        "security.40",
        Remedy(
            "Send with a library that refuses line breaks in headers, or refuse them.",
            f"{EXAMPLE}: ConformingExecutor.headers()",
        ),
    ),
    (
        "security.32",
        Remedy(
            "Report a 401 or 403 as an error, and send nothing else for that frame.",
            f"{EXAMPLE}: ConformingExecutor._answer()",
        ),
    ),
    (
        "security.41 security.42",
        Remedy(
            "Use no proxy, or leave to your HTTP library which hosts have none and how it makes a "
            "tunnel.",
            f"{EXAMPLE}: ConformingExecutor.connection()",
        ),
    ),
    (
        "security.43",
        Remedy(
            "Put the credentials last into the headers, and turn off what your HTTP library takes "
            "from ~/.netrc (requests, aiohttp: trust_env).",
            f"{EXAMPLE}: ConformingExecutor.headers()",
        ),
    ),
    (
        "security",
        Remedy(
            "Connect with ssl.create_default_context() for each https URL, also with "
            "insecure=True, and never try again without TLS.",
            f"{EXAMPLE}: ConformingExecutor.connection()",
        ),
    ),
)
