"""Tasks that are forwarded to an upstream service, and its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.runners.upstreams import (
    SECRET,
    asked,
    fails,
    in_front_of,
    read_request,
    reply_of,
    serving,
)
from tests.support import MakeWorker, answer, encode, run_frame, signed_request, weave_one
from wove_http_dev.protocol.frames import RunTask, decode
from wove_http_dev.worker import HttpWorker


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
