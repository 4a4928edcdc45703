"""The host that serves in this process: start, stop, crash, and applying a state."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.service.helpers import served
from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    parse_responses,
    read_all,
    request_bytes,
    run_frame,
    send_one,
    signed_request,
)
from wove_http_dev.errors import PortInUseError, StuckRunWarning
from wove_http_dev.faults.connection import RefuseConnections
from wove_http_dev.faults.injections import Injections
from wove_http_dev.faults.selector import Selector
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.runner import ThreadRunner
from wove_http_dev.runs.stubs import Stubs, make_source
from wove_http_dev.service import host as host_module
from wove_http_dev.service.host import HostState, InProcessHost, leaf_names
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def state() -> HostState:
    """The state of a worker that serves ``/``."""
    journal = Journal()
    return HostState(journal, Gates(journal), Stubs(), Injections(), paths=["/"])


@pytest.fixture
def port() -> Iterator[Port]:
    """A free port, reserved."""
    with contextlib.closing(Port("localhost", 0)) as port:
        yield port


MakeHost = Callable[..., InProcessHost]


@pytest.fixture
def make_host(state: HostState) -> Iterator[MakeHost]:
    """``make_host(**keywords)`` makes a plain-http host of ``state``, which is stopped at the
    end."""
    with contextlib.ExitStack() as stack:

        def make(**keywords: Any) -> InProcessHost:
            ca = CertificateAuthority()
            host = InProcessHost(
                Options(tls=False),
                credentials("none"),
                state,
                runner=ThreadRunner(),
                certificates=lambda: ca,
                second_origin=lambda run_id, injection: "",
                crash=lambda only_if: None,
                **keywords,
            )
            state.watch(host.apply_state)
            stack.callback(host.stop)
            return host

        yield make


@pytest.fixture
def host(make_host: MakeHost, port: Port) -> InProcessHost:
    """A started host."""
    host = make_host()
    host.start(port)
    return host


def post(port: Port, frame: bytes) -> bytes:
    """POST ``frame`` and return all bytes that come back."""
    with socket.create_connection(("127.0.0.1", port.number), timeout=TIMEOUT) as sock:
        sock.sendall(request_bytes({}, frame, target="/"))
        return read_all(sock)


def result_of_one_run(port: Port) -> Any:
    """The result of a task that is run now."""
    (response,) = parse_responses(post(port, run_frame(answer)))
    return response.result


@pytest.mark.usefixtures("host")
def test_start(port: Port) -> None:
    """A started host serves on its port."""
    assert result_of_one_run(port) == 42


def test_running(make_host: MakeHost, port: Port) -> None:
    """``running`` is true from start() to stop()."""
    host = make_host()
    seen = [host.running]
    host.start(port)
    seen.append(host.running)
    host.stop()
    assert [*seen, host.running] == [False, True, False]


def test_port_in_use(make_host: MakeHost, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose port is in use raises an error and does not run."""

    def in_use() -> socket.socket:
        raise PortInUseError("in use")

    monkeypatch.setattr(port, "listen", in_use)
    host = make_host()
    with pytest.raises(PortInUseError):
        host.start(port)
    assert host.running is False


def test_start_after_stop(host: InProcessHost, port: Port) -> None:
    """A host that was stopped starts again on the same port."""
    host.stop()
    host.start(port)
    assert result_of_one_run(port) == 42


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_connections_after_the_end(host: InProcessHost, port: Port, end: str) -> None:
    """A stopped and a crashed host refuse connections; the port stays reserved."""
    getattr(host, end)()
    with pytest.raises(ConnectionRefusedError):
        post(port, b"")


