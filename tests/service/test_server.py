"""Sockets, seen from the other end: raw connections, and a real ``http.client``."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import (
    TARGET,
    TIMEOUT,
    HttpResponse,
    MakeWorker,
    answer,
    closing_all,
    connect,
    credentials,
    parse_responses,
    read_all,
    read_response,
    request_bytes,
    run_frame,
    send_one,
    send_raw,
    signed_bytes,
    signed_request,
)
from wove_http_dev.errors import (
    NotRunningError,
    PortInUseError,
    StuckRunWarning,
    UsageError,
    WaitTimeoutError,
)
from wove_http_dev.service import host
from wove_http_dev.service.connection import Limits
from wove_http_dev.worker import HttpWorker

MEGABYTE = 2**20
STOP_BOUND = 1.0
"""Seconds within which a stop must be over, whatever clients do."""

both = pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])


def served(worker: HttpWorker) -> HttpResponse:
    """The answer to an ordinary task."""
    return signed_request(worker, run_frame(answer))


def stop_seconds(worker: HttpWorker) -> float:
    before = time.monotonic()
    worker.stop()
    return time.monotonic() - before


# Requests


@both
def test_task(make_worker: MakeWorker, tls: bool) -> None:
    """A signed run_task gets the task's result."""
    assert served(make_worker(tls=tls)).result == 42


@both
def test_connection_close_is_honoured(make_worker: MakeWorker, tls: bool) -> None:
    """A client that asks for it has the connection closed after its answer."""
    answered = served(make_worker(tls=tls))
    assert answered.headers["connection"] == "close"


@both
def test_keep_alive(make_worker: MakeWorker, tls: bool) -> None:
    """Two requests on one connection get two answers."""
    worker = make_worker(tls=tls)
    results = []
    with connect(worker) as sock:
        for _ in range(2):
            frame = run_frame(answer)
            sock.sendall(signed_bytes(worker, frame, Connection="keep-alive"))
            results.append(read_response(sock).result)
    assert results == [42, 42]


@both
def test_http_1_0_closes(make_worker: MakeWorker, tls: bool) -> None:
    """An HTTP/1.0 client is answered and its connection closed."""
    worker = make_worker(tls=tls)
    data = signed_bytes(worker, run_frame(answer), Connection="").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert send_one(worker, data).result == 42


@pytest.mark.parametrize("size", [0, 3 * MEGABYTE], ids=["small", "large"])
@both
def test_pipelined_request_is_left_to_a_retry(
    make_worker: MakeWorker, tls: bool, size: int
) -> None:
    """Of two requests sent at once the first is answered with ``Connection: close``."""
    worker = make_worker(tls=tls)
    first = signed_bytes(worker, run_frame(answer), Connection="keep-alive")
    second = signed_bytes(worker, run_frame(answer, {"padding": b"x" * size}))
    answered = send_one(worker, first + second)
    assert (answered.result, answered.headers["connection"]) == (42, "close")


def test_pipelined_request_does_not_run(worker: HttpWorker) -> None:
    """The second of the two is not run, so that its retry cannot run it twice."""
    first = signed_bytes(worker, run_frame(answer, task="first"), Connection="keep-alive")
    second = signed_bytes(worker, run_frame(answer, task="second"))
    send_raw(worker, first + second)
    assert [run.task_id for run in worker.runs] == ["first"]


def test_line_break_after_a_request(worker: HttpWorker) -> None:
    """A line break too many after a body, as old clients send it, is no second request."""
    assert send_one(worker, signed_bytes(worker, run_frame(answer)) + b"\r\n").result == 42


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@both
def test_chunked_body(make_worker: MakeWorker, tls: bool) -> None:
    """A body in chunks is put together before it is verified."""
    worker = make_worker(tls=tls)
    frame = run_frame(answer)
    headers = {
        **credentials(worker, frame),
        "Content-Length": "",
        "Transfer-Encoding": "chunked",
    }
    assert send_one(worker, request_bytes(headers) + chunked(frame, 100)).result == 42


