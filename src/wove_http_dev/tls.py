"""A certificate authority for tests: its certificates, its files, and the TLS contexts of servers
and clients that use it.

Certificates come from trustme and are never installed in the system's or certifi's store. The only
private key on disk is that of ``serve``, in its state directory.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import re
import shutil
import ssl
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wove_http_dev.ca_bundle import ORGANIZATION, make_bundle
from wove_http_dev.descriptors import ADVICE, require_descriptor
from wove_http_dev.errors import UsageError
from wove_http_dev.hosts import LOCAL_NAMES
from wove_http_dev.private_files import locked, read_own, write_private, write_whole
from wove_http_dev.tls_contexts import server_context

if TYPE_CHECKING:
    import trustme

_SNI_LIMIT = 64  # clients choose the names, so the cache of certificates is limited
_SNI_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)


class CertificateAuthority:
    """An ECDSA certificate authority, trusted only by clients that load its certificate.

    A context manager that deletes its files at the end, like :meth:`close`.
    """

    def __init__(self, ca: trustme.CA | None = None) -> None:
        self._ca = ca or _new_authority()
        self._lock = threading.RLock()
        self._directory: Path | None = None
        self._current: set[str] = set()
        """The files that have the right content."""
        self._remove: Callable[[], None] = lambda: None
        """Deletes the files."""
        self._cleanup: weakref.finalize[[], CertificateAuthority] | None = None
        """Does it when the process ends without :meth:`close`."""
        self._server: dict[tuple[str, ...], ssl.SSLContext] = {}
        self._by_name: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._client: ssl.SSLContext | None = None
        self._cache: dict[object, ssl.SSLContext] = {}

    @classmethod
    def kept_in(cls, directory: Path) -> CertificateAuthority:
        """Load the authority from ``directory`` (``ca.pem``, and ``ca.key`` with mode 0600), or
        create it there: once, also if several processes do so at the same time.

        Raises :class:`UsageError` if the files are not a certificate and its key, or not this
        user's.
        """
        certificate, key = directory / "ca.pem", directory / "ca.key"
        try:
            if not key.exists():
                with locked(directory):
                    if not key.exists():
                        cls()._keep(certificate, key)
            private = read_own(key, private=True)
            public = read_own(certificate, private=False)
            _check_pair(public, private)
            authority = cls.from_pem(public, private)
            authority._directory = directory
            return authority
        except UsageError:
            raise
        except (OSError, ValueError, TypeError) as exc:
            raise UsageError(
                f"the CA in {directory} cannot be used ({exc}); delete ca.pem and ca.key there, or"
                " use another directory"
            ) from exc

    def _keep(self, certificate: Path, key: Path) -> None:
        for unfinished in key.parent.glob(f".{key.name}-*"):  # by a process that was killed
            with contextlib.suppress(OSError):
                unfinished.unlink()
        write_whole(certificate, self.cert_pem)
        write_private(key, self.key_pem)  # last: whoever finds a key finds its certificate

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> CertificateAuthority:
        """Create an authority from its certificate and private key, both PEM."""
        from wove_http_dev.first_certificate import trustme

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
        return str(self._file("bundle.pem", lambda: make_bundle(self.cert_pem)))

    def _file(self, name: str, content: Callable[[], bytes]) -> Path:
        with self._lock:
            if self._cleanup is not None and not os.path.isdir(self._directory or ""):
                self._directory = None  # lost to a job that deletes old temporary files
            if self._directory is None:
                self._make_directory()
            assert self._directory is not None
            path = self._directory / name
            if name not in self._current or not path.exists():
                # A kept file may be in use by the clients of another worker: it is replaced only
                # by other content (the system's CAs have changed), and whole.
                expected = content()
                if not path.exists() or read_own(path, private=False) != expected:
                    write_whole(path, expected)
                self._current.add(name)
            return path

    def _make_directory(self) -> None:
        directory = _temporary_directory()
        try:
            self._remove = functools.partial(_remove_in, os.getpid(), directory)
            self._cleanup = weakref.finalize(self, self._remove)
            self._directory = Path(directory)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def issue(
        self,
        *identities: str,
        common_name: str | None = None,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> trustme.LeafCert:
        """Issue and return a leaf certificate for the host names and IP addresses
        ``identities``."""
        return self._ca.issue_cert(
            *identities, common_name=common_name, not_before=not_before, not_after=not_after
        )

    def intermediate(self) -> trustme.CA:
        """Create and return an intermediate authority, signed by this one."""
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
                self._remove()
                self._cleanup.detach()
                self._directory = self._cleanup = None
                self._current.clear()

    def __enter__(self) -> CertificateAuthority:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.close()
        except BaseException:  # Ctrl-C: what was not deleted yet is deleted now
            self.close()
            raise


def _new_authority() -> trustme.CA:
    from wove_http_dev.first_certificate import trustme

    return trustme.CA(organization_name=ORGANIZATION)


def _check_pair(certificate: bytes, key: bytes) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    # The texts of cryptography's own exceptions have hundreds of characters.
    try:
        certified = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise ValueError("ca.pem holds no certificate in PEM") from None
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError):  # TypeError: it has a password
        raise ValueError("ca.key holds no private key in PEM without a password") from None
    if certified != private.public_key():
        raise ValueError("the key does not belong to the certificate")


def _temporary_directory() -> str:
    try:
        return tempfile.mkdtemp(prefix="wove-http-dev-")  # 0700
    except OSError as exc:
        _refuse_without_descriptor()
        raise UsageError(
            f"no directory for the CA's certificate ({exc.strerror}); set TMPDIR to one that can be"
            " written"
        ) from exc


def _refuse_without_descriptor() -> None:
    try:
        require_descriptor()
    except OSError as exc:
        raise UsageError(f"no directory for the CA's certificate; {ADVICE}") from exc


def _remove_in(process: int, directory: str) -> None:
    # A forked child runs the exit handlers too, and the files are its parent's.
    if os.getpid() == process:
        shutil.rmtree(directory, ignore_errors=True)
