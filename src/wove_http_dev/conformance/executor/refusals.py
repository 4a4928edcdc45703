"""Why our worker refused a request, in words for the author of the executor that sent it.

It knows the worker's verdict, and what a signature may have been made over by mistake. It judges
nothing.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field
from typing import ClassVar

from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import AuthStage
from wove_http_dev.protocol.authenticator import NONCE, SIGNATURE, TIMESTAMP, Verdict, sign
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runs.records import Exchange


def refusal(exchange: Exchange) -> str:
    """Why ``exchange`` was refused; empty if it was not."""
    verdict = exchange.verdict
    if not exchange.refusal or verdict is None or not verdict.hint:
        return exchange.refusal
    # The hint suspects a proxy in between; in this check there is none.
    found = verdict.would_match
    return f"{exchange.refusal} ({f'it would match {found}' if found else verdict.hint})"


@dataclass(frozen=True)
class Witness(Fault):
    """Changes nothing and keeps the requests: a journal has no bodies, which signatures cover."""

    stage: ClassVar[str] = "auth"
    requests: list[Request] = field(default_factory=list)

    def on_auth(self, stage: AuthStage) -> Verdict:
        """The worker's own verdict."""
        self.requests.append(stage.request)
        return stage.proceed()


def signed_over(request: Request, secret: bytes, url: str) -> str:
    """What the signature of ``request`` covers in the place of its target, in words. ``url`` is
    the configured one."""
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
