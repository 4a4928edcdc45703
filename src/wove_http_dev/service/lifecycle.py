"""The life of a host on its port: started, stopped, restarted and crashed, one at a time.

The port is chosen at the first start and kept: every later start takes the same one, and after a
crash it stays reserved.
"""

from __future__ import annotations

import threading

from wove_http_dev.service.host import ServiceHost
from wove_http_dev.service.port import Port


class Lifecycle:
    """Starts ``host`` on port ``number`` (0: a free one) of the host name or address ``name``."""

    def __init__(self, host: ServiceHost, name: str, number: int) -> None:
        self._host = host
        self._name = name
        self._wanted = number
        self._lock = threading.RLock()
        self._port: Port | None = None
        self.number: int | None = None
        """The port's number; ``None`` before the first start."""

    @property
    def address(self) -> str | None:
        """The IP address that it listens on; ``None`` before the first start and after a stop."""
        port = self._port
        return port.address if port is not None else None

    def start(self) -> bool:
        """Serve, unless it serves already; whether it did not. Raises :class:`PortInUseError` if
        the port is taken."""
        with self._lock:
            if self._host.running:
                return False
            port = self._port or Port(self._name, self.number or self._wanted)
            try:
                self._host.start(port)
            except BaseException:
                if self._port is None:
                    port.close()
                raise
            self._port, self.number = port, port.number
            return True

    def stop(self) -> list[str]:
        """Stop serving and give the port back; the names of task bodies that still run."""
        with self._lock:
            stuck = self._host.stop()
            port, self._port = self._port, None
            if port is not None:
                port.close()
            return stuck

    def restart(self) -> list[str]:
        """Stop and start again; the names of task bodies that still ran when it stopped."""
        with self._lock:
            stuck = self._host.stop()
            self.start()
            return stuck

    def crash(self) -> None:
        """End as a kill does, and keep the port reserved."""
        with self._lock:
            self._host.crash()
