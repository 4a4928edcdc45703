"""``ClientSource``: where a client of a Dask scheduler comes from, which is a local cluster, the
address of a scheduler, or the user's own client."""

from __future__ import annotations

import asyncio
import importlib
import logging
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any, Protocol

from wove_http_dev.errors import UsageError
from wove_http_dev.exception_text import message_of
from wove_http_dev.platforms import cores
from wove_http_dev.printable import printable
from wove_http_dev.runners import dask_preload
from wove_http_dev.runners.executor import check_open

CONNECT_TIMEOUT = 5.0
"""Seconds that a scheduler gets to answer, at the start and after a lost connection. Less than the
``timeout`` of Wove's environment, so that a task ends with an error that says it."""
CLOSE_TIMEOUT = 10.0
"""Seconds that a client or a cluster may take to close, on a busy machine."""
KILL_AFTER = 0.5
"""Seconds that a worker process of a local cluster gets to end before it is killed."""
PACKAGES = ("python", "wove-http-dev", "cloudpickle", "distributed")


class ClientSource(Protocol):
    """Where :class:`~wove_http_dev.runners.dask.DaskRunner` gets a client of a Dask scheduler."""

    place: str
    """Where the client's tasks run, in a few words."""
    directory: str
    """The temporary directory of the processes that :meth:`open` has started; empty if there is
    none."""

    def open(self) -> tuple[Any, Any]:
        """Return a connected client and an executor of it, new ones if those of before have lost
        their connection. Raises :class:`UsageError` if there is none after
        :data:`CONNECT_TIMEOUT` seconds."""

    def close(self) -> None:
        """Close what :meth:`open` made."""


class GivenClient:
    """The client of an executor of the user's, which connects again by itself."""

    directory = ""

    def __init__(self, executor: Any) -> None:
        check_open(executor)
        if executor._client.asynchronous:
            raise UsageError("runner: this executor's Client is asynchronous; give one that is not")
        self._executor = executor
        self.place = f"workers of {printable(repr(executor._client))}"

    def open(self) -> tuple[Any, Any]:
        """Return the user's client, after waiting until it is connected."""
        client, end = self._executor._client, time.monotonic() + CONNECT_TIMEOUT
        while client.status == "connecting" and time.monotonic() < end:
            time.sleep(0.05)
        if client.status != "running":
            raise UsageError(f"the Dask client has no connection to its scheduler: {client.status}")
        return client, self._executor

    def close(self) -> None:
        """Do nothing: the client is the user's."""


class SchedulerAddress:
    """Clients of the scheduler at ``address``, with the TLS settings of Dask's configuration."""

    directory = ""

    def __init__(self, address: str) -> None:
        _distributed()
        self._address = address
        self._client: Any = None
        self.place = f"workers of the Dask scheduler at {address}"

    def open(self) -> tuple[Any, Any]:
        """Return a client that is connected; a new one unless that of before is."""
        if self._client is None or self._client.status != "running":
            self.close()
            try:
                self._client = _distributed().Client(
                    self._address, timeout=CONNECT_TIMEOUT, set_as_default=False
                )
            except Exception as exc:  # also TypeError and ValueError, for TLS that is not set up
                raise UsageError(
                    f"no Dask scheduler answers at {self._address}: {message_of(exc, 300)}; start"
                    " it with 'dask scheduler', and workers for it with 'dask worker'"
                ) from None
        return self._client, self._client.get_executor()

    def close(self) -> None:
        """Close the client."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it has lost its scheduler
                client.close(timeout=CLOSE_TIMEOUT)


class LocalCluster:
    """The client of a cluster of processes on this machine, one thread in each. Only processes with
    the cluster's own certificate get a connection."""

    def __init__(self, workers: int | None) -> None:
        _distributed()
        self._workers = workers = workers or cores()
        self._cluster: Any = None
        self._client: Any = None
        self.directory = ""
        self.place = f"{workers} process{'es' * (workers > 1)} of a local Dask cluster"

    def open(self) -> tuple[Any, Any]:
        """Return a client of the cluster, which is started if it does not run. Blocks for about two
        seconds then."""
        if self._client is None or self._client.status != "running":
            self.close()
            self._start()
        return self._client, self._client.get_executor()

    def _start(self) -> None:
        distributed = _distributed()
        self.directory = tempfile.mkdtemp(prefix="wove-http-dev-dask-")
        try:
            with _interrupts_blocked():
                self._cluster = distributed.LocalCluster(
                    n_workers=self._workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tls",
                    security=distributed.Security.temporary(),
                    memory_limit=0,
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address="127.0.0.1:0",
                    local_directory=self.directory,
                    silence_logs=logging.CRITICAL + 1,
                    preload=dask_preload.__name__,
                )
            self._client = distributed.Client(self._cluster, set_as_default=False)
            self._client.wait_for_workers(self._workers, timeout=60)
        except Exception as exc:
            self.close()
            raise UsageError(f"the local Dask cluster did not start: {message_of(exc)}") from exc

    def close(self) -> None:
        """End the processes, and remove their directory. Blocks for about a second."""
        client, self._client = self._client, None
        cluster, self._cluster = self._cluster, None
        with suppress(Exception):
            if client is not None:
                client.close(timeout=CLOSE_TIMEOUT)
        if cluster is not None:
            with suppress(Exception):
                cluster.sync(_end_workers, cluster, callback_timeout=CLOSE_TIMEOUT)
            with suppress(Exception):
                cluster.close(timeout=CLOSE_TIMEOUT)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = ""


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in threads that are started in the block, and so in their child processes, until
    these have a handler."""
    resource_tracker.ensure_running()  # where that starts the tracker, it unblocks SIGINT after it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _end_workers(cluster: Any) -> None:
    """End the worker processes of ``cluster``, which would otherwise be asked to finish what they
    run."""
    nannies = list(cluster.workers.values())
    await asyncio.gather(*(each.close(timeout=KILL_AFTER) for each in nannies))


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as exc:
        if exc.name not in ("distributed", "dask"):
            raise
        raise UsageError("runner 'dask' needs Dask: pip install 'wove-http-dev[dask]'") from None


@contextmanager
def dask_log_silenced() -> Iterator[None]:
    """Silence Dask's own log until the block ends: a failure that it reports becomes the error of a
    task."""
    before = {}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == "distributed" and isinstance(logger, logging.Logger):
            before[logger] = logger.level
            logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


def version_differences(client: Any) -> str:
    """Return, in one line, which versions on the workers differ from those of this process; empty
    if none does. A body that was pickled here may not run where they differ. Blocks for at most
    :data:`CONNECT_TIMEOUT` seconds."""

    async def ask() -> Any:  # get_versions() itself has no time limit
        return await client.get_versions(packages=["wove-http-dev"])

    try:
        versions = client.sync(ask, callback_timeout=CONNECT_TIMEOUT)
    except (TimeoutError, asyncio.TimeoutError):  # two classes in Python 3.10
        return (
            f"a Dask worker did not say its versions within {CONNECT_TIMEOUT:g} seconds; tasks that"
            " it gets may not run"
        )
    workers = versions["workers"]
    if not workers:
        return "the Dask scheduler has no worker yet; tasks wait until there is one"
    found = []
    for package in PACKAGES:
        there = {_version(each, package) for each in workers.values() if each}
        if others := sorted(there - {_version(versions["client"], package)}):
            mine = _version(versions["client"], package)
            found.append(f"here {package} {mine}, there {' and '.join(others)}")
    return f"the Dask workers differ from this process: {'; '.join(found)}" if found else ""


def _version(process: Any, package: str) -> str:
    return str(process["packages"].get(package) or "not installed")
