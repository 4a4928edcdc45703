"""Cases about the requests that an executor sends: HTTP method, URL, headers and the fields of the
command frame. The first case, a weave without faults, must pass before any other case of an
executor runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import ABANDONED, NO_CANCEL, abandon_run
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames import expect_result, family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, PATIENCE, CaseContext
from wove_http_dev.conformance.executor.received import frames_of, headers_of, requests_of
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.weave_outcome import WeaveOutcome

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

BIG = 2 * 2**20
TARGETS = (
    ("/wove/t%C3%A4sks", "?tenant=a%20b%2F&x=1&x=2"),
    ("/a%2Fb//c;v=1/", "?a=&b&c=1+2%2B3&d=/?"),
    ("", ""),
    ("", "?only=query"),
    ("/wove/tasks", "?a=1#fragment"),
)
"""Each a path, and what follows it in the URL."""
DELIVERY = {
    "delivery_idempotency_key": "key-1",
    "delivery_cancel_mode": "require_ack",
    "delivery_heartbeat_seconds": 30.0,
    "delivery_orphan_policy": "requeue",
}
"""The delivery options that reach the worker, beside delivery_timeout."""
FIELDS: Mapping[Any, Mapping[str, type[Any]]] = {
    "run_task": {
        "run_id": str,
        "task_id": str,
        "callable_pickle": str,
        "args_pickle": str,
        "delivery": dict,
    },
    "cancel_task": {
        "run_id": str,
        "task_id": str,
        "delivery_cancel_mode": str,
        "delivery_orphan_policy": str,
    },
}
"""The fields of each command frame, beside its type."""
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
    scenario="a task whose argument is the 2 MiB result of another, with non-ASCII text; one whose"
    " argument is a function without a name",
    expected="the same value as the result, and what the function returns",
)
def arguments(check: CaseContext) -> str:
    """Arguments and results arrive unchanged, including large ones, non-ASCII text, and functions,
    which cloudpickle sends by value."""
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

    def define_call(w: Weave, environment: str) -> None:
        @w.do([lambda: text], environment=environment)
        def called(item: Callable[[], str]) -> str:
            return item()

    weave = check.weave(worker, define_call)
    check.expect_end(weave, PATIENCE, "a weave of a task whose argument is a function")
    outcome = weave.outcome("called")
    if outcome.value != [text]:
        check.fail(f"an argument was a function without a name, and the task has {outcome}")
    return "the same value"


@family.must(
    "06",
    sources.PROTOCOL,
    scenario="runs to URLs with escapes in path and query, an empty path, doubled slashes, empty"
    " parameters and a fragment",
    expected="a POST of JSON (Content-Type: application/json) to the URL's path and query",
)
def http_request(check: CaseContext) -> str:
    """A command frame is POSTed as JSON to the configured URL, unchanged."""
    for path, rest in TARGETS:
        # Anonymous: security.16 is about the target that a signature covers.
        worker = check.quick_worker(path=path or "/", security="none")
        url = f"{worker.url.partition(':')[0]}://localhost:{worker.port}{path}{rest}"
        outcome = check.run_one_weave(worker, 1, settings={"url": url})
        wanted = (path or "/") + rest.partition("#")[0]
        for exchange in requests_of(worker):
            if exchange.target != wanted:
                check.fail(
                    f"a command frame was sent to {exchange.target!r}; the URL's path and query are"
                    f" {wanted!r}"
                )
            kind = headers_of(exchange).get("content-type", "nothing")
            if exchange.method != "POST" or not kind.lower().startswith("application/json"):
                sent = f"{exchange.method} with Content-Type {kind}"
                check.fail(f"a command frame was sent as {sent}")
        if outcome.value != 1:
            check.fail(f"a healthy worker at {url!r}: {outcome}", expected="the result 1")
    return f"{len(TARGETS)} URLs, each POSTed to as it is"


@family.must(
    "07",
    sources.RUNTIME,
    scenario="a run with every delivery option, and one of them that is abandoned",
    expected="a run_task and a cancel_task with every field of Wove's, each one JSON object",
)
def delivery(check: CaseContext) -> str:
    """All fields of Wove's command frames arrive, including the delivery options."""
    worker, recorder = check.quick_worker(), RequestRecorder()
    worker.hold(ABANDONED)
    worker.inject(recorder)

    async def script(remote: Remote) -> WeaveOutcome:
        limit = check.seconds(DELIVERY_TIMEOUT)
        outcome = await attempt(remote("task", delivery_timeout=limit, **DELIVERY))
        await abandon_run(check, worker, remote, **DELIVERY)
        return outcome

    outcome = check.run_script(worker, script)
    for request in recorder.requests:
        try:
            frame = json.loads(request.body.decode("utf-8"))
        except ValueError as exc:
            check.fail(f"the body of a request is not one JSON document in UTF-8: {exc}")
        _expect_fields(check, frame if isinstance(frame, dict) else {})
    if outcome.kind != "result":
        check.fail(str(outcome), expected="the task's result")
    return "all fields" if frames_of(worker, "cancel_task") else f"all fields; {NO_CANCEL}"