def test_stop_names_what_still_runs(
    host: InProcessHost, port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """stop() returns the names of the task bodies that have not ended."""
    monkeypatch.setattr(host_module, "STOP_GRACE", 0.01)
    begun, over = threading.Event(), threading.Event()
    _KEPT.update(begun=begun, over=over)
    client = threading.Thread(target=post, args=(port, run_frame(_stays, task="stays")))
    client.start()
    assert begun.wait(TIMEOUT)
    stuck = host.stop()
    over.set()
    client.join(TIMEOUT)
    assert [name.partition(" ")[0] for name in stuck] == ["stays"]


_KEPT: dict[str, threading.Event] = {}


def _stays() -> None:
    _KEPT["begun"].set()
    _KEPT["over"].wait(TIMEOUT)


@pytest.mark.usefixtures("host")
def test_refusing(state: HostState, port: Port) -> None:
    """While a fault refuses connections the listening socket is closed."""
    state.faults.add((RefuseConnections(),), Selector())
    with pytest.raises(ConnectionRefusedError):
        post(port, b"")


@pytest.mark.usefixtures("host")
def test_refusing_ends(state: HostState, port: Port) -> None:
    """The host listens again after the fault is removed."""
    state.faults.add((RefuseConnections(),), Selector()).remove()
    assert result_of_one_run(port) == 42


def test_stop_opens_gates(state: HostState, host: InProcessHost) -> None:
    """stop() releases every gate."""
    gate = state.gates.hold()
    host.stop()
    assert gate.released


def test_before_run(make_host: MakeHost, port: Port) -> None:
    """``before_run`` is called before each task, in the thread that runs it."""
    threads: list[str] = []
    host = make_host(before_run=lambda: threads.append(threading.current_thread().name))
    host.start(port)
    for _ in range(2):
        result_of_one_run(port)
    assert [name.startswith("wove-http-dev-") for name in threads] == [True, True]


def test_before_run_of_a_stub(state: HostState, make_host: MakeHost, port: Port) -> None:
    """``before_run`` is not called for a run that a stub answers."""
    calls: list[None] = []
    make_host(before_run=lambda: calls.append(None)).start(port)
    state.stubs.add("task", make_source(result=1))
    assert (result_of_one_run(port), calls) == (1, [])


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        ("localhost", [], []),
        ("0.0.0.0", [], []),
        ("::", [], []),
        ("127.0.0.2", [], ["127.0.0.2"]),
        ("[::1]", [], ["::1"]),
        ("localhost", ["workers.internal"], ["workers.internal"]),
    ],
)
def test_leaf_names(state: HostState, host: str, names: list[str], expected: list[str]) -> None:
    """The certificate is for the names in the state and for a host other than localhost."""
    state.names.extend(names)
    assert leaf_names(Options(host=host), state) == expected


# Tasks that do not end


class Stuck:
    """Events with which a test controls :func:`stuck_body`."""

    started = threading.Event()
    release = threading.Event()
    ended = threading.Event()


def stuck_body() -> None:
    Stuck.started.set()
    Stuck.release.wait(TIMEOUT)
    Stuck.ended.set()


@pytest.fixture
def stuck(
    worker: HttpWorker, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HttpWorker]:
    """A worker with a sync task that does not end; ``stop()`` waits 0.05 s for it."""
    monkeypatch.setattr("wove_http_dev.service.host.STOP_GRACE", 0.05)
    Stuck.started.clear()
    Stuck.release.clear()
    Stuck.ended.clear()
    pool.submit(signed_request, worker, run_frame(stuck_body, task="render_report"))
    assert Stuck.started.wait(TIMEOUT)
    yield worker
    Stuck.release.set()


def test_stop_names_a_stuck_task(stuck: HttpWorker) -> None:
    """``stop()`` names a sync task that does not end in a warning."""
    with pytest.warns(StuckRunWarning, match="render_report"):
        stuck.stop()


def test_stop_with_a_stuck_task_is_bounded(stuck: HttpWorker) -> None:
    """``stop()`` returns before a task that does not end."""
    with pytest.warns(StuckRunWarning):
        stuck.stop()
    assert not Stuck.ended.is_set()


def test_crash_does_not_warn_of_a_stuck_task(stuck: HttpWorker) -> None:
    """``crash()`` abandons the task without a warning. A warning would fail this test."""
    stuck.crash()
    assert not stuck.running


def test_stop_answers_a_running_task(worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A client whose held run is ended by ``stop()`` gets a task_error, not a broken connection."""
    gate = worker.hold()
    pending = pool.submit(served, worker)
    gate.wait_arrived()
    worker.stop()
    assert pending.result(TIMEOUT).task_error["kind"] == "WorkerStopped"


def names_in_certificate(worker: HttpWorker) -> set[str]:
    """The names in the certificate that the worker shows to a client which asks for none."""
    context = ssl.create_default_context(cafile=worker.ca_file)
    context.check_hostname = False
    address = ("127.0.0.1", worker.port)
    with (
        socket.create_connection(address, timeout=TIMEOUT) as plain,
        context.wrap_socket(plain) as secure,
    ):
        certificate: Any = secure.getpeercert()
    return {name for _, name in certificate["subjectAltName"]}


@pytest.mark.parametrize("isolated", [False, True])
def test_further_hosts_are_in_the_certificate(make_worker: MakeWorker, isolated: bool) -> None:
    """The certificate is for the names of the option ``hosts`` as well."""
    worker = make_worker(hosts=["worker", "10.0.0.7"], isolated=isolated)
    assert {"worker", "10.0.0.7", "localhost"} <= names_in_certificate(worker)


@pytest.mark.parametrize(("host", "status"), [("worker:8443", 200), ("other:8443", 403)])
def test_further_hosts_pass_the_check(make_worker: MakeWorker, host: str, status: int) -> None:
    """Without authentication, a request's ``Host`` may be one of the option ``hosts``."""
    worker = make_worker(security="none", hosts=["Worker"])
    worker.allow_refusals()
    assert send_one(worker, request_bytes({"Host": host}, run_frame(answer))).status == status
