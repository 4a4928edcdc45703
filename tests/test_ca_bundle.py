"""The bundle file: the system's authorities and one of this package."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.tls_handshake import shake_hands
from wove_http_dev.tls import CertificateAuthority


@dataclass
class System:
    """The places where OpenSSL looks for the system's authorities, empty."""

    file: Path
    directory: Path


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    """A system of the test's own."""
    made = System(tmp_path / "cert.pem", tmp_path / "certs")
    made.directory.mkdir()
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    paths = ssl.get_default_verify_paths()._replace(
        openssl_cafile=str(made.file), openssl_capath=str(made.directory)
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    return made


def bundle_of(ca: CertificateAuthority) -> bytes:
    """The content of the bundle."""
    return Path(ca.bundle_file).read_bytes()


def test_bundle_has_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle has the system's authorities, even if their file does not end with a
    newline."""
    other = CertificateAuthority()
    system = tmp_path / "system.pem"
    system.write_bytes(other.cert_pem.rstrip())
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    with CertificateAuthority() as ca:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(ca.bundle_file)
    assert shake_hands(other.server_context(), client, "localhost")


@pytest.mark.parametrize("name", ["0a1b2c3d.0", "unhashed.pem"])
def test_bundle_of_a_directory(system: System, name: str) -> None:
    """The bundle has the authorities that the system keeps in a directory."""
    other = CertificateAuthority(trustme.CA())
    (system.directory / name).write_bytes(other.cert_pem)
    assert other.cert_pem in bundle_of(CertificateAuthority())


def test_bundle_of_file_and_directory(system: System) -> None:
    """An authority that is in the system's file and in its directory is in the bundle once."""
    other = CertificateAuthority(trustme.CA())
    system.file.write_bytes(other.cert_pem)
    (system.directory / "0a1b2c3d.0").write_bytes(other.cert_pem)
    assert bundle_of(CertificateAuthority()).count(other.cert_pem) == 1


def test_bundle_is_not_made_from_a_bundle(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ``SSL_CERT_FILE`` is a bundle of this package, the bundle has the system's authorities
    and not the former one of this package."""
    other, former = CertificateAuthority(trustme.CA()), CertificateAuthority()
    system.file.write_bytes(other.cert_pem)
    monkeypatch.setenv("SSL_CERT_FILE", former.bundle_file)
    bundle = bundle_of(CertificateAuthority())
    assert (other.cert_pem in bundle, former.cert_pem in bundle) == (True, False)


def test_bundle_although_the_certificate_is_exported(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If ``SSL_CERT_FILE`` is the authority's own file, the bundle is what it is without."""
    system.file.write_bytes(CertificateAuthority(trustme.CA()).cert_pem)
    ca = CertificateAuthority()
    before = bundle_of(ca)
    again = CertificateAuthority.from_pem(ca.cert_pem, ca.key_pem)
    monkeypatch.setenv("SSL_CERT_FILE", ca.cert_file)
    assert bundle_of(again) == before


def test_bundle_without_the_file_of_the_variable(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If ``SSL_CERT_FILE`` is absent (a deleted bundle), the system's authorities are used."""
    other = CertificateAuthority(trustme.CA())
    system.file.write_bytes(other.cert_pem)
    monkeypatch.setenv("SSL_CERT_FILE", "/absent/bundle.pem")
    assert other.cert_pem in bundle_of(CertificateAuthority())


def test_bundle_of_a_system_without_authorities(system: System) -> None:
    """On a system without authorities the bundle has this one."""
    ca = CertificateAuthority()
    assert bundle_of(ca).endswith(ca.cert_pem)


def test_bundle_is_brought_up_to_date(tmp_path: Path, system: System) -> None:
    """When the system's authorities have changed, the next start replaces the bundle."""
    _ = CertificateAuthority.kept_in(tmp_path).bundle_file
    new = CertificateAuthority(trustme.CA())
    system.file.write_bytes(new.cert_pem)
    assert new.cert_pem in bundle_of(CertificateAuthority.kept_in(tmp_path))
