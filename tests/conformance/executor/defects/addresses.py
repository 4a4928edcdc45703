"""Executors that do not reach every host."""

from __future__ import annotations

import http.client
import socket
import urllib.parse
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor
from tests.conformance.executor.defects.base import Defect, MakesItsSockets


class ConnectsToTheFirstAddress(MakesItsSockets):
    """Connects to the first address of a host only."""

    def connected(self, address: Any, timeout: Any, *_: Any) -> socket.socket:
        host, port = address
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(found[0])
        sock.settimeout(timeout)
        try:
            sock.connect(found[4])
        except OSError:
            sock.close()
            raise
        return sock


class SplitsTheHostAtTheColon(ConformingExecutor):
    """Takes for the host what is before the first colon."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        host, _, port = parts.netloc.partition(":")
        if not port.isdigit():
            raise ValueError(f"{parts.netloc} has no port")
        return super().connection(parts._replace(netloc=f"{host}:{port}"))


DEFECTS = (
    Defect(SplitsTheHostAtTheColon, "frames.38", r"healthy worker at https://\[::1\].* no port"),
    Defect(ConnectsToTheFirstAddress, "frames.39", "where the worker does: .*refused"),
)
