"""The code of an exchange, which says why it was refused or failed, independent of the wording."""

from __future__ import annotations

import functools
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import wove_http_dev
from tests.faults.helpers import Teapot
from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    connect,
    request_bytes,
    run_frame,
    send_one,
    send_raw,
    signed_bytes,
    signed_request,
)
from wove_http_dev.faults.fault import EventsStage, Fault
from wove_http_dev.runs.records import CODES
from wove_http_dev.worker import HttpWorker

SOURCE = Path(wove_http_dev.__file__).parent


@dataclass(frozen=True)
class Buggy(Fault):
    """Raises an exception in its method."""

    stage: ClassVar[str] = "events"

    def on_events(self, events: list[Any], stage: EventsStage) -> Any:
        raise KeyError("a bug")


def code_of(worker: HttpWorker) -> str:
    """The code of the newest exchange."""
    return worker.exchanges[-1].code


def test_served(worker: HttpWorker) -> None:
    """An exchange that ended with an ordinary reply has no code."""
    signed_request(worker, run_frame(answer))
    assert code_of(worker) == ""


def refused(worker: HttpWorker) -> bytes:
    return request_bytes({}, run_frame(answer))


def wrong_path(worker: HttpWorker) -> bytes:
    return request_bytes({}, run_frame(answer), target="/elsewhere")


def wrong_method(worker: HttpWorker) -> bytes:
    return request_bytes({}, run_frame(answer), method="PUT")


def malformed_frame(worker: HttpWorker) -> bytes:
    return request_bytes({}, b"[]")


def malformed_request(worker: HttpWorker) -> bytes:
    return b"MAIL FROM:<client@example.com>\r\n\r\n"


def unknown_transfer_coding(worker: HttpWorker) -> bytes:
    return (
        request_bytes({"Transfer-Encoding": "gzip, chunked", "Content-Length": ""}) + b"0\r\n\r\n"
    )


def tls_client_hello(worker: HttpWorker) -> bytes:
    return bytes.fromhex("16 0301 0005 01 000001 00")


def head_too_large(worker: HttpWorker) -> bytes:
    return request_bytes({"X-Padding": "x" * 70_000})


def body_too_large(worker: HttpWorker) -> bytes:
    return request_bytes({}, b"x" * 2000)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (wrong_path, "wrong-path"),
        (wrong_method, "wrong-method"),
        (malformed_frame, "malformed-frame"),
        (malformed_request, "malformed-request"),
        (unknown_transfer_coding, "unknown-transfer-coding"),
        (tls_client_hello, "tls-on-plain-http-port"),
        (head_too_large, "head-too-large"),
        (body_too_large, "request-too-large"),
    ],
)
def test_request(make_worker: MakeWorker, data: Callable[[HttpWorker], bytes], code: str) -> None:
    """Each kind of refused request has its own code."""
    worker = make_worker(tls=False, security="none", max_body=1000)
    send_raw(worker, data(worker))
    assert code_of(worker) == code


@pytest.mark.parametrize("data", [refused, wrong_path, wrong_method, malformed_frame])
def test_reply(make_worker: MakeWorker, data: Callable[[HttpWorker], bytes]) -> None:
    """A refusal's reply has the code of its exchange, so that a client need not read the words."""
    worker = make_worker(security="signed" if data is refused else "none")
    reply = send_one(worker, data(worker))
    assert reply.document["code"] == code_of(worker)


def test_plain_http_on_a_tls_port(worker: HttpWorker) -> None:
    """Plain http on an https port has a code."""
    send_raw(worker, request_bytes({}), tls=False)
    assert code_of(worker) == "plain-http-on-tls-port"


def test_certificate_rejected(worker: HttpWorker) -> None:
    """A handshake that ends because the client does not trust the certificate has a code."""
    with connect(worker, tls=False) as sock, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")
    worker.journal.wait(lambda: bool(worker.journal.exchanges), TIMEOUT, "an exchange")
    assert code_of(worker) == "certificate-rejected"


def test_handshake_failed(worker: HttpWorker) -> None:
    """A handshake that fails for another reason has a different code."""
    send_raw(worker, bytes.fromhex("16 0301 0005 01 000001 00"), tls=False)
    assert code_of(worker) == "handshake-failed"


def test_request_incomplete(plain_worker: HttpWorker) -> None:
    """A client that disconnects during its request has a different code from a refusal."""
    with connect(plain_worker) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\n")
    journal = plain_worker.journal
    journal.wait(lambda: bool(journal.exchanges), TIMEOUT, "an exchange")
    assert code_of(plain_worker) == "request-incomplete"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Teapot(), "refused-by-fault"),
        (Buggy(), "internal-error"),
        ("reject-auth", "refused-by-fault"),
        ("wrong-secret", "signature-mismatch"),
        ("saturated", "unavailable"),
    ],
)
def test_fault(worker: HttpWorker, fault: Any, code: str) -> None:
    """A request that a fault refuses has a code."""
    worker.inject(fault)
    signed_request(worker, run_frame(answer))
    assert code_of(worker) == code


@dataclass(frozen=True)
class Unplannable(Fault):
    """Its ``command`` is a list, so deciding which requests it hits raises an error."""

    stage: ClassVar[str] = "auth"
    command: ClassVar[Any] = ["run_task"]


def test_bug_in_the_planning(make_worker: MakeWorker) -> None:
    """If deciding which faults act raises an error, the client gets a 500 and the exchange ends."""
    worker = make_worker(strict=False)
    worker.inject(Unplannable())
    status = signed_request(worker, run_frame(answer)).status
    journal = worker.journal
    journal.wait(lambda: journal.exchanges[-1].duration is not None, TIMEOUT, "the end")
    assert (status, code_of(worker)) == (500, "internal-error")


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_codes_cross_a_process(make_worker: MakeWorker, isolated: bool) -> None:
    """The exchange, verdict and steps of an isolated worker have the same codes."""
    worker = make_worker(isolated=isolated)
    send_raw(worker, refused(worker))
    (exchange,) = worker.exchanges
    assert exchange.verdict is not None
    codes = {exchange.code, exchange.verdict.code, exchange.verdict.steps[-1].code}
    assert codes == {"header-missing"}


def test_end_of_an_isolated_worker(make_worker: MakeWorker) -> None:
    """An exchange in progress when the worker's process ends has a code."""
    worker = make_worker(isolated=True)
    worker.inject("crash-before-run")
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        journal = worker.journal
        journal.wait(
            lambda: any(e.code for e in journal.exchanges), TIMEOUT, "the end of the worker"
        )
    assert code_of(worker) == "worker-ended"


@functools.cache
def sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")]


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_in_use(code: str) -> None:
    """Every code in the table appears in the source."""
    uses = re.compile(rf"""(?<!^    )"{code}"(?!: ")""", re.MULTILINE)
    assert any(uses.search(source) for source in sources())
