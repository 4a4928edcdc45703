"""`Defect`: a planted defect and the case that must find it, and a base class of several."""

from __future__ import annotations

import http.client
import socket
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tests.conformance.executor.conforming_executor import ConformingExecutor


@dataclass(frozen=True)
class Defect:
    """An executor, the case that must fail for it, and a regular expression that the failure's text
    must match."""

    executor: type[Any]
    case: str
    says: str


class MakesItsSockets(ConformingExecutor):
    """A base class for executors that connect in a way of their own."""

    def connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        made = super().connection(parts)
        made._create_connection = self.connected  # type: ignore[attr-defined]  # no stub has it
        return made

    def connected(self, address: Any, timeout: Any, *more: Any) -> socket.socket:
        """Return a socket that is connected to ``address``, a host and a port."""
        return socket.create_connection(address, timeout, *more)
