"""``GET /health`` of the task port."""

from __future__ import annotations

import ssl
import subprocess

import pytest

from tests.service.helpers import both, served
from tests.support import (
    MakeWorker,
    answer,
    connect,
    credentials,
    read_response,
    request_bytes,
    run_frame,
    send_one,
    send_raw,
)
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.journal import Journal
from wove_http_dev.service.health import HealthReply
from wove_http_dev.service.limits import Limits
from wove_http_dev.worker import HttpWorker

CHECK = request_bytes({"Content-Type": "", "Content-Length": ""}, method="GET", target="/health")
MODES = ["signed", "bearer", "none"]


@pytest.mark.parametrize("security", MODES)
@both
def test_without_credentials(make_worker: MakeWorker, tls: bool, security: str) -> None:
    """A health check without credentials gets a 200, whatever a task needs."""
    worker = make_worker(tls=tls, security=security)
    assert send_one(worker, CHECK).status == 200


def test_document(worker: HttpWorker) -> None:
    """The reply is a JSON object."""
    assert send_one(worker, CHECK).document == {"status": "ok"}


def test_type(worker: HttpWorker) -> None:
    """The reply says that it is JSON."""
    assert send_one(worker, CHECK).headers["content-type"] == "application/json"


def test_query(worker: HttpWorker) -> None:
    """A query is ignored: some checkers add one against caches."""
    assert send_one(worker, CHECK.replace(b"/health", b"/health?n=1")).status == 200


def test_head(worker: HttpWorker) -> None:
    """HEAD gets what GET gets, without the body."""
    head = send_raw(worker, CHECK.replace(b"GET", b"HEAD"))
    assert (head[:15], head[-4:]) == (b"HTTP/1.1 200 OK", b"\r\n\r\n")


def test_connection_is_kept(worker: HttpWorker) -> None:
    """A further request on the connection is served."""
    with connect(worker) as sock:
        statuses = []
        for _ in range(2):
            sock.sendall(CHECK.replace(b"Connection: close", b"Connection: keep-alive"))
            statuses.append(read_response(sock).status)
    assert statuses == [200, 200]


def test_not_in_the_journal(worker: HttpWorker) -> None:
    """The journal has no exchange of a health check, so strict mode has nothing to report."""
    send_one(worker, CHECK)
    served(worker)
    assert [exchange.frame_type for exchange in worker.exchanges] == ["run_task"]


def test_isolated(make_worker: MakeWorker) -> None:
    """A worker in a process of its own answers it too, and its journal has no exchange either."""
    worker = make_worker(isolated=True)
    status = send_one(worker, CHECK).status
    served(worker)
    assert (status, len(worker.exchanges)) == (200, 1)


@pytest.mark.parametrize("fault", ["reject-auth", "status code=500", "reset-before-response"])
def test_fault_of_requests(worker: HttpWorker, fault: str) -> None:
    """A fault of a later stage than the connection does not act on it."""
    worker.inject(fault)
    assert send_one(worker, CHECK).status == 200


def test_fault_is_not_used_up(worker: HttpWorker) -> None:
    """A health check is not the request that a fault waits for."""
    worker.inject("status", code=503, times=1)
    send_one(worker, CHECK)
    assert served(worker).status == 503


def test_fault_of_connections(worker: HttpWorker) -> None:
    """A fault of the connection acts on it, because it acts before the request is read."""
    worker.inject("plaintext-on-tls-port")
    with pytest.raises(ssl.SSLError):
        send_one(worker, CHECK)


def test_task_path_of_the_same_name(make_worker: MakeWorker) -> None:
    """A worker whose own path is /health takes its tasks there."""
    worker = make_worker(path="/health")
    frame = run_frame(answer)
    data = request_bytes(credentials(worker, frame, "/health"), frame, target="/health")
    assert send_one(worker, data).result == 42


def test_health_on_the_task_path(make_worker: MakeWorker) -> None:
    """A worker whose own path is /health still answers a health check."""
    assert send_one(make_worker(path="/health"), CHECK).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": "4"}, {"Content-Length": "", "Transfer-Encoding": "chunked"}],
    ids=["length", "chunked"],
)
def test_body_needs_credentials(make_worker: MakeWorker, headers: dict[str, str]) -> None:
    """A check with a body is refused like any request without credentials: its body is not read
    first."""
    worker = make_worker(limits=Limits(refused=0.01))  # the body is never sent
    data = request_bytes(headers, method="GET", target="/health")
    with connect(worker) as sock:
        sock.sendall(data)
        assert read_response(sock).status == 401


def test_post_needs_credentials(worker: HttpWorker) -> None:
    """Another method than GET and HEAD is no health check."""
    assert send_one(worker, CHECK.replace(b"GET", b"POST")).status == 401


def test_other_path(worker: HttpWorker) -> None:
    """A path that only begins like it is no health check."""
    assert send_one(worker, CHECK.replace(b"/health", b"/healthy")).status == 401


def test_curl(worker: HttpWorker) -> None:
    """The check that a compose file would have succeeds."""
    command = ["curl", "--silent", "--fail", f"https://localhost:{worker.port}/health"]
    try:
        done = subprocess.run(
            command, env=worker.client_env, capture_output=True, timeout=60, check=False
        )
    except FileNotFoundError:
        pytest.skip("curl is not installed")
    assert done.stdout == b'{"status": "ok"}'


def test_client_that_leaves() -> None:
    """A client that does not take the reply is not recorded."""
    pending = HealthReply(Journal())
    pending.done("the reply was not taken", "reply-not-taken")
    assert pending.journal.exchanges == []


def test_failure_of_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    """What the service itself could not do is recorded, unlike the check."""
    pending = HealthReply(Journal(), Reply())
    pending.failed(KeyError("a bug"))
    assert [exchange.internal_error for exchange in pending.journal.exchanges] == [True]
