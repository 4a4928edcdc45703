"""TLS handshakes that fail, and whose failure it is; test_connection.py has them with a worker."""

from __future__ import annotations

import errno
import os
import ssl
from typing import Any, NoReturn

import pytest

from tests.support import TIMEOUT
from wove_http_dev.errors import NoCertificateError
from wove_http_dev.runs.records import CODES
from wove_http_dev.service.handshake import HandshakeError, own_context, shake_hands


class Fails:
    """A client whose handshake fails with ``exc``."""

    def __init__(self, exc: Exception) -> None:
        self._exc = exc

    def shake_hands(self, context: object, seconds: float) -> NoReturn:
        """Fail."""
        raise self._exc


def failed(reason: str) -> ssl.SSLError:
    """OpenSSL's error with this reason."""
    exc = ssl.SSLError(1, reason)
    exc.reason = reason
    return exc


def shaken(exc: Exception) -> None:
    """Shake hands with a client whose handshake fails with ``exc``."""
    client: Any = Fails(exc)
    shake_hands(client, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), TIMEOUT)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", "certificate-rejected"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "certificate-rejected"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "handshake-failed"),
        ("NO_SHARED_CIPHER", "handshake-failed"),
    ],
)
def test_code(reason: str, code: str) -> None:
    """A certificate that the client rejected is told from other failures, by codes of the table."""
    assert (HandshakeError(reason).code, code in CODES) == (code, True)


def test_failure_of_tls() -> None:
    """The error of OpenSSL is named by its reason."""
    with pytest.raises(HandshakeError, match="TLS handshake: NO_SHARED_CIPHER"):
        shaken(failed("NO_SHARED_CIPHER"))


@pytest.mark.parametrize("exc", [ConnectionResetError(), TimeoutError(), ValueError()], ids=repr)
def test_client_that_leaves(exc: Exception) -> None:
    """An end without a reason of OpenSSL is named by its class; ``ValueError`` is what the ssl
    module raises after another thread ended the connection."""
    with pytest.raises(HandshakeError, match=type(exc).__name__):
        shaken(exc)


def test_no_certificate_for_a_name() -> None:
    """A certificate that could not be made for the requested name is not the client's failure."""
    with pytest.raises(NoCertificateError, match="for the name"):
        shaken(failed("CALLBACK_FAILED"))


def test_no_descriptor_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no free descriptor for that certificate, the error says so."""

    def fails(*args: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(OSError, match="Too many open files"):
        shaken(failed("CALLBACK_FAILED"))


def test_own_context() -> None:
    """The context is what makes it returns."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert own_context(lambda: context) is context


def test_no_own_context() -> None:
    """A context that cannot be made is an error with the reason."""

    def fails() -> NoReturn:
        raise FileNotFoundError("no directory")

    with pytest.raises(NoCertificateError, match="FileNotFoundError: no directory"):
        own_context(fails)


def test_no_descriptor() -> None:
    """A process without a free descriptor gets the system's error."""

    def fails() -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    with pytest.raises(OSError, match="Too many open files"):
        own_context(fails)