@both
def test_expect_continue(make_worker: MakeWorker, tls: bool) -> None:
    """A client that waits for 100 Continue before its body gets it, and then its answer."""
    worker = make_worker(tls=tls)
    frame = run_frame(answer)
    head = signed_bytes(worker, frame, Expect="100-continue")[: -len(frame)]
    with connect(worker) as sock:
        sock.sendall(head)
        interim = read_response(sock)
        sock.sendall(frame)
        final = read_response(sock)
    assert (interim.status, final.result) == (100, 42)


@pytest.mark.parametrize("origin", ["http://localhost", "https://localhost:8443"])
def test_absolute_form(worker: HttpWorker, origin: str) -> None:
    """A target in absolute form is verified as the path that the client signed."""
    frame = run_frame(answer)
    data = request_bytes(credentials(worker, frame), frame, target=origin + TARGET)
    assert send_one(worker, data).result == 42


def test_byte_by_byte(plain_worker: HttpWorker) -> None:
    """A request that arrives in single bytes is whole when its last byte is there."""
    with connect(plain_worker) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in signed_bytes(plain_worker, run_frame(answer)):
            sock.sendall(bytes([byte]))
        (answered,) = parse_responses(read_all(sock))
    assert answered.result == 42


def test_half_closed_client_is_answered(plain_worker: HttpWorker) -> None:
    """A client that shuts down its sending side still reads its answer."""
    with connect(plain_worker) as sock:
        sock.sendall(signed_bytes(plain_worker, run_frame(answer)))
        sock.shutdown(socket.SHUT_WR)
        (answered,) = parse_responses(read_all(sock))
    assert answered.result == 42


# What is no request


@both
@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\x00\x01\x02\x03\r\n\r\n", id="binary"),
        pytest.param(b"hello worker\r\n\r\n", id="text"),
        pytest.param(b"POST /wove/tasks\r\n\r\n", id="no-version"),
        pytest.param(b"POST /wove/tasks HTTP/1.1\r\nbad header\r\n\r\n", id="header"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http2"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="smuggling",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad-chunk"
        ),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="negative-length"),
        pytest.param(
            b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", id="upgrade"
        ),
    ],
)
def test_garbage(make_worker: MakeWorker, tls: bool, garbage: bytes) -> None:
    """What is not HTTP/1.1 is told so with a 400."""
    assert send_one(make_worker(tls=tls), garbage).status == 400


@both
def test_garbage_has_a_json_reason(make_worker: MakeWorker, tls: bool) -> None:
    """The 400 says in JSON what was wrong."""
    assert "not HTTP/1.1" in send_one(make_worker(tls=tls), b"hello worker\r\n\r\n").error


def test_garbage_is_in_the_journal(worker: HttpWorker) -> None:
    """A connection that never became a request is recorded with what it was answered."""
    send_raw(worker, b"hello worker\r\n\r\n")
    assert [(e.kind, e.status) for e in worker.exchanges] == [("connection", 400)]


def test_large_head(worker: HttpWorker) -> None:
    """A head over the limit is refused with 431."""
    data = request_bytes({f"X-Filler-{n}": "x" * 1000 for n in range(80)})
    assert send_one(worker, data).status == 431


@both
@pytest.mark.parametrize("size", [2 * MEGABYTE, 30 * MEGABYTE])
def test_large_body_while_writing(make_worker: MakeWorker, tls: bool, size: int) -> None:
    """A client that writes its whole body before it reads sees the 413, not a reset."""
    worker = make_worker(tls=tls, max_body=MEGABYTE)
    with contextlib.closing(http_connection(worker)) as client:
        client.request("POST", TARGET, body=b"x" * size)
        assert client.getresponse().status == 413


def http_connection(worker: HttpWorker) -> http.client.HTTPConnection:
    if not worker.options.tls:
        return http.client.HTTPConnection("127.0.0.1", worker.port, timeout=TIMEOUT)
    context = ssl.create_default_context(cafile=worker.ca_file)
    return http.client.HTTPSConnection("localhost", worker.port, timeout=TIMEOUT, context=context)


@both
def test_large_chunked_body(make_worker: MakeWorker, tls: bool) -> None:
    """The limit holds for a body that did not say its size."""
    worker = make_worker(tls=tls, max_body=1000)
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    data = request_bytes(headers) + chunked(b"x" * 5000, 100)
    assert send_one(worker, data).status == 413


