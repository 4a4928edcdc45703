"""The test certificate authority, tested with TLS handshakes in memory."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import shutil
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from tests.tls_handshake import shake_hands
from wove_http_dev import tls
from wove_http_dev.errors import UsageError
from wove_http_dev.private_files import locked
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import server_context

KEPT = """
import sys
from pathlib import Path
from wove_http_dev.tls import CertificateAuthority
print(CertificateAuthority.kept_in(Path(sys.argv[1])).cert_pem.decode(), end="")
"""

FORKS = """
import os, sys
from wove_http_dev.tls import CertificateAuthority
ca = CertificateAuthority()
path = ca.cert_file
child = os.fork()
if child == 0:
    sys.exit()
os.waitpid(child, 0)
print(os.path.exists(path))
"""


def meet_at(monkeypatch: pytest.MonkeyPatch, barrier: threading.Barrier) -> None:
    """Let each thread that found no key wait until the others have found none."""

    @contextlib.contextmanager
    def locked_later(directory: Path) -> Iterator[None]:
        barrier.wait(60.0)
        with locked(directory):
            yield

    monkeypatch.setattr(tls, "locked", locked_later)


@pytest.fixture(scope="module")
def ca() -> CertificateAuthority:
    """A new certificate authority."""
    return CertificateAuthority()


def names_of(certificate: x509.Certificate) -> set[str]:
    """The host names and addresses a certificate is for."""
    extension = certificate.extensions.get_extension_for_oid(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME
    ).value
    assert isinstance(extension, x509.SubjectAlternativeName)
    addresses = extension.get_values_for_type(x509.IPAddress)
    return {*extension.get_values_for_type(x509.DNSName), *map(str, addresses)}


def leaf_of(ca: CertificateAuthority, *names: str) -> x509.Certificate:
    """A leaf for ``names``."""
    return x509.load_pem_x509_certificate(ca.issue(*names).cert_chain_pems[0].bytes())


class TestLeaves:
    """Certificates signed by the authority."""

    def test_names(self, ca: CertificateAuthority) -> None:
        """A leaf is for the given names and addresses."""
        assert names_of(leaf_of(ca, "a.example", "10.0.0.1", "::1")) == {
            "a.example",
            "10.0.0.1",
            "::1",
        }

    def test_common_name(self, ca: CertificateAuthority) -> None:
        """A leaf has the given common name."""
        pem = ca.issue("a.example", common_name="a common name").cert_chain_pems[0].bytes()
        subject = x509.load_pem_x509_certificate(pem).subject
        assert "a common name" in [attribute.value for attribute in subject]

    def test_validity(self, ca: CertificateAuthority) -> None:
        """A leaf expires at the given time."""
        end = datetime.datetime(2001, 1, 2, tzinfo=datetime.timezone.utc)
        begin = end - datetime.timedelta(days=1)
        leaf = ca.issue("a.example", not_before=begin, not_after=end)
        certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        assert certificate.not_valid_after_utc == end

    def test_chain_of_an_intermediate(self, ca: CertificateAuthority) -> None:
        """A leaf of an intermediate has the intermediate in its chain."""
        assert len(ca.intermediate().issue_cert("a.example").cert_chain_pems) == 2

    def test_intermediate_is_trusted(self, ca: CertificateAuthority) -> None:
        """A client that trusts the authority trusts a leaf of its intermediate."""
        context = server_context(ca.intermediate().issue_cert("a.example"))
        certificate = shake_hands(context, ca.client_context(), "a.example")
        assert names_of(certificate) == {"a.example"}


class TestServerContext:
    """The leaf that a server shows, by the name that the client asks for."""

    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
    def test_local_names(self, ca: CertificateAuthority, name: str) -> None:
        """One leaf is for all local names."""
        certificate = shake_hands(ca.server_context(), ca.client_context(), name)
        assert names_of(certificate) == {"localhost", "127.0.0.1", "::1"}

    def test_extra_name(self, ca: CertificateAuthority) -> None:
        """An extra name is in the same leaf."""
        context = ca.server_context("Workers.Example")
        certificate = shake_hands(context, ca.client_context(), "workers.example")
        assert names_of(certificate) >= {"workers.example", "localhost"}

    def test_extra_address(self, ca: CertificateAuthority) -> None:
        """An extra address is in the same leaf, since clients do not ask for addresses by SNI."""
        context = ca.server_context("10.0.0.1")
        certificate = shake_hands(context, ca.client_context(), "10.0.0.1")
        assert "10.0.0.1" in names_of(certificate)

    def test_other_name(self, ca: CertificateAuthority) -> None:
        """A client that asks for another name gets a leaf for that name."""
        context = ca.server_context()
        certificate = shake_hands(context, ca.client_context(), "workers.internal")
        assert names_of(certificate) == {"workers.internal"}

    def test_name_is_case_insensitive(self, ca: CertificateAuthority) -> None:
        """The case of the name asked for does not matter."""
        certificate = shake_hands(ca.server_context(), ca.client_context(), "LOCALHOST")
        assert names_of(certificate) == {"localhost", "127.0.0.1", "::1"}

    def test_leaf_is_made_once(self, ca: CertificateAuthority) -> None:
        """The same name gets the same leaf again."""
        context = ca.server_context()
        serials = {
            shake_hands(context, ca.client_context(), "again.example").serial_number
            for _ in range(2)
        }
        assert len(serials) == 1

    def test_many_names(self, ca: CertificateAuthority) -> None:
        """A client may ask for any number of different names."""
        context, client = ca.server_context(), ca.client_context()
        for number in range(70):
            last = shake_hands(context, client, f"host-{number}.example")
        assert names_of(last) == {"host-69.example"}

    def test_context_is_made_once(self, ca: CertificateAuthority) -> None:
        """The same names, in any order and letter case, give the same context."""
        one = ca.server_context("a.example", "B.example")
        assert ca.server_context("b.example", "a.example") is one

    def test_oldest_version(self, ca: CertificateAuthority) -> None:
        """TLS 1.2 is the oldest version that is accepted."""
        assert ca.server_context().minimum_version == ssl.TLSVersion.TLSv1_2

    def test_cached(self, ca: CertificateAuthority) -> None:
        """The context for a cache key is made once."""
        one = ca.cached("key", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        assert ca.cached("key", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) is one


class TestClientContext:
    """The authorities that a client trusts."""

    def test_rejects_another_authority(self, ca: CertificateAuthority) -> None:
        """A leaf for the right name is rejected if another authority signed it."""
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            shake_hands(CertificateAuthority().server_context(), ca.client_context(), "localhost")

    def test_rejects_another_name(self, ca: CertificateAuthority) -> None:
        """A leaf for another name is rejected."""
        context = server_context(ca.issue("a.example"))
        with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname mismatch"):
            shake_hands(context, ca.client_context(), "b.example")

    def test_rejects_an_expired_leaf(self, ca: CertificateAuthority) -> None:
        """An expired leaf is rejected."""
        end = datetime.datetime(2001, 1, 2, tzinfo=datetime.timezone.utc)
        leaf = ca.issue("a.example", not_before=end - datetime.timedelta(days=1), not_after=end)
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            shake_hands(server_context(leaf), ca.client_context(), "a.example")

    def test_trusts_no_other_authority(self, ca: CertificateAuthority) -> None:
        """None of the system's authorities is trusted."""
        assert len(ca.client_context().get_ca_certs()) == 1


