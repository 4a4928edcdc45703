"""Cases about the event frames in an answer: an executor accepts every form that Wove's
documentation allows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames import expect_result, family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, CaseContext
from wove_http_dev.conformance.executor.raw_answers import RawAnswer, RewrittenAnswer, as_utf_8
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.faults import Fault, events
from wove_http_dev.faults.fault import Wire
from wove_http_dev.protocol import frames as wire
from wove_http_dev.weave_outcome import WeaveOutcome

TEXT, NAME = "kein Platz für 日本", "größe"


class Shape(NamedTuple):
    """One form of an answer. ``name`` selects it in the worker's option ``response_shape``;
    ``words`` describes it in reports."""

    name: str
    words: str


class Tolerated(NamedTuple):
    """A fault in the answer that must not change the task's result. ``words`` describes the answer
    in reports."""

    name: str
    fault: Fault
    words: str


@family.each(
    {
        "02": Shape("events", "an object with a list of event frames"),
        "03": Shape("list", "a list of event frames"),
        "04": Shape("frame", "one event frame"),
    },
    sources.PROTOCOL,
    name="shape-{0.name}",
    scenario="a weave of one task to a worker that answers with {0.words}",
    expected="the task's result",
)
def shape(check: CaseContext, shape: Shape) -> str:
    """An answer may be {0.words}."""
    worker = check.worker(response_shape=shape.name)
    return expect_result(check, worker, 7, f"answered with {shape.words}")


def _tolerates(check: CaseContext, fault: Fault, words: str) -> str:
    worker = check.worker()
    worker.inject(fault)
    return expect_result(check, worker, [3, 4], f"answered with {words}")


@family.each(
    {
        "09": Tolerated("heartbeats", events.ExtraHeartbeats(), "heartbeats before the result"),
        "10": Tolerated("no-started", events.MissingStarted(), "no task_started"),
        "11": Tolerated(
            "first-terminal", events.ConflictingTerminal(), "an error after the result"
        ),
    },
    sources.RUNTIME,
    name="{0.name}",
    scenario="a weave of one task to a worker that answers with {0.words}",
    expected="the task's result",
)
def tolerated(check: CaseContext, tolerated: Tolerated) -> str:
    """A result is accepted even when the answer has {0.words}."""
    return _tolerates(check, tolerated.fault, tolerated.words)


@family.should(
    "12",
    sources.PROTOCOL,
    scenario="a weave of one task to a worker that sends an event frame of an unknown type before"
    " the result",
    expected="the task's result",
)
def unknown_type(check: CaseContext) -> str:
    """An event frame of an unknown type is ignored."""
    return _tolerates(
        check, events.UnknownEventType(), "an event frame of an unknown type before the result"
    )


@family.should(
    "13",
    sources.RUNTIME,
    scenario="a weave of one task to a worker whose task_result has the result as plain JSON",
    expected="the task's result",
)
def plain_json(check: CaseContext) -> str:
    """A result may be plain JSON instead of a pickle."""
    return _tolerates(check, events.PlainJsonResult(), "the result as plain JSON")


INTERIM = b"HTTP/1.1 %d Interim\r\nLink: </a>; rel=preload\r\n\r\n"


def _after(interim: bytes, wire: Wire) -> None:
    wire.send(interim + wire.head + wire.body)


@family.should(
    "14",
    sources.INTERIM,
    scenario="runs with an interim response (103, 102, or both) before the answer",
    expected="the task's result",
)
def interim_response(check: CaseContext) -> str:
    """An interim response before the answer is skipped. No worker sends a 102 or 103 to an executor
    that did not ask for one, and Python's http.client, on which executors are built, skips only
    100."""
    worker = check.quick_worker()
    for codes in ((103,), (102,), (102, 103)):
        worker.reset()
        interim = b"".join(INTERIM % code for code in codes)
        worker.inject(RawAnswer("after 1xx", partial(_after, interim)))
        words = " and ".join(map(str, codes))
        expect_result(check, worker, [3, 4], f"an interim response ({words}) before the answer")
    return "skipped"


@family.must(
    "15",
    sources.RUNTIME,
    scenario="a weave of one task to a worker that sends log frames before the result, and after"
    " it",
    expected="the task's result",
)
def log_frames(check: CaseContext) -> str:
    """Log frames do not change the result of a run."""
    worker = check.worker()
    result = wire.encode_payload(wire.dumps("logged"))
    worker.stub(
        "task",
        events=[
            {"type": "task_started"},
            {"type": "log", "message": "half way"},
            {"type": "task_result", "result_pickle": result},
            {"type": "log", "message": "all done"},
            {"type": "heartbeat"},
        ],
    )
    return expect_result(check, worker, "logged", "answered with log frames around the result")


def _mislabelled(to: Wire) -> None:
    size = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(to.body)
    kind = b"Content-Type: application/json; charset=iso-8859-1\r\n"
    to.send(b"HTTP/1.1 200 OK\r\n" + kind + size + to.body)
    to.close()


@family.must(
    "17",
    sources.JSON,
    scenario=f"answers in raw UTF-8, not in \\u escapes: the error {TEXT!r}; the result of a task"
    f" named {NAME!r}; the first also with a Content-Type that names another charset",
    expected="the error with that text, and the task's result",
)
def raw_utf_8(check: CaseContext) -> str:
    """JSON is read as UTF-8; text beyond ASCII may be unescaped."""
    worker = check.worker()
    worker.inject(RewrittenAnswer("in raw UTF-8", as_utf_8))
    error = {"kind": "DiskFull", "message": TEXT, "source": "task", "retryable": False}
    worker.stub("merge:failing", events=[{"type": "task_error", "error": error}])

    async def script(remote: Remote) -> tuple[WeaveOutcome, WeaveOutcome]:
        failing = await attempt(remote("failing", delivery_timeout=check.seconds(2.0)))
        limit = check.seconds(1.0)
        return failing, await attempt(remote(NAME, "mine", delivery_timeout=limit))

    failing, named = check.run_script(worker, script)
    if TEXT not in failing.text:
        check.fail(
            f"an error with the message {TEXT!r} came in raw UTF-8, but its author sees {failing}",
        )
    if named.value != "mine":
        check.fail(
            f"the answer for the task {NAME!r} came in raw UTF-8, but the task ended with {named}",
        )
    with worker.inject(RawAnswer("with another charset", _mislabelled), task="merge:failing"):
        mislabelled, _ = check.run_script(worker, script)
    if TEXT not in mislabelled.text:
        check.fail(
            f"an error with the message {TEXT!r} came in raw UTF-8, with a charset in its"
            f" Content-Type, and its author sees {mislabelled}: JSON has no charset parameter",
        )
    return str(failing)


FIRST, SECOND = "of the first frame", "of the second frame"
TERMINALS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "task_result": lambda text: {"result_pickle": wire.encode_payload(wire.dumps(text))},
    "task_error": lambda text: {
        "error": {"kind": "Failed", "message": text, "source": "task", "retryable": False}
    },
    "task_cancelled": lambda text: {},
}
"""The fields of each terminal frame, which has a text as its result or error."""


@family.must(
    "36",
    sources.RUNTIME,
    scenario="runs, each answered with two terminal frames: every pair of task_result, task_error"
    " and task_cancelled, in both orders",
    expected="the outcome of the first one; an error if that is not a task_result",
)
def two_terminals(check: CaseContext) -> str:
    """The first terminal frame ends the run, whatever follows: a run that failed has no result."""
    worker = check.quick_worker()
    pairs = list(itertools.product(TERMINALS, repeat=2))
    for number, (first, second) in enumerate(pairs):
        frames = [{"type": first, **TERMINALS[first](FIRST)}]
        frames.append({"type": second, **TERMINALS[second](SECOND)})
        worker.stub(f"merge:task{number}", events=frames)

    async def script(remote: Remote) -> list[WeaveOutcome]:
        limit = check.seconds(DELIVERY_TIMEOUT)
        runs = [attempt(remote(f"task{it}", delivery_timeout=limit)) for it in range(len(pairs))]
        return await asyncio.gather(*runs)

    outcomes = check.run_script(worker, script, planned=check.seconds(DELIVERY_TIMEOUT))
    for (first, second), outcome in zip(pairs, outcomes, strict=True):
        right = outcome.kind != "result" and SECOND not in outcome.text
        if first == "task_result":
            right = outcome.value == FIRST
        elif first == "task_error":
            right = right and outcome.kind == "error"
        if not right:
            check.fail(f"a run answered with a {first} and then a {second} has {outcome}")
    return f"{len(pairs)} pairs, the first counts"
