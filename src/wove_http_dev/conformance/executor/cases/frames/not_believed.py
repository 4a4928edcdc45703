"""Cases about answers that must not end a run with a result, although they have a frame with one,
or although their status is that of a success."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.pickles import PickleCanary
from wove_http_dev.conformance.executor.raw_answers import RawAnswer, RewrittenAnswer, as_utf_8
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import Wire
from wove_http_dev.protocol import frames as wire_frames
from wove_http_dev.weave_outcome import WeaveOutcome

REDIRECTS = (300, 301, 302, 303, 304, 305, 307, 308)
ERRORS = (400, 401, 403, 404, 409, 410, 413, 429, 500, 501, 502, 503, 504)
WAIT = 0.5
"""Seconds of the ``delivery_timeout``: an answer that is ignored leaves its run waiting for it."""
ACCEPTED = as_utf_8({"state": "accepted", "result": None})


class Success(NamedTuple):
    """A status of success, and a body that has no frame for the run."""

    status: int
    body: bytes

    def __str__(self) -> str:
        return f"{self.status} and {self.body.decode() or 'no body'}"


SUCCESSES = (
    *(Success(status, b"") for status in (200, 201, 202, 204, 205)),
    Success(202, ACCEPTED),
    Success(200, ACCEPTED),
    Success(200, b"null"),
    Success(200, b"true"),
    Success(200, b"[]"),
)


OTHER_TYPE = "task_progress"
"""A type of frames that Wove does not know."""


def _outcomes(check: CaseContext, faults: list[Fault]) -> list[tuple[Fault, WeaveOutcome, bool]]:
    """Run a task for each of ``faults``, in one weave and at the same time. Return each fault with
    the outcome of its run, and whether the pickle of the result was loaded."""
    worker = check.quick_worker()
    canaries, limit = [PickleCanary() for _ in faults], check.seconds(WAIT)
    for number, (fault, canary) in enumerate(zip(faults, canaries, strict=True)):
        result = wire_frames.encode_payload(wire_frames.dumps(canary))
        frames = [{"type": "task_started"}, {"type": "task_result", "result_pickle": result}]
        worker.stub(f"merge:task{number}", events=frames)
        worker.inject(fault, task=f"merge:task{number}")

    async def script(remote: Remote) -> list[WeaveOutcome]:
        numbers = range(len(faults))
        runs = [attempt(remote(f"task{number}", delivery_timeout=limit)) for number in numbers]
        return await asyncio.gather(*runs)

    found = check.run_script(worker, script, planned=limit)
    loaded = [canary.loaded for canary in canaries]
    return list(zip(faults, found, loaded, strict=True))


def _expect_not_believed(check: CaseContext, faults: list[Fault]) -> str:
    """Raise :class:`CaseFailed` if a run with one of ``faults`` has a result, or if its pickle was
    loaded."""
    for fault, outcome, loaded in _outcomes(check, faults):
        if outcome.kind == "result":
            check.fail(f"an {fault} was believed: the run has {outcome}")
        if loaded:
            check.fail(f"the result in an {fault} was unpickled, although the run has {outcome}")
    return f"{len(faults)} answers, none believed"


def _with_status(status: int) -> Fault:
    return RewrittenAnswer(f"of {status} with a task_result", as_utf_8, status)


@family.must(
    "29",
    sources.STATUS,
    scenario="runs answered with a task_result, and the status"
    f" {', '.join(map(str, (101, *REDIRECTS, *ERRORS)))}",
    expected="an error each time; the results are not unpickled",
)
def only_success(check: CaseContext) -> str:
    """Frames are read only from an answer with a status of success (2xx)."""
    return _expect_not_believed(check, [_with_status(code) for code in (101, *REDIRECTS, *ERRORS)])


def _no_content(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n" + wire.body)
    wire.close()


@family.must(
    "30",
    sources.NO_CONTENT,
    scenario="a run answered with 204, and a task_result after the head",
    expected="an error",
)
def no_content(check: CaseContext) -> str:
    """A 204 has no body: bytes that follow its head are not read as an answer."""
    return _expect_not_believed(check, [RawAnswer("of 204 with a task_result", _no_content)])


def _document(success: Success) -> Callable[[Any], bytes]:
    return lambda document: success.body


def _retyped(document: Any) -> bytes:
    results = [frame for frame in document["events"] if "result_pickle" in frame]
    return as_utf_8({"events": [{**frame, "type": OTHER_TYPE} for frame in results]})


@family.must(
    "31",
    sources.PROTOCOL,
    scenario=f"runs answered with {'; '.join(map(str, SUCCESSES))}; 200 and frames of the type"
    f" {OTHER_TYPE} that have a result",
    expected="an error each time",
)
def success_is_no_result(check: CaseContext) -> str:
    """A status of success alone is not a result: only a task_result is."""
    faults: list[Fault] = [
        RewrittenAnswer(f"of {success}", _document(success), success.status)
        for success in SUCCESSES
    ]
    faults.append(RewrittenAnswer(f"with a result in a frame of the type {OTHER_TYPE}", _retyped))
    for fault, outcome, _ in _outcomes(check, faults):
        if outcome.kind == "result":
            check.fail(f"an {fault} was taken for the result {outcome.value!r:.60}")
    return f"{len(faults)} answers, none taken for a result"


def _raw(words: str, head: bytes, tail: bytes = b"") -> Fault:
    """An answer of ``head``, in which ``%d`` is one byte more than the body's length and ``%x`` its
    length, the body, and ``tail``; then the connection is closed."""

    def write(wire: Wire) -> None:
        size = len(wire.body)
        wire.send(head.replace(b"%d", b"%d" % (size + 1)).replace(b"%x", b"%x" % size))
        wire.send(wire.body + tail)
        wire.close()

    return RawAnswer(words, write)


def _twice(document: Any) -> bytes:
    return json.dumps(document).encode() + b"\n" + json.dumps(document).encode()


BROKEN: tuple[Fault, ...] = (
    _raw(
        "that ends a byte before its Content-Length",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
    ),
    _raw(
        "that ends a byte before its content-length, written so and without a blank",
        b"HTTP/1.1 200 OK\r\ncontent-length:%d\r\n\r\n",
    ),
    _raw(
        "in chunks without the last one",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
        b"\r\n",
    ),
    _raw("without a status line", b""),
    _raw("of HTTP/2 in text", b"HTTP/2 200 OK\r\n\r\n"),
    RewrittenAnswer("of two JSON documents", _twice),
    RewrittenAnswer(
        "with a text that is not UTF-8",
        lambda document: as_utf_8({"note": "?", **document}).replace(b'"?"', b'"\xff"'),
    ),
    RewrittenAnswer("of JSON and garbage", lambda document: as_utf_8(document) + b"}garbage"),
)
"""Answers that are cut off, or are not HTTP/1 with one JSON document, each with a complete
task_result."""


@family.should(
    "32",
    sources.INCOMPLETE,
    scenario=f"runs, each with one of these answers: {'; '.join(map(str, BROKEN))}",
    expected="an error each time",
)
def broken_answers(check: CaseContext) -> str:
    """An answer that is not whole, or not HTTP/1 with one JSON document, is an error, even if
    frames can be found in it."""
    return _expect_not_believed(check, list(BROKEN))


NEAR_MISSES: Mapping[str, Callable[[str], str]] = {
    "in capitals": str.upper,
    "with a blank before it": lambda run_id: f" {run_id}",
    "and a line break": lambda run_id: f"{run_id}\n",
    "without its last character": lambda run_id: run_id[:-1],
    "and another character": lambda run_id: f"{run_id}0",
    "without the name of its task": lambda run_id: run_id.rpartition(":")[2],
}
"""Ids that are not that of the run: words that follow "an answer with its run_id", and a function
that makes the id."""


def _renamed(other: Callable[[str], str], document: Any) -> bytes:
    frames = [{**frame, "run_id": other(frame["run_id"])} for frame in document["events"]]
    return as_utf_8({"events": frames})


@family.should(
    "37",
    sources.RUNTIME,
    scenario=f"runs, each answered with a task_result with its run_id {'; '.join(NEAR_MISSES)}",
    expected="an error each time: Wove's runtime finds a run only by the very id",
)
def exact_run_id(check: CaseContext) -> str:
    """A frame is the run's only if its run_id is equal, character by character."""
    faults: list[Fault] = [
        RewrittenAnswer(f"with its run_id {words}", partial(_renamed, other))
        for words, other in NEAR_MISSES.items()
    ]
    # Whether frames for other runs are unpickled is what security.19 is about.
    for fault, outcome, _ in _outcomes(check, faults):
        if outcome.kind == "result":
            check.fail(f"an {fault} was believed: the run has {outcome}")
    return f"{len(faults)} answers, none believed"
