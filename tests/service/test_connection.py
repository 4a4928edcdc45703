"""One connection of the service: requests, limits and TLS."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import pytest

from tests.forked import forked_child
from tests.service.helpers import both, served, stops_at_once
from tests.support import (
    TARGET,
    TIMEOUT,
    HttpResponse,
    MakeWorker,
    answer,
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
)
from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import AuthStage, Connection, Fault, Wire
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.service.client_socket import ClientSocket
from wove_http_dev.service.limits import Limits
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

# Requests


MEGABYTE = 2**20


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def http_connection(worker: HttpWorker) -> http.client.HTTPConnection:
    if not worker.options.tls:
        return http.client.HTTPConnection("127.0.0.1", worker.port, timeout=TIMEOUT)
    context = ssl.create_default_context(cafile=worker.ca_file)
    return http.client.HTTPSConnection("localhost", worker.port, timeout=TIMEOUT, context=context)


@both
def test_task(make_worker: MakeWorker, tls: bool) -> None:
    """A signed run_task gets the task's result."""
    assert served(make_worker(tls=tls)).result == 42


@both
def test_connection_close_is_honoured(make_worker: MakeWorker, tls: bool) -> None:
    """The connection is closed after the response to a request with ``Connection: close``."""
    answered = served(make_worker(tls=tls))
    assert answered.headers["connection"] == "close"


@both
def test_keep_alive(make_worker: MakeWorker, tls: bool) -> None:
    """Two requests on one connection get two responses."""
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
    """An HTTP/1.0 client gets its response, then the connection is closed."""
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
    """The second of two requests sent at once does not run, so that its retry cannot run it
    twice."""
    first = signed_bytes(worker, run_frame(answer, task="first"), Connection="keep-alive")
    second = signed_bytes(worker, run_frame(answer, task="second"))
    send_raw(worker, first + second)
    assert [run.task_id for run in worker.runs] == ["first"]


def test_line_break_after_a_request(worker: HttpWorker) -> None:
    """An extra line break after a body, as old clients send it, is not a second request."""
    assert send_one(worker, signed_bytes(worker, run_frame(answer)) + b"\r\n").result == 42


@both
def test_chunked_body(make_worker: MakeWorker, tls: bool) -> None:
    """A chunked body is joined before it is verified."""
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
    """A client that waits for 100 Continue before its body gets it, and then its response."""
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


