"""Executors that read the environment as some HTTP libraries do: proxies, ``~/.netrc``, the file of
trusted authorities."""

from __future__ import annotations

import base64
import http.client
import netrc
import os
import ssl
import urllib.parse

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class UsesTheProxy(ConformingExecutor):
    """Uses the proxy of the environment for every host, by a tunnel for https."""

    def excluded(self, host: str) -> bool:
        """Whether ``host`` is reached without the proxy."""
        return False

    def proxy(self, parts: urllib.parse.SplitResult) -> urllib.parse.SplitResult | None:
        """The proxy for a URL."""
        url = os.environ.get(f"{parts.scheme}_proxy")
        host = parts.hostname or ""
        return None if not url or self.excluded(host) else urllib.parse.urlsplit(url)

    def tunnel_headers(self, proxy: urllib.parse.SplitResult) -> dict[str, str]:
        """The headers of a CONNECT."""
        return {"Proxy-Authorization": self.basic(proxy)}

    @staticmethod
    def basic(proxy: urllib.parse.SplitResult) -> str:
        """The credentials of the proxy as a header."""
        plain = f"{proxy.username}:{proxy.password}".encode()
        return f"Basic {base64.b64encode(plain).decode()}"

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        proxy = self.proxy(parts)
        if proxy is None:
            return super().connection(parts)
        connection = super().connection(parts._replace(netloc=proxy.netloc.rpartition("@")[2]))
        if parts.scheme == "https":
            headers = self.tunnel_headers(proxy)
            connection.set_tunnel(parts.hostname or "", parts.port, headers=headers)
        return connection


class ReadsNoDomains(UsesTheProxy):
    """Compares each entry of ``no_proxy`` with the whole name of a host."""

    def excluded(self, host: str) -> bool:
        return host in os.environ.get("no_proxy", "").split(",")


class SendsThroughTheProxy(UsesTheProxy):
    """Sends requests to https URLs to the proxy in plain text."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        proxy = self.proxy(parts)
        return super().connection(parts if proxy is None else proxy._replace(scheme="http"))

    def target(self, parts: urllib.parse.SplitResult) -> str:
        return self._url or ""


class ShowsItsTokenToTheProxy(ReadsNoDomains):
    """Sends the headers of a run with CONNECT as well."""

    def tunnel_headers(self, proxy: urllib.parse.SplitResult) -> dict[str, str]:
        return self.credentials({}, b"")


class ShowsTheProxyToTheWorker(ReadsNoDomains):
    """Sends the credentials of the proxy with each request in the tunnel as well."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        proxy = self.proxy(urllib.parse.urlsplit(self._url or ""))
        more = {"Proxy-Authorization": self.basic(proxy)} if proxy else {}
        return {**super().headers(frame, body), **more}


class ReadsNetrc(ConformingExecutor):
    """Sends the credentials of ``~/.netrc`` instead of a token, as requests does."""

    def headers(self, frame: Frame, body: bytes) -> dict[str, str]:
        headers = super().headers(frame, body)
        try:
            found = netrc.netrc(os.environ.get("NETRC")).authenticators("localhost")
        except OSError:
            found = None
        if found:
            plain = f"{found[0]}:{found[2]}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(plain).decode()}"
        return headers


class TrustsAllWithoutAFile(ConformingExecutor):
    """Verifies no certificate where the file of trusted authorities cannot be read."""

    def tls_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        except OSError:
            return ssl._create_unverified_context()


DEFECTS = (
    Defect(UsesTheProxy, "security.41", "no_proxy excludes 127.0.0.1, and the run was sent to the"),
    Defect(ReadsNoDomains, "security.41", "no_proxy excludes workers.conf.*'POST /wove/tasks"),
    Defect(SendsThroughTheProxy, "security.42", "bearer token|was not tunnelled"),
    Defect(ShowsItsTokenToTheProxy, "security.42", "was sent the bearer token: 'CONNECT 127"),
    Defect(ShowsTheProxyToTheWorker, "security.42", "was sent the password of the proxy, in Proxy"),
    Defect(ReadsNetrc, "security.43", r"\(bearer\) was sent with credentials of ~/.netrc"),
    Defect(TrustsAllWithoutAFile, "security.44", "does not exist, and a server .*sent a request"),
)
