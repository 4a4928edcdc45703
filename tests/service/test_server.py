"""The accepting server: concurrent clients, limits, stop and crash."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.service.helpers import PATIENT, both, served, stops_at_once
from tests.support import (
    TIMEOUT,
    MakeWorker,
    answer,
    closing_all,
    connect,
    free_port,
    lasting,
    read_all,
    read_response,
    request_bytes,
    run_frame,
    signed_bytes,
    signed_request,
)
from wove_http_dev.errors import NoThreadError
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.records import Exchange
from wove_http_dev.runs.threads import start_thread
from wove_http_dev.service import listener, server
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.port import Port
from wove_http_dev.worker import HttpWorker

MEGABYTE = 2**20


# Slow and silent clients


@contextlib.contextmanager
def slow_clients(worker: HttpWorker, pool: ThreadPoolExecutor) -> Iterator[None]:
    """50 silent connections, one that stops during its handshake, and one that sends a byte at a
    time."""
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
def test_slow_clients_do_not_block_others(
    make_worker: MakeWorker, pool: ThreadPoolExecutor, tls: bool
) -> None:
    """Other clients are served while slow ones are connected."""
    worker = make_worker(tls=tls)
    with slow_clients(worker, pool):
        assert served(worker).result == 42


@both
def test_slow_clients_do_not_delay_a_stop(
    make_worker: MakeWorker, pool: ThreadPoolExecutor, tls: bool
) -> None:
    """``stop()`` does not wait for slow clients."""
    worker = make_worker(tls=tls, limits=PATIENT)
    with slow_clients(worker, pool):
        served(worker)  # connections are accepted in order, so all of them are in
        assert stops_at_once(worker)


def test_idle_connection_does_not_delay_a_stop(make_worker: MakeWorker) -> None:
    """``stop()`` does not wait for a kept-alive connection that is idle."""
    worker = make_worker(limits=PATIENT)
    with connect(worker) as sock:
        frame = run_frame(answer)
        sock.sendall(signed_bytes(worker, frame, Connection="keep-alive"))
        read_response(sock)
        assert stops_at_once(worker)


def test_reply_during_a_stop(
    make_worker: MakeWorker, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``stop()`` does not wait for a kept-alive connection whose reply ends while it begins."""
    worker = make_worker(limits=PATIENT)
    waits = threading.Event()
    join = server.Server._join

    def joins(of: server.Server, deadline: float) -> None:
        waits.set()
        join(of, deadline)

    class Stops(JournalObserver):
        def exchange_closed(self, exchange: Exchange) -> None:
            stops.append(pool.submit(stops_at_once, worker))
            assert waits.wait(TIMEOUT)

    stops: list[Future[bool]] = []
    monkeypatch.setattr(server.Server, "_join", joins)
    worker.journal.observe(Stops())
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
        read_all(sock)
    assert stops[0].result(TIMEOUT)


def test_client_that_does_not_read_does_not_prevent_a_stop(worker: HttpWorker) -> None:
    """``stop()`` returns, and the exchange ends, while a client reads nothing of its large
    response."""
    with unreading(worker):
        worker.stop()
        ended_exchange(worker)


def silent(worker: HttpWorker) -> socket.socket:
    """A new connection that sends nothing."""
    return socket.create_connection(("127.0.0.1", worker.port), TIMEOUT)


def begun(worker: HttpWorker) -> socket.socket:
    """A new connection that sends the beginning of a request."""
    sock = connect(worker)
    sock.sendall(b"POST /wove/tasks HTTP/1.1\r\n")
    return sock


def uploading(worker: HttpWorker) -> socket.socket:
    """A new connection that sends a part of a request's body, with the head of a signed one."""
    sock = connect(worker)
    sock.sendall(signed_bytes(worker, run_frame(answer))[:-1])
    return sock


def half_shaken(worker: HttpWorker) -> socket.socket:
    """A new connection that sends the beginning of a TLS handshake."""
    sock = silent(worker)
    sock.sendall(b"\x16\x03\x01\x02")
    return sock


def refused(worker: HttpWorker) -> socket.socket:
    """A new connection that is idle after a request that was refused."""
    sock = connect(worker)
    sock.sendall(request_bytes({"Connection": "keep-alive"}))
    read_response(sock)
    return sock


def used(worker: HttpWorker) -> socket.socket:
    """A new connection that is idle after a request that was accepted."""
    sock = connect(worker)
    sock.sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
    read_response(sock)
    return sock


def large() -> bytes:
    """A task whose result does not fit into the buffers of a connection."""
    return b"x" * (12 * MEGABYTE)


