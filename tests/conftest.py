"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import TIMEOUT, MakeWorker
from wove_http_dev.assertions import assert_contained
from wove_http_dev.faults import behaviour
from wove_http_dev.runs.holds import Gate
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect the tests without garbage collection, which finds nothing and takes a tenth of the
    time."""
    gc.disable()
    yield
    gc.enable()


def pytest_collection_finish() -> None:
    """Exempt the thousands of collected tests from garbage collection: the tests in
    ``service/test_freed.py``, which collect, took four times as long without."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Where a test names no time limit, wait as long as tests wait for what must happen: the 5 s of
    a user's test may be too short on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        for wait in (HttpWorker.wait_for, Gate.wait_arrived, Gate.arrived):
            patch.setattr(wait, "__defaults__", (*(wait.__defaults__ or ())[:-1], TIMEOUT))
        patch.setitem(assert_contained.__kwdefaults__ or {}, "within", TIMEOUT)
        yield


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Eight threads, for clients that block while the test continues."""
    with ThreadPoolExecutor(max_workers=8) as executor:
        yield executor


@pytest.fixture
def make_worker(
    pool: ThreadPoolExecutor, wove_http_ca: CertificateAuthority
) -> Iterator[MakeWorker]:
    """``make_worker(**options)`` starts a worker that is not configured in Wove.

    Its workers are stopped before ``pool`` waits for its threads, so that none of them blocks.
    """
    with ExitStack() as stack:

        def make(**options: Any) -> HttpWorker:
            return stack.enter_context(HttpWorker(ca=wove_http_ca, **options))

        yield make


@pytest.fixture
def worker(make_worker: MakeWorker) -> HttpWorker:
    """A started worker, https and signed, that is not configured in Wove."""
    return make_worker()


@pytest.fixture
def plain_worker(make_worker: MakeWorker) -> HttpWorker:
    """A started worker, plain http without authentication, that is not configured in Wove."""
    return make_worker(tls=False, security="none")


@pytest.fixture
def one_system_ca(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system trusts one CA, not the usual 140, for tests that make many bundles: to read these
    takes 10 ms."""
    directory = tmp_path_factory.mktemp("system")
    with CertificateAuthority() as ca:
        shutil.copy(ca.cert_file, directory / "00000000.0")
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))


@pytest.fixture
def behaviour_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the behaviour table that replaces the real one during the test."""
    path = tmp_path / "behaviour.json"
    path.write_bytes(behaviour.PATH.read_bytes())
    monkeypatch.setattr(behaviour, "PATH", path)
    return path


@pytest.fixture
def default_timeout() -> Iterator[Callable[[float], None]]:
    """``socket.setdefaulttimeout``, undone at the end."""
    before = socket.getdefaulttimeout()
    yield socket.setdefaulttimeout
    socket.setdefaulttimeout(before)
