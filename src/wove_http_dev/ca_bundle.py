"""The bundle file for other processes: the CAs that this system trusts, and the CA of a worker."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import ssl
from pathlib import Path

ORGANIZATION = "wove-http-dev test CA"
"""The organization in the certificates of this package's CAs."""
_HEAD = b"# The CAs of the system and the CA of a wove-http-dev worker.\n"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")


def make_bundle(certificate: bytes) -> bytes:
    """Return the content of a bundle with the CA ``certificate``, both PEM."""
    own = ssl.PEM_cert_to_DER_cert(certificate.decode("ascii"))
    others = [ssl.DER_cert_to_PEM_cert(each) for each in _system_cas() if each != own]
    return _HEAD + "".join(others).encode("ascii") + certificate


def _system_cas() -> list[bytes]:
    """Return the CAs that OpenSSL trusts on this system, in DER: those of its file and its
    directories.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name others, as for OpenSSL. But users are asked to
    export a bundle of this package as ``SSL_CERT_FILE``: such a file is not read back, and one that
    has no CA but this package's does not replace the system's.
    """
    paths = ssl.get_default_verify_paths()
    content = _content(os.environ.get(paths.openssl_cafile_env, ""))
    if _HEAD in content:
        content = b""
    if all(_made_here(each) for each in _certificates(content)):  # also if there are none
        content += _content(paths.openssl_cafile)
    directories = os.environ.get(paths.openssl_capath_env) or paths.openssl_capath
    for directory in directories.split(os.pathsep):
        content += b"".join(_content(path) for path in _certificates_in(directory))
    return list(dict.fromkeys(_certificates(content)))


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes() if os.path.isfile(path) else b""
    except OSError:  # OpenSSL goes on without it, too
        return b""


def _certificates_in(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    # OpenSSL finds a certificate by the hash of its subject; the other names are its sources.
    hashed = [name for name in names if _HASHED_NAME.fullmatch(name)]
    return [os.path.join(directory, name) for name in hashed or names]


def _certificates(content: bytes) -> list[bytes]:
    found = []
    for body in _PEM.findall(content):
        with contextlib.suppress(binascii.Error):
            found.append(base64.b64decode(body))
    return found


def _made_here(certificate: bytes) -> bool:
    return ORGANIZATION.encode() in certificate