OFFER = {"Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}


@both
def test_upgrade_offer(make_worker: MakeWorker, tls: bool) -> None:
    """An offer of HTTP/2 is ignored, and the connection is kept for further requests."""
    worker = make_worker(tls=tls)
    results = []
    with connect(worker) as sock:
        for _ in range(2):
            data = signed_bytes(
                worker, run_frame(answer), Connection="Upgrade, HTTP2-Settings", **OFFER
            )
            sock.sendall(data)
            results.append(read_response(sock).result)
    assert results == [42, 42]


@pytest.mark.parametrize(
    "options", [["--http2"], ["--header", "Transfer-Encoding: chunked"]], ids=["http2", "chunked"]
)
def test_curl(plain_worker: HttpWorker, options: list[str]) -> None:
    """curl is served when it offers HTTP/2, and when it sends its body in chunks."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(
        [
            *("curl", "--silent", *options, "--write-out", "%{http_code}"),
            *("--data", '{"type": "cancel_task", "run_id": "x"}'),
            *("--header", "Content-Type: application/json", plain_worker.url),
        ],
        env={**os.environ, **plain_worker.client_env},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b"200"


@both
@pytest.mark.parametrize("wrong", [b"", b"X" * 70_000], ids=["refused", "too-large"])
def test_head_has_no_body(make_worker: MakeWorker, tls: bool, wrong: bytes) -> None:
    """A reply to HEAD ends after its head, which has the length of the body that GET would get."""
    worker = make_worker(tls=tls)
    data = request_bytes({"X-Filler": wrong.decode()}, method="HEAD")
    head, end, body = send_raw(worker, data).partition(b"\r\n\r\n")
    assert (b"Content-Length: 0" in head, end, body) == (False, b"\r\n\r\n", b"")


def test_connection_is_kept_after_head(worker: HttpWorker) -> None:
    """The request after a HEAD on the same connection is answered."""
    with connect(worker) as sock:
        sock.sendall(request_bytes({"Connection": "keep-alive"}, method="HEAD"))
        assert b" 401 " in sock.recv(65536)
        sock.sendall(signed_bytes(worker, run_frame(answer)))
        (answered,) = parse_responses(read_all(sock))
    assert answered.result == 42


def test_connect_is_refused(worker: HttpWorker) -> None:
    """CONNECT is refused like any request without credentials, and the connection is closed."""
    data = request_bytes({"Connection": "keep-alive"}, method="CONNECT", target="localhost:443")
    assert send_one(worker, data).status == 401


def test_absolute_form_of_another_host(plain_worker: HttpWorker) -> None:
    """Without authentication a target in absolute form must name this worker, whatever Host is."""
    data = request_bytes({}, run_frame(answer), target=f"http://evil.example{TARGET}")
    assert send_one(plain_worker, data).status == 403


def test_byte_by_byte(plain_worker: HttpWorker) -> None:
    """A request that arrives in single bytes is read whole."""
    with connect(plain_worker) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in signed_bytes(plain_worker, run_frame(answer)):
            sock.sendall(bytes([byte]))
        (answered,) = parse_responses(read_all(sock))
    assert answered.result == 42


def test_half_closed_client_is_answered(plain_worker: HttpWorker) -> None:
    """A client that shuts down its sending side still gets its response."""
    with connect(plain_worker) as sock:
        sock.sendall(signed_bytes(plain_worker, run_frame(answer)))
        sock.shutdown(socket.SHUT_WR)
        (answered,) = parse_responses(read_all(sock))
    assert answered.result == 42


# Bytes that are not a request


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
    ],
)
def test_not_http_is_400(make_worker: MakeWorker, tls: bool, garbage: bytes) -> None:
    """Bytes that are not HTTP/1.1 get a 400."""
    assert send_one(make_worker(tls=tls), garbage).status == 400


@pytest.mark.parametrize(
    ("coding", "version", "status"),
    [(b"gzip, chunked", b"1.1", 501), (b"chunked", b"1.0", 400)],
    ids=["unknown", "http-1.0"],
)
@both
def test_transfer_coding_is_refused(
    make_worker: MakeWorker, tls: bool, coding: bytes, version: bytes, status: int
) -> None:
    """A body in a transfer coding that is not known does not reach a task, nor does a chunked one
    in HTTP/1.0."""
    worker = make_worker(tls=tls)
    frame = run_frame(answer)
    headers = {
        **credentials(worker, frame),
        "Content-Length": "",
        "Transfer-Encoding": coding.decode(),
    }
    data = request_bytes(headers).replace(b"HTTP/1.1", b"HTTP/" + version)
    assert send_one(worker, data + chunked(frame, 100)).status == status


@both
def test_not_http_has_a_json_reason(make_worker: MakeWorker, tls: bool) -> None:
    """The 400 says in JSON what was wrong."""
    assert "not HTTP/1.1" in send_one(make_worker(tls=tls), b"hello worker\r\n\r\n").error


def test_not_http_is_in_the_journal(worker: HttpWorker) -> None:
    """A connection that never became a request is recorded with the status it got."""
    send_raw(worker, b"hello worker\r\n\r\n")
    assert [(e.kind, e.status) for e in worker.exchanges] == [("connection", 400)]


def test_large_head(worker: HttpWorker) -> None:
    """A head over the limit gets a 431."""
    data = request_bytes({f"X-Filler-{n}": "x" * 1000 for n in range(80)})
    assert send_one(worker, data).status == 431


@both
@pytest.mark.parametrize("size", [2 * MEGABYTE, 30 * MEGABYTE])
def test_large_body_while_writing(make_worker: MakeWorker, tls: bool, size: int) -> None:
    """A client that writes its whole body before it reads gets the 413, not a reset."""
    worker = make_worker(tls=tls, max_body=MEGABYTE)
    with contextlib.closing(http_connection(worker)) as client:
        client.request("POST", TARGET, body=b"x" * size)
        assert client.getresponse().status == 413


@both
def test_large_chunked_body(make_worker: MakeWorker, tls: bool) -> None:
    """The limit applies to a body that did not declare its size."""
    worker = make_worker(tls=tls, max_body=1000)
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    data = request_bytes(headers) + chunked(b"x" * 5000, 100)
    assert send_one(worker, data).status == 413


def test_large_body_names_the_option(make_worker: MakeWorker) -> None:
    """The 413 names the option to change."""
    worker = make_worker(max_body=1000)
    assert "max_body=1000" in send_one(worker, request_bytes({}, b"x" * 5000)).error


def test_the_option_max_body_beside_limits(make_worker: MakeWorker) -> None:
    """Other limits leave the option ``max_body`` in force."""
    worker = make_worker(max_body=1000, limits=Limits(idle=1.0))
    assert "max_body=1000" in send_one(worker, request_bytes({}, b"x" * 5000)).error


def test_max_body_among_the_limits() -> None:
    """``max_body`` has one place: the option."""
    with pytest.raises(UsageError, match=r"HttpWorker\(max_body="):
        HttpWorker(limits=Limits(max_body=5))


@both
@pytest.mark.parametrize(
    "sent",
    [b"P", b"POST /wove/tasks HTTP/1.1\r\n", request_bytes({"Content-Length": "9"}, b"{")],
    ids=["first-byte", "head", "body"],
)
def test_slow_request_times_out(make_worker: MakeWorker, tls: bool, sent: bytes) -> None:
    """A request that is not complete in time gets a 408, also where nothing more arrives."""
    worker = make_worker(tls=tls, security="none", limits=Limits(head=0.2, body=0.2))
    assert send_one(worker, sent).status == 408


@both
def test_slow_body_times_out(make_worker: MakeWorker, tls: bool) -> None:
    """A body that comes too slowly gets a 408, although its time is not over."""
    limits = Limits(body_grace=0.2, body_rate=2**30, body=10 * TIMEOUT)
    worker = make_worker(tls=tls, limits=limits)
    assert send_one(worker, signed_bytes(worker, run_frame(answer))[:-1]).status == 408


def test_slow_request_is_in_the_journal(make_worker: MakeWorker) -> None:
    """A request that is not complete in time is recorded with the reply it got."""
    worker = make_worker(tls=False, limits=Limits(head=0.2))
    send_raw(worker, b"P")
    assert [(e.status, e.code) for e in worker.exchanges] == [(408, "request-timeout")]


def test_silent_connection_is_not_answered(make_worker: MakeWorker) -> None:
    """A connection without a byte is closed without a reply: no request was begun."""
    assert send_raw(make_worker(tls=False, limits=Limits(head=0.2)), b"") == b""


def test_broken_off_request_is_in_the_journal(plain_worker: HttpWorker) -> None:
    """A client that closes in the middle of its request is recorded."""
    with connect(plain_worker) as sock:
        sock.sendall(request_bytes({"Content-Length": "100"}) + b"{")
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    assert "before its request was complete" in plain_worker.exchanges[-1].error


# Requests that are refused by their heads


LARGE = 60 * MEGABYTE


def announced(frame: bytes, **headers: str) -> bytes:
    """The beginning of a request with a large body, which begins with ``frame``."""
    return request_bytes({"Content-Length": str(LARGE), **headers}, frame)


def unfinished(worker: HttpWorker, data: bytes) -> HttpResponse:
    """The response to ``data``, which is not a whole request, on a connection that stays open."""
    with connect(worker) as sock:
        sock.sendall(data)
        return read_response(sock)


@both
@pytest.mark.parametrize("size", [0, 100_000], ids=["head", "beginning"])
def test_refused_before_its_body(make_worker: MakeWorker, tls: bool, size: int) -> None:
    """A large request without credentials is answered before its body is there."""
    worker = make_worker(tls=tls, limits=Limits(refused=TIMEOUT / 2 if size else 0.0))
    response = unfinished(worker, announced(b" " * size))
    assert (response.status, response.headers["connection"]) == (401, "close")


@both
def test_refused_while_writing(make_worker: MakeWorker, tls: bool) -> None:
    """A client that writes its whole large body before it reads gets the 401, not a reset."""
    with contextlib.closing(http_connection(make_worker(tls=tls))) as client:
        client.request("POST", TARGET, body=b"x" * (30 * MEGABYTE))
        assert client.getresponse().status == 401


@both
def test_refused_instead_of_continue(make_worker: MakeWorker, tls: bool) -> None:
    """A client that waits for 100 Continue gets its refusal instead."""
    worker = make_worker(tls=tls)
    assert unfinished(worker, announced(b"", Expect="100-continue")).status == 401


@pytest.mark.parametrize("security", ["signed", "bearer", "none"])
def test_refused_by_its_head_in_each_mode(make_worker: MakeWorker, security: str) -> None:
    """Each way to authenticate refuses by the head what it can."""
    worker = make_worker(tls=False, security=security, limits=Limits(refused=0.0))
    refused = unfinished(worker, announced(b"", Origin="http://evil.example"))
    assert refused.status == (403 if security == "none" else 401)


def test_refused_request_is_in_the_journal(make_worker: MakeWorker) -> None:
    """The journal has the task of a request that was refused before its body was there."""
    worker = make_worker(tls=False, limits=Limits(refused=TIMEOUT / 2))
    unfinished(worker, announced(run_frame(answer, task="fetch").ljust(100_000)))
    (exchange,) = worker.exchanges
    assert (exchange.code, exchange.task_id) == ("header-missing", "fetch")


@dataclass(frozen=True)
class Waved(Fault):
    """Accepts every request."""

    stage: ClassVar[str] = "auth"

    def on_auth(self, stage: AuthStage) -> Verdict:
        """Accept the request."""
        return Verdict(accepted=True)


def test_fault_that_accepts(worker: HttpWorker) -> None:
    """A fault may accept a large request that its head would refuse."""
    worker.inject(Waved())
    frame = run_frame(answer, {}, task="task").ljust(200_000)
    assert send_one(worker, request_bytes({}, frame)).result == 42


def test_fault_that_has_acted(worker: HttpWorker) -> None:
    """A fault that has hit its last request keeps no request from being refused by its head."""
    with worker.inject(Waved(), times=1):
        send_one(worker, request_bytes({}, run_frame(answer)))
        assert unfinished(worker, announced(b" " * 100_000)).status == 401


@pytest.mark.parametrize("fault", ["handshake-close", "wrong-hostname"])
def test_fault_of_connections(worker: HttpWorker, fault: str) -> None:
    """A fault that hits connections cannot change the verdict on a request."""
    with connect(worker) as sock:
        worker.inject(fault)
        sock.sendall(announced(b" " * 100_000))
        assert read_response(sock).status == 401


# Memory for bodies


PADDED = run_frame(answer).ljust(200_000)  # JSON may end with spaces


@contextlib.contextmanager
def arriving(worker: HttpWorker) -> Iterator[None]:
    """A body that has arrived in part: more of it than the buffers of a connection take."""
    with connect(worker) as sock:
        whole = signed_bytes(worker, run_frame(answer).ljust(40 * MEGABYTE))
        sock.sendall(whole[: 30 * MEGABYTE])
        yield


def until_one_waits(worker: HttpWorker) -> None:
    """Wait until a second body waits for room. The first is always given some."""
    shares = worker._host._server.budget._shares  # type: ignore[attr-defined]
    deadline = time.monotonic() + TIMEOUT
    while not any(share.waits for share in list(shares.values())[1:]):
        assert time.monotonic() < deadline, "no body waits"
        time.sleep(0.01)


@both
def test_too_many_bodies(make_worker: MakeWorker, tls: bool) -> None:
    """A body for which there is no room gets a 503 that says when to try again."""
    worker = make_worker(tls=tls, limits=Limits(bodies=MEGABYTE, bodies_wait=0.0))
    with arriving(worker):
        response = send_one(worker, signed_bytes(worker, PADDED))
    assert (response.status, response.headers["retry-after"]) == (503, "1")


def test_too_many_bodies_in_the_journal(make_worker: MakeWorker) -> None:
    """A request that was refused for lack of room is recorded, and strict mode reports it."""
    worker = make_worker(tls=False, limits=Limits(bodies=MEGABYTE, bodies_wait=0.0))
    with arriving(worker):
        send_one(worker, signed_bytes(worker, PADDED))
        (exchange,) = worker.exchanges
    assert (exchange.code, exchange.violation) == ("too-many-bodies", True)


def test_small_body_needs_no_room(make_worker: MakeWorker) -> None:
    """A small body is read although there is no room."""
    worker = make_worker(tls=False, limits=Limits(bodies=MEGABYTE, bodies_wait=0.0))
    with arriving(worker):
        assert served(worker).result == 42


def test_room_that_becomes_free(make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
    """A body waits for room, and is read when another has gone."""
    limits = Limits(bodies=MEGABYTE, bodies_wait=10 * TIMEOUT, patience=10 * TIMEOUT)
    worker = make_worker(tls=False, limits=limits)
    with arriving(worker):
        waiting = pool.submit(send_one, worker, signed_bytes(worker, PADDED))
        until_one_waits(worker)
    assert waiting.result(TIMEOUT).result == 42


@both
def test_body_that_stopped_makes_room(make_worker: MakeWorker, tls: bool) -> None:
    """A body that stopped in the middle does not keep another from being read. Its connection
    ends, which the journal says with a code of its own and strict mode does not report."""
    limits = Limits(bodies=MEGABYTE, bodies_wait=10 * TIMEOUT, body=10 * TIMEOUT, patience=0.0)
    worker = make_worker(tls=tls, limits=limits)
    with arriving(worker):
        assert send_one(worker, signed_bytes(worker, PADDED)).result == 42
        worker.journal.wait(
            lambda: len(worker.journal.exchanges) >= 2, TIMEOUT, "the end of a body"
        )
    (ended,) = [each for each in worker.exchanges if each.kind == "connection"]
    assert (ended.code, ended.violation) == ("connection-evicted", False)


def test_accepted_body_needs_no_room(make_worker: MakeWorker, pool: ThreadPoolExecutor) -> None:
    """The body of a request that was accepted does not count, however long its task takes."""
    worker = make_worker(tls=False, limits=Limits(bodies=1, bodies_wait=0.0))
    with worker.hold() as gate:
        held = [pool.submit(send_one, worker, signed_bytes(worker, PADDED))]
        gate.wait_arrived()
        other = signed_bytes(worker, run_frame(answer).ljust(200_000))
        held.append(pool.submit(send_one, worker, other))
        gate.wait_arrived(2)
    assert [future.result(TIMEOUT).status for future in held] == [200, 200]


def test_waiting_for_room_does_not_delay_a_stop(
    make_worker: MakeWorker, pool: ThreadPoolExecutor
) -> None:
    """``stop()`` does not wait for a body that waits for room."""
    worker = make_worker(
        tls=False, limits=Limits(bodies=MEGABYTE, bodies_wait=120.0, patience=120.0)
    )
    with arriving(worker):
        pool.submit(send_raw, worker, signed_bytes(worker, PADDED.ljust(30 * MEGABYTE)))
        until_one_waits(worker)
        assert stops_at_once(worker)


def test_client_that_waits_to_send_more_learns_of_a_stop(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client in the middle of a body, whose window is closed, gets a reset from ``stop()``, also
    if the worker has read everything from its buffer before it closes."""
    ended = threading.Event()
    receive, shut_down = ClientSocket.receive, ClientSocket.shut_down

    def receive_and_wait(of: ClientSocket, size: int, flags: int = 0) -> bytes:
        data = receive(of, size, flags)
        ended.wait(TIMEOUT)
        return data

    def end(of: ClientSocket, how: int, *, reset: bool = False) -> None:
        shut_down(of, how, reset=reset)
        ended.set()

    monkeypatch.setattr(ClientSocket, "receive", receive_and_wait)
    monkeypatch.setattr(ClientSocket, "shut_down", end)
    worker = make_worker(tls=False, limits=Limits(body_grace=10 * TIMEOUT))
    with connect(worker) as sock:
        request = memoryview(signed_bytes(worker, run_frame(answer).ljust(30 * MEGABYTE)))
        while select.select([], [sock], [], 0.2)[1]:  # until the window is closed
            request = request[sock.send(request[:65536]) :]
        worker.stop()
        with pytest.raises(ConnectionError):
            sock.sendall(request)


# TLS


def test_plain_http_on_a_tls_port(worker: HttpWorker) -> None:
    """A client that uses http on an https port gets a 400 that says so."""
    data = send_raw(worker, request_bytes({}, run_frame(answer)), tls=False)
    (refused,) = parse_responses(data)
    assert (refused.status, "https" in refused.error) == (400, True)


def test_tls_on_a_plain_port(plain_worker: HttpWorker) -> None:
    """The journal records that a client used https on an http port."""
    with pytest.raises(ssl.SSLError):
        connect(plain_worker, tls=True)
    assert "TLS handshake on a plain http port" in plain_worker.exchanges[-1].error


def test_port_probe_is_not_recorded(worker: HttpWorker) -> None:
    """A connection that sent no byte is not in the journal."""
    with socket.create_connection(("127.0.0.1", worker.port), TIMEOUT) as sock:
        sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    assert worker.exchanges == []


@pytest.mark.parametrize("name", ["localhost", "workers.internal", "a.b.example"])
def test_certificate_by_name(worker: HttpWorker, name: str) -> None:
    """A client gets a certificate for the host name that it sends by SNI."""
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


# A certificate that cannot be made


def no_certificate(*args: Any) -> NoReturn:
    raise FileNotFoundError("no usable temporary directory")


@pytest.mark.parametrize(
    ("method", "name"),
    [("server_context", "localhost"), ("_named_context", "workers.internal")],
    ids=["ordinary", "by name"],
)
def test_certificate_that_cannot_be_made(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch, method: str, name: str
) -> None:
    """A certificate that the worker cannot make is a failure of the service, not of the client."""
    monkeypatch.setattr(CertificateAuthority, method, no_certificate)
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)  # of the ssl module
    worker = make_worker()
    context = ssl.create_default_context(cafile=worker.ca_file)
    with connect(worker, tls=False) as sock, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock, server_hostname=name)
    worker.journal.wait(lambda: bool(worker.journal.violations), TIMEOUT, "a violation")
    (exchange,) = worker.exchanges
    assert (exchange.code, exchange.internal_error) == ("no-certificate", True)