class TestFiles:
    """The files for clients in other processes."""

    def test_certificate(self) -> None:
        """The file holds the authority's certificate."""
        with CertificateAuthority() as ca:
            assert Path(ca.cert_file).read_bytes() == ca.cert_pem

    def test_no_private_key(self) -> None:
        """No file holds the private key."""
        with CertificateAuthority() as ca:
            contents = [Path(path).read_bytes() for path in (ca.cert_file, ca.bundle_file)]
        assert not any(b"PRIVATE KEY" in content for content in contents)

    def test_bundle_has_the_authority(self) -> None:
        """The bundle has the authority's certificate."""
        with CertificateAuthority() as ca:
            client = ssl.create_default_context(cafile=ca.bundle_file)
            assert shake_hands(ca.server_context(), client, "localhost")

    def test_no_temporary_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a temporary directory a file is a usage error that says what to set."""
        monkeypatch.setattr(tempfile, "tempdir", "/absent")
        with pytest.raises(UsageError, match="set TMPDIR"):
            _ = CertificateAuthority().cert_file

    def test_no_descriptor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a free descriptor a file is a usage error that says so, although ``tempfile``
        reports that there is no temporary directory."""

        def fails(*args: object, **kwargs: object) -> NoReturn:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(tempfile, "tempdir", None)  # not looked up yet
        ca = CertificateAuthority()
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", fails)
            with pytest.raises(UsageError, match="no free file descriptor"):
                _ = ca.cert_file

    def test_forked_child_leaves_the_files(self) -> None:
        """A forked child that ends with exit handlers does not delete its parent's files."""
        command = [sys.executable, "-W", "ignore", "-c", FORKS]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("True\n", "")

    def test_close_deletes(self) -> None:
        """``close`` deletes the files and their directory."""
        ca = CertificateAuthority()
        directory = Path(ca.cert_file).parent
        ca.close()
        assert not directory.exists()

    def test_close_twice(self) -> None:
        """A second ``close`` does nothing."""
        ca = CertificateAuthority()
        ca.close()
        ca.close()
        assert ca.cert_pem

    def test_made_anew(self) -> None:
        """After ``close`` a file is made again on the next access."""
        ca = CertificateAuthority()
        assert ca.cert_file
        ca.close()
        with ca:
            assert Path(ca.cert_file).read_bytes() == ca.cert_pem

    def test_context_manager(self) -> None:
        """Leaving the ``with`` block closes the authority."""
        with CertificateAuthority() as ca:
            path = Path(ca.cert_file)
        assert not path.exists()

    def test_deleted_by_another(self) -> None:
        """A file is written again if its directory was deleted, as jobs do that delete old
        temporary files."""
        with CertificateAuthority() as ca:
            shutil.rmtree(Path(ca.cert_file).parent)
            assert Path(ca.cert_file).read_bytes() == ca.cert_pem

    def test_dropped(self) -> None:
        """An authority that is garbage-collected leaves no file behind."""
        path = Path(CertificateAuthority().cert_file)
        assert not path.exists()


