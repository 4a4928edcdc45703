"""An exception, such as that of Ctrl-C, at any call with which an isolated worker is started or
ended leaves processes, threads and descriptors as they were before."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interruption import interrupt_each_place
from tests.isolated import stand_in_child
from wove_http_dev import start_child
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

Processes = list["subprocess.Popen[Any]"]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """The processes that were started meanwhile; workers get children that start quickly."""
    started: Processes = []

    class Recorded(subprocess.Popen[Any]):
        def __init__(self, *args: Any, **words: Any) -> None:
            started.append(self)
            super().__init__(*args, **words)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    monkeypatch.setattr(start_child, "__file__", stand_in_child.__file__)
    return started


@pytest.fixture
def ca() -> Iterator[CertificateAuthority]:
    """An authority whose certificate file exists already."""
    with CertificateAuthority() as ca:
        assert ca.cert_file
        yield ca


def check_ended(processes: Processes) -> None:
    """Assert that each of ``processes`` has ended and was waited for, and forget them."""
    assert [each for each in processes if each.returncode is None and hasattr(each, "pid")] == []
    processes.clear()


def test_start(ca: CertificateAuthority, processes: Processes) -> None:
    """``start()`` starts no process if it is interrupted."""
    workers: list[HttpWorker] = []

    def prepare() -> Callable[[], object]:
        if workers and workers[-1].running:  # the last one was not interrupted
            workers[-1].stop()
        workers.append(HttpWorker(ca=ca, isolated=True))
        return workers[-1].start

    def afterwards() -> None:
        if workers[-1].running:
            workers[-1].stop()
        check_ended(processes)

    interrupt_each_place(prepare, afterwards=afterwards)


def test_stop(ca: CertificateAuthority, processes: Processes) -> None:
    """``stop()`` ends the process although it is interrupted."""
    workers: list[HttpWorker] = []

    def prepare() -> Callable[[], object]:
        workers.append(HttpWorker(ca=ca, isolated=True).start())
        return workers[-1].stop

    interrupt_each_place(prepare, first=2, afterwards=lambda: check_ended(processes))


@pytest.mark.parametrize(("operation", "step"), [("restart", 3), ("crash", 1)])
def test_other_operations(
    ca: CertificateAuthority, processes: Processes, operation: str, step: int
) -> None:
    """A worker whose ``restart()`` or ``crash()`` was interrupted can be stopped, and leaves
    nothing then."""
    workers: list[HttpWorker] = []

    def prepare() -> Callable[[], object]:
        workers.append(HttpWorker(ca=ca, isolated=True).start())
        call: Callable[[], object] = getattr(workers[-1], operation)
        return call

    def afterwards() -> None:
        workers[-1].stop()
        check_ended(processes)

    interrupt_each_place(prepare, chosen=slice(None, None, step), afterwards=afterwards)
