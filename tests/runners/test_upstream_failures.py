"""Why there is no answer of upstream: code, status, and words that say what to do."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from wove_http_dev.option_urls import UpstreamAddress
from wove_http_dev.runners.upstream_failures import answer_error, connect_error
from wove_http_dev.runs.records import CODES

HTTPS = UpstreamAddress(True, "worker.internal", 8443, "/")
HTTP = UpstreamAddress(False, "worker.internal", 8080, "/")


def distrust(code: int, message: str) -> ssl.SSLCertVerificationError:
    """The error with which OpenSSL refuses a certificate."""
    exc = ssl.SSLCertVerificationError(1, "certificate verify failed")
    exc.verify_code, exc.verify_message = code, message
    return exc


def tls_error(reason: str) -> ssl.SSLError:
    """An error of OpenSSL's with its ``reason``."""
    exc = ssl.SSLError(1, reason)
    exc.reason = reason
    return exc


@pytest.mark.parametrize(
    ("exc", "code", "status", "words"),
    [
        (ConnectionRefusedError(), "upstream-unreachable", 502, "nothing listens on worker.inter"),
        (socket.gaierror(-2, "unknown"), "upstream-unreachable", 502, "cannot be looked up"),
        (OSError(errno.EHOSTUNREACH, "No route"), "upstream-unreachable", 502, "No route"),
        (OSError(errno.EMFILE, "Too many"), "upstream-unreachable", 502, "file descriptor"),
        (TimeoutError(), "upstream-timeout", 504, "no connection to worker.internal port 8443"),
        (distrust(19, "self-signed"), "upstream-tls", 502, "upstream_ca_file=FILE"),
        (distrust(10, "expired"), "upstream-tls", 502, "renew it"),
        (distrust(62, "Hostname mismatch"), "upstream-tls", 502, "host name into upstream="),
        (tls_error("WRONG_VERSION_NUMBER"), "upstream-tls", 502, "write http://"),
        (tls_error("NO_SHARED_CIPHER"), "upstream-tls", 502, "NO_SHARED_CIPHER"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OSError) else None,
)
def test_not_connected(exc: OSError, code: str, status: int, words: str) -> None:
    """A connection that cannot be made."""
    error = connect_error(exc, HTTPS)
    assert (error.code, error.status, words in str(error)) == (code, status, True)


@pytest.mark.parametrize(
    ("exc", "code", "status", "words"),
    [
        (TimeoutError(), "upstream-timeout", 504, "did not answer in time"),
        (ConnectionResetError(), "upstream-lost", 502, "ended the connection"),
        (http.client.RemoteDisconnected(""), "upstream-lost", 502, "ended the connection"),
        (http.client.IncompleteRead(b""), "upstream-lost", 502, "ended the connection"),
        (http.client.BadStatusLine("x"), "upstream-malformed", 502, "not HTTP/1.1"),
        (OSError(errno.EIO, "broken"), "upstream-lost", 502, "broken"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "upstream-tls", 502, "client certificate"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_unanswered(exc: Exception, code: str, status: int, words: str) -> None:
    """A connection that ends without an answer."""
    error = answer_error(exc, HTTPS, sent=False)
    assert (error.code, error.status, words in str(error)) == (code, status, True)


@pytest.mark.parametrize("sent", [True, False])
def test_may_have_run(sent: bool) -> None:
    """Only after the whole request was written may the task have run."""
    assert ("may have run" in str(answer_error(TimeoutError(), HTTP, sent=sent))) is sent


def test_plain_http_to_tls() -> None:
    """A service that ends a plain http connection may speak TLS."""
    assert "write https://" in str(answer_error(ConnectionResetError(), HTTP, sent=True))


@pytest.mark.parametrize("exc", [TimeoutError(), OSError(), ssl.SSLError()])
def test_code_is_known(exc: OSError) -> None:
    """Each code is in the journal's table."""
    assert connect_error(exc, HTTPS).code in CODES