def _expect_fields(check: CaseContext, frame: dict[str, Any]) -> None:
    """Raise :class:`CaseFailed` unless ``frame`` has every field of its type with the value that
    Wove gave it."""
    kind = frame.get("type")
    if kind not in FIELDS:
        check.fail(f"a request is no command frame: its type is {kind!r}")
    missing = [name for name in FIELDS[kind] if not isinstance(frame.get(name), FIELDS[kind][name])]
    if missing:
        check.fail(f"a {kind} came without {', '.join(missing)}")
    options = frame["delivery"] if kind == "run_task" else frame
    wanted = DELIVERY if kind == "run_task" else {n: v for n, v in DELIVERY.items() if n in frame}
    wrong = {name: options.get(name) for name in wanted if options.get(name) != wanted[name]}
    if wrong or (kind == "run_task" and "delivery_timeout" not in options):
        check.fail(f"the delivery options of a {kind} did not arrive: {wrong or options!r}")


@family.must(
    "08",
    sources.KEYS,
    scenario='executor_config.headers {"X-Conformance": "given"}; a run, and one that is abandoned',
    expected="the header once on every request, including the cancel_task",
)
def headers(check: CaseContext) -> str:
    """The headers in executor_config are sent once with every request."""
    worker = check.worker(headers={"X-Conformance": "given"})
    expect_result(check, worker, 1, "a healthy worker")
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> None:
        await abandon_run(check, worker, remote)

    check.run_script(worker, script)
    for exchange in requests_of(worker):
        what = exchange.frame_type or "request"
        given = headers_of(exchange).getlist("X-Conformance")
        if len(given) != 1:
            many = f"with {len(given)} times" if given else "without"
            check.fail(f"a {what} came {many} the header of executor_config.headers")
        if given != ["given"]:
            check.fail(f"a {what} came with {given[0]!r} in place of that header's value 'given'")
    return "sent" if frames_of(worker, "cancel_task") else f"sent; {NO_CANCEL}"


@family.must(
    "16",
    sources.PROTOCOL,
    scenario="a weave of one task",
    expected="one POST, of one run_task frame, and no other request to the URL",
)
def one_frame_each(check: CaseContext) -> str:
    """Each command is sent in one POST."""
    worker = check.worker()
    expect_result(check, worker, 1, "a healthy worker")
    count = len(frames_of(worker, "run_task"))
    if count != 1:
        check.fail(f"{count} run_task frames arrived for one run")
    for exchange in requests_of(worker):
        if exchange.frame_type != "run_task":
            check.fail(f"a {exchange.method} arrived that is not a command of Wove's")
    return "one run_task frame"


SINGLE = (
    *("Host", "Content-Length", "Content-Type", "Authorization", "User-Agent"),
    *("X-Wove-Key", "X-Wove-Timestamp", "X-Wove-Nonce", "X-Wove-Signature"),
)
"""Headers that a request has at most once."""


@family.must(
    "33",
    sources.HOST,
    scenario="runs, signed and with a bearer token",
    expected="requests with the URL's host and port as Host, and with no header twice that may be"
    " there once",
)
def request_head(check: CaseContext) -> str:
    """A request names the host and port of the URL, and has each of its headers once."""
    for mode in ("signed", "bearer"):
        worker = check.quick_worker(security=mode, headers={"User-Agent": "conformance/1"})
        expect_result(check, worker, 1, "a healthy worker")
        for exchange in requests_of(worker):
            found = headers_of(exchange)
            host = worker.url.partition("//")[2].partition("/")[0]
            if found.get("Host", "").lower() != host:
                check.fail(f"a request to {host} has the Host {found.get('Host')!r}")
            twice = [name for name in SINGLE if len(found.getlist(name)) > 1]
            if twice:
                check.fail(f"a request ({mode}) has more than one {', '.join(twice)}")
            if found.get("User-Agent") != "conformance/1":
                check.fail("the User-Agent of executor_config.headers was not sent")
    return f"Host: {host}; each header once"


@family.should(
    "34",
    sources.LENGTH,
    scenario="a run",
    expected="a Content-Length in the request",
)
def length_announced(check: CaseContext) -> str:
    """A request says its Content-Length; services behind WSGI cannot read chunks."""
    worker = check.quick_worker()
    expect_result(check, worker, 1, "a healthy worker")
    for exchange in requests_of(worker):
        if "Content-Length" not in headers_of(exchange):
            coding = headers_of(exchange).get("Transfer-Encoding")
            check.fail(f"a request has no Content-Length; its Transfer-Encoding is {coding!r}")
    return "announced"
