"""Responses to accepted requests: events, shapes, statuses."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import (
    TIMEOUT,
    HttpResponse,
    MakeWorker,
    answer,
    credentials,
    request_bytes,
    run_frame,
    send_one,
    signed_request,
)
from wove_http_dev.worker import HttpWorker

SHAPES: list[tuple[str, Callable[[Any], bool]]] = [
    ("events", lambda document: len(document["events"]) == 2),
    ("list", lambda document: len(document) == 2),
    ("frame", lambda document: document["type"] == "task_result"),
]


def fails() -> None:
    raise KeyError("no such account")


def by_method(worker: HttpWorker, method: str) -> HttpResponse:
    return send_one(worker, request_bytes(credentials(worker, b""), method=method))


def test_events(worker: HttpWorker) -> None:
    """The response has a task_started and a task_result event."""
    answered = signed_request(worker, run_frame(answer))
    assert [event["type"] for event in answered.events] == ["task_started", "task_result"]


def test_event_ids(worker: HttpWorker) -> None:
    """Every event names the run and the task."""
    answered = signed_request(worker, run_frame(answer, task="job", run_id="r-1"))
    assert {(e["run_id"], e["task_id"]) for e in answered.events} == {("r-1", "job")}


def test_response_is_json(worker: HttpWorker) -> None:
    """The content type is application/json."""
    answered = signed_request(worker, run_frame(answer))
    assert answered.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("shape", "fits"), SHAPES, ids=[shape for shape, _ in SHAPES])
def test_response_shape(make_worker: MakeWorker, shape: str, fits: Callable[[Any], bool]) -> None:
    """The response has the shape of the ``response_shape`` option."""
    assert fits(signed_request(make_worker(response_shape=shape), run_frame(answer)).document)


def test_task_error_fields(worker: HttpWorker) -> None:
    """An error has the fields that Wove's documentation names."""
    error = signed_request(worker, run_frame(fails)).task_error
    assert set(error) == {"kind", "message", "traceback", "retryable", "source"}


def test_task_error_traceback(worker: HttpWorker) -> None:
    """The traceback names the line that raised."""
    error = signed_request(worker, run_frame(fails)).task_error
    assert 'raise KeyError("no such account")' in error["traceback"]


def test_exception_travels(worker: HttpWorker) -> None:
    """An ordinary exception is in the response, pickled."""
    raised = signed_request(worker, run_frame(fails)).exception
    assert repr(raised) == "KeyError('no such account')"


# Paths, methods, states


@pytest.mark.parametrize("target", ["/", "/wove", "/wove/tasks/", "//wove/tasks", "/wove/Tasks"])
def test_other_path(worker: HttpWorker, target: str) -> None:
    """An authenticated request for another path gets a 404."""
    body = run_frame(answer)
    data = request_bytes(credentials(worker, body, target), body, target=target)
    assert send_one(worker, data).status == 404


def test_path_option(make_worker: MakeWorker) -> None:
    """The ``path`` option sets the path."""
    worker = make_worker(path="/a%20b/c")
    body = run_frame(answer)
    headers = credentials(worker, body, "/a%20b/c")
    assert send_one(worker, request_bytes(headers, body, target="/a%20b/c")).result == 42


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_method(worker: HttpWorker, method: str) -> None:
    """An authenticated request with another method gets a 405."""
    assert by_method(worker, method).status == 405


def test_other_method_says_which(worker: HttpWorker) -> None:
    """The 405 names POST (RFC 9110, 15.5.6)."""
    assert by_method(worker, "GET").headers["allow"] == "POST"


def test_options_of_the_whole_server(worker: HttpWorker) -> None:
    """``OPTIONS *`` is about no path: it gets a 405 that names POST."""
    data = request_bytes(credentials(worker, b"", "*"), method="OPTIONS", target="*")
    answered = send_one(worker, data)
    assert (answered.status, answered.headers["allow"]) == (405, "POST")


def test_duplicate_run(worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A run id that is still running here gets a 409."""
    with worker.hold() as gate:
        pool.submit(signed_request, worker, run_frame(answer, run_id="r-1"))
        gate.wait_arrived()
        assert signed_request(worker, run_frame(answer, run_id="r-1")).status == 409


def test_run_id_may_come_again(worker: HttpWorker) -> None:
    """A run id may be used again after its run has ended."""
    results = [signed_request(worker, run_frame(answer, run_id="r-1")).result for _ in range(2)]
    assert results == [42, 42]


def test_many_clients(plain_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """Concurrent clients each get the response of their own run."""
    ids = [f"r-{n}" for n in range(64)]
    answers = pool.map(
        lambda run_id: signed_request(plain_worker, run_frame(answer, run_id=run_id)),
        ids,
        timeout=TIMEOUT,
    )
    assert [answered.events[-1]["run_id"] for answered in answers] == ids
