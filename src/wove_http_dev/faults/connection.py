"""Faults of the connection: from accept to the end of the TLS handshake.

They are chosen before any byte is read, so ``task=`` and ``command=`` cannot select them; ``times``
and ``after`` count connections.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Connection, Fault, Worker
from wove_http_dev.fields import field
from wove_http_dev.hosts import Host
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import (
    NOT_AFTER,
    NOT_BEFORE,
    load_key,
    self_signed_context,
    server_context,
    system_time,
)

__all__ = [
    "ClientCertificateRequired",
    "ExpiredCertificate",
    "HandshakeClose",
    "HandshakeStall",
    "IncompleteChain",
    "IpSanMissing",
    "NotYetValidCertificate",
    "OldTlsOnly",
    "PlaintextOnTlsPort",
    "RefuseConnections",
    "SelfSigned",
    "UntrustedCa",
    "WrongHostname",
]

_YEAR = datetime.timedelta(days=365)
_EPOCH = datetime.datetime(1970, 1, 1)
DAYS = 10_000.0
"""The most days that a certificate's dates may be from today; X.509 has no dates before 1950."""
_VERIFY = "a transport error, kind URLError: CERTIFICATE_VERIFY_FAILED, "


@dataclass(frozen=True)
class RefuseConnections(Fault):
    """Nothing listens on the port, which stays reserved: no other process can take it, except on
    macOS one that sets SO_REUSEADDR."""

    stage: ClassVar[str] = "connection"
    listener: ClassVar[bool] = True
    effect: ClassVar[str] = "a transport error, kind URLError: Connection refused"


@dataclass(frozen=True)
class _TlsFault(Fault):
    stage: ClassVar[str] = "connection"
    needs: ClassVar[Mapping[str, Any]] = {"tls": True}


@dataclass(frozen=True)
class HandshakeStall(_TlsFault):
    """The connection is accepted, and the worker does not begin the TLS handshake."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = (
        "a transport error after the executor's timeout (the handshake operation timed out);"
        " a hang without one"
    )
    seconds: Duration | None = field(
        None, "seconds to wait before closing (none: until released)", "seconds"
    )

    def on_connection(self, connection: Connection) -> None:
        connection.wait(self.seconds)
        connection.close()


@dataclass(frozen=True)
class HandshakeClose(_TlsFault):
    """The connection is closed in the middle of the TLS handshake."""

    effect: ClassVar[str] = "a transport error, kind URLError: EOF in violation of protocol"

    def on_connection(self, connection: Connection) -> None:
        connection.read(65536)  # a close with unread data would be a reset
        connection.close()


@dataclass(frozen=True)
class PlaintextOnTlsPort(_TlsFault):
    """The https port answers with plain HTTP, like that of a misconfigured proxy."""

    effect: ClassVar[str] = "a transport error, kind URLError: wrong version number or not TLS"

    def on_connection(self, connection: Connection) -> None:
        connection.read(65536)
        connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        connection.close()


@dataclass(frozen=True)
class _CertificateFault(_TlsFault):
    def on_connection(self, connection: Connection) -> None:
        key = (str(self), *connection.names)
        connection.proceed(
            connection.certificates.cached(
                key, lambda: self.context(connection.certificates, connection.names)
            )
        )

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        """Return the server context with the bad certificate."""
        raise NotImplementedError


@dataclass(frozen=True)
class UntrustedCa(_CertificateFault):
    """The certificate is signed by a CA that the client does not trust."""

    effect: ClassVar[str] = _VERIFY + "unable to get local issuer certificate"

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        from wove_http_dev.first_certificate import trustme

        return server_context(trustme.CA().issue_cert(*names))


@dataclass(frozen=True)
class SelfSigned(_CertificateFault):
    """The certificate is self-signed."""

    effect: ClassVar[str] = _VERIFY + "self-signed certificate"

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        return self_signed_context(names)


@dataclass(frozen=True)
class ExpiredCertificate(_CertificateFault):
    """The certificate has expired."""

    effect: ClassVar[str] = _VERIFY + "certificate has expired"
    days: float | None = field(
        None, "days since the certificate expired (none: in the year 2000)", "days", most=DAYS
    )

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        end = NOT_BEFORE + _YEAR if self.days is None else _in_days(-self.days)
        return server_context(ca.issue(*names, not_before=end - _YEAR, not_after=end))


@dataclass(frozen=True)
class NotYetValidCertificate(_CertificateFault):
    """The certificate is not valid yet."""

    effect: ClassVar[str] = _VERIFY + "certificate is not yet valid"
    days: float | None = field(
        None, "days until the certificate becomes valid (none: in the year 2999)", "days", most=DAYS
    )

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        start = NOT_AFTER - _YEAR if self.days is None else _in_days(self.days)
        return server_context(ca.issue(*names, not_before=start, not_after=start + _YEAR))


@dataclass(frozen=True)
class WrongHostname(_CertificateFault):
    """The certificate is for another host."""

    effect: ClassVar[str] = _VERIFY + "Hostname mismatch (IP address mismatch, for an IP host)"
    hostname: str = field("wrong.example", "host name or address in the certificate")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not Host(self.hostname).is_address and not Host(self.hostname).is_name:
            raise UsageError(f"{self.name}: hostname must be a host name, not {self.hostname!r}")

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        return server_context(ca.issue(self.hostname))


@dataclass(frozen=True)
class IpSanMissing(_CertificateFault):
    """The certificate has the IP address as common name, not as subject alternative name."""

    effect: ClassVar[str] = _VERIFY + "IP address mismatch"
    needs: ClassVar[Mapping[str, Any]] = {"tls": True, "host": "127.0.0.1"}

    def cannot_apply(self, worker: Worker) -> str | None:
        if not Host(worker.host).is_address:
            return 'it needs an IP address as host=, e.g. host="127.0.0.1"'
        return super().cannot_apply(worker._replace(host=self.needs["host"]))  # any address is fine

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        address = next((name for name in names if Host(name).is_address), "127.0.0.1")
        return server_context(ca.issue("localhost", common_name=address))


@dataclass(frozen=True)
class IncompleteChain(_CertificateFault):
    """The certificate is signed by an intermediate CA whose own certificate is not sent."""

    effect: ClassVar[str] = _VERIFY + "unable to get local issuer certificate"

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        leaf = ca.intermediate().issue_cert(*names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_key(context, leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())
        return context


@dataclass(frozen=True)
class OldTlsOnly(_TlsFault):
    """The server supports TLS 1.1 at most: it sends a protocol_version alert to a modern client.

    The alert is sent as bytes (RFC 8446, 6.2), because OpenSSL may be built without old versions.
    """

    effect: ClassVar[str] = "a transport error, kind URLError: tlsv1 alert protocol version"

    def on_connection(self, connection: Connection) -> None:
        connection.read(65536)
        connection.send(bytes.fromhex("15 0302 0002 02 46"))  # alert, TLS 1.1, fatal, 70
        connection.close()


@dataclass(frozen=True)
class ClientCertificateRequired(_CertificateFault):
    """The server requires a client certificate, which Wove's executor cannot send.

    TLS 1.2 is used because its error is stable; with TLS 1.3 the client may get it after sending
    the request.
    """

    effect: ClassVar[str] = "a transport error, kind URLError: alert handshake failure"

    def context(self, ca: CertificateAuthority, names: Sequence[str]) -> ssl.SSLContext:
        context = server_context(ca.issue(*names))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=ca.cert_pem.decode("ascii"))
        return context


def _in_days(days: float) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(seconds=system_time(), days=days)