def test_report_of_a_certificate_that_cannot_be_made(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report says what was wrong with the certificate."""
    monkeypatch.setattr(CertificateAuthority, "server_context", no_certificate)
    worker = make_worker()
    with connect(worker, tls=False) as sock:
        read_all(sock)
    assert "FileNotFoundError: no usable temporary directory" in worker.report()


WITHOUT_DESCRIPTOR = """
import os, resource, socket
from dataclasses import dataclass
from wove_http_dev import Fault, HttpWorker

@dataclass(frozen=True)
class TakesDescriptors(Fault):
    stage = "connection"

    def on_connection(self, connection):
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            connection.proceed()

taken = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
with HttpWorker(strict=False, faults=[TakesDescriptors()]) as worker:
    with socket.create_connection(("127.0.0.1", worker.port)) as client:
        client.sendall(bytes([0x16]))  # TLS ContentType handshake
        worker.journal.wait(lambda: bool(worker.journal.violations), 30, "a failure")
    for descriptor in taken:
        os.close(descriptor)
    print([exchange.code for exchange in worker.journal.violations])
"""


def test_first_handshake_without_a_descriptor() -> None:
    """A process that has no free descriptor when it needs its first certificate says so."""
    command = [sys.executable, "-c", WITHOUT_DESCRIPTOR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "['no-descriptor']\n", done.stderr


# The end of a connection of which another process has a copy


@contextlib.contextmanager
def forked_during_a_request(
    worker: HttpWorker, pool: ThreadPoolExecutor, client: socket.socket
) -> Iterator[None]:
    """Send a task on ``client``; then a child is forked, which lives in the block, and the reply
    is written."""
    gate = worker.hold()
    client.sendall(signed_bytes(worker, run_frame(answer)))
    gate.wait_arrived()
    with forked_child():
        gate.release()
        yield


@both
@pytest.mark.parametrize("fault", ["close-without-response", "truncated-body"])
def test_close_while_a_forked_child_lives(
    make_worker: MakeWorker, pool: ThreadPoolExecutor, tls: bool, fault: str
) -> None:
    """A connection that the worker closes is at its end, although a child that was forked while the
    request was served lives on."""
    worker = make_worker(tls=tls)
    worker.inject(fault)
    with connect(worker) as client, forked_during_a_request(worker, pool, client):
        assert b'"task_result"' not in read_all(client)


def test_reset_while_a_forked_child_lives(
    plain_worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A reset is a reset, although a child that was forked while the request was served lives
    on."""
    plain_worker.inject("reset-before-response")
    with (
        connect(plain_worker) as client,
        forked_during_a_request(plain_worker, pool, client),
        pytest.raises(ConnectionResetError),
    ):
        read_all(client)


@dataclass(frozen=True)
class Copied(Fault):
    """The reply is written while something else has a copy of the connection's descriptor."""

    stage: ClassVar[str] = "wire"
    copies: ClassVar[list[int]] = []

    def on_wire(self, wire: Wire) -> None:
        """Copy the descriptor and write the reply."""
        self.copies.append(os.dup(wire._client.fileno()))  # type: ignore[attr-defined]
        wire.send_all()


@pytest.fixture
def copied() -> Iterator[Copied]:
    """The fault, whose copies are closed at the end."""
    yield Copied()
    while Copied.copies:
        os.close(Copied.copies.pop())


@both
@pytest.mark.parametrize("size", [1, 8 * MEGABYTE])
def test_end_of_a_connection_with_a_copy(
    make_worker: MakeWorker, copied: Copied, tls: bool, size: int
) -> None:
    """The whole reply arrives, and then the end, although a copy of the descriptor is open."""
    worker = make_worker(tls=tls)
    worker.inject(copied)
    response = send_one(worker, signed_bytes(worker, run_frame(bytes, {"source": size})))
    assert response.result == bytes(size)


@dataclass(frozen=True)
class Unread(Fault):
    """The connection is closed when a byte has arrived that is not read."""

    stage: ClassVar[str] = "connection"

    def on_connection(self, connection: Connection) -> None:
        """Wait for a byte, leave it unread, and close."""
        sock: socket.socket = connection._client._sock  # type: ignore[attr-defined]
        sock.recv(1, socket.MSG_PEEK)
        connection.close()


def test_close_with_unread_bytes(plain_worker: HttpWorker) -> None:
    """A close with unread data is a reset, as the kernel makes it one (RFC 2525, 2.17)."""
    plain_worker.inject(Unread())
    with connect(plain_worker) as client:
        client.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            read_all(client)
