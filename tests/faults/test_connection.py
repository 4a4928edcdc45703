"""Connection and TLS faults, from the client's side."""

from __future__ import annotations

import datetime
import re
import ssl
import sys

import pytest
from cryptography import x509

from tests.faults.helpers import connect, error_of
from tests.support import weave_one
from wove_http_dev import HttpWorker, UsageError
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory

NOW = datetime.datetime.now(datetime.timezone.utc)
TEN_YEARS = datetime.timedelta(days=3653)

VERIFICATION = {
    "untrusted-ca": "unable to get local issuer certificate",
    "self-signed": r"self.signed certificate",
    "expired-certificate": "certificate has expired",
    "not-yet-valid-certificate": "certificate is not yet valid",
    "wrong-hostname": "Hostname mismatch",
    "incomplete-chain": "unable to get local issuer certificate",
}


@pytest.mark.parametrize(("fault", "text"), VERIFICATION.items())
def test_the_error_is_the_real_verification_error(
    wove_http_worker: HttpWorker, fault: str, text: str
) -> None:
    """The error has OpenSSL's own message."""
    wove_http_worker.inject(fault)
    assert re.search(text, str(error_of()))


def dates_of(worker: HttpWorker) -> tuple[datetime.datetime, datetime.datetime]:
    """From when to when the certificate is valid that the worker presents."""
    pem = ssl.get_server_certificate(("127.0.0.1", worker.port), timeout=60.0)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


@pytest.mark.wove_http(strict=False)
class TestDates:
    """The dates of a certificate, against the clock of a test or a machine that is wrong."""

    @pytest.mark.parametrize("fault", ["untrusted-ca", "self-signed", "wrong-hostname"])
    def test_valid(self, wove_http_worker: HttpWorker, fault: str) -> None:
        """Certificates that are wrong in another way are valid now, with any clock."""
        wove_http_worker.inject(fault)
        begin, end = dates_of(wove_http_worker)
        assert begin < NOW - TEN_YEARS < NOW + TEN_YEARS < end

    def test_expired(self, wove_http_worker: HttpWorker) -> None:
        """The certificate expired more than ten years ago."""
        wove_http_worker.inject("expired-certificate")
        assert dates_of(wove_http_worker)[1] < NOW - TEN_YEARS

    def test_not_yet_valid(self, wove_http_worker: HttpWorker) -> None:
        """The certificate will not be valid for more than ten years."""
        wove_http_worker.inject("not-yet-valid-certificate")
        assert dates_of(wove_http_worker)[0] > NOW + TEN_YEARS

    @pytest.mark.parametrize(
        ("fault", "which", "days"),
        [("expired-certificate", 1, -5), ("not-yet-valid-certificate", 0, 5)],
    )
    def test_days(self, wove_http_worker: HttpWorker, fault: str, which: int, days: int) -> None:
        """With ``days=`` the date is that many days from today."""
        wove_http_worker.inject(f"{fault} days=5")
        distance = dates_of(wove_http_worker)[which] - datetime.datetime.now(datetime.timezone.utc)
        assert abs(distance - datetime.timedelta(days=days)) < datetime.timedelta(hours=1)


def test_a_missing_ip_name_is_an_address_mismatch(wove_http_worker_factory: WorkerFactory) -> None:
    """A certificate that has the address only as common name does not match."""
    wove_http_worker_factory(host="127.0.0.1").inject("ip-san-missing")
    assert "IP address mismatch" in str(error_of())


def test_a_missing_ip_name_needs_an_address(wove_http_worker: HttpWorker) -> None:
    """On a host name the fault is a usage error that says what it needs."""
    with pytest.raises(UsageError, match="IP address as host="):
        wove_http_worker.inject("ip-san-missing")


def test_a_tls_fault_needs_tls(wove_http_worker_factory: WorkerFactory) -> None:
    """On plain http a TLS fault is a usage error."""
    worker = wove_http_worker_factory(tls=False)
    with pytest.raises(UsageError, match="tls=True"):
        worker.inject("self-signed")


def test_a_stalled_handshake_is_bounded_by_the_clients_timeout(
    wove_http_worker_factory: WorkerFactory,
) -> None:
    """The executor's own timeout ends a stalled handshake."""
    wove_http_worker_factory(timeout=0.3).inject("handshake-stall")
    assert "handshake operation timed out" in str(error_of())


def test_times_counts_connections(wove_http_worker: HttpWorker) -> None:
    """After ``times`` connections the certificate is right again."""
    wove_http_worker.inject("untrusted-ca", times=2)
    assert weave_one(retries=2) == (1, 2)


def test_refused_connections_are_refused(wove_http_worker: HttpWorker) -> None:
    """No socket listens while the fault is in force."""
    wove_http_worker.inject("refuse-connections")
    with pytest.raises(ConnectionRefusedError):
        connect(wove_http_worker)


def test_refused_connections_heal_on_the_same_port(wove_http_worker: HttpWorker) -> None:
    """After the fault is removed the worker serves on the same port."""
    with wove_http_worker.inject("refuse-connections"):
        error_of()
    assert weave_one() == (1, 2)


def test_refusing_cannot_be_selected(wove_http_worker: HttpWorker) -> None:
    """``times=`` is a usage error for a fault of the listening socket, which is a state and not an
    event."""
    with pytest.raises(UsageError, match="nothing selects it"):
        wove_http_worker.inject("refuse-connections", times=1)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS lets SO_REUSEADDR take the port")
def test_the_port_is_kept_while_refusing(wove_http_worker: HttpWorker) -> None:
    """Another worker cannot take the port while connections are refused."""
    with (
        wove_http_worker.inject("refuse-connections"),
        pytest.raises(UsageError, match="in use"),
    ):
        HttpWorker(port=wove_http_worker.port).start()
