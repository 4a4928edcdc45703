"""Cases about the JSON of an answer: whatever form a JSON library gives it, and whatever fields a
worker adds, the run ends in the same way."""

from __future__ import annotations

import json
from typing import Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames import family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, CaseContext
from wove_http_dev.conformance.executor.raw_answers import Forms, RewrittenAnswer, as_utf_8
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.faults.run import TaskCancelled

VALUE = b"\xff" * 9
"""A result whose base64 has a "/"."""
MESSAGE = "the disk is full"
LIMITS = (0.5, 2.0)
"""Seconds of the ``delivery_timeout``, one after the other until the run ends before it."""


def _indented(document: Any) -> bytes:
    return b"\r\n\t " + json.dumps(document, indent=2).encode() + b" \n\n"


def _escaped(value: Any) -> str:
    """Return ``value`` as JSON in which every character of a text is escaped."""
    if isinstance(value, str):
        units = value.encode("utf-16-be").hex()
        return '"' + "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{_escaped(k)}:{_escaped(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_escaped, value)) + "]"
    return json.dumps(value)


def _reversed(value: Any) -> Any:
    """Return ``value`` with the keys of each object in the opposite order."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def _with_more(document: Any) -> bytes:
    """Return ``document`` with fields that Wove does not know, in each frame and beside them."""
    decoy = {"type": "task_error", "run_id": document["events"][0]["run_id"], "error": "decoy"}
    more = {
        "elapsed": 1.5e-3,
        "size": 10**30,
        "nothing": None,
        "labels": ["task_error", {"task_cancelled": True}],
        "parent": decoy,
    }
    frames = [{**more, **frame} for frame in document["events"]]
    return as_utf_8({"version": 2, "state": "failed", **more, "events": frames, "errors": [decoy]})


WRITTEN = Forms(
    "json-forms",
    "whose JSON is written in another way",
    (
        RewrittenAnswer("whose JSON is indented, with blanks and lines around it", _indented),
        RewrittenAnswer(
            "in whose JSON every character is escaped (\\u0065)",
            lambda document: _escaped(document).encode(),
        ),
        RewrittenAnswer(
            "in whose JSON each / is escaped (\\/)",
            lambda document: json.dumps(document).replace("/", "\\/").encode(),
        ),
        RewrittenAnswer(
            "with the fields in the opposite order",
            lambda document: json.dumps(_reversed(document)).encode(),
        ),
    ),
)
MORE = Forms(
    "unknown-fields",
    "with fields that Wove does not know",
    (
        RewrittenAnswer(
            "with fields that Wove does not know, in each frame and beside them", _with_more
        ),
    ),
)


@family.each(
    {"25": WRITTEN, "26": MORE},
    f"{sources.JSON}; {sources.PROTOCOL}",
    name="{0.name}",
    scenario="runs with an answer {0.listed}",
    expected="the result of each run",
)
def understood(check: CaseContext, kind: Forms) -> str:
    """An answer {0.words} is understood."""
    worker = check.quick_worker()
    limit = check.seconds(DELIVERY_TIMEOUT)

    async def script(remote: Remote) -> None:
        for form in kind.forms:
            with worker.inject(form):
                outcome = await attempt(remote("task", VALUE, delivery_timeout=limit))
            if outcome.value != VALUE:
                check.fail(f"an answer {form.words} was not understood: {outcome}")

    check.run_script(worker, script, planned=len(kind.forms) * limit)
    return f"{len(kind.forms)} understood"


ERRORS = Forms(
    "error-shapes",
    "that reports an error",
    (
        RewrittenAnswer("that is an object with a list of frames", as_utf_8),
        RewrittenAnswer("that is a list of frames", lambda document: as_utf_8(document["events"])),
        RewrittenAnswer(
            "that is a single frame", lambda document: as_utf_8(document["events"][-1])
        ),
    ),
)


@family.must(
    "27",
    sources.PROTOCOL,
    scenario=f"runs that fail, with an answer {ERRORS.listed}",
    expected="the task's error each time",
)
def error_shapes(check: CaseContext) -> str:
    """An error is understood in each of the three shapes of an answer."""
    worker = check.quick_worker()
    error = {"kind": "DiskFull", "message": MESSAGE, "source": "task", "retryable": False}
    frames = [{"type": "task_started"}, {"type": "task_error", "error": error}]
    worker.stub("merge:failing", events=frames)

    async def script(remote: Remote) -> None:
        for form in ERRORS.forms:
            with worker.inject(form):
                limit = check.seconds(DELIVERY_TIMEOUT)
                outcome = await attempt(remote("failing", delivery_timeout=limit))
            if MESSAGE not in outcome.text:
                check.fail(
                    f"the error {MESSAGE!r} came in an answer {form.words}, and the run ended with"
                    f" {outcome}",
                )

    check.run_script(worker, script)
    return "understood in three shapes"


@family.must(
    "28",
    sources.PROTOCOL,
    scenario="a run that the worker answers with task_cancelled, long before its delivery_timeout",
    expected="the run ends before its delivery_timeout, and not with a result",
)
def cancelled_is_terminal(check: CaseContext) -> str:
    """A task_cancelled ends its run, like the other two terminal frames."""
    worker = check.quick_worker()
    worker.inject(TaskCancelled())

    async def script(remote: Remote) -> str:
        for limit in map(check.seconds, LIMITS):
            outcome = await attempt(remote("task", delivery_timeout=limit))
            if outcome.kind == "result":
                check.fail(f"a task_cancelled was taken for the result {outcome.value!r:.60}")
            if not outcome.timed_out:
                return str(outcome)
        check.fail(
            "the answer of a run was task_cancelled, and the run had not ended when its"
            f" delivery_timeout of {limit:g} s did: the frame was dropped",
            late=True,
        )

    return str(check.run_script(worker, script, planned=sum(map(check.seconds, LIMITS))))
