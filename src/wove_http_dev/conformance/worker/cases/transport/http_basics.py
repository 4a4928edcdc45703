"""Transport cases: the service speaks HTTP correctly, even if a client is slow, sends nothing, or
sends several requests on one connection."""

from __future__ import annotations

import itertools
import time

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.cases.transport.next_request import next_after
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

PIECES = 4
PAUSE = 0.03
"""Seconds between two pieces of a request that is sent slowly."""
SILENT = 20
"""How many connections are open on which nothing is sent."""


@transport.must(
    "01",
    sources.PROTOCOL,
    scenario="a POST with a valid run_task frame",
    expected="any HTTP answer within 10 s",
    prerequisite=True,
)
def reachable(check: CaseContext) -> str:
    """The service answers HTTP at the URL; for https, its certificate is trusted."""
    body = commands.encode(commands.run_frame(tasks.nothing))
    try:
        answer = check.post(body, patience=2 * check.patience)
    except NoAnswer as exc:
        raise CaseFailed(f"nothing to check at {check.service.place}: {exc}") from exc
    return f"HTTP {answer.status}"


@transport.must(
    "02",
    sources.PROTOCOL,
    scenario="nothing (the URL and the credentials given to this check)",
    expected="https and authentication, unless the host is local",
)
def tls_beyond_this_machine(check: CaseContext) -> str:
    """A service on another machine uses TLS and authentication."""
    service = check.service
    if service.local:
        raise NotApplicable(f"{service.host} is local: plain http is allowed for development")
    missing = [] if service.tls else ["TLS (the URL is http://)"]
    missing += ["authentication"] if service.mode == "none" else []
    if missing:
        check.fail(f"{service.host} is not local and lacks {' and '.join(missing)}")
    return "https, authenticated"


@transport.should(
    "03",
    sources.PROTOCOL,
    scenario="a valid run_task frame",
    expected="Content-Type: application/json",
)
def json_content_type(check: CaseContext) -> str:
    """The answer has the content type application/json."""
    answer = check.ask("the POST", commands.encode(commands.run_frame(tasks.nothing)))
    kind = answer.header("Content-Type").partition(";")[0].strip().lower()
    if kind != "application/json":
        check.fail(f"Content-Type is {answer.header('Content-Type')[:80]!r}")
    return kind


@transport.must(
    "04",
    f"{sources.HTTP1}, 6.3",
    scenario=f"a valid request in {PIECES} pieces, {PAUSE * 1000:.0f} ms apart, cut in the head,"
    " behind it, and in the body",
    expected="the task's result",
)
def request_in_pieces(check: CaseContext) -> str:
    """A request that arrives in several TCP segments is read completely before it is answered."""
    body = commands.encode(commands.run_frame(tasks.echo, {"value": "in pieces"}))
    request = check.service.request(body, check.service.credentials(body))
    head = len(request) - len(body)
    edges = (0, head // 2, head, head + 1, len(request))
    deadline = check.deadline()

    def ask() -> str:
        connection = check.service.connect(deadline)
        try:
            for start, end in itertools.pairwise(edges):
                time.sleep(PAUSE if start else 0.0)
                connection.send(request[start:end], deadline)
            answer = connection.answer(deadline)
            return str(check.terminal_in(answer, f"a request in {PIECES} pieces").get("type"))
        finally:
            connection.close()

    try:
        kind = ask()
    except NoAnswer as exc:
        raise CaseFailed(f"a request in {PIECES} pieces: {exc}") from exc
    if kind != "task_result":
        check.fail(f"a request in {PIECES} pieces was answered with {kind!r}")
    return kind


@transport.should(
    "05",
    f"{sources.HTTP}, 9.1 and 15.5.6",
    scenario="a GET with valid credentials for an empty body; a PUT, PATCH and DELETE, each with a"
    " valid run_task",
    expected="an error status, preferably 405",
)
def only_post(check: CaseContext) -> str:
    """A request with another method than POST is refused with an error status."""
    service, run = check.service, commands.encode(commands.run_frame(tasks.nothing))
    for method, body in (("GET", b""), ("PUT", run), ("PATCH", run), ("DELETE", run)):
        request = service.request(body, service.credentials(body), method=method)
        try:
            answer = service.exchange(request, check.deadline(), method)
        except NoAnswer as exc:
            raise CaseFailed(f"a {method}: {exc}") from exc
        if answer.status < 400:
            check.fail(f"a {method} was answered with {answer.shown()}")
    return f"HTTP {answer.status}"


@transport.should(
    "06",
    sources.CWE_EXHAUSTION,
    scenario=f"{SILENT} connections that send nothing (not even a TLS ClientHello), then a run_task"
    " POST",
    expected="the POST is answered while they stay open",
    alone=True,
)
def silent_connections(check: CaseContext) -> str:
    """Clients that connect and send nothing do not block other clients."""
    socks = []
    try:
        for _ in range(SILENT):
            socks.append(check.service.silent_socket(check.deadline()))
        body = commands.encode(commands.run_frame(tasks.nothing))
        try:
            answer = check.post(body)
        except (NoAnswer, OSError) as exc:
            raise CaseFailed(f"with {SILENT} silent connections open: {exc}") from exc
    finally:
        for sock in socks:
            sock.close()
    return f"HTTP {answer.status}"


@transport.must(
    "07",
    f"{sources.HTTP1}, 9.3: the body is read, or the connection closed",
    scenario="on one connection, first a request without credentials, for another path, of another"
    " method with a body, or an OPTIONS without one; then a valid request",
    expected="the valid request is served, or the connection is closed after the refusal",
)
def next_request_after_a_refusal(check: CaseContext) -> str:
    """The body of a refused request is not mistaken for the next request on the connection."""
    service = check.service
    body = commands.encode(commands.run_frame(tasks.nothing))
    seen = []
    if service.mode != "none":
        request = service.request(body, {}, keep=True)
        seen.append(next_after(check, "a request without credentials", request))
    target = f"{service.path.rstrip('/')}/conformance-no-such-path"
    headers = service.credentials(body, target=target)
    request = service.request(body, headers, target=target, keep=True)
    seen.append(next_after(check, "a request for another path", request))
    for method in ("GET", "PUT", "PATCH", "DELETE", "WOVE"):
        request = service.request(body, service.credentials(body), keep=True, method=method)
        seen.append(next_after(check, f"a {method} with a body", request))
    # No HEAD: WSGI applications answer it with a body, which some servers do not leave out.
    request = service.request(b"", service.credentials(b""), keep=True, method="OPTIONS")
    seen.append(next_after(check, "an OPTIONS", request))
    return "; ".join(dict.fromkeys(seen))
