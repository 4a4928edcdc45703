"""Executors that connect to servers without the required checks: certificates, redirects, plain
http."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.parse
import urllib.request
from typing import Any

from wove.environment import HttpEnvironmentExecutor, _dump_network_executor_message

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class TrustsAnybody(ConformingExecutor):
    """Verifies no certificate."""

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


class VerifiesOnce(ConformingExecutor):
    """Does not verify a host that it has verified before."""

    _verified: frozenset[str] = frozenset()

    def connection(self, parts: urllib.parse.SplitResult) -> Any:
        if parts.netloc in self._verified:
            self._context = ssl._create_unverified_context()
        return super().connection(parts)

    def post(self, frame: Frame) -> bytes:
        body = super().post(frame)
        self._verified |= {urllib.parse.urlsplit(self._url or "").netloc}
        return body


class CancelsUnverified(ConformingExecutor):
    """Verifies certificates for run_task only."""

    def post(self, frame: Frame) -> bytes:
        if frame["type"] == "cancel_task":
            self._context = ssl._create_unverified_context()
        return super().post(frame)


class TakesInsecureAsUnverified(ConformingExecutor):
    """Does not verify certificates with insecure=True."""

    async def start(self, **config: Any) -> None:
        await super().start(**config)
        if config["environment_config"].get("insecure"):
            self._context = ssl._create_unverified_context()


class _Falling(http.client.HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError:
            self.sock.close()
            self.sock = socket.create_connection((self.host, self.port), 3.0)


class FallsBackToPlaintext(ConformingExecutor):
    """Tries plain http if TLS fails."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        return _Falling(parts.hostname or "", parts.port, timeout=3.0, context=self._context)


class IgnoresThePolicy(ConformingExecutor):
    """Sends to other machines over plain http."""

    async def start(self, **config: Any) -> None:
        settings = {**config.pop("environment_config"), "insecure": True}
        await super().start(environment_config=settings, **config)


class FollowsRedirects(HttpEnvironmentExecutor):
    """Lets urllib follow redirects, as Wove's own executor does."""


class _OnlyToHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> urllib.request.Request | None:
        if not given[-1].startswith("https:"):
            return None
        return super().redirect_request(*given)


class FollowsToHttps(ConformingExecutor):
    """Follows a redirect from http to https."""

    def post(self, frame: Frame) -> bytes:
        url = self._url or ""
        if not url.startswith("http:"):
            return super().post(frame)
        body = _dump_network_executor_message(frame, reason="the test's executor sends frames")
        opener = urllib.request.build_opener(
            _OnlyToHttps, urllib.request.HTTPSHandler(context=self._context)
        )
        request = urllib.request.Request(url, body, self.headers(frame, body))
        answer: bytes = opener.open(request, timeout=self._timeout).read()
        return answer


DEFECTS = (
    Defect(FollowsToHttps, "security.02", "302 redirect from http to https was followed"),
    Defect(TrustsAnybody, "security.20", "a run_task was sent to .*untrusted-ca"),
    Defect(TrustsAnybody, "security.24", "a run_task was sent to .*wrong-hostname"),
    Defect(VerifiesOnce, "security.35", "because an earlier one at this address had been verified"),
    Defect(CancelsUnverified, "security.36", "a cancel_task was sent to a server whose"),
    Defect(TakesInsecureAsUnverified, "security.37", "with insecure=True .* is not verified"),
    Defect(FallsBackToPlaintext, "security.27", "a plaintext request was sent to an https URL"),
    Defect(IgnoresThePolicy, "security.28", "a plain http request was sent to"),
    Defect(IgnoresThePolicy, "security.29", "an unauthenticated request was sent to"),
    Defect(FollowsRedirects, "security.02", "a 302 redirect was followed.*X-Wove-Signature"),
    Defect(FollowsRedirects, "security.07", "its answer was used"),
    Defect(FollowsRedirects, "security.11", "in plain text"),
)
