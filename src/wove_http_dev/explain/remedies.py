"""What to change when a request was refused, or a connection never became a request."""

from __future__ import annotations

from wove_http_dev.runs.records import Exchange

_REMEDIES = {
    "header-missing": "give the client's executor_config the security= of this worker",
    "unknown-key": "give client and worker the same key id",
    "timestamp-skew": "set the clock that is wrong, or let the worker's clock_skew allow it",
    "signature-mismatch": "give client and worker the same secret",
    "nonce-replayed": "send each request once; a proxy that retries sends it twice",
    "not-bearer": "give the client's executor_config the security= of this worker",
    "token-mismatch": "give client and worker the same token",
    "origin-sent": "a web page sent it; let the worker's security be signed or bearer",
    "unknown-host": "add that name to the worker's hosts",
    "wrong-path": "correct the path of the client's url",
    "tls-on-plain-http-port": "use an http:// URL, or start the worker with TLS",
    "plain-http-on-tls-port": "use an https:// URL, or start the worker without TLS",
    "request-too-large": "send less, or raise the worker's max_body",
    "certificate-rejected": "let the client trust the worker's CA: SSL_CERT_FILE is its bundle",
}
"""By the ``code`` of an exchange: what mends it, where that is known."""


def remedy(exchange: Exchange) -> str | None:
    """Return what would mend a refused or failed ``exchange``, in a few words; ``None`` if that is
    not known, or if a fault caused it."""
    if exchange.faults:
        return None
    verdict = exchange.verdict
    if verdict is not None and verdict.hint:
        # A request that would match otherwise was signed with the right secret.
        known = None if verdict.would_match else _REMEDIES.get(verdict.code)
        return f"{verdict.hint}; {known}" if known else verdict.hint
    if exchange.method not in ("", "POST"):
        return "a browser, or another client than Wove's; tasks are sent with POST"
    return _REMEDIES.get(exchange.code)