def test_large_body_names_the_option(make_worker: MakeWorker) -> None:
    """The 413 says which option to change."""
    worker = make_worker(max_body=1000)
    assert "max_body=1000" in send_one(worker, request_bytes({}, b"x" * 5000)).error


def test_slow_head_times_out(make_worker: MakeWorker) -> None:
    """A request whose head does not end in time is answered 408, or closed."""
    worker = make_worker(tls=False, limits=Limits(head=0.2))
    with connect(worker) as sock:
        sock.sendall(b"POST /wove/tasks HTTP/1.1\r\n")
        assert read_all(sock)[:13] in (b"HTTP/1.1 408 ", b"")


def test_broken_off_request_is_in_the_journal(plain_worker: HttpWorker) -> None:
    """A client that closes in the middle of its request is recorded."""
    with connect(plain_worker) as sock:
        sock.sendall(request_bytes({"Content-Length": "100"}) + b"{")
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    assert "before its request was whole" in plain_worker.exchanges[-1].error


# TLS


def test_plain_http_on_a_tls_port(worker: HttpWorker) -> None:
    """A client that speaks http to an https port reads why that cannot be."""
    data = send_raw(worker, request_bytes({}, run_frame(answer)), tls=False)
    (refused,) = parse_responses(data)
    assert (refused.status, "https" in refused.error) == (400, True)


def test_tls_on_a_plain_port(plain_worker: HttpWorker) -> None:
    """The journal says that a client spoke https to an http port."""
    with pytest.raises(ssl.SSLError):
        connect(plain_worker, tls=True)
    assert "TLS handshake on a plain http port" in plain_worker.exchanges[-1].error


def test_port_probe_is_nothing(worker: HttpWorker) -> None:
    """A connection without a byte leaves no trace."""
    with socket.create_connection(("127.0.0.1", worker.port), TIMEOUT) as sock:
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    assert worker.exchanges == []


@pytest.mark.parametrize("name", ["localhost", "workers.internal", "a.b.example"])
def test_certificate_by_name(worker: HttpWorker, name: str) -> None:
    """Whatever name a client asks for by SNI, its certificate checks out."""
    context = ssl.create_default_context(cafile=worker.ca_file)
    with (
        socket.create_connection(("127.0.0.1", worker.port), TIMEOUT) as sock,
        context.wrap_socket(sock, server_hostname=name) as secure,
    ):
        assert secure.getpeercert()


def test_old_tls_is_refused(worker: HttpWorker) -> None:
    """A client hello of TLS 1.1 gets a fatal protocol_version alert."""
    # RFC 4346, 7.4.1.2: version, random, no session, one cipher suite, no compression.
    hello = b"\x03\x02" + bytes(32) + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
    handshake = b"\x01" + len(hello).to_bytes(3, "big") + hello
    record = b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake
    assert send_raw(worker, record, tls=False)[-2:] == b"\x02\x46"


# Clients that say nothing


@contextlib.contextmanager
def slow_clients(worker: HttpWorker, pool: ThreadPoolExecutor) -> Iterator[None]:
    """50 silent connections, one that stops in its handshake, one that sends a byte at a time."""
    over = threading.Event()

    def trickle(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for byte in b"POST /wove/tasks HTTP/1.1\r\n" + b"X-Filler: x\r\n" * 1000:
                sock.sendall(bytes([byte]))
                if over.wait(0.05):
                    return

    with closing_all() as sockets:
        for _ in range(50):
            sockets.append(socket.create_connection(("127.0.0.1", worker.port), TIMEOUT))
        sockets.append(socket.create_connection(("127.0.0.1", worker.port), TIMEOUT))
        sockets[-1].sendall(b"\x16\x03\x01\x02")
        sockets.append(connect(worker))
        pool.submit(trickle, sockets[-1])
        try:
            yield
        finally:
            over.set()


@both
def test_slow_clients_block_nobody(
    make_worker: MakeWorker, pool: ThreadPoolExecutor, tls: bool
) -> None:
    """Others are served meanwhile."""
    worker = make_worker(tls=tls)
    with slow_clients(worker, pool):
        assert served(worker).result == 42


@both
def test_slow_clients_do_not_hold_up_a_stop(
    make_worker: MakeWorker, pool: ThreadPoolExecutor, tls: bool
) -> None:
    """A stop is over within its bound."""
    worker = make_worker(tls=tls)
    with slow_clients(worker, pool):
        served(worker)  # connections are accepted in order, so all of them are in
        assert stop_seconds(worker) < STOP_BOUND


def test_keep_alive_connection_does_not_hold_up_a_stop(worker: HttpWorker) -> None:
    """Neither does an idle connection that was served before."""
    with connect(worker) as sock:
        frame = run_frame(answer)
        sock.sendall(signed_bytes(worker, frame, Connection="keep-alive"))
        read_response(sock)
        assert stop_seconds(worker) < STOP_BOUND


def test_client_that_does_not_read_does_not_hold_up_a_stop(worker: HttpWorker) -> None:
    """Neither does a client that takes none of its large answer."""

    def large() -> bytes:
        return b"x" * (30 * MEGABYTE)

    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(large)))
        worker.wait_for("task")
        assert stop_seconds(worker) < 2 * STOP_BOUND