class TestKeptIn:
    """An authority that is stored in a directory."""

    def test_key_is_private(self, tmp_path: Path) -> None:
        """Only its owner can read the key."""
        CertificateAuthority.kept_in(tmp_path)
        assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600

    def test_same_again(self, tmp_path: Path) -> None:
        """An authority in a directory is made once and loaded afterwards."""
        first = CertificateAuthority.kept_in(tmp_path)
        assert CertificateAuthority.kept_in(tmp_path).cert_pem == first.cert_pem

    def test_client_of_the_first_trusts_the_second(self, tmp_path: Path) -> None:
        """A client that trusted the authority when it was made trusts it when it is loaded."""
        client = CertificateAuthority.kept_in(tmp_path).client_context()
        server = CertificateAuthority.kept_in(tmp_path).server_context()
        assert "localhost" in names_of(shake_hands(server, client, "localhost"))

    @pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
    @pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nx\n"])
    def test_broken(self, tmp_path: Path, name: str, content: bytes) -> None:
        """A file that is not a certificate or key is a usage error that says what to delete."""
        CertificateAuthority.kept_in(tmp_path)
        (tmp_path / name).write_bytes(content)
        why = rf"\({name} holds no .* in PEM.*\); delete ca\.pem and ca\.key"
        with pytest.raises(UsageError, match=why):
            CertificateAuthority.kept_in(tmp_path)

    def test_certificate_is_missing(self, tmp_path: Path) -> None:
        """A key without its certificate is a usage error."""
        CertificateAuthority.kept_in(tmp_path)
        (tmp_path / "ca.pem").unlink()
        with pytest.raises(UsageError, match="cannot be used"):
            CertificateAuthority.kept_in(tmp_path)

    def test_certificate_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that is killed before the key is written leaves no half of an authority."""

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(tls, "write_private", killed)
            with pytest.raises(KeyboardInterrupt):
                CertificateAuthority.kept_in(tmp_path)
        kept = CertificateAuthority.kept_in(tmp_path)
        assert kept.cert_pem == (tmp_path / "ca.pem").read_bytes()

    def test_unfinished_key_is_deleted(self, tmp_path: Path) -> None:
        """What a killed process left of a key is deleted when the authority is made."""
        (tmp_path / ".ca.key-abc").write_bytes(b"key")
        CertificateAuthority.kept_in(tmp_path)
        assert not (tmp_path / ".ca.key-abc").exists()

    def test_two_threads(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two first starts in one process have the same authority."""
        meet_at(monkeypatch, threading.Barrier(2))
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(CertificateAuthority.kept_in, [tmp_path, tmp_path])
        assert one.cert_pem == other.cert_pem == (tmp_path / "ca.pem").read_bytes()

    def test_two_processes(self, tmp_path: Path) -> None:
        """Two first starts in two processes have the same authority."""
        starting = [
            subprocess.Popen([sys.executable, "-c", KEPT, str(tmp_path)], stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        printed = [process.communicate()[0] for process in starting]
        assert printed[0] == printed[1] == (tmp_path / "ca.pem").read_bytes()

    def test_second_start_leaves_the_bundle(self, tmp_path: Path) -> None:
        """A second start does not write the bundle again, which clients may be reading."""
        before = Path(CertificateAuthority.kept_in(tmp_path).bundle_file).stat()
        after = Path(CertificateAuthority.kept_in(tmp_path).bundle_file).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_certificate_for_other_users(self, tmp_path: Path) -> None:
        """Other users may read the certificate: clients of theirs need it."""
        CertificateAuthority.kept_in(tmp_path)
        assert stat.S_IMODE((tmp_path / "ca.pem").stat().st_mode) == 0o644

    def test_loosened_key_is_mended(self, tmp_path: Path) -> None:
        """A key that others may read is private again."""
        CertificateAuthority.kept_in(tmp_path)
        (tmp_path / "ca.key").chmod(0o644)
        CertificateAuthority.kept_in(tmp_path)
        assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600

    @pytest.mark.parametrize("name", ["ca.key", "ca.pem", "bundle.pem"])
    def test_symbolic_link(self, tmp_path: Path, name: str) -> None:
        """A symbolic link in place of a file is a usage error, and its target is left alone."""
        target, directory = tmp_path / "target", tmp_path / "state"
        target.write_bytes(b"precious")
        directory.mkdir()
        (directory / name).symlink_to(target)
        with pytest.raises(UsageError, match="symbolic link"):
            _ = CertificateAuthority.kept_in(directory).bundle_file
        assert target.read_bytes() == b"precious"

    def test_key_of_another(self, tmp_path: Path) -> None:
        """A certificate that does not belong to the key is a usage error."""
        CertificateAuthority.kept_in(tmp_path)
        (tmp_path / "ca.pem").write_bytes(CertificateAuthority().cert_pem)
        with pytest.raises(UsageError, match="does not belong to the certificate"):
            CertificateAuthority.kept_in(tmp_path)
