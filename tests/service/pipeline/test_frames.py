"""Command frames: malformed ones, and payloads that cannot be loaded or called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import (
    MakeWorker,
    answer,
    cancel_frame,
    credentials,
    encode,
    request_bytes,
    run_frame,
    send_one,
    signed_request,
)
from wove_http_dev.worker import HttpWorker

Forge = Callable[[HttpWorker, bytes], bytes]


def honest(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes(credentials(worker, body), body)


def unsigned(worker: HttpWorker, body: bytes) -> bytes:
    return request_bytes({}, body)


def frame(**changes: Any) -> bytes:
    """A run_task frame with ``changes``; a value of ``None`` leaves a field out."""
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


@malformed
def test_malformed_frame_is_refused(worker: HttpWorker, body: bytes) -> None:
    """A body that is not a command frame gets a 400."""
    assert signed_request(worker, body).status == 400


@malformed
def test_malformed_frame_gets_a_reason(worker: HttpWorker, body: bytes) -> None:
    """The 400 says in its JSON body what is wrong with the frame."""
    assert signed_request(worker, body).error


@malformed
def test_malformed_frame_is_not_an_internal_error(worker: HttpWorker, body: bytes) -> None:
    """The journal does not record an internal error."""
    signed_request(worker, body)
    assert not worker.exchanges[-1].internal_error


@pytest.mark.parametrize(("changes", "kind"), BAD_PAYLOADS)
def test_bad_payload_is_a_task_error(
    worker: HttpWorker, changes: dict[str, str], kind: str
) -> None:
    """A payload that cannot be loaded or called is a task_error, not an HTTP error."""
    assert signed_request(worker, frame(**changes)).task_error["kind"] == kind


def test_arguments_may_be_absent(worker: HttpWorker) -> None:
    """A frame without ``args_pickle`` calls without arguments."""
    assert signed_request(worker, frame(args_pickle=None)).result == 42


def test_unknown_fields_are_ignored(worker: HttpWorker) -> None:
    """A field that a later version of Wove might add is ignored."""
    assert signed_request(worker, frame(trace_id="abc")).result == 42


@pytest.mark.parametrize(
    ("faults", "make", "times"),
    [
        ([], honest, 1),
        (["missing-started task=task"], honest, 1),
        (["stripped-headers task=task"], honest, 0),
        (["reject-auth", "redirect"], honest, 0),
        ([], unsigned, 0),
        (["missing-started task=other"], unsigned, 0),
    ],
    ids=["plain", "events", "auth", "refused-and-redirected", "unsigned", "unsigned-and-selected"],
)
def test_json_is_parsed_after_authentication(
    make_worker: MakeWorker,
    faults: list[str],
    make: Forge,
    times: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The JSON of an accepted body is parsed once, that of a refused one never."""
    worker = make_worker(faults=faults)
    body = run_frame(answer)
    parsed: list[str] = []
    loads = json.loads

    def counting(text: Any, **options: Any) -> Any:
        parsed.append(text)
        return loads(text, **options)

    monkeypatch.setattr(json, "loads", counting)
    send_one(worker, make(worker, body))
    assert parsed.count(body.decode()) == times