def test_more_clients_than_the_limit(make_worker: MakeWorker) -> None:
    """Connections over the limit wait their turn, and are served."""
    worker = make_worker(tls=False, limits=Limits(connections=3, head=0.3, idle=0.3))
    with closing_all() as sockets:
        for _ in range(6):
            sockets.append(socket.create_connection(("127.0.0.1", worker.port), TIMEOUT))
        assert served(worker).result == 42


def test_silent_clients_do_not_keep_the_room(make_worker: MakeWorker) -> None:
    """Once half of the connections are taken, the others are not for keeping."""
    # The bound is an honest client's as well, and the machine may be busy.
    worker = make_worker(limits=Limits(connections=4, crowded=1.0, handshake=TIMEOUT * 2))
    with closing_all() as sockets:
        for _ in range(6):
            sockets.append(socket.create_connection(("127.0.0.1", worker.port), TIMEOUT))
        assert served(worker).result == 42


def test_connection_limit(make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
    """No more connections than the limit are served at once."""
    worker = make_worker(limits=Limits(connections=2))
    with worker.hold() as gate:
        for _ in range(3):
            pool.submit(served, worker)
        gate.wait_arrived(2)
        with pytest.raises(WaitTimeoutError):
            gate.wait_arrived(3, timeout=0.2)


def test_connection_over_the_limit_is_served_next(
    make_worker: MakeWorker, pool: ThreadPoolExecutor
) -> None:
    """The one that had to wait is served once another has ended."""
    worker = make_worker(limits=Limits(connections=2))
    with worker.hold() as gate:
        pending = [pool.submit(served, worker) for _ in range(3)]
        gate.wait_arrived(2)
    assert [future.result(TIMEOUT).result for future in pending] == [42, 42, 42]


# Start, stop, restart, crash


def test_port_in_use(make_worker: MakeWorker) -> None:
    """A port that is taken is an error that names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=str(port)):
            make_worker(port=port)


def test_port_of_another_worker(worker: HttpWorker, make_worker: MakeWorker) -> None:
    """So is the port of another worker."""
    with pytest.raises(PortInUseError, match=str(worker.port)):
        make_worker(port=worker.port)


def test_two_workers_have_two_ports(make_worker: MakeWorker) -> None:
    """Each worker has a port of its own."""
    assert make_worker().port != make_worker().port


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_host_of_somebody_else(make_worker: MakeWorker, host: str) -> None:
    """An address that is not this machine's is an error that says what to use."""
    with pytest.raises(UsageError, match="localhost"):
        make_worker(host=host)


def test_port_before_the_start(make_worker: MakeWorker) -> None:
    """A worker that was never started has no port."""
    with pytest.raises(NotRunningError):
        _ = HttpWorker().port


@both
def test_stopped_worker_refuses(make_worker: MakeWorker, tls: bool) -> None:
    """After a stop nobody listens."""
    worker = make_worker(tls=tls)
    port = worker.port
    worker.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT)


def test_restart_keeps_the_port(worker: HttpWorker) -> None:
    """A restarted worker is where it was."""
    port = worker.port
    assert worker.restart().port == port


def test_restarted_worker_serves(worker: HttpWorker) -> None:
    """A restarted worker serves."""
    assert served(worker.restart()).result == 42


