"""Explains why a worker refused a request, for the author of the executor that sent it."""

from __future__ import annotations

import urllib.parse

from wove_http_dev.protocol.authenticator import NONCE, SIGNATURE, TIMESTAMP, sign
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runs.records import Exchange


def refusal(exchange: Exchange) -> str:
    """Return why the worker refused the request in ``exchange``; an empty string if it did not."""
    verdict = exchange.verdict
    if not exchange.refusal or verdict is None or not verdict.hint:
        return exchange.refusal
    # The hint suggests a proxy in between, but there is none between a case and its worker.
    found = verdict.would_match
    return f"{exchange.refusal} ({f'it would match {found}' if found else verdict.hint})"


def signed_over(request: Request, secret: bytes, url: str) -> str:
    """Find out what a wrong signature of ``request`` was made for, and describe it.

    Common mistakes in deriving the signed target from ``url``, the configured URL, are tried.
    """
    parts = urllib.parse.urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    candidates = {
        "the URL's path and query": parts.path + query,
        "the path without its query": parts.path,
        "the path decoded": urllib.parse.unquote(parts.path) + query,
        "path and query decoded": urllib.parse.unquote(parts.path + query),
        "path and query encoded once more": urllib.parse.quote(parts.path) + query,
        "the whole URL": url,
        "'/'": "/",
        "nothing": "",
    }
    timestamp, nonce, signature = (
        request.headers.get(name) or "" for name in (TIMESTAMP, NONCE, SIGNATURE)
    )
    for words, target in candidates.items():
        made = sign(secret, target=target, body=request.body, timestamp=timestamp, nonce=nonce)
        if made == signature:
            return f"it covers {words}, {target!r}"
    return "it covers another target or body, or was made with another secret"
