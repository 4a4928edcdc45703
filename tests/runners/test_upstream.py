"""A worker in front of another worker service, with Wove's real executor in front of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest
from wove.environment import EnvironmentExecutionError

from tests.conformance.worker import references
from tests.runners.upstreams import in_front_of, read_request, serving
from tests.support import (
    MODES,
    TIMEOUT,
    MakeWorker,
    answer,
    cancel_frame,
    connect,
    encode,
    run_frame,
    signed_bytes,
    signed_request,
    weave_one,
)
from wove_http_dev.conformance.service_process import ServiceCommand
from wove_http_dev.errors import StrictnessError, UsageError
from wove_http_dev.options import Options
from wove_http_dev.protocol.frames import RunTask, decode
from wove_http_dev.runners.upstream import upstream_credentials
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

SECRET = "correct-horse"


@pytest.fixture
def upstream(make_worker: MakeWorker) -> HttpWorker:
    """The worker service that runs the tasks."""
    return make_worker(environment="upstream")


@pytest.fixture
def front(make_worker: MakeWorker, upstream: HttpWorker) -> HttpWorker:
    """The worker in front of it, not configured in Wove."""
    return in_front_of(make_worker, upstream)


def fails() -> None:
    """A task that fails."""
    raise ValueError("no")


def reply_of(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """The bytes of an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def asked(make_worker: MakeWorker, reply: Any, frame: bytes = b"", **options: Any) -> Any:
    """What a client gets of a worker whose upstream answers with ``reply``, bytes or a function of
    the run; and the worker."""
    frame = frame or run_frame(answer)

    def serve(sock: Any) -> None:
        _, body = read_request(sock)
        sock.sendall(reply if isinstance(reply, bytes) else reply(decode(body)))

    with serving(serve) as port:
        worker = make_worker(upstream=f"http://127.0.0.1:{port}/", **options)
        return signed_request(worker, frame), worker


# Runs


def test_result(front: HttpWorker, upstream: HttpWorker) -> None:
    """A weave gets the result of upstream."""
    with front.configured():
        assert weave_one(answer) == 42
    assert (len(upstream.runs), upstream.runs.last.executions) == (1, 1)


def test_exception(front: HttpWorker) -> None:
    """A weave gets the exception of upstream."""
    with front.configured(), pytest.raises(ValueError, match="no"):
        weave_one(fails)


def test_run_is_recorded(front: HttpWorker) -> None:
    """The journal has the run as if its body had run here: state, executions, error."""
    with front.configured(), pytest.raises(ValueError, match="no"):
        weave_one(fails)
    run = front.runs.last
    assert (run.state, run.executions, run.error_text) == ("failed", 1, "ValueError: no")


def test_traceback_is_upstreams(front: HttpWorker) -> None:
    """The traceback in the journal is the one of upstream."""
    with front.configured(), pytest.raises(ValueError, match="no"):
        weave_one(fails)
    assert "in fails" in str(front.runs.last.traceback)


def test_both_legs(front: HttpWorker) -> None:
    """The exchange has the request to upstream, beside that of the client."""
    with front.configured():
        weave_one(answer)
    (leg,) = front.exchanges[-1].upstream
    assert (leg.status, leg.error, leg.received > 0) == (200, "", True)


