"""Requests that must be refused before their pickles are loaded.

Each request has a pickle that creates a directory when it is loaded.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wove import NetworkExecutorSecurity

from tests.support import (
    TARGET,
    MakeWorker,
    answer,
    credentials,
    request_bytes,
    run_frame,
    send_one,
)
from wove_http_dev.protocol.authenticator import sign
from wove_http_dev.worker import HttpWorker


class MakesDirectory:
    """Creates the directory ``path`` when it is unpickled."""

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
    """A directory that exists only if the pickle was loaded."""
    return tmp_path / "trace"


@pytest.fixture
def loading_frame(trace: Path) -> bytes:
    """A frame whose callable creates ``trace`` when it is loaded."""
    return run_frame(MakesDirectory(trace))


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


def test_accepted_frame_loads_its_pickle(
    worker: HttpWorker, trace: Path, loading_frame: bytes
) -> None:
    """The pickle creates the directory when the request is accepted."""
    send_one(worker, honest(worker, loading_frame))
    assert trace.exists()


@forgery
def test_forgery_is_refused(worker: HttpWorker, loading_frame: bytes, forge: Forge) -> None:
    """A request that does not verify gets a 401."""
    assert send_one(worker, forge(worker, loading_frame)).status == 401


@forgery
def test_forgery_loads_nothing(
    worker: HttpWorker, trace: Path, loading_frame: bytes, forge: Forge
) -> None:
    """No pickle of a request that does not verify is loaded."""
    send_one(worker, forge(worker, loading_frame))
    worker.stop()
    assert not trace.exists()


@forgery
def test_forgery_gets_a_reason(worker: HttpWorker, loading_frame: bytes, forge: Forge) -> None:
    """The 401 names the failed check in its JSON body."""
    assert ":" in send_one(worker, forge(worker, loading_frame)).error


@forgery
def test_forgery_does_not_get_the_secret(
    worker: HttpWorker, loading_frame: bytes, forge: Forge
) -> None:
    """No refusal shows the secret."""
    assert worker.secret.encode() not in send_one(worker, forge(worker, loading_frame)).body


@forgery
def test_forgery_is_in_the_journal(worker: HttpWorker, loading_frame: bytes, forge: Forge) -> None:
    """The journal has the refused request with the task id of its body."""
    send_one(worker, forge(worker, loading_frame))
    exchange = worker.exchanges[-1]
    assert (exchange.accepted, exchange.task_id) == (False, "task")


NEITHER_TYPE_NOR_BASE64 = json.dumps({"task_id": "t", "callable_pickle": "*"}).encode()


def test_frame_without_a_type_is_refused(worker: HttpWorker) -> None:
    """An unsigned frame without a type, whose payload is not base64, gets a 401."""
    assert send_one(worker, request_bytes({}, NEITHER_TYPE_NOR_BASE64)).status == 401


def test_frame_without_a_type_at_an_injection(worker: HttpWorker) -> None:
    """An injection that selects the frame's task hits it."""
    worker.inject("status code=418", task="t")
    assert send_one(worker, request_bytes({}, NEITHER_TYPE_NOR_BASE64)).status == 418


@forgery
def test_forgery_leaves_no_run(worker: HttpWorker, loading_frame: bytes, forge: Forge) -> None:
    """A refused request is not among the runs."""
    send_one(worker, forge(worker, loading_frame))
    assert not worker.all_runs


def test_replay_is_refused(worker: HttpWorker) -> None:
    """The same signed request a second time gets a 401."""
    data = honest(worker, run_frame(answer))
    statuses = [send_one(worker, data).status for _ in range(2)]
    assert statuses == [200, 401]


def test_replay_loads_nothing(worker: HttpWorker, trace: Path, loading_frame: bytes) -> None:
    """The pickle of a replayed request is not loaded."""
    data = honest(worker, loading_frame)
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
    make_worker: MakeWorker, trace: Path, loading_frame: bytes, header: str
) -> None:
    """A wrong bearer token is refused before anything is loaded."""
    worker = make_worker(security="bearer")
    refused = send_one(worker, request_bytes({"Authorization": header}, loading_frame))
    assert (refused.status, trace.exists()) == (401, False)


def test_refusal_names_the_worker_of_the_secret(make_worker: MakeWorker) -> None:
    """The refusal of a request signed with another worker's secret names that worker."""
    one, _other = make_worker(), make_worker(environment="billing")
    body = run_frame(answer)
    refused = send_one(one, request_bytes(credentials(_other, body), body))
    assert "'billing'" in refused.document["hint"]


@pytest.mark.parametrize("forge", [tampered_query, stripped_query], ids=["added", "stripped"])
def test_refusal_has_a_hint(worker: HttpWorker, forge: Forge) -> None:
    """The refusal of a wrong signature has a hint about the likely cause."""
    assert send_one(worker, forge(worker, run_frame(answer))).document["hint"]


@pytest.mark.parametrize("target", ["/wove/tasks?tenant=7", "/wove/tasks?a=%2F&b=", "/wove/tasks?"])
def test_query_is_signed_as_sent(worker: HttpWorker, target: str) -> None:
    """The target is verified byte for byte, query included."""
    body = run_frame(answer)
    assert send_one(
        worker, request_bytes(credentials(worker, body, target), body, target=target)
    ).result == (42)


# security="none": a web page must not be able to use the worker


@browser
def test_browser_is_refused(
    plain_worker: HttpWorker, loading_frame: bytes, headers: dict[str, str], reason: str
) -> None:
    """With ``security="none"`` a request that a web page could send gets a 403."""
    assert send_one(plain_worker, request_bytes(headers, loading_frame)).status == 403


@browser
def test_browser_gets_a_reason(
    plain_worker: HttpWorker, loading_frame: bytes, headers: dict[str, str], reason: str
) -> None:
    """The 403 names the check that failed."""
    assert reason in send_one(plain_worker, request_bytes(headers, loading_frame)).error


@browser
def test_browser_loads_nothing(
    plain_worker: HttpWorker,
    trace: Path,
    loading_frame: bytes,
    headers: dict[str, str],
    reason: str,
) -> None:
    """No pickle of a request that a web page could send is loaded."""
    send_one(plain_worker, request_bytes(headers, loading_frame))
    plain_worker.stop()
    assert not trace.exists()


@pytest.mark.parametrize("host", ["localhost:8443", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_local_host_is_accepted(plain_worker: HttpWorker, host: str) -> None:
    """Every name of this machine is accepted as Host."""
    data = request_bytes({"Host": host}, run_frame(answer))
    assert send_one(plain_worker, data).result == 42
