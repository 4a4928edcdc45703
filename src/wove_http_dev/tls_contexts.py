"""TLS contexts of servers, each made from a certificate and its private key.

OpenSSL loads the key from a file without a name, where the system can open one.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import ipaddress
import os
import ssl
import sys
import tempfile
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from wove_http_dev.descriptors import none_free, require_descriptor
from wove_http_dev.hosts import Host

if TYPE_CHECKING:
    import trustme

# trustme's DEFAULT_NOT_BEFORE and DEFAULT_EXPIRY, without importing it.
NOT_BEFORE, NOT_AFTER = datetime.datetime(2000, 1, 1), datetime.datetime(3000, 1, 1)
"""The dates of every valid certificate: 2000 and 3000, so that the clock of a test, or of a
machine, is always between them."""


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server context that presents ``leaf``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # OpenSSL 3 answers a read that ends early with an alert, which a killed process does not send.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    # The executor opens a connection for each POST (Connection: close), so session tickets would be
    # two writes that nothing uses.
    context.num_tickets = 0
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    load_key(context, chain, leaf.private_key_pem.bytes())
    return context


def self_signed_context(names: Sequence[str]) -> ssl.SSLContext:
    """Return a server context whose certificate for ``names`` is signed by its own key."""
    # Imported here, because it takes as long as half of this package (``first_certificate``).
    # trustme cannot make such a certificate: its leaves are signed by a CA.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self-signed")])
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
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.SubjectAlternativeName(identities), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_key(context, pem, private)
    return context


def load_key(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Make ``context`` present the certificates ``chain`` with the private ``key``, both PEM.

    The ssl module takes them from files only (https://bugs.python.org/issue16487). These have no
    name, so that a process that is killed leaves none; where a descriptor has no path either, the
    key is in a temporary file of mode 0600 meanwhile.
    """
    with (
        _nameless_file(chain) as chain_file,
        _nameless_file(key) as key_file,
        contextlib.suppress(FileNotFoundError, PermissionError),  # of the paths
    ):
        context.load_cert_chain(_path_of(chain_file), _path_of(key_file))
        return
    import trustme

    with trustme.Blob(key + chain).tempfile() as path:
        context.load_cert_chain(path)


def system_time() -> float:
    """Return the time of the system's clock, by which OpenSSL judges dates, in seconds since 1970.
    It is the real time also while a test has replaced Python's clocks (freezegun, time-machine)."""
    with _nameless_file(b"") as file:
        return os.fstat(file.fileno()).st_mtime


def _nameless_file(content: bytes) -> IO[bytes]:
    file: IO[bytes]
    try:
        # An opener, so that an exception between two calls does not lose the descriptor.
        file = io.FileIO("memory", "w+", opener=lambda *_: os.memfd_create("wove-http-dev"))
    except (AttributeError, OSError) as exc:  # not Linux; or refused by a sandbox
        if none_free(exc):
            raise
        file = _temporary_file()
    try:
        file.write(content)
        file.seek(0)  # on BSD and macOS to open the path is to duplicate the descriptor
    except BaseException:
        file.close()
        raise
    return file


def _temporary_file() -> IO[bytes]:
    try:
        # Its name is deleted before it has any content.
        return tempfile.TemporaryFile(buffering=0)
    except FileNotFoundError:
        require_descriptor()
        raise


def _path_of(file: IO[bytes]) -> str:
    directory = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    return f"{directory}/{file.fileno()}"
