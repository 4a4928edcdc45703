"""An exception, such as that of Ctrl-C, at any call within ``start``, ``stop``, ``restart``,
``configured`` or ``impersonate`` leaves threads, descriptors and patches as they were before."""

from __future__ import annotations

import inspect
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
NOT_INTERRUPTED = (
    *("__enter__", "__exit__", "acquire", "release", "notify", "notify_all"),
    "<genexpr>",  # the interpreter calls one to close it too, and ignores what is raised there
)
DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"


class Interrupted(BaseException):
    """Raised in the middle of something, as KeyboardInterrupt is."""


class InterruptedCall:
    """Raises :class:`Interrupted` at the ``number``-th call inside the block of a function of the
    package, or by it of one that is written in C, in this thread.

    Entering and leaving a ``with`` block, and a lock, are left out: nothing can be done about an
    exception between a lock's release and the code that asked for it.
    """

    def __init__(self, number: int) -> None:
        self._left = number
        self.where = "nowhere"

    def __enter__(self) -> InterruptedCall:
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        name = getattr(arg, "__name__", "") if event == "c_call" else frame.f_code.co_name
        ours = frame.f_code.co_filename.startswith(PACKAGE)
        if event not in ("call", "c_call") or name in NOT_INTERRUPTED or not ours:
            return
        if sys.version_info < (3, 12) and event == "call":
            if frame.f_code.co_flags & inspect.CO_GENERATOR:
                return  # what is raised here would skip its ``finally``, as no real exception does
        self._left -= 1
        if self._left == 0:
            self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}, {name}"
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
    after = state()
    # The garbage collector may have closed what an earlier test left.
    after["descriptors"] = max(after["descriptors"], before["descriptors"])
    after["threads"] |= before["threads"]
    return after


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
    """Start ``worker``, let it run a task and answer with a redirect."""
    worker.start()
    worker.inject("redirect")  # starts the second origin
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
        assert read_response(sock).status == 302
    return worker


def test_stop(ca: CertificateAuthority) -> None:
    """``stop()`` ends everything although it is interrupted within."""
    interrupt_each_call(lambda: busy(HttpWorker(ca=ca, tls=False)).stop, first=2)


def test_restart(ca: CertificateAuthority) -> None:
    """A worker whose ``restart()`` was interrupted can be stopped, and leaves nothing then."""
    workers: list[HttpWorker] = []

    def prepare() -> Callable[[], object]:
        workers.append(busy(HttpWorker(ca=ca, tls=False)))
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