def test_restart_keeps_the_journal(worker: HttpWorker) -> None:
    """What was received before is still there."""
    served(worker)
    assert len(worker.restart().runs) == 1


def test_stop_twice(worker: HttpWorker) -> None:
    """A second stop is harmless."""
    worker.stop()
    worker.stop()
    assert not worker.running


def expect_reset(sock: socket.socket) -> None:
    """Read below TLS, because the ssl module makes an end of file of a reset."""
    with pytest.raises(ConnectionResetError):
        socket.socket.recv(sock, 1)


@both
def test_crash_resets_connections(make_worker: MakeWorker, tls: bool) -> None:
    """A client that waits for its answer has its connection reset."""
    worker = make_worker(tls=tls)
    gate = worker.hold()
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        gate.wait_arrived()
        worker.crash()
        expect_reset(sock)


@both
def test_crash_resets_idle_connections(make_worker: MakeWorker, tls: bool) -> None:
    """Kept connections are reset as well, without a TLS alert before."""
    worker = make_worker(tls=tls)
    with closing_all() as sockets:
        for _ in range(10):
            sockets.append(connect(worker))
            sockets[-1].sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
            read_response(sockets[-1])
        worker.crash()
        for sock in sockets:
            expect_reset(sock)


def test_crashed_worker_refuses(worker: HttpWorker) -> None:
    """New connections are refused."""
    worker.crash()
    with pytest.raises(ConnectionRefusedError):
        connect(worker)


def test_crashed_worker_keeps_its_port(worker: HttpWorker, make_worker: MakeWorker) -> None:
    """Nobody else gets the port meanwhile."""
    worker.crash()
    with pytest.raises(PortInUseError):
        make_worker(port=worker.port)


def test_start_after_a_crash(worker: HttpWorker) -> None:
    """``start()`` brings it back where it was."""
    port = worker.port
    worker.crash()
    worker.start()
    assert (served(worker).result, worker.port) == (42, port)


class Stuck:
    """A body that does not end until it is told to."""

    started = threading.Event()
    release = threading.Event()


def stuck_body() -> None:
    Stuck.started.set()
    Stuck.release.wait(TIMEOUT)


@pytest.fixture
def stuck(
    worker: HttpWorker, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HttpWorker]:
    """A worker with a sync task that does not end; it gives up on it soon."""
    monkeypatch.setattr(host, "STOP_GRACE", 0.05)
    Stuck.started.clear()
    Stuck.release.clear()
    pool.submit(signed_request, worker, run_frame(stuck_body, task="render_report"))
    assert Stuck.started.wait(TIMEOUT)
    yield worker
    Stuck.release.set()


def test_stop_names_a_stuck_task(stuck: HttpWorker) -> None:
    """A sync task that does not end is named in a warning."""
    with pytest.warns(StuckRunWarning, match="render_report"):
        stuck.stop()


def test_stop_with_a_stuck_task_is_bounded(stuck: HttpWorker) -> None:
    """It does not hold up the stop."""
    with pytest.warns(StuckRunWarning):
        assert stop_seconds(stuck) < STOP_BOUND


def test_crash_does_not_warn_of_a_stuck_task(stuck: HttpWorker) -> None:
    """A crash abandons it without a word (a warning here would be an error)."""
    stuck.crash()
    assert not stuck.running


def test_stop_answers_a_running_task(worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A client whose held run is cut off by a stop reads that, in a task_error or a 503, and not
    a broken connection."""
    gate = worker.hold()
    pending = pool.submit(served, worker)
    gate.wait_arrived()
    worker.stop()
    assert pending.result(TIMEOUT).task_error["kind"] == "WorkerStopped"


def test_no_thread_is_left(make_worker: MakeWorker) -> None:
    """50 starts and stops leave no thread behind."""
    worker = make_worker()
    worker.stop()
    before = set(threading.enumerate())
    for _ in range(50):
        served(worker.start())
        worker.stop()
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_no_descriptor_is_left(make_worker: MakeWorker) -> None:
    """50 starts and stops leave no open descriptor behind."""
    worker = make_worker()
    served(worker)
    worker.stop()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        served(worker.start())
        worker.stop()
    assert len(os.listdir("/proc/self/fd")) == before
