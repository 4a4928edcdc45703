"""Frame cases: the executor sends what Wove's pages say, and understands what they let a worker
answer. A healthy weave is the gate: without it nothing else makes sense."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from wove_http_dev.conformance.case import MUST, SHOULD, Family
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cancelling import GIVEN_UP, NONE_ARRIVED, given_up
from wove_http_dev.conformance.executor.context import (
    CaseContext,
    attempt,
    frames_of,
    headers_of,
    requests_of,
)
from wove_http_dev.conformance.executor.weaving import Remote, Told
from wove_http_dev.faults import Fault, events, response
from wove_http_dev.faults.fault import ResponseStage
from wove_http_dev.protocol import frames as wire
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

frames = Family("frames")
BIG = 2 * 2**20
TEXT, NAME = "kein Platz für 日本", "größe"


def gives(check: CaseContext, worker: HttpWorker, value: Any, what: str) -> str:
    """A weave of one task has its result. ``what`` names the circumstance."""
    told = check.one(worker, value)
    if told.kind != "result" or told.value != value:
        check.fail(f"{what}: {told}", expected=f"the result {value!r:.60}")
    return str(told)


@frames.case(
    "01",
    "healthy",
    MUST,
    sources.PROTOCOL,
    sent="a weave of one task to a healthy worker (https, signed)",
    expected="the task's result",
    prerequisite=True,
)
def healthy(check: CaseContext) -> str:
    """Against a healthy worker a weave has its result."""
    worker = check.worker()
    told = check.one(worker, {"answer": (42, "ü")})
    if told.value != {"answer": (42, "ü")}:
        seen = [exchange.line() for exchange in worker.exchanges]
        check.fail(f"{told}; the worker saw: {'; '.join(seen) or 'nothing'}")
    return str(told)


def _shape(number: str, shape: str, what: str) -> None:
    def body(check: CaseContext) -> str:
        return gives(check, check.worker(response_shape=shape), 7, f"answered with {what}")

    body.__doc__ = f"An answer may be {what}."
    frames.case(
        number,
        f"shape-{shape}",
        MUST,
        sources.PROTOCOL,
        sent=f"a weave of one task to a worker that answers with {what}",
        expected="the task's result",
    )(body)


_shape("02", "events", "an object with a list of event frames")
_shape("03", "list", "a list of event frames")
_shape("04", "frame", "one event frame")


@frames.case(
    "05",
    "arguments",
    MUST,
    sources.PROTOCOL,
    sent="a task whose argument is the 2 MiB result of another, with non-ASCII text",
    expected="the same value comes back",
)
def arguments(check: CaseContext) -> str:
    """Arguments and results of any size and text arrive as they are."""
    worker = check.worker()

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def made() -> dict[str, Any]:
            return {"text": "naïve 日本 \x00 🧵", "bytes": b"\xff" * BIG}

        @w.do(environment=environment)
        def echoed(made: dict[str, Any]) -> dict[str, Any]:
            return made

    weaving = check.weave(worker, define)
    check.ends(weaving, 8.0, "a weave of two tasks with 2 MiB between them")
    told = weaving.told("echoed")
    expected = {"text": "naïve 日本 \x00 🧵", "bytes": b"\xff" * BIG}
    if told.value != expected:
        check.fail(f"a 2 MiB argument did not come back as it was sent: {told}")
    return "the same value"


@frames.case(
    "06",
    "http-request",
    MUST,
    sources.PROTOCOL,
    sent="a weave of one task, to a URL with escapes in its path and in its query",
    expected="a POST of JSON (Content-Type: application/json) to the URL's own path and query",
)
def http_request(check: CaseContext) -> str:
    """A command frame is POSTed as JSON to the configured URL, as it stands there."""
    # Anonymous: what a signature says of the target is security.16's.
    worker = check.worker(path="/wove/t%C3%A4sks", security="none")
    query = "?tenant=a%20b%2F&x=1&x=2"
    told = check.one(worker, 1, settings={"url": f"{worker.url}{query}"})
    for exchange in requests_of(worker):
        if exchange.target != worker.options.path + query:
            check.fail(
                f"a command frame was sent to {exchange.target!r}; the URL's path and query are"
                f" {worker.options.path + query!r}"
            )
        headers = headers_of(exchange)
        kind = headers.get("content-type", "nothing")
        if exchange.method != "POST" or not kind.startswith("application/json"):
            check.fail(f"a command frame was sent as {exchange.method} with Content-Type {kind}")
    if told.value != 1:
        check.fail(f"a healthy worker: {told}", expected="the result 1")
    return f"POST {worker.options.path}{query}, application/json"


@frames.case(
    "07",
    "delivery",
    MUST,
    sources.RUNTIME,
    sent="a task with a delivery_timeout and a delivery_idempotency_key",
    expected='the run_task frame\'s "delivery" has both',
)
def delivery(check: CaseContext) -> str:
    """What Wove puts into a run_task frame arrives, the delivery options included."""
    worker = check.worker()
    told = check.one(worker, delivery_timeout=5.0, delivery_idempotency_key="key-1")
    if told.kind != "result":
        check.fail(str(told), expected="the task's result")
    seen = dict(worker.runs.last.delivery)
    if seen.get("delivery_idempotency_key") != "key-1" or seen.get("delivery_timeout") != 5.0:
        check.fail(f"the delivery options were lost on the way: {seen!r}")
    return repr(seen)


@frames.case(
    "08",
    "headers",
    MUST,
    sources.KEYS,
    sent='executor_config.headers {"X-Conformance": "given"}; a run, and one that is given up',
    expected="the header on every request, that with the cancel_task included",
)
def headers(check: CaseContext) -> str:
    """The headers of executor_config are sent with every request."""
    worker = check.worker(headers={"X-Conformance": "given"})
    gives(check, worker, 1, "a healthy worker")
    worker.hold(GIVEN_UP)

    async def script(remote: Remote) -> None:
        await given_up(worker, remote, delivery_timeout=0.2)

    check.script(worker, script)
    for exchange in requests_of(worker):
        if ("x-conformance", "given") not in [(k.lower(), v) for k, v in exchange.headers]:
            what = exchange.frame_type or "request"
            check.fail(f"a {what} came without the header of executor_config.headers")
    return "sent" if frames_of(worker, "cancel_task") else f"sent; {NONE_ARRIVED}"


def _tolerates(number: str, name: str, level: Any, source: str, fault: Any, what: str) -> None:
    def body(check: CaseContext) -> str:
        worker = check.worker()
        worker.inject(fault)
        return gives(check, worker, [3, 4], f"answered with {what}")

    body.__doc__ = f"A result is a result, also with {what}."
    frames.case(
        number,
        name,
        level,
        source,
        sent=f"a weave of one task to a worker that answers with {what}",
        expected="the task's result",
    )(body)


_tolerates("09", "heartbeats", MUST, sources.RUNTIME, events.ExtraHeartbeats(), "heartbeats before")
_tolerates("10", "no-started", MUST, sources.RUNTIME, events.MissingStarted(), "no task_started")
_tolerates(
    "11", "first-terminal", MUST, sources.RUNTIME, events.ConflictingTerminal(), "an error after it"
)
_tolerates(
    "12",
    "unknown-type",
    SHOULD,
    sources.PROTOCOL,
    events.UnknownEventType(),
    "an event frame of an unknown type before it",
)
_tolerates(
    "13", "plain-json", SHOULD, sources.RUNTIME, events.PlainJsonResult(), "plain JSON in it"
)
_tolerates(
    "14",
    "interim-response",
    MUST,
    sources.INTERIM,
    response.InterimResponse(),
    "an interim response (103) before",
)


@frames.case(
    "15",
    "log-frames",
    MUST,
    sources.RUNTIME,
    sent="a weave of one task to a worker that sends log frames before the result",
    expected="the task's result",
)
def log_frames(check: CaseContext) -> str:
    """Log frames are let through or dropped, and disturb nothing."""
    worker = check.worker()
    result = wire.encode_payload(wire.dumps("logged"))
    worker.stub(
        "task",
        events=[
            {"type": "task_started"},
            {"type": "log", "message": "half way"},
            {"type": "task_result", "result_pickle": result},
        ],
    )
    return gives(check, worker, "logged", "answered with a log frame before the result")


@frames.case(
    "16",
    "one-frame-each",
    MUST,
    sources.PROTOCOL,
    sent="a weave of one task",
    expected="one POST, of one run_task frame",
)
def one_frame_each(check: CaseContext) -> str:
    """One command is one POST."""
    worker = check.worker()
    gives(check, worker, 1, "a healthy worker")
    count = len(frames_of(worker, "run_task"))
    if count != 1:
        check.fail(f"{count} run_task frames arrived for one run")
    return "one run_task frame"


@dataclass(frozen=True)
class _RawUtf8(Fault):
    """The JSON is written in UTF-8, without escapes, as most JSON libraries do."""

    stage: ClassVar[str] = "response"
    command: ClassVar[str | None] = "run_task"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """The same document."""
        document = json.loads(reply.body)
        return replace(reply, body=json.dumps(document, ensure_ascii=False).encode("utf-8"))


@frames.case(
    "17",
    "raw-utf-8",
    MUST,
    sources.JSON,
    sent=f"answers in raw UTF-8, not in \\u escapes: the error {TEXT!r}; the result of a task named"
    f" {NAME!r}",
    expected="that error's text, and that result",
)
def raw_utf8(check: CaseContext) -> str:
    """JSON is UTF-8, and text beyond ASCII may stand in it as it is."""
    worker = check.worker()
    worker.inject(_RawUtf8())
    error = {"kind": "DiskFull", "message": TEXT, "source": "task", "retryable": False}
    worker.stub("merge:failing", events=[{"type": "task_error", "error": error}])

    async def script(remote: Remote) -> tuple[Told, Told]:
        failing = await attempt(remote("failing", delivery_timeout=2.0))
        return failing, await attempt(remote(NAME, "mine", delivery_timeout=1.0))

    failing, named = check.script(worker, script)
    if TEXT not in failing.text:
        check.fail(
            f"an error with the message {TEXT!r} came in raw UTF-8, and its author is told"
            f" {failing}"
        )
    if named.value != "mine":
        check.fail(f"the answer for the task {NAME!r} came in raw UTF-8, and it has {named}")
    return str(failing)
