"""TLS contexts made from a certificate and its key, which is in no file."""

from __future__ import annotations

import datetime
import errno
import os
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

import pytest

from tests import macos
from tests.tls_handshake import shake_hands
from wove_http_dev import tls_contexts
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import server_context


@pytest.fixture(scope="module")
def ca() -> CertificateAuthority:
    """A new certificate authority."""
    return CertificateAuthority()


def load_with_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make descriptors without a path, as on a system without ``/proc`` and ``/dev/fd``."""
    monkeypatch.setattr(tls_contexts, "_path_of", lambda file: "/absent")


def load_without_memfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take ``memfd_create`` away, as on macOS."""
    monkeypatch.delattr(os, "memfd_create", raising=False)


def load_from_shared_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is opened by its path share the descriptor's offset, as ``/dev/fd`` of macOS and
    the BSDs does: each file can be read from where the writer left it, and once. So it is with a
    pipe on Linux."""

    def pipe(content: bytes) -> IO[bytes]:
        reader, writer = os.pipe()
        with open(writer, "wb") as file:
            file.write(content)
        return open(reader, "rb", buffering=0)

    monkeypatch.setattr(tls_contexts, "_nameless_file", pipe)


class TestLoadKey:
    """Private keys on their way to OpenSSL."""

    @pytest.mark.parametrize(
        "emulate",
        [
            lambda _: None,
            load_without_memfd,
            load_with_temporary_file,
            load_from_shared_offset,
            macos.emulate,
        ],
    )
    def test_handshake(
        self,
        ca: CertificateAuthority,
        monkeypatch: pytest.MonkeyPatch,
        emulate: Callable[[pytest.MonkeyPatch], None],
    ) -> None:
        """The certificate is presented, whatever the system offers to load a key."""
        emulate(monkeypatch)
        context = server_context(ca.issue("a.example"))
        assert shake_hands(context, ca.client_context(), "a.example")

    @pytest.mark.parametrize("emulate", [lambda _: None, load_without_memfd])
    def test_offset(
        self, monkeypatch: pytest.MonkeyPatch, emulate: Callable[[pytest.MonkeyPatch], None]
    ) -> None:
        """Who shares the descriptor's offset reads the content from its beginning."""
        emulate(monkeypatch)
        with tls_contexts._nameless_file(b"content") as file:
            assert os.read(file.fileno(), 100) == b"content"

    @pytest.mark.parametrize("emulate", [lambda _: None, load_without_memfd])
    def test_no_file(
        self,
        ca: CertificateAuthority,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        emulate: Callable[[pytest.MonkeyPatch], None],
    ) -> None:
        """While OpenSSL loads a key, no directory has a file with it."""
        emulate(monkeypatch)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        seen: list[Path] = []
        path_of = tls_contexts._path_of

        def look(file: IO[bytes]) -> str:
            seen.extend(tmp_path.iterdir())
            return path_of(file)

        monkeypatch.setattr(tls_contexts, "_path_of", look)
        server_context(ca.issue("a.example"))
        assert seen == []

    @pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs memfd_create (Linux)")
    def test_no_temporary_directory(
        self, ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Linux no temporary directory is needed."""
        monkeypatch.setattr(tempfile, "tempdir", "/absent")
        assert server_context(ca.issue("a.example"))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs memfd_create (Linux)")
def test_load_key_in_a_fake_file_system(
    ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is loaded although Python sees another file system than OpenSSL (pyfakefs)."""
    leaf = ca.issue("a.example")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", "/absent")
        for name in ("access", "stat"):
            patch.setattr(os, name, lambda *_, **__: False)
        context = server_context(leaf)
    assert shake_hands(context, ca.client_context(), "a.example")


@pytest.mark.parametrize("memfd", [True, False], ids=["memfd", "file"])
def test_no_descriptor(
    ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch, memfd: bool
) -> None:
    """Without a free descriptor the error says so, although ``tempfile`` would report that there is
    no temporary directory."""

    def fails(*args: object, **kwargs: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    leaf = ca.issue("a.example")
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", None)  # not looked up yet
        patch.setattr(os, "open", fails)
        if memfd:
            patch.setattr(os, "memfd_create", fails, raising=False)
        else:
            load_without_memfd(patch)
        with pytest.raises(OSError, match="Too many open files"):
            server_context(leaf)


def test_system_time() -> None:
    """It is the time of now."""
    assert abs(tls_contexts.system_time() - time.time()) < 60.0


def test_system_time_of_a_test_that_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not one of Python's clocks, which tests replace."""
    for clock in ("time", "time_ns", "clock_gettime"):
        monkeypatch.setattr(time, clock, lambda *_: 0)
    assert tls_contexts.system_time() > datetime.datetime(2025, 1, 1).timestamp()


def test_self_signed() -> None:
    """A self-signed certificate is rejected as self-signed."""
    context = tls_contexts.self_signed_context(["localhost"])
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|self signed"):
        shake_hands(context, CertificateAuthority().client_context(), "localhost")
