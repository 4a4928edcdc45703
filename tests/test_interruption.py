"""An exception, such as that of Ctrl-C, at any call within ``start``, ``stop``, ``restart``,
``configured`` or ``impersonate`` leaves threads, descriptors and patches as they were before."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import interruption, macos
from tests.interruption import interrupt_each_call, interrupt_each_place
from tests.support import (
    PRODUCTION_URL,
    answer,
    connect,
    read_response,
    run_frame,
    signed_bytes,
    weave_one,
)
from wove_http_dev.private_files import locked, read_own, write_whole
from wove_http_dev.remote_worker import RemoteWorker
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import server_context
from wove_http_dev.worker import HttpWorker


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


def test_start_on_macos(ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """``start()`` starts nothing under macOS's rules either."""
    monkeypatch.setattr(interruption, "DESCRIPTORS", "/dev/fd")
    macos.emulate(monkeypatch)
    test_start(ca, {})


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


def test_configured_remote(ca: CertificateAuthority) -> None:
    """A ``RemoteWorker`` changes nothing if making it, or ``configured()``, is interrupted."""

    def configure() -> None:
        remote = RemoteWorker(
            PRODUCTION_URL, secret="s3cret", token=None, ca_file=ca.cert_file, skip=pytest.skip
        )
        with remote, remote.configured():
            pass

    interrupt_each_call(lambda: configure)


@pytest.mark.usefixtures("one_system_ca")
def test_files_of_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority's files are deleted at its end although writing them was interrupted."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def use() -> None:
        with CertificateAuthority() as ca:
            assert ca.cert_file
            assert ca.bundle_file

    interrupt_each_place(lambda: use, directory=tmp_path)


@pytest.mark.usefixtures("one_system_ca")
def test_close_of_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``close()`` of an authority whose ``close()`` was interrupted deletes its files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    authorities: list[CertificateAuthority] = []

    def prepare() -> Callable[[], object]:
        authorities.append(CertificateAuthority())
        assert authorities[-1].cert_file
        return authorities[-1].close

    interrupt_each_place(prepare, afterwards=lambda: authorities[-1].close(), directory=tmp_path)


def test_loading_of_a_key(ca: CertificateAuthority) -> None:
    """The nameless files from which OpenSSL reads a key are closed when that is interrupted."""
    leaf = ca.issue("localhost")
    interrupt_each_call(lambda: lambda: server_context(leaf))


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_write_whole(tmp_path: Path, mode: int) -> None:
    """A file is written whole or not at all, and no temporary file is left."""
    kept = tmp_path / "kept"
    kept.touch()
    interrupt_each_call(lambda: lambda: write_whole(kept, b"content", mode), directory=tmp_path)


def test_read_own(tmp_path: Path) -> None:
    """No descriptor is left when reading a file is interrupted."""
    kept = tmp_path / "kept"
    kept.touch(0o644)

    def prepare() -> Callable[[], object]:
        kept.chmod(0o644)
        return lambda: read_own(kept, private=True)

    interrupt_each_call(prepare)


def test_locked(tmp_path: Path) -> None:
    """A lock is given back when taking it, or giving it back, is interrupted."""
    interrupt_each_call(
        enter_and_leave(lambda: locked(tmp_path)),
        afterwards=lambda: check_free(tmp_path),
    )


def check_free(directory: Path) -> None:
    """Assert that nobody has the lock of ``directory``."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
