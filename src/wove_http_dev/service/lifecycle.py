"""Starts, stops, restarts and crashes a host, one operation at a time.

The port is chosen at the first start. Every later start uses it again, and after a crash it stays
reserved.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from wove_http_dev.errors import UsageError
from wove_http_dev.service.host import ServiceHost
from wove_http_dev.service.port import Port


class Lifecycle:
    """Starts, stops, restarts and crashes ``host``, which listens on address ``name`` and port
    ``number`` (0: a free one)."""

    def __init__(self, host: ServiceHost, name: str, number: int) -> None:
        self._host = host
        self._name = name
        self._wanted = number
        self._lock = threading.RLock()
        self._port: Port | None = None
        self._process = os.getpid()
        self.number: int | None = None
        """The port's number; ``None`` before the first start."""

    @property
    def address(self) -> str | None:
        """An IP address at which the host listens; ``None`` before the first start and after a
        stop."""
        port = self._port
        return port.addresses[0] if port is not None else None

    @property
    def crashed(self) -> bool:
        """Whether the host has ended without :meth:`stop`. Blocks while another operation is in
        progress."""
        if self.forked:
            return False
        with self._lock:
            return self._port is not None and not self._host.running

    @property
    def forked(self) -> bool:
        """Whether this process is a forked child of the one that started the host. Such a child
        must not stop the host, because that would stop it in the parent."""
        return self._process != os.getpid()

    def start(self) -> bool:
        """Start serving and return true, or return false if the host is already serving. Raises
        :class:`PortInUseError` if another process uses the port, and :class:`UsageError` in a
        forked child of the process that started it."""
        if self.number is None:
            self._process = os.getpid()
        elif self.forked:
            raise UsageError(
                f"this worker was started by process {self._process}, which forked this one; make"
                " a new HttpWorker here"
            )
        with self._lock:
            if self._host.running:
                return False
            kept = self._port
            try:
                if self._port is None:
                    self._port = Port(self._name, self.number or self._wanted)
                self._host.start(self._port)
                self.number = self._port.number
            except BaseException:
                if kept is None:
                    self._release_port()
                raise
            return True

    def stop(self) -> list[str]:
        """Stop serving, release the port, and return the names of task bodies that still run. In a
        forked child, do nothing and return an empty list."""
        if self.forked:
            return []
        with self._lock:
            try:
                return self._host.stop()
            finally:
                self._release_port()

    def _release_port(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def restart(self) -> list[str]:
        """Stop and start again. Returns the names of task bodies that still ran after the stop.
        Raises what :meth:`start` raises."""
        if self.forked:
            self.start()
        with self._lock:
            stuck = self._host.stop()
            self.start()
            return stuck

    def crash(self, only_if: Callable[[], bool] = lambda: True) -> None:
        """Crash the host and keep the port reserved, unless ``only_if()`` returns false.
        ``only_if`` is called while no other operation is in progress. In a forked child, do
        nothing."""
        if self.forked:
            return
        with self._lock:
            if only_if():
                self._host.crash()
