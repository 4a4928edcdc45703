"""The way of a request, from outside: who is let in, what is refused, what is answered."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from wove import NetworkExecutorSecurity

from tests.support import (
    TARGET,
    TIMEOUT,
    HttpResponse,
    MakeWorker,
    answer,
    cancel_frame,
    credentials,
    encode,
    request_bytes,
    run_frame,
    send_one,
    signed_bytes,
    signed_request,
)
from wove_http_dev.protocol.authenticator import sign
from wove_http_dev.worker import HttpWorker

# Requests that must not be believed. Each carries a pickle that leaves a trace on disk
# when it is loaded.


class LeavesATrace:
    """Creates ``path`` where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


def stamped(worker: HttpWorker, body: bytes, timestamp: str) -> dict[str, str]:
    """Correctly signed headers with this timestamp."""
    nonce = uuid.uuid4().hex
    signature = sign(
        worker.secret.encode(), target=TARGET, body=body, timestamp=timestamp, nonce=nonce
    )
    return {
        "X-Wove-Key": "default",
        "X-Wove-Timestamp": timestamp,
        "X-Wove-Nonce": nonce,
        "X-Wove-Signature": signature,
    }


Forge = Callable[[HttpWorker, bytes], bytes]


def honest(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(credentials(worker, body), body)


def unsigned(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes({}, body)


def tampered_body(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(credentials(worker, body), body + b" ")


def tampered_path(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(credentials(worker, body, "/other"), body)


def tampered_query(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(credentials(worker, body), body, target=TARGET + "?admin=1")


def stripped_query(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(credentials(worker, body, TARGET + "?tenant=7"), body)


def expired(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(stamped(worker, body, str(int(time.time()) - 1000)), body)


def from_the_future(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(stamped(worker, body, str(int(time.time()) + 1000)), body)


def nan_stamped(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(stamped(worker, body, "nan"), body)


def wordy_stamp(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(stamped(worker, body, "today"), body)


def wrong_key(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes({**credentials(worker, body), "X-Wove-Key": "other"}, body)


def wrong_secret(worker: HttpWorker, body: bytes) -> bytes:
    security = NetworkExecutorSecurity(mode="signed", secret="guessed")
    headers = security.headers_for(transport="http", target=TARGET, body=body)
    return request_bytes(headers, body)


def non_ascii_signature(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes({**credentials(worker, body), "X-Wove-Signature": "v1=é"}, body)


def non_ascii_key(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes({**credentials(worker, body), "X-Wove-Key": "défaut"}, body)


def header_twice(worker: HttpWorker, body: bytes) -> bytes:
    data = honest(worker, body)
    return data.replace(b"X-Wove-Key: default", b"X-Wove-Key: default\r\nX-Wove-Key: default")


FORGERIES: list[Forge] = [
    unsigned,
    tampered_body,
    tampered_path,
    tampered_query,
    stripped_query,
    expired,
    from_the_future,
    nan_stamped,
    wordy_stamp,
    wrong_key,
    wrong_secret,
    non_ascii_signature,
    non_ascii_key,
    header_twice,
]

forgery = pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The directory that is there only if a pickle was loaded."""
    return tmp_path / "trace"


@pytest.fixture
def weapon(trace: Path) -> bytes:
    """A frame whose callable makes ``trace``."""
    return run_frame(LeavesATrace(trace))


def test_weapon_works(worker: HttpWorker, trace: Path, weapon: bytes) -> None:
    """The pickle does leave its trace when the request is a good one."""
    send_one(worker, honest(worker, weapon))
    assert trace.exists()


@forgery
def test_forgery_is_refused(worker: HttpWorker, weapon: bytes, forge: Forge) -> None:
    """A request that does not verify is answered 401."""
    assert send_one(worker, forge(worker, weapon)).status == 401


@forgery
def test_forgery_loads_nothing(
    worker: HttpWorker, trace: Path, weapon: bytes, forge: Forge
) -> None:
    """Its pickles are never loaded."""
    send_one(worker, forge(worker, weapon))
    worker.stop()
    assert not trace.exists()


@forgery
def test_forgery_reads_a_reason(worker: HttpWorker, weapon: bytes, forge: Forge) -> None:
    """The client reads in JSON which check failed."""
    assert ":" in send_one(worker, forge(worker, weapon)).error


@forgery
def test_forgery_does_not_read_the_secret(worker: HttpWorker, weapon: bytes, forge: Forge) -> None:
    """No refusal shows the secret."""
    assert worker.secret.encode() not in send_one(worker, forge(worker, weapon)).body


@forgery
def test_forgery_is_in_the_journal(worker: HttpWorker, weapon: bytes, forge: Forge) -> None:
    """The journal has the refused request with what it claimed to be."""
    send_one(worker, forge(worker, weapon))
    exchange = worker.exchanges[-1]
    assert (exchange.accepted, exchange.task_id) == (False, "task")


@forgery
def test_forgery_leaves_no_run(worker: HttpWorker, weapon: bytes, forge: Forge) -> None:
    """It is no run."""
    send_one(worker, forge(worker, weapon))
    assert not worker.all_runs


def test_replay_is_refused(worker: HttpWorker) -> None:
    """The same signature is good once."""
    data = honest(worker, run_frame(answer))
    statuses = [send_one(worker, data).status for _ in range(2)]
    assert statuses == [200, 401]


def test_replay_loads_nothing(worker: HttpWorker, trace: Path, weapon: bytes) -> None:
    """The pickle of a replay is not loaded."""
    data = honest(worker, weapon)
    send_one(worker, data)
    trace.rmdir()
    send_one(worker, data)
    worker.stop()
    assert not trace.exists()


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="missing"),
        pytest.param("Bearer guessed", id="wrong"),
        pytest.param("Bearer é", id="non-ascii"),
        pytest.param("Basic dTpw", id="basic"),
        pytest.param("Bearer", id="empty"),
    ],
)
def test_bearer_forgery_loads_nothing(
    make_worker: MakeWorker, trace: Path, weapon: bytes, header: str
) -> None:
    """A wrong bearer token is refused before anything is loaded."""
    worker = make_worker(security="bearer")
    refused = send_one(worker, request_bytes({"Authorization": header}, weapon))
    assert (refused.status, trace.exists()) == (401, False)


def test_refusal_hints_at_the_other_worker(make_worker: MakeWorker) -> None:
    """A request signed with another worker's secret is told whose it was."""
    one, _other = make_worker(), make_worker(environment="billing")
    body = run_frame(answer)
    refused = send_one(one, request_bytes(credentials(_other, body), body))
    assert "'billing'" in refused.document["hint"]


@pytest.mark.parametrize("forge", [tampered_query, stripped_query], ids=["added", "stripped"])
def test_refusal_has_a_hint(worker: HttpWorker, forge: Forge) -> None:
    """A signature that does not match comes with a guess at the cause."""
    assert send_one(worker, forge(worker, run_frame(answer))).document["hint"]


@pytest.mark.parametrize("target", ["/wove/tasks?tenant=7", "/wove/tasks?a=%2F&b=", "/wove/tasks?"])
def test_query_is_signed_as_sent(worker: HttpWorker, target: str) -> None:
    """The target is verified byte for byte, query included."""
    body = run_frame(answer)
    assert send_one(
        worker, request_bytes(credentials(worker, body, target), body, target=target)
    ).result == (42)


# security="none": no web page may use it


BROWSER = [
    pytest.param({"Origin": "https://evil.example"}, "origin", id="origin"),
    pytest.param({"Origin": "null"}, "origin", id="null-origin"),
    pytest.param({"Content-Type": "text/plain"}, "content type", id="text"),
    pytest.param({"Content-Type": ""}, "content type", id="no-type"),
    pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, "content type", id="form"),
    pytest.param({"Host": "evil.example"}, "host", id="host"),
    pytest.param({"Host": "localhost.evil.example:80"}, "host", id="rebound"),
]

browser = pytest.mark.parametrize(("headers", "reason"), BROWSER)


@browser
def test_browser_is_refused(
    plain_worker: HttpWorker, weapon: bytes, headers: dict[str, str], reason: str
) -> None:
    """Without authentication a request that a web page could send is answered 403."""
    assert send_one(plain_worker, request_bytes(headers, weapon)).status == 403


@browser
def test_browser_reads_a_reason(
    plain_worker: HttpWorker, weapon: bytes, headers: dict[str, str], reason: str
) -> None:
    """The refusal says what gave it away."""
    assert reason in send_one(plain_worker, request_bytes(headers, weapon)).error


@browser
def test_browser_loads_nothing(
    plain_worker: HttpWorker, trace: Path, weapon: bytes, headers: dict[str, str], reason: str
) -> None:
    """Its pickles are never loaded."""
    send_one(plain_worker, request_bytes(headers, weapon))
    plain_worker.stop()
    assert not trace.exists()


@pytest.mark.parametrize("host", ["localhost:8443", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_local_host_is_let_in(plain_worker: HttpWorker, host: str) -> None:
    """Every name of this machine is a known one."""
    data = request_bytes({"Host": host}, run_frame(answer))
    assert send_one(plain_worker, data).result == 42


# Frames that are none


def frame(**changes: Any) -> bytes:
    """A run_task frame with these fields changed; ``None`` drops one."""
    fields = {**json.loads(run_frame(answer)), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


MALFORMED = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{", id="not-json"),
    pytest.param(b"\xff\xfe{}", id="not-utf8"),
    pytest.param(b"[]", id="list"),
    pytest.param(b"null", id="null"),
    pytest.param(b"{}", id="no-type"),
    pytest.param(b"[" * 100_000, id="nested"),
    pytest.param(frame(type="shutdown"), id="unknown-type"),
    pytest.param(frame(type=["run_task"]), id="type-not-text"),
    pytest.param(frame(run_id=None), id="no-run-id"),
    pytest.param(frame(run_id=7), id="run-id-not-text"),
    pytest.param(frame(run_id=""), id="run-id-empty"),
    pytest.param(frame(task_id=None), id="no-task-id"),
    pytest.param(frame(callable_pickle=None), id="no-callable"),
    pytest.param(frame(callable_pickle="é"), id="callable-not-ascii"),
    pytest.param(frame(callable_pickle="a"), id="callable-not-base64"),
    pytest.param(frame(args_pickle="!!!!"), id="args-not-base64"),
    pytest.param(frame(args_pickle=7), id="args-not-text"),
    pytest.param(frame(delivery=[]), id="delivery-not-object"),
    pytest.param(cancel_frame(""), id="cancel-without-run-id"),
    pytest.param(cancel_frame("r", mode="perhaps"), id="cancel-mode"),
]

malformed = pytest.mark.parametrize("body", MALFORMED)


@malformed
def test_malformed_frame_is_refused(worker: HttpWorker, body: bytes) -> None:
    """What is no command frame is answered 400."""
    assert signed_request(worker, body).status == 400


@malformed
def test_malformed_frame_reads_a_reason(worker: HttpWorker, body: bytes) -> None:
    """The client reads in JSON what is wrong with it."""
    assert signed_request(worker, body).error


@malformed
def test_malformed_frame_is_not_our_failure(worker: HttpWorker, body: bytes) -> None:
    """The journal blames the client."""
    signed_request(worker, body)
    assert not worker.exchanges[-1].internal_error


BAD_PAYLOADS = [
    pytest.param({"callable_pickle": encode(42)}, "TypeError", id="not-callable"),
    pytest.param({"args_pickle": encode([1])}, "TypeError", id="args-no-dict"),
    pytest.param({"args_pickle": encode({1: 2})}, "TypeError", id="args-not-names"),
    pytest.param({"args_pickle": encode({"x": 1})}, "TypeError", id="unexpected-argument"),
    pytest.param({"callable_pickle": "gARLKg=="}, "EOFError", id="truncated-pickle"),
    pytest.param({"callable_pickle": "AAAA"}, "UnpicklingError", id="no-pickle"),
    pytest.param(
        {"callable_pickle": "Y25vX3N1Y2hfbW9kdWxlX3p6CnRhc2sKLg=="},
        "ModuleNotFoundError",
        id="no-module",
    ),
]


@pytest.mark.parametrize(("changes", "kind"), BAD_PAYLOADS)
def test_bad_payload_is_a_task_error(
    worker: HttpWorker, changes: dict[str, str], kind: str
) -> None:
    """A payload that cannot be loaded or called is the task's failure, not HTTP's."""
    assert signed_request(worker, frame(**changes)).task_error["kind"] == kind


def test_arguments_may_be_absent(worker: HttpWorker) -> None:
    """A frame without ``args_pickle`` calls without arguments."""
    assert signed_request(worker, frame(args_pickle=None)).result == 42


def test_unknown_fields_are_ignored(worker: HttpWorker) -> None:
    """A field that a later Wove may add does not hurt."""
    assert signed_request(worker, frame(trace_id="abc")).result == 42


@pytest.mark.parametrize(
    ("faults", "make"),
    [
        ([], honest),
        (["missing-started task=task"], honest),
        (["stripped-headers task=task"], honest),
        (["reject-auth", "redirect"], honest),
        ([], unsigned),
        (["missing-started task=other"], unsigned),
    ],
    ids=["plain", "events", "auth", "refused-and-redirected", "unsigned", "unsigned-and-selected"],
)
def test_body_is_parsed_once(
    make_worker: MakeWorker, faults: list[str], make: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults, a refusal's record, a second origin and the decoding share one parsed document."""
    worker = make_worker(faults=faults)
    body = run_frame(answer)
    parsed: list[str] = []
    loads = json.loads

    def counting(text: Any, **options: Any) -> Any:
        parsed.append(text)
        return loads(text, **options)

    monkeypatch.setattr(json, "loads", counting)
    send_one(worker, make(worker, body))
    assert parsed.count(body.decode()) == 1


# Answers


def test_events(worker: HttpWorker) -> None:
    """A run is told as started and then as ended."""
    answered = signed_request(worker, run_frame(answer))
    assert [event["type"] for event in answered.events] == ["task_started", "task_result"]


def test_event_ids(worker: HttpWorker) -> None:
    """Every event names the run and the task."""
    answered = signed_request(worker, run_frame(answer, task="job", run_id="r-1"))
    assert {(e["run_id"], e["task_id"]) for e in answered.events} == {("r-1", "job")}


def test_answer_is_json(worker: HttpWorker) -> None:
    """The content type says so."""
    answered = signed_request(worker, run_frame(answer))
    assert answered.headers["content-type"] == "application/json"


SHAPES: list[tuple[str, Callable[[Any], bool]]] = [
    ("events", lambda document: len(document["events"]) == 2),
    ("list", lambda document: len(document) == 2),
    ("frame", lambda document: document["type"] == "task_result"),
]


@pytest.mark.parametrize(("shape", "fits"), SHAPES, ids=[shape for shape, _ in SHAPES])
def test_response_shape(make_worker: MakeWorker, shape: str, fits: Callable[[Any], bool]) -> None:
    """An answer has the shape of the option."""
    assert fits(signed_request(make_worker(response_shape=shape), run_frame(answer)).document)


def fails() -> None:
    raise KeyError("no such account")


def test_task_error_fields(worker: HttpWorker) -> None:
    """An error has the fields that Wove's documentation names."""
    error = signed_request(worker, run_frame(fails)).task_error
    assert set(error) == {"kind", "message", "traceback", "retryable", "source"}


def test_task_error_traceback(worker: HttpWorker) -> None:
    """The traceback names the line that raised."""
    error = signed_request(worker, run_frame(fails)).task_error
    assert 'raise KeyError("no such account")' in error["traceback"]


def test_exception_travels(worker: HttpWorker) -> None:
    """An ordinary exception comes along pickled."""
    raised = signed_request(worker, run_frame(fails)).exception
    assert repr(raised) == "KeyError('no such account')"


# Paths, methods, states


@pytest.mark.parametrize("target", ["/", "/wove", "/wove/tasks/", "//wove/tasks", "/wove/Tasks"])
def test_other_path(worker: HttpWorker, target: str) -> None:
    """A good request for another path is answered 404."""
    body = run_frame(answer)
    data = request_bytes(credentials(worker, body, target), body, target=target)
    assert send_one(worker, data).status == 404


def test_path_option(make_worker: MakeWorker) -> None:
    """The path is an option."""
    worker = make_worker(path="/a%20b/c")
    body = run_frame(answer)
    headers = credentials(worker, body, "/a%20b/c")
    assert send_one(worker, request_bytes(headers, body, target="/a%20b/c")).result == 42


def by_method(worker: HttpWorker, method: str) -> HttpResponse:
    return send_one(worker, request_bytes(credentials(worker, b""), method=method))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_method(worker: HttpWorker, method: str) -> None:
    """A good request by another method is answered 405."""
    assert by_method(worker, method).status == 405


def test_other_method_says_which(worker: HttpWorker) -> None:
    """The 405 names POST (RFC 9110, 15.5.6)."""
    assert by_method(worker, "GET").headers["allow"] == "POST"


def test_duplicate_run(worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A run id that is still running here is answered 409."""
    with worker.hold() as gate:
        pool.submit(signed_request, worker, run_frame(answer, run_id="r-1"))
        gate.wait_arrived()
        assert signed_request(worker, run_frame(answer, run_id="r-1")).status == 409


def test_run_id_may_come_again(worker: HttpWorker) -> None:
    """A run id that has ended may be used once more."""
    results = [signed_request(worker, run_frame(answer, run_id="r-1")).result for _ in range(2)]
    assert results == [42, 42]


def test_journal_redacts_the_token(make_worker: MakeWorker) -> None:
    """The bearer token stays out of the journal."""
    worker = make_worker(security="bearer")
    signed_request(worker, run_frame(answer))
    assert ("Authorization", "[redacted]") in worker.exchanges[-1].headers


def test_secret_in_another_header_is_redacted(worker: HttpWorker) -> None:
    """So does the secret, wherever a client puts it."""
    send_one(worker, signed_bytes(worker, run_frame(answer), **{"X-Debug": f"s={worker.secret}"}))
    assert ("X-Debug", "[redacted]") in worker.exchanges[-1].headers


def test_many_clients(plain_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """Clients at the same time each get their own run's answer."""
    ids = [f"r-{n}" for n in range(64)]
    answers = pool.map(
        lambda run_id: signed_request(plain_worker, run_frame(answer, run_id=run_id)),
        ids,
        timeout=TIMEOUT,
    )
    assert [answered.events[-1]["run_id"] for answered in answers] == ids


LONG = "A" * 100_000


@pytest.mark.parametrize("word", ["type", "task_id", "run_id"])
def test_journal_keeps_little_of_a_refused_body(worker: HttpWorker, word: str) -> None:
    """However long a refused body's ids are, its exchange stays small."""
    frame = {"type": "run_task", "task_id": "t", "run_id": "r", word: LONG}
    send_one(worker, request_bytes({}, json.dumps(frame).encode()))
    assert len(repr(worker.exchanges[0])) < 3000
