"""Cases about the requests that an executor sends: HTTP method, URL, headers and the fields of the
command frame. The first case, a weave without faults, must pass before any other case of an
executor runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import ABANDONED, NO_CANCEL, abandon_run
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames import expect_result, family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import frames_of, headers_of, requests_of

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

BIG = 2 * 2**20
VALUE = {"text": "naïve 日本 \x00 🧵", "bytes": b"\xff" * BIG}


@family.must(
    "01",
    sources.PROTOCOL,
    scenario="a weave of one task to a healthy worker (https, signed)",
    expected="the task's result",
    prerequisite=True,
)
def healthy(check: CaseContext) -> str:
    """With a healthy worker a weave gets its result."""
    worker = check.worker()
    outcome = check.run_one_weave(worker, {"answer": (42, "ü")})
    if outcome.value != {"answer": (42, "ü")}:
        seen = [exchange.line() for exchange in worker.exchanges]
        check.fail(f"{outcome}; the worker saw: {'; '.join(seen) or 'nothing'}")
    return str(outcome)


@family.must(
    "05",
    sources.PROTOCOL,
    scenario="a task whose argument is the 2 MiB result of another, with non-ASCII text",
    expected="the same value as the result",
)
def arguments(check: CaseContext) -> str:
    """Arguments and results arrive unchanged, including large ones and non-ASCII text."""
    worker = check.worker()
    text, size = VALUE["text"], BIG

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def made() -> dict[str, Any]:
            return {"text": text, "bytes": b"\xff" * size}

        @w.do(environment=environment)
        def echoed(made: dict[str, Any]) -> dict[str, Any]:
            return made

    weave = check.weave(worker, define)
    check.expect_end(weave, 8.0, "a weave of two tasks with 2 MiB between them")
    outcome = weave.outcome("echoed")
    if outcome.value != VALUE:
        check.fail(f"a 2 MiB argument did not come back as it was sent: {outcome}")
    return "the same value"


@family.must(
    "06",
    sources.PROTOCOL,
    scenario="a weave of one task, to a URL with escapes in its path and in its query",
    expected="a POST of JSON (Content-Type: application/json) to the URL's path and query",
)
def http_request(check: CaseContext) -> str:
    """A command frame is POSTed as JSON to the configured URL, unchanged."""
    # Anonymous: security.16 is about the target that a signature covers.
    worker = check.worker(path="/wove/t%C3%A4sks", security="none")
    query = "?tenant=a%20b%2F&x=1&x=2"
    outcome = check.run_one_weave(worker, 1, settings={"url": f"{worker.url}{query}"})
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
    if outcome.value != 1:
        check.fail(f"a healthy worker: {outcome}", expected="the result 1")
    return f"POST {worker.options.path}{query}, application/json"


@family.must(
    "07",
    sources.RUNTIME,
    scenario="a task with a delivery_timeout and a delivery_idempotency_key",
    expected='the run_task frame\'s "delivery" has both',
)
def delivery(check: CaseContext) -> str:
    """All fields of Wove's run_task frame arrive, including the delivery options."""
    worker = check.worker()
    outcome = check.run_one_weave(worker, delivery_timeout=5.0, delivery_idempotency_key="key-1")
    if outcome.kind != "result":
        check.fail(str(outcome), expected="the task's result")
    seen = dict(worker.runs.last.delivery)
    if seen.get("delivery_idempotency_key") != "key-1" or seen.get("delivery_timeout") != 5.0:
        check.fail(f"the delivery options did not arrive: {seen!r}")
    return repr(seen)


@family.must(
    "08",
    sources.KEYS,
    scenario='executor_config.headers {"X-Conformance": "given"}; a run, and one that is abandoned',
    expected="the header on every request, including the cancel_task",
)
def headers(check: CaseContext) -> str:
    """The headers in executor_config are sent with every request."""
    worker = check.worker(headers={"X-Conformance": "given"})
    expect_result(check, worker, 1, "a healthy worker")
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> None:
        await abandon_run(check, worker, remote)

    check.run_script(worker, script)
    for exchange in requests_of(worker):
        if ("x-conformance", "given") not in [(k.lower(), v) for k, v in exchange.headers]:
            what = exchange.frame_type or "request"
            check.fail(f"a {what} came without the header of executor_config.headers")
    return "sent" if frames_of(worker, "cancel_task") else f"sent; {NO_CANCEL}"


@family.must(
    "16",
    sources.PROTOCOL,
    scenario="a weave of one task",
    expected="one POST, of one run_task frame",
)
def one_frame_each(check: CaseContext) -> str:
    """Each command is sent in one POST."""
    worker = check.worker()
    expect_result(check, worker, 1, "a healthy worker")
    count = len(frames_of(worker, "run_task"))
    if count != 1:
        check.fail(f"{count} run_task frames arrived for one run")
    return "one run_task frame"
