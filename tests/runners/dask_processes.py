"""A Dask scheduler and its workers in processes of their own, as a cluster of the user's."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.runners.bodies import TIMEOUT
from tests.support import free_port

REPOSITORY = Path(__file__).parents[2]


class Cluster:
    """A scheduler on a port that stays the same, and workers of one thread each."""

    def __init__(self, directory: Path) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, workers: int = 1) -> None:
        """Start the scheduler and wait until it listens; start its workers, which connect by
        themselves."""
        port = self.address.rpartition(":")[2]
        self._run("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        end = time.monotonic() + TIMEOUT
        while not _listens(int(port)):
            assert time.monotonic() < end, "the scheduler did not start"
            time.sleep(0.05)
        for _ in range(workers):
            self.start_worker()

    def start_worker(self) -> None:
        directory = str(self._directory)
        self._run(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--local-directory", directory, "--death-timeout", "60",
        )  # fmt: skip

    def kill(self) -> None:
        """Kill the scheduler, and then its workers."""
        while self._processes:
            process = self._processes.pop(0)
            process.kill()
            process.wait()

    def _run(self, what: str, *arguments: str) -> None:
        module = f"distributed.cli.dask_{what}"
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=REPOSITORY,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT):
        return True
    return False


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[Cluster]:
    """A cluster that is not started; it is killed at the end."""
    made = Cluster(directory)
    try:
        yield made
    finally:
        made.kill()
