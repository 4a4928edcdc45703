"""``UpstreamError``: why upstream gave no answer. The message names upstream, and the option to
change if there is one."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

from wove_http_dev.exception_text import message_of
from wove_http_dev.option_urls import UpstreamAddress

_EXPIRED = (9, 10)
_OTHER_NAME = (62, 64)
"""Codes of OpenSSL's ``x509_vfy.h``: not yet valid and expired; another name and address."""
_WANTS_CERTIFICATE = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE")
"""OpenSSL's names of the alerts, in TLS 1.3 and before."""


class UpstreamError(Exception):
    """Upstream gave no answer that can be relayed. The client gets a reply with ``status`` that
    says why; ``code`` is one of ``runs.records.CODES``."""

    def __init__(self, message: str, code: str, status: int = 502) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def connect_error(exc: OSError, address: UpstreamAddress) -> UpstreamError:
    """Return the error for an attempt to connect to ``address`` that failed with ``exc``."""
    place = address.place
    if isinstance(exc, ssl.SSLCertVerificationError):
        return UpstreamError(_distrust(exc), "upstream-tls")
    if isinstance(exc, ssl.SSLError):
        return UpstreamError(_no_tls(exc, place), "upstream-tls")
    if isinstance(exc, TimeoutError):
        what = f"upstream: no connection to {place} in time; is it reachable from here?"
        return UpstreamError(what, "upstream-timeout", 504)
    if isinstance(exc, socket.gaierror):
        what = f"upstream: the host name {address.host} cannot be looked up; correct upstream's URL"
    elif isinstance(exc, ConnectionRefusedError):
        what = f"upstream: nothing listens on {place}; start it, or correct upstream's URL"
    elif exc.errno in (errno.EMFILE, errno.ENFILE):
        what = f"upstream: this process has no free file descriptor to connect to {place}"
    else:
        what = f"upstream: no connection to {place}: {message_of(exc)}"
    return UpstreamError(what, "upstream-unreachable")


def _distrust(exc: ssl.SSLCertVerificationError) -> str:
    what = f"upstream's certificate is not trusted: {exc.verify_message}"
    if exc.verify_code in _EXPIRED:
        return f"{what}; renew it, or set this machine's clock"
    if exc.verify_code in _OTHER_NAME:
        return f"{what}; write a host name into upstream= that it is for"
    return f"{what}; give upstream_ca_file=FILE (--upstream-ca-file) the certificate of its CA, PEM"


def _no_tls(exc: ssl.SSLError, place: str) -> str:
    if _reason(exc) in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return f"upstream: {place} does not speak TLS; write http://, or another port"
    return f"upstream: the TLS handshake with {place} failed: {_reason(exc) or message_of(exc)}"


def _reason(exc: ssl.SSLError) -> str:
    reason = getattr(exc, "reason", None)  # only OpenSSL's own errors have it
    return reason or ""


def answer_error(exc: Exception, address: UpstreamAddress, *, sent: bool) -> UpstreamError:
    """Return the error for a request on a connection to ``address`` that failed with ``exc``.
    ``sent`` says that the whole request was written, so that the task may have run."""
    ran = "; the task may have run" if sent else ""
    if isinstance(exc, TimeoutError):
        return UpstreamError(f"upstream did not answer in time{ran}", "upstream-timeout", 504)
    if isinstance(exc, ssl.SSLError) and _reason(exc) in _WANTS_CERTIFICATE:
        what = "upstream wants a client certificate in the TLS handshake, which cannot be given"
        return UpstreamError(what, "upstream-tls")
    ended = (ConnectionError, http.client.RemoteDisconnected, http.client.IncompleteRead)
    if isinstance(exc, (*ended, ssl.SSLEOFError)):
        hint = "" if address.secure else " (if it speaks TLS, write https://)"
        what = f"upstream ended the connection before its whole answer had arrived{ran}{hint}"
        return UpstreamError(what, "upstream-lost")
    if isinstance(exc, (http.client.HTTPException, ValueError)):
        what = f"upstream's answer is not HTTP/1.1: {type(exc).__name__}{ran}"
        return UpstreamError(what, "upstream-malformed")
    return UpstreamError(f"upstream: {type(exc).__name__}: {message_of(exc)}{ran}", "upstream-lost")