def unreading(worker: HttpWorker) -> socket.socket:
    """A new connection that does not read its large reply."""
    sock = connect(worker)
    sock.sendall(signed_bytes(worker, run_frame(large)))
    worker.wait_for("task", timeout=TIMEOUT)
    return sock


LENIENT = Limits(
    handshake=10 * TIMEOUT,
    head=10 * TIMEOUT,
    idle=10 * TIMEOUT,
    write=10 * TIMEOUT,
    drain=10 * TIMEOUT,
    body_grace=10 * TIMEOUT,
    patience=0.0,
)
"""Limits that end no connection but to make room, and that at once."""


@pytest.mark.parametrize(
    "client", [silent, begun, uploading, half_shaken, refused, used, unreading]
)
def test_more_clients_than_the_limit(
    make_worker: MakeWorker, client: Callable[[HttpWorker], socket.socket]
) -> None:
    """A client is served although slow ones would fill the limit for longer than it waits."""
    worker = make_worker(limits=replace(LENIENT, connections=3, patience=0.2))
    with closing_all() as sockets:
        for _ in range(4):
            sockets.append(client(worker))
        assert served(worker).result == 42


def crowded(make_worker: MakeWorker, connections: int = 2) -> HttpWorker:
    """A worker without TLS that serves two connections."""
    return make_worker(tls=False, limits=replace(LENIENT, connections=connections))


def test_longest_unauthenticated_connection_ends(make_worker: MakeWorker) -> None:
    """At the limit the connection ends that has not authenticated for the longest time."""
    worker = crowded(make_worker)
    with closing_all() as sockets:
        sockets += [begun(worker), used(worker)]
        served(worker)
        assert sockets[0].recv(1) == b""


def test_authenticated_connection_stays(make_worker: MakeWorker) -> None:
    """A connection that has authenticated outlives those that have not."""
    worker = crowded(make_worker)
    with closing_all() as sockets:
        sockets += [used(worker), silent(worker)]
        served(worker)
        sockets[0].sendall(signed_bytes(worker, run_frame(answer)))
        assert read_response(sockets[0]).result == 42


def test_evicted_connection_is_in_the_journal(make_worker: MakeWorker) -> None:
    """A connection that ended for another is recorded with a code of its own, and is no violation
    of strict mode."""
    worker = crowded(make_worker)
    with closing_all() as sockets:
        sockets += [begun(worker), begun(worker)]
        served(worker)
        worker.journal.wait(lambda: len(worker.journal.exchanges) >= 2, TIMEOUT, "an eviction")
        (evicted,) = [each for each in worker.exchanges if each.kind == "connection"]
    assert (evicted.code, evicted.status, evicted.violation) == ("connection-evicted", None, False)


def test_silent_connections_that_end_are_recorded_once(make_worker: MakeWorker) -> None:
    """Of silent connections only the first of a crowd that ends is recorded."""
    worker = crowded(make_worker, 4)
    with closing_all() as sockets:
        for _ in range(20):
            sockets.append(silent(worker))
        served(worker)
    assert [each.code for each in worker.exchanges if each.code] == ["connection-evicted"]


def test_connection_limit(make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
    """No more connections than the limit are served at once."""
    worker = make_worker(limits=Limits(connections=2, patience=TIMEOUT))
    with worker.hold() as gate:
        pending = [pool.submit(served, worker) for _ in range(8)]
        gate.wait_arrived(2)
    for future in pending:
        future.result(TIMEOUT)
    begun = sorted(run.received for run in worker.runs)
    ended = sorted(run.finished for run in worker.runs if run.finished is not None)
    assert all(begins >= ends for begins, ends in zip(begun[2:], ended, strict=False))


def test_connection_over_the_limit_is_served_next(
    make_worker: MakeWorker, pool: ThreadPoolExecutor
) -> None:
    """A connection that had to wait is served once another has ended."""
    worker = make_worker(limits=Limits(connections=2, patience=TIMEOUT))
    with worker.hold() as gate:
        pending = [pool.submit(served, worker) for _ in range(3)]
        gate.wait_arrived(2)
    assert [future.result(TIMEOUT).result for future in pending] == [42, 42, 42]


# Stop and crash


@both
def test_stopped_worker_refuses(make_worker: MakeWorker, tls: bool) -> None:
    """After ``stop()`` connections are refused."""
    worker = make_worker(tls=tls)
    port = worker.port
    worker.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT)


def expect_reset(sock: socket.socket) -> None:
    """Fail unless the connection is reset. Reads below TLS: the ssl module reports a reset as
    end of file."""
    with pytest.raises(ConnectionResetError):
        socket.socket.recv(sock, 1)