def test_isolated(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """An isolated worker forwards too, and its journal has both legs."""
    front = in_front_of(make_worker, upstream, isolated=True)
    with front.configured():
        assert weave_one(answer) == 42
    assert front.exchanges[-1].upstream[0].status == 200


def test_body_is_forwarded_byte_for_byte(make_worker: MakeWorker) -> None:
    """Upstream gets the very bytes that the client sent."""
    frame = b" " + run_frame(answer) + b"\n"
    bodies: list[bytes] = []

    def serve(sock: Any) -> None:
        bodies.append(read_request(sock)[1])

    with serving(serve) as port:
        signed_request(make_worker(upstream=f"http://127.0.0.1:{port}/"), frame)
    assert bodies == [frame]


def odd_answer(run: RunTask) -> bytes:
    """An answer that no serializer of ours would write."""
    frame = {
        "result_pickle": encode(42),
        "type": "task_result",
        "x": "\u00e4",
        "task_id": run.task_id,
        "run_id": run.run_id,
    }
    body = json.dumps([frame], indent=3).encode() + b"\n"
    return reply_of(body, "202 Very well", "Content-Type: application/vnd.x+json", "X-A: b")


def test_answer_is_relayed_byte_for_byte(make_worker: MakeWorker) -> None:
    """The client gets status, headers and body of upstream unchanged."""
    frame = run_frame(answer)
    run = decode(frame)
    assert isinstance(run, RunTask)
    response, _ = asked(make_worker, odd_answer, frame)
    got = (response.status, response.reason, response.headers["content-type"], response.body)
    body = odd_answer(run).partition(b"\r\n\r\n")[2]
    assert got == (202, "Very well", "application/vnd.x+json", body)


def test_faults_see_upstreams_shape(make_worker: MakeWorker) -> None:
    """A fault that changes the frames changes those of upstream, in upstream's form."""
    response, _ = asked(make_worker, odd_answer, faults=["wrong-task-id"])
    document = json.loads(response.body)
    assert (document[0]["task_id"], document[0]["x"]) == ("another_task", "\u00e4")


@pytest.mark.parametrize("security", ["signed", "bearer", "none"])
def test_forms_of_security(make_worker: MakeWorker, security: str) -> None:
    """A request is authenticated at upstream with its own credentials, signed anew."""
    upstream = make_worker(environment="upstream", security=security)
    assert signed_request(in_front_of(make_worker, upstream), run_frame(answer)).result == 42


def test_security_of_the_environment(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``env:NAME`` signs with the secret in that variable."""
    monkeypatch.setenv("UPSTREAM_SECRET", SECRET)
    upstream = make_worker(environment="upstream", secret=SECRET)
    front = in_front_of(make_worker, upstream, upstream_security="env:UPSTREAM_SECRET")
    assert signed_request(front, run_frame(answer)).result == 42


def test_initial_values(front: HttpWorker) -> None:
    """The initial values of a weave are forwarded as well, and marked here."""
    from wove import weave

    with front.configured():
        with weave(environment="workers", x=5) as w:

            @w.do
            def doubled(x: int) -> int:
                return x * 2

        assert w.result.final == 10
    assert [run.task_id for run in front.runs] == ["doubled"]


def test_nothing_is_unpickled(make_worker: MakeWorker) -> None:
    """Neither what the client sends nor what upstream answers is unpickled here."""
    from tests.runners.test_upstream_messages import Canary

    def poisoned(run: RunTask) -> bytes:
        ids = {"run_id": run.run_id, "task_id": run.task_id}
        error = {"type": "task_error", "error_pickle": encode(Canary()), **ids}
        error["exception_pickle"] = encode(Canary())
        return reply_of(json.dumps(error).encode())

    frame = run_frame(Canary(), {"n": Canary()})
    _, worker = asked(make_worker, poisoned, frame, faults=["plain-json-result"])
    worker.report()
    assert Canary.loaded == []


# Failures


def test_upstream_is_down(front: HttpWorker, upstream: HttpWorker) -> None:
    """An upstream that does not run is a 502 that names it."""
    upstream.crash()
    response = signed_request(front, run_frame(answer))
    assert (response.status, response.document["code"]) == (502, "upstream-unreachable")


def test_failure_reaches_the_author_of_a_weave(front: HttpWorker, upstream: HttpWorker) -> None:
    """What is wrong with upstream is in the error that the weave raises."""
    upstream.crash()
    with (
        front.configured(),
        pytest.raises(
            EnvironmentExecutionError, match="502: upstream: nothing listens on localhost"
        ),
    ):
        weave_one(answer)


def test_failed_forward_counts_no_execution(front: HttpWorker, upstream: HttpWorker) -> None:
    """A run that was not forwarded did not run."""
    upstream.crash()
    signed_request(front, run_frame(answer))
    run = front.runs.last
    assert (run.state, run.executions) == ("failed", 0)


def test_strict_names_upstream(front: HttpWorker, upstream: HttpWorker) -> None:
    """Strict mode reports that upstream failed, not that a request was refused."""
    upstream.crash()
    signed_request(front, run_frame(answer))
    with pytest.raises(StrictnessError, match="upstream failed and no fault explains it"):
        front.check()


def test_refused_signature(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Upstream's refusal of the signature is not shown as the client's: 502, with its reason."""
    wrong = {"type": "signed", "secret": "wrong"}
    front = in_front_of(make_worker, upstream, upstream_security=wrong)
    response = signed_request(front, run_frame(answer))
    words = "upstream refused the signature: 401 Unauthorized: "
    assert (response.status, response.error.startswith(words)) == (502, True)


def test_refused_signature_does_not_count(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Nor did the task run."""
    wrong = {"type": "signed", "secret": "wrong"}
    front = in_front_of(make_worker, upstream, upstream_security=wrong)
    signed_request(front, run_frame(answer))
    assert front.runs.last.executions == 0


def test_untrusted_certificate(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """A certificate that is not trusted says which option mends it."""
    front = in_front_of(make_worker, upstream, upstream_ca_file=None)
    response = signed_request(front, run_frame(answer))
    assert (response.document["code"], "upstream_ca_file" in response.error) == (
        "upstream-tls",
        True,
    )


@pytest.mark.parametrize("status", ["503 Busy", "404 Not Found", "413 Too Large", "500 Oops"])
def test_other_status_is_relayed(make_worker: MakeWorker, status: str) -> None:
    """Another status is the client's, with its body and headers."""
    response, _ = asked(make_worker, reply_of(b"why", status, "Retry-After: 7"))
    got = f"{response.status} {response.reason}", response.body, response.headers["retry-after"]
    assert got == (status, b"why", "7")


def test_other_status_is_noted(make_worker: MakeWorker) -> None:
    """The journal notes it, with the reason that upstream gives."""
    _, worker = asked(make_worker, reply_of(b'{"error": "busy"}', "503 Service Unavailable"))
    (leg,) = worker.exchanges[-1].upstream
    words = "upstream answered 503 Service Unavailable: busy"
    assert (leg.error, leg.code, worker.runs.last.executions) == (words, "upstream-status", 0)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"ok": 1}', b'{"events": [1]}'])
def test_garbage_is_relayed(make_worker: MakeWorker, body: bytes) -> None:
    """A body without event frames is the client's, byte for byte."""
    response, worker = asked(make_worker, reply_of(body))
    assert (response.body, worker.exchanges[-1].upstream[0].code) == (body, "upstream-events")


def test_negative_chunk(make_worker: MakeWorker) -> None:
    """A chunk of a negative size is upstream's failure, not an error of the task."""
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nfoo\r\n0\r\n\r\n"
    response, _ = asked(make_worker, reply)
    assert (response.status, response.document["code"]) == (502, "upstream-malformed")


def test_no_terminal_frame(make_worker: MakeWorker) -> None:
    """An answer that does not end the run is relayed and noted."""
    response, worker = asked(make_worker, reply_of(b'{"events": []}'))
    assert (response.events, worker.exchanges[-1].upstream[0].code) == ([], "upstream-events")


@pytest.mark.parametrize(
    "frame", [run_frame(answer), cancel_frame("run-1")], ids=["run_task", "cancel_task"]
)
def test_loop(make_worker: MakeWorker, frame: bytes) -> None:
    """A worker that is its own upstream says so."""
    from wove_http_dev.service.port import Port

    port = Port("localhost", 0)
    number = port.number
    port.close()
    words = {"upstream": f"http://localhost:{number}/wove/tasks", "security": "none"}
    worker = make_worker(port=number, tls=False, **words)
    response = signed_request(worker, frame)
    assert (response.status, "leads back to this worker" in response.error) == (508, True)


# Cancels


@pytest.mark.parametrize("mode", MODES)
def test_cancel_is_forwarded(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor, mode: str
) -> None:
    """A cancel of a run that was forwarded reaches upstream, which ends the run."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer, run_id="run-1"))
    gate.wait_arrived()
    signed_request(front, cancel_frame("run-1", mode=mode))
    assert run.result(TIMEOUT).terminal == "task_cancelled"


def test_client_of_a_cancel_hangs_up(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A cancel is forwarded also if its client does not wait for the answer."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer, run_id="run-1"))
    gate.wait_arrived()
    with connect(front) as sock:
        sock.sendall(signed_bytes(front, cancel_frame("run-1")))
    assert run.result(TIMEOUT).terminal == "task_cancelled"


def test_client_of_the_run_hangs_up(front: HttpWorker, upstream: HttpWorker) -> None:
    """The cancel of a run is forwarded also if the client of the run has hung up."""
    gate = upstream.hold("task")
    with connect(front) as sock:
        sock.sendall(signed_bytes(front, run_frame(answer, run_id="run-1")))
        gate.wait_arrived()
    signed_request(front, cancel_frame("run-1"))
    upstream.wait_for("task", state="cancelled")


def test_cancelled_run(front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """The run is recorded as cancelled because of the client."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer, run_id="run-1"))
    gate.wait_arrived()
    signed_request(front, cancel_frame("run-1"))
    run.result(TIMEOUT)
    assert (front.runs.last.state, front.runs.last.cancel_requested) == ("cancelled", True)


def test_cancel_of_an_unknown_run(front: HttpWorker, upstream: HttpWorker) -> None:
    """A cancel of a run that is not known here is forwarded."""
    signed_request(front, cancel_frame("run-9"))
    assert upstream.exchanges[-1].run_id == "run-9"


def test_answer_to_a_cancel(make_worker: MakeWorker) -> None:
    """Upstream's answer to a cancel is relayed as it came."""
    reply = reply_of(b'{"ok": true}\n', "202 Fine", "Content-Type: a/b")
    response, _ = asked(make_worker, reply, cancel_frame("run-1"))
    assert (response.status, response.body) == (202, b'{"ok": true}\n')


def test_cancel_of_a_held_run(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A run that waits at a gate here is cancelled here: upstream has neither."""
    gate = front.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer, run_id="run-1"))
    gate.wait_arrived()
    signed_request(front, cancel_frame("run-1"))
    assert (run.result(TIMEOUT).terminal, upstream.exchanges) == ("task_cancelled", [])


# Faults


def test_duplicate_run(front: HttpWorker, upstream: HttpWorker) -> None:
    """``duplicate-run`` forwards the run twice."""
    with front.inject("duplicate-run"):
        signed_request(front, run_frame(answer))
    assert (len(upstream.runs), front.runs.last.executions) == (2, 2)


def test_duplicate_run_has_two_legs(front: HttpWorker) -> None:
    """The exchange has both requests to upstream."""
    with front.inject("duplicate-run"):
        signed_request(front, run_frame(answer))
    assert [leg.status for leg in front.exchanges[-1].upstream] == [200, 200]


def test_lost_response(front: HttpWorker, upstream: HttpWorker) -> None:
    """``lost-response`` loses an answer that upstream has given."""
    lost = pytest.raises(EnvironmentExecutionError, match="closed connection")
    with front.inject("lost-response"), front.configured(), lost:
        weave_one(answer)
    assert upstream.runs.last.state == "succeeded"


def test_plain_json_result(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """``plain-json-result`` reads a result of plain data without unpickling it."""
    front = in_front_of(make_worker, upstream, faults=["plain-json-result"])
    assert signed_request(front, run_frame(answer)).events[-1]["result"] == 42


def test_stub(front: HttpWorker, upstream: HttpWorker) -> None:
    """A stub answers here, and nothing is forwarded."""
    front.stub("task", result=7)
    assert (signed_request(front, run_frame(answer)).result, upstream.exchanges) == (7, [])


def test_failure_is_not_remembered(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """With ``idempotency``, a key whose run upstream did not answer runs when it is sent again."""
    front = in_front_of(make_worker, upstream, idempotency=True)
    frame = json.loads(run_frame(answer))
    frame["delivery"] = {"delivery_idempotency_key": "k"}
    upstream.crash()
    first = signed_request(front, json.dumps(frame).encode())
    upstream.start()
    assert (first.status, signed_request(front, json.dumps(frame).encode()).result) == (502, 42)


def test_impersonated_url(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """A worker that impersonates the very URL of its upstream forwards to the real one."""
    front = in_front_of(make_worker, upstream, impersonate=upstream.url)
    with front.configured(), front.impersonate(upstream.url):
        assert signed_request(front, run_frame(answer)).result == 42


def test_idempotency(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """With ``idempotency`` a repeated key is answered in frames of its own, and not forwarded."""
    front = in_front_of(make_worker, upstream, idempotency=True)
    frames = [json.loads(run_frame(answer, run_id=f"run-{number}")) for number in (1, 2)]
    for frame in frames:
        frame["delivery"] = {"delivery_idempotency_key": "k"}
    replies = [signed_request(front, json.dumps(frame).encode()) for frame in frames]
    assert [reply.events[-1]["run_id"] for reply in replies] == ["run-1", "run-2"]
    assert len(upstream.runs) == 1


# The end


def test_stop_ends_a_run(front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """``stop()`` ends a run that upstream does not answer."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer))
    gate.wait_arrived()
    front.stop()
    assert run.result(TIMEOUT).task_error["kind"] == "WorkerStopped"


def test_reset_ends_a_run(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """``reset()`` ends the wait for an upstream that does not answer."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer))
    gate.wait_arrived()
    front.reset()
    assert run.result(TIMEOUT).document["code"] == "upstream-abandoned"


def test_reset_of_an_isolated_worker(
    make_worker: MakeWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """So does that of an isolated worker."""
    front = in_front_of(make_worker, upstream, isolated=True)
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer))
    gate.wait_arrived()
    front.reset()
    assert run.result(TIMEOUT).document["code"] == "upstream-abandoned"


def test_stop_is_no_failure_of_upstream(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """What the worker itself ended, strict mode does not report."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer))
    gate.wait_arrived()
    front.stop()
    run.result(TIMEOUT)
    assert not front.exchanges[-1].violation


def test_no_socket_is_left(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """After a stop no connection to upstream is left."""
    front = in_front_of(make_worker, upstream)
    signed_request(front, run_frame(answer))
    connections = front._runner._connections  # type: ignore[attr-defined]
    ((sock, _),) = connections._idle
    front.stop()
    assert sock.fileno() == -1


# Options


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"upstream": "worker"}, "http:// or https://"),
        ({"upstream": "http://worker.internal/"}, "is not loopback"),
        ({"upstream": "http://localhost/", "runner": "processes"}, "runner"),
        ({"upstream": "http://localhost/", "upstream_ca_file": "/x"}, "https:// upstream"),
        ({"upstream": "https://localhost/", "upstream_ca_file": "/no/ca"}, "is not a file"),
        ({"upstream": "https://localhost/", "upstream_ca_file": __file__}, "no certificates"),
        ({"upstream": "https://worker.internal/"}, "is not loopback"),
        ({"upstream_security": "none"}, "goes with upstream=URL"),
        ({"upstream_ca_file": "ca.pem"}, "goes with upstream=URL"),
        ({"upstream": "http://localhost/", "upstream_security": "signed"}, "needs upstream's secr"),
        ({"upstream": "http://localhost/", "upstream_security": "bearer"}, "needs upstream's toke"),
        ({"upstream": "http://localhost/", "upstream_security": "env:NO_SUCH"}, "NO_SUCH"),
    ],
    ids=str,
)
def test_wrong_options(words: dict[str, Any], why: str) -> None:
    """Options that cannot be used are refused before anything starts."""
    with pytest.raises(UsageError, match=why):
        HttpWorker(**words)


@pytest.mark.parametrize(
    "security",
    [{"type": "signed", "secret": SECRET}, {"type": "bearer", "token": SECRET}],
    ids=["signed", "bearer"],
)
def test_secret_is_hidden(security: dict[str, str]) -> None:
    """No ``repr`` shows the secret of upstream."""
    options = Options(upstream="http://localhost/", upstream_security=security)
    assert SECRET not in repr(options) + repr(upstream_credentials(options))


def test_secret_of_the_text() -> None:
    """A secret that was written in place of a form is not repeated."""
    with pytest.raises(UsageError) as caught:
        HttpWorker(upstream="http://localhost/", upstream_security=SECRET)
    assert SECRET not in str(caught.value)


# What a person sees


def test_texts(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Arguments and results of plain data are shown, without unpickling."""
    front = in_front_of(make_worker, upstream, inspected=True)
    signed_request(front, run_frame(str.upper, {}, task="plain"))
    signed_request(front, run_frame(lambda n: [n], {"n": 3}))
    run = front.runs["task"].last
    assert (run.args_text, run.result_text) == ("n=3", "[3]")


def test_texts_that_cannot_be_made(make_worker: MakeWorker, upstream: HttpWorker) -> None:
    """Arguments of another kind are not an empty text, but say that they are not unpickled."""
    front = in_front_of(make_worker, upstream, inspected=True)
    signed_request(front, run_frame(lambda n: None, {"n": answer}))
    assert "not unpickled on the way to upstream" in str(front.runs.last.args_text)


def test_open_run_in_the_report(
    front: HttpWorker, upstream: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """The report says of an open run that it was forwarded, and where to."""
    gate = upstream.hold("task")
    run = pool.submit(signed_request, front, run_frame(answer))
    gate.wait_arrived()
    text = front.report()
    gate.release()
    run.result(TIMEOUT)
    assert f"forwarded to upstream localhost port {upstream.port}" in text


def test_leg_in_the_report(front: HttpWorker) -> None:
    """The journal in the report has the leg to upstream."""
    signed_request(front, run_frame(answer))
    assert "(upstream 200 in " in front.report()


def test_secret_in_a_refusal(make_worker: MakeWorker) -> None:
    """A secret that upstream repeats in its refusal is neither sent on nor kept."""
    reply = reply_of(json.dumps({"error": f"not {SECRET}"}).encode(), "401 No")
    security = {"type": "bearer", "token": SECRET}
    response, worker = asked(make_worker, reply, upstream_security=security)
    assert SECRET not in str(response) + worker.report()


# Before a service of another author


@pytest.fixture(scope="module")
def reference(
    wove_http_ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of ``examples/worker_stdlib.py``, whose secret is in ``WOVE_WORKER_SECRET``."""
    port = references.free_port()
    certificate = references.certificate(wove_http_ca, tmp_path_factory.mktemp("reference"))
    words = zip(("--cert", "--key"), certificate, strict=True)
    command = references.command("stdlib", port, *chain.from_iterable(words))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WOVE_WORKER_SECRET", SECRET)
        with ServiceCommand(command, "localhost", port):
            yield f"https://localhost:{port}/wove/tasks"


@pytest.fixture
def before_reference(
    make_worker: MakeWorker, wove_http_ca: CertificateAuthority, reference: str
) -> HttpWorker:
    """A worker in front of it."""
    return make_worker(
        upstream=reference,
        upstream_security={"type": "signed", "secret": SECRET},
        upstream_ca_file=wove_http_ca.cert_file,
    )


def test_result_of_the_reference_worker(before_reference: HttpWorker) -> None:
    """A weave gets the result of the reference worker."""
    with before_reference.configured():
        assert weave_one((1, 2)) == (1, 2)


def test_exception_of_the_reference_worker(before_reference: HttpWorker) -> None:
    """A weave gets the exception of the reference worker."""

    def fails() -> None:  # sent by value: that worker cannot import this module
        raise ValueError("no")

    with before_reference.configured(), pytest.raises(ValueError, match="no"):
        weave_one(fails)


def test_connection_to_the_reference_worker_is_kept(before_reference: HttpWorker) -> None:
    """A second weave uses the connection of the first, also with TLS."""
    for _ in range(2):
        signed_request(before_reference, run_frame(str.upper, {}))
    assert [each.upstream[0].reused for each in before_reference.exchanges] == [False, True]


def test_cancel_at_the_reference_worker(
    before_reference: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A cancel ends an async task there, and the run is answered as it answers it."""

    async def endless() -> None:
        import asyncio

        await asyncio.Event().wait()

    run = pool.submit(signed_request, before_reference, run_frame(endless, run_id="run-1"))
    before_reference.wait_for("task", state="running")
    while not run.done():  # a cancel that comes before its run was read finds nothing to cancel
        signed_request(before_reference, cancel_frame("run-1", mode="require_ack"))
    assert run.result(TIMEOUT).terminal == "task_cancelled"
