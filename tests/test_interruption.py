"""An exception, such as that of Ctrl-C, at any call within ``start``, ``stop``, ``restart``,
``configured`` or ``impersonate`` leaves threads, descriptors and patches as they were before."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import wove_http_dev
from tests.support import (
    PRODUCTION_URL,
    TIMEOUT,
    answer,
    connect,
    process_state,
    read_response,
    run_frame,
    signed_bytes,
    weave_one,
)
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

PACKAGE = str(Path(wove_http_dev.__file__).parent)
DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"


class Interrupted(BaseException):
    """Raised in the middle of something, as KeyboardInterrupt is."""


class InterruptedCall:
    """Raises :class:`Interrupted` at the ``number``-th call of a function of the package that this
    thread makes inside the block."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._entered: list[FrameType] = []
        self.where = "nowhere"

    def __enter__(self) -> InterruptedCall:
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        resumed = any(frame is entered for entered in self._entered)  # a generator
        if resumed and sys.version_info < (3, 12):
            return  # what is raised here would skip its ``finally``, as no real exception does
        self._entered.append(frame)
        self._left -= 1
        if self._left == 0:
            self.where = f"{frame.f_code.co_filename}, {frame.f_code.co_name}"
            raise Interrupted


def state() -> dict[str, Any]:
    """What the package must leave as it was."""
    return {
        **process_state(),
        "descriptors": len(os.listdir(DESCRIPTORS)),
        "threads": {thread for thread in threading.enumerate() if "wove-http" in thread.name},
    }


def state_after(before: dict[str, Any]) -> dict[str, Any]:
    """The state, once each thread that was not there ``before`` has ended."""
    for thread in state()["threads"] - before["threads"]:
        thread.join(TIMEOUT)
    return state()


def interrupt_each_call(
    action: Callable[[], Callable[[], object]],
    *,
    first: int = 1,
    afterwards: Callable[[], object] = lambda: None,
) -> None:
    """Interrupt at its ``first`` call, the next one, and so on, what ``action()`` returns, until it
    ends without. ``action`` is called before each, and ``afterwards`` after it, uninterrupted."""
    for number in itertools.count(first):
        before = state()
        call = action()
        interruption = InterruptedCall(number)
        try:
            with interruption:
                call()
        except Interrupted as exc:
            # ``exc`` holds the frames, so nothing is closed by the garbage collector.
            afterwards()
            assert state_after(before) == before, interruption.where
            del exc
        else:
            break
    assert number > first + 5


@pytest.fixture
def ca() -> Iterator[CertificateAuthority]:
    """An authority whose certificate file exists already."""
    with CertificateAuthority() as ca:
        assert ca.cert_file
        yield ca


OPTIONS = [{}, {"tls": False}, {"faults": ("refuse-connections",)}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_start(ca: CertificateAuthority, options: dict[str, Any]) -> None:
    """``start()`` starts nothing if it is interrupted."""
    workers: list[HttpWorker] = []

    def prepare() -> Callable[[], object]:
        workers.append(HttpWorker(ca=ca, **options))
        return workers[-1].start

    interrupt_each_call(prepare)
    workers[-1].stop()


def busy(worker: HttpWorker) -> HttpWorker:
    """Start ``worker``, and let it serve a connection that stays open."""
    worker.start()
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
        read_response(sock)
        worker.inject("redirect")
    return worker


def test_stop(ca: CertificateAuthority) -> None:
    """``stop()`` ends everything although it is interrupted within."""
    interrupt_each_call(lambda: busy(HttpWorker(ca=ca)).stop, first=2)


def test_restart(ca: CertificateAuthority) -> None:
    """A worker whose ``restart()`` was interrupted can be stopped, and leaves nothing then."""
    workers: list[HttpWorker] = []

    def prepare() -> Callable[[], object]:
        workers.append(busy(HttpWorker(ca=ca)))
        return workers[-1].restart

    interrupt_each_call(prepare, afterwards=lambda: workers[-1].stop())
    workers[-1].stop()


def enter_and_leave(make: Callable[[], Any]) -> Callable[[], Callable[[], object]]:
    """A call that enters and leaves the block ``make()``."""

    def call() -> None:
        with make():
            pass

    return lambda: call


@pytest.mark.parametrize("impersonate", [None, PRODUCTION_URL])
def test_configured(ca: CertificateAuthority, impersonate: str | None) -> None:
    """``configured()`` changes nothing if it, or its end, is interrupted."""
    with HttpWorker(ca=ca, impersonate=impersonate) as worker:
        interrupt_each_call(enter_and_leave(worker.configured))


def test_impersonate(ca: CertificateAuthority) -> None:
    """``impersonate()`` changes nothing if it, or its end, is interrupted."""
    with HttpWorker(ca=ca) as worker:
        interrupt_each_call(enter_and_leave(lambda: worker.impersonate(PRODUCTION_URL)))


def test_configured_after_interruptions(ca: CertificateAuthority) -> None:
    """After every interruption of ``configured()`` the next one works."""
    with HttpWorker(ca=ca) as worker:
        interrupt_each_call(enter_and_leave(worker.configured))
        with worker.configured():
            assert weave_one(answer) == 42