@both
def test_crash_resets_connections(make_worker: MakeWorker, tls: bool) -> None:
    """A client that waits for its response has its connection reset."""
    worker = make_worker(tls=tls)
    gate = worker.hold()
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        gate.wait_arrived()
        worker.crash()
        expect_reset(sock)


@both
def test_crash_resets_idle_connections(make_worker: MakeWorker, tls: bool) -> None:
    """Kept-alive connections are reset as well, without a TLS alert before."""
    worker = make_worker(tls=tls)
    with closing_all() as sockets:
        for _ in range(10):
            sockets.append(connect(worker))
            sockets[-1].sendall(signed_bytes(worker, run_frame(answer), Connection="keep-alive"))
            read_response(sockets[-1])
        worker.crash()
        for sock in sockets:
            expect_reset(sock)


def test_no_thread_is_left(make_worker: MakeWorker) -> None:
    """50 starts and stops leave no thread behind."""
    worker = make_worker()
    worker.stop()
    before = set(threading.enumerate())
    for _ in range(50):
        served(worker.start())
        worker.stop()
    assert not lasting(set(threading.enumerate()) - before)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_no_descriptor_is_left(make_worker: MakeWorker) -> None:
    """50 starts and stops leave no open descriptor behind."""
    worker = make_worker()
    served(worker)
    worker.stop()
    before, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    for _ in range(50):
        served(worker.start())
        worker.stop()
    lasting(set(threading.enumerate()) - threads)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_thread_of_a_closed_port_does_not_count(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    """Two connections are served at once although a thread has not noticed yet that the port,
    which was closed and opened again, was closed."""
    ended = threading.Event()
    accept = server.Server._accept

    def notices_late(of: server.Server, on: listener.Listener) -> socket.socket | None:
        sock = accept(of, on)
        if sock is None:
            ended.wait(10 * TIMEOUT)
        return sock

    monkeypatch.setattr(server.Server, "_accept", notices_late)
    worker = make_worker(tls=False)
    with worker.inject("refuse-connections"):
        pass
    try:
        with worker.hold() as gate:
            pending = [pool.submit(served, worker) for _ in range(2)]
            gate.wait_arrived(2, TIMEOUT)
    finally:
        ended.set()
    assert [future.result(TIMEOUT).result for future in pending] == [42, 42]


# What the server itself cannot do


def ended_exchange(worker: HttpWorker) -> Exchange:
    """Wait for the first exchange that has ended; return it."""

    def ended() -> list[Exchange]:
        return [each for each in worker.journal.exchanges if each.duration is not None]

    worker.journal.wait(lambda: bool(ended()), TIMEOUT, "the end of an exchange")
    return ended()[0]


class FailsOnce:
    """Calls ``function``, but raises ``error`` at the first call."""

    def __init__(self, function: Callable[..., Any], error: BaseException) -> None:
        self._function = function
        self._error = error
        self._calls = itertools.count()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if next(self._calls) == 0:
            raise self._error
        return self._function(*args, **kwargs)


def dropped(worker: HttpWorker) -> bytes:
    """Connect and wait; everything that comes until the worker closes the connection."""
    with socket.create_connection(("127.0.0.1", worker.port), TIMEOUT) as sock:
        return read_all(sock)


def test_guard_against_network_access(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch, wove_http_worker: HttpWorker
) -> None:
    """A connection is accepted although ``socket.socket`` was replaced, as pytest-socket does."""
    with connect(worker) as sock:
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        with socket.create_connection(("127.0.0.1", worker.port), TIMEOUT) as second:
            monkeypatch.setattr(socket, "socket", None)
            second.sendall(b"\x16")
        assert read_response(sock).result == 42


@pytest.mark.parametrize("error", [TypeError("a"), SystemExit(1), MemoryError()], ids=repr)
def test_exception_in_accept(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Whatever accept() raises, later connections are served."""
    monkeypatch.setattr(listener, "_accepted", FailsOnce(listener._accepted, error))
    for _ in range(3):
        assert served(worker).result == 42


def test_exception_in_accept_is_a_failure_of_the_service(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What accept() raised is in the journal."""
    monkeypatch.setattr(listener, "_accepted", FailsOnce(listener._accepted, TypeError("a")))
    served(worker)
    served(worker)
    (exchange,) = worker.journal.violations
    assert (exchange.code, exchange.error) == ("internal-error", "TypeError: a")


def test_exception_in_accept_is_reported_once(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that repeats while a client waits is one entry of the journal."""
    accept, left = listener._accepted, iter(range(3))

    def fails(sock: socket.socket, family: int, kind: int) -> socket.socket:
        if next(left, None) is not None:
            raise TypeError("a")
        return accept(sock, family, kind)

    monkeypatch.setattr(listener, "_accepted", fails)
    served(worker)
    served(worker)
    assert len(worker.journal.violations) == 1


def test_no_descriptor(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process has no free descriptor, the journal says so; the client is served later."""
    error = OSError(errno.EMFILE, "Too many open files")
    monkeypatch.setattr(listener, "_accepted", FailsOnce(listener._accepted, error))
    served(worker)
    assert served(worker).result == 42
    assert [each.code for each in worker.journal.violations] == ["no-descriptor"]


def test_no_descriptor_ends_a_connection(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the process has no free descriptor, a connection that has not authenticated gives its
    own back."""
    worker = make_worker(tls=False, strict=False, limits=LENIENT)
    error = OSError(errno.EMFILE, "Too many open files")
    with closing_all() as sockets:
        sockets.append(begun(worker))
        served(worker)  # connections are accepted in order, so the first one is in
        monkeypatch.setattr(listener, "_accepted", FailsOnce(listener._accepted, error))
        served(worker)
        assert sockets[0].recv(1) == b""


def test_connection_that_was_gone_is_not_a_failure(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that had gone before it was accepted is not recorded."""
    error = ConnectionAbortedError(errno.ECONNABORTED, "Software caused connection abort")
    monkeypatch.setattr(listener, "_accepted", FailsOnce(listener._accepted, error))
    served(worker)
    served(worker)
    assert not worker.journal.violations


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can shut it down")
def test_listening_socket_that_was_closed(worker: HttpWorker) -> None:
    """When other code closes the listening socket, the journal says what to do."""
    worker._host._server._listener.sockets[0].shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
    exchange = ended_exchange(worker)
    assert exchange.internal_error
    assert "restart() the worker" in exchange.error


def test_no_thread_costs_one_connection(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no further thread can be started, that connection is closed, and the next is served."""
    error = NoThreadError("can't start new thread")
    monkeypatch.setattr(server, "start_thread", FailsOnce(start_thread, error))
    assert dropped(worker) == b""
    assert served(worker).result == 42


def test_no_thread_is_a_failure_of_the_service(
    worker: HttpWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was closed for want of a thread is in the journal."""
    error = NoThreadError("can't start new thread")
    monkeypatch.setattr(server, "start_thread", FailsOnce(start_thread, error))
    dropped(worker)
    exchange = ended_exchange(worker)
    assert (exchange.code, exchange.internal_error) == ("no-thread", True)


def no_threads(monkeypatch: pytest.MonkeyPatch, part: str = "wove-http-dev") -> None:
    """Let the system have no thread for those whose name contains ``part``."""
    start = threading.Thread.start

    def start_some(thread: threading.Thread) -> None:
        if part in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)


def test_run_needs_no_thread(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body runs in the thread that serves its request."""
    no_threads(monkeypatch, "-run-")
    assert served(worker).result == 42


def test_no_thread_for_a_run(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task with a fault, which waits for the body in another thread, is answered with a 500, a
    failure of the service, if no thread can be started."""
    worker.inject("slow-response", delay=0)
    no_threads(monkeypatch, "-run-")
    assert signed_request(worker, run_frame(answer)).status == 500
    assert worker.exchanges[-1].code == "no-thread"


def test_bug_before_a_run(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure between the request and the body is the service's, not only the task's."""

    def park(*args: Any) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(worker._state.gates, "park", park)
    assert signed_request(worker, run_frame(answer)).terminal == "task_error"
    assert [each.code for each in worker.journal.violations] == ["internal-error"]


def test_run_without_a_thread_leaves_nothing(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a task for which no thread could be started the worker serves, and stops."""
    worker = make_worker(port=free_port())
    with worker.inject("slow-response", delay=0), monkeypatch.context() as patch:
        no_threads(patch, "-run-")
        signed_request(worker, run_frame(answer))
    assert served(worker).result == 42
    worker.stop()
    with contextlib.closing(Port("localhost", worker.port)):
        assert [run.state for run in worker.runs] == ["lost", "succeeded"]


def test_start_without_a_thread(make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """``start()`` raises if it can start no thread, and the port is free then."""
    worker = make_worker(port=free_port())
    worker.stop()
    no_threads(monkeypatch)
    with pytest.raises(NoThreadError):
        worker.start()
    with contextlib.closing(Port("localhost", worker.port)):
        assert not worker.running
