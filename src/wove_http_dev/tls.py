"""A certificate authority for tests, and the TLS contexts made from it.

Certificates come from trustme and are never installed in the system's or certifi's store. A private
key is on disk only in trustme's own temporary file (mode 0600) while OpenSSL loads it, and in the
state directory of ``serve``.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import ipaddress
import os
import re
import shutil
import ssl
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wove_http_dev.errors import UsageError
from wove_http_dev.options import LOCAL_NAMES, Host

_SNI_LIMIT = 64  # clients choose the names, so the cache of certificates is limited
_SNI_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)


class CertificateAuthority:
    """An ECDSA certificate authority, trusted only by clients that load its certificate.

    A context manager that deletes its files at the end, like :meth:`close`.
    """

    def __init__(self, ca: trustme.CA | None = None) -> None:
        self._ca = ca if ca is not None else trustme.CA(organization_name="wove-http-dev test CA")
        self._lock = threading.RLock()
        self._directory: Path | None = None
        self._cleanup: weakref.finalize[[], CertificateAuthority] | None = None
        self._server: dict[tuple[str, ...], ssl.SSLContext] = {}
        self._by_name: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._client: ssl.SSLContext | None = None
        self._cache: dict[object, ssl.SSLContext] = {}

    @classmethod
    def kept_in(cls, directory: Path) -> CertificateAuthority:
        """Load the authority from ``directory`` (``ca.pem``, and ``ca.key`` with mode 0600), or
        create it there. The file ``bundle.pem`` is written anew each time.

        Raises :class:`UsageError` if the files are not a certificate and its key.
        """
        certificate, key = directory / "ca.pem", directory / "ca.key"
        try:
            if not key.exists():
                authority = cls()
                write_private(key, authority.key_pem)
                certificate.write_bytes(authority.cert_pem)
            else:
                pair = certificate.read_bytes(), key.read_bytes()
                _check_pair(*pair)
                authority = cls(trustme.CA.from_pem(*pair))
            (directory / "bundle.pem").unlink(missing_ok=True)  # the system's CAs may have changed
            authority._directory = directory
            return authority
        except (OSError, ValueError, TypeError) as exc:
            raise UsageError(
                f"the CA in {directory} cannot be used ({exc}); delete ca.pem and ca.key there"
            ) from exc

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> CertificateAuthority:
        """Create an authority from its certificate and private key, both PEM."""
        return cls(trustme.CA.from_pem(certificate, key))

    @property
    def key_pem(self) -> bytes:
        """The CA's private key, PEM; the child process of an isolated worker gets it over a socket
        pair."""
        return self._ca.private_key_pem.bytes()

    @property
    def cert_pem(self) -> bytes:
        """The CA certificate, PEM."""
        return self._ca.cert_pem.bytes()

    @property
    def cert_file(self) -> str:
        """Path of the CA certificate, PEM."""
        return str(self._file("ca.pem", lambda: self.cert_pem))

    @property
    def bundle_file(self) -> str:
        """Path of a file with the system's CAs and this one. Other processes get it as
        ``SSL_CERT_FILE``, which replaces the system's file."""
        return str(self._file("bundle.pem", lambda: _system_cas() + self.cert_pem))

    def _file(self, name: str, content: Callable[[], bytes]) -> Path:
        with self._lock:
            if self._directory is None:
                self._directory = Path(tempfile.mkdtemp(prefix="wove-http-dev-"))  # 0700
                remove = functools.partial(shutil.rmtree, self._directory, ignore_errors=True)
                self._cleanup = weakref.finalize(self, remove)
            path = self._directory / name
            if not path.exists():
                path.write_bytes(content())
            return path

    def issue(
        self,
        *identities: str,
        common_name: str | None = None,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> trustme.LeafCert:
        """Issue a leaf certificate for the host names and IP addresses ``identities``."""
        return self._ca.issue_cert(
            *identities, common_name=common_name, not_before=not_before, not_after=not_after
        )

    def intermediate(self) -> trustme.CA:
        """Create an intermediate authority, signed by this one."""
        return self._ca.create_child_ca()

    def server_context(self, *extra_names: str) -> ssl.SSLContext:
        """Return a server context (TLS 1.2 and newer) with a certificate for the local names and
        ``extra_names``. A client that requests another name (SNI) gets a certificate for that name.
        """
        key = tuple(sorted({*LOCAL_NAMES, *(name.lower() for name in extra_names)}))
        with self._lock:
            context = self._server.get(key)
            if context is None:
                context = server_context(self.issue(*key))
                context.sni_callback = self._by_server_name(frozenset(key))
                self._server[key] = context
            return context

    def _by_server_name(
        self, own: frozenset[str]
    ) -> Callable[[ssl.SSLObject, str, ssl.SSLContext], None]:
        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name is None or name.lower() in own or not _SNI_NAME.fullmatch(name):
                return
            with contextlib.suppress(ValueError, ssl.SSLError):  # not a valid name
                connection.context = self._named_context(name.lower())

        return choose

    def _named_context(self, name: str) -> ssl.SSLContext:
        with self._lock:
            context = self._by_name.get(name)
            if context is None:
                context = self._by_name[name] = server_context(self.issue(name))
                if len(self._by_name) > _SNI_LIMIT:
                    self._by_name.popitem(last=False)
            self._by_name.move_to_end(name)
            return context

    def client_context(self) -> ssl.SSLContext:
        """Return a client context that trusts only this authority."""
        with self._lock:
            if self._client is None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(cadata=self.cert_pem.decode("ascii"))
                if hasattr(ssl, "VERIFY_X509_STRICT"):  # what create_default_context sets on 3.13
                    context.verify_flags |= ssl.VERIFY_X509_STRICT
                self._client = context
            return self._client

    def cached(self, key: object, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """Return the context for ``key``; the first call creates it with ``make``."""
        with self._lock:
            if key not in self._cache:
                self._cache[key] = make()
            return self._cache[key]

    def close(self) -> None:
        """Delete the files. They are written again when they are needed."""
        with self._lock:
            if self._cleanup is not None:
                self._cleanup()
                self._directory = self._cleanup = None

    def __enter__(self) -> CertificateAuthority:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server context that presents ``leaf``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # OpenSSL 3 answers a read that ends early with an alert, which a killed process does not send.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    # The executor opens a connection for each POST (Connection: close), so session tickets would be
    # two writes that nothing uses.
    context.num_tickets = 0
    leaf.configure_cert(context)
    return context


def self_signed_context(names: Sequence[str]) -> ssl.SSLContext:
    """Return a server context whose certificate for ``names`` is signed by its own key."""
    # trustme cannot make one: its leaves are signed by a CA.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self-signed")])
    now = datetime.datetime.now(datetime.timezone.utc)
    identities: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if Host(name).is_address else x509.DNSName(name)
        for name in names
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(identities), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with trustme.Blob(private + pem).tempfile() as path:
        context.load_cert_chain(path)
    return context


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read: mode 0600 before it has any content."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)


def _check_pair(certificate: bytes, key: bytes) -> None:
    certified = x509.load_pem_x509_certificate(certificate).public_key()
    if certified != load_pem_private_key(key, password=None).public_key():
        raise ValueError("the key does not belong to the certificate")


def _system_cas() -> bytes:
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:  # honours SSL_CERT_FILE
        content = Path(paths.cafile).read_bytes()
        return content if content.endswith(b"\n") else content + b"\n"
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode("ascii")
