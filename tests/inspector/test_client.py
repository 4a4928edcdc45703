"""The client of the control API: what it sends, returns and raises."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.scripted_server import answer, scripted, stream
from tests.support import TIMEOUT, free_port
from wove_http_dev.errors import ConflictError, NoAnswerError, NotFoundError, UsageError
from wove_http_dev.inspector import client as module
from wove_http_dev.inspector.client import ControlClient, ServerEvent
from wove_http_dev.inspector.routes import PREFIX, ROUTES
from wove_http_dev.inspector.schemas import SCHEMAS
from wove_http_dev.worker import HttpWorker

TOKEN = "correct-horse"
RUN = {"run_id": "a:b/c", "state": "succeeded"}
Call = Callable[[ControlClient], Any]

OPERATIONS: list[tuple[str, Call, str, Any, Any]] = [
    ("worker", lambda c: c.worker(), "GET worker", None, {"url": "u"}),
    ("runs", lambda c: c.runs(), "GET runs", None, {"runs": [RUN]}),
    (
        "some-runs",
        lambda c: c.runs("a b", "failed", "x", initial_values=True, limit=3),
        "GET runs?task=a+b&state=failed&after=x&initial_values=true&limit=3",
        None,
        {"runs": []},
    ),
    ("run", lambda c: c.run("a:b/c"), "GET runs/a%3Ab%2Fc", None, RUN),
    ("replay", lambda c: c.replay("a"), "POST runs/a/replay", {}, {"id": "b", "run": RUN}),
    ("exchanges", lambda c: c.exchanges(5, 2), "GET exchanges?after=5&limit=2", None, None),
    ("exchange", lambda c: c.exchange(3), "GET exchanges/3", None, {"number": 3}),
    ("faults", lambda c: c.faults(), "GET faults", None, {"faults": []}),
    ("injections", lambda c: c.injections(), "GET injections", None, {"injections": []}),
    (
        "inject",
        lambda c: c.inject("status", task="t", times=1, after=0),
        "POST injections",
        {"fault": "status", "task": "t", "times": 1, "after": 0},
        {"id": 1},
    ),
    (
        "remove-injection",
        lambda c: c.remove_injection(1),
        "DELETE injections/1",
        None,
        None,
    ),
    ("holds", lambda c: c.holds(), "GET holds", None, {"holds": []}),
    ("hold", lambda c: c.hold("t", 2), "POST holds", {"task": "t", "release_when": 2}, {"id": 1}),
    ("hold-all", lambda c: c.hold(), "POST holds", {}, {"id": 1}),
    ("release", lambda c: c.release("1/x"), "POST holds/1%2Fx/release", {}, {"id": 1}),
    ("stubs", lambda c: c.stubs(), "GET stubs", None, {"stubs": []}),
    (
        "stub",
        lambda c: c.stub("t", result=None),
        "POST stubs",
        {"task": "t", "result": None},
        {"id": 1},
    ),
    ("remove-stub", lambda c: c.remove_stub(1), "DELETE stubs/1", None, None),
    ("reset", lambda c: c.reset(), "POST reset", {}, {"reset": True}),
]


def client(url: str) -> ControlClient:
    return ControlClient(url, TOKEN, timeout=TIMEOUT)


@pytest.mark.parametrize(
    ("call", "line", "body", "value"),
    [operation[1:] for operation in OPERATIONS],
    ids=[operation[0] for operation in OPERATIONS],
)
def test_request(call: Call, line: str, body: Any, value: Any) -> None:
    """Each method sends the request of its operation."""
    value = {"exchanges": []} if value is None and line.startswith("GET exch") else value
    reply = answer(204, b"") if line.startswith("DELETE") else answer(200, value)
    with scripted(reply) as server:
        call(client(server.url))
    method, _, target = line.partition(" ")
    assert (server.lines, server.bodies) == ([f"{method} /api/v1/{target}"], [body])


def test_every_route_has_a_method() -> None:
    """Each operation of the API is a method of the client, by the same name."""
    names = {route.name for route in ROUTES if route.path.startswith(PREFIX)}
    assert names - {"openapi"} - set(dir(ControlClient)) == set()


def test_every_selector_is_a_word() -> None:
    """Each word that selects requests can be given to ``inject()``."""
    selectors = set(SCHEMAS["new_injection"]["properties"]) - {"fault", "faults"}
    assert selectors <= set(inspect.signature(ControlClient.inject).parameters)


def test_object_is_returned() -> None:
    """What the API answers is returned."""
    with scripted(answer(200, RUN)) as server:
        assert client(server.url).run("a") == RUN


def test_list_is_returned() -> None:
    """A list is returned without the object around it."""
    with scripted(answer(200, {"runs": [RUN]})) as server:
        assert client(server.url).runs() == [RUN]


def test_token_is_sent() -> None:
    """The token is sent as a bearer token."""
    with scripted(answer(200, {})) as server:
        client(server.url).worker()
    assert server.headers()["authorization"] == f"Bearer {TOKEN}"


def test_write_is_json() -> None:
    """A write has the type that the API requires."""
    with scripted(answer(200, {})) as server:
        client(server.url).reset()
    assert server.headers()["content-type"] == "application/json"


def test_token_is_not_shown() -> None:
    """The repr of a client, and of what it has, shows no token."""
    made = client("http://127.0.0.1:1")
    assert TOKEN not in f"{made!r} {vars(made)!r}"


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The proxy that the environment names gets nothing."""
    monkeypatch.delenv("no_proxy", raising=False)
    with scripted() as proxy, scripted(answer(200, {"version": 1})) as server:
        monkeypatch.setenv(name, proxy.url)
        found = client(server.url).worker()
    assert (found, proxy.requests) == ({"version": 1}, [])


def test_no_redirect() -> None:
    """A redirect is not followed: the token would go to another server."""
    with scripted() as other:
        moved = f"HTTP/1.1 302 X\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with scripted(moved) as server, pytest.raises(UsageError, match="is not the control API"):
            client(server.url).worker()
    assert other.requests == []


# The address


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://127.0.0.1:8444", "http://127.0.0.1:8444/api/v1"),
        ("http://127.0.0.1:8444/", "http://127.0.0.1:8444/api/v1"),
        ("http://127.0.0.1:8444/api/v1", "http://127.0.0.1:8444/api/v1"),
        ("http://127.0.0.1:8444/api/v1/", "http://127.0.0.1:8444/api/v1"),
        ("http://[::1]:8444", "http://[::1]:8444/api/v1"),
        ("http://localhost", "http://localhost:80/api/v1"),
    ],
)
def test_address(given: str, used: str) -> None:
    """The address of the page and that of the API are accepted."""
    assert client(given).url == used


@pytest.mark.parametrize(
    "given",
    [
        "",
        "127.0.0.1:8444",
        "https://localhost:8444",
        "http://",
        "http://localhost:port",
        "http://localhost:99999",
        "http://user:pass@localhost",
        "http://[::1",
        "http://local host",
        "http://local\x7fhost",
        "http://localhost/a b",
        "http://localhost/\r\nX: y",
        "http://bücher.example",
    ],
)
def test_wrong_address(given: str) -> None:
    """What cannot be the address of the API is an error that shows one."""
    with pytest.raises(UsageError, match=r"is not the URL of a control API; .*127.0.0.1:8444"):
        client(given)


def test_password_in_an_address() -> None:
    """A password in an address is not shown."""
    with pytest.raises(UsageError) as caught:
        client("http://user:hunter2@localhost")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ü"])
def test_wrong_token(token: str) -> None:
    """A token that no header can carry is an error, which does not show it."""
    with pytest.raises(UsageError, match=r"^the token of the control API is a line"):
        ControlClient("http://localhost:1", token)


# Errors


def error_of(*answers: bytes, call: Call = lambda c: c.worker()) -> UsageError:
    """What ``call`` raises."""
    with scripted(*answers) as server, pytest.raises(UsageError) as caught:
        call(client(server.url))
    return caught.value


def test_not_running() -> None:
    """Where nothing listens, the error says so."""
    port = free_port()
    with pytest.raises(NoAnswerError, match=r"^no serve answers at .*refused\); start it"):
        client(f"http://127.0.0.1:{port}").worker()


@pytest.mark.parametrize(
    "broken", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n{}", b"nonsense\r\n\r\n"]
)
def test_broken_answer(broken: bytes) -> None:
    """A connection that ends too early, or an answer that is no HTTP, is that nobody answers."""
    assert isinstance(error_of(broken), NoAnswerError)


def test_no_answer_in_time() -> None:
    """A server that does not answer in time is named."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NoAnswerError, match="no answer in time"):
            ControlClient(url, TOKEN, timeout=0.01).worker()


def test_refused_token() -> None:
    """A token that is refused is an error with what to do."""
    refused = {"error": "the token is not this server's", "hint": "open the address"}
    text = str(error_of(answer(401, refused)))
    assert text == (
        "the token is not this server's; give that of this serve, which is in the file token of its"
        " --state-dir"
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, UsageError), (404, NotFoundError), (409, ConflictError), (503, UsageError)],
)
def test_refusal(status: int, kind: type[UsageError]) -> None:
    """What the API refuses is an error of the same kind as in the worker's process, with its
    hint."""
    error = error_of(answer(status, {"error": "no", "hint": "do that"}))
    assert (type(error), str(error)) == (kind, "no; do that")


@pytest.mark.parametrize("refused", [{"error": "no"}, {"error": "no", "hint": None}])
def test_refusal_without_a_hint(refused: Any) -> None:
    """A refusal needs no hint."""
    assert str(error_of(answer(400, refused))) == "no"


def test_hostile_refusal() -> None:
    """The text of a refusal is escaped, shortened, and one line."""
    text = str(error_of(answer(400, {"error": "\x1b[2J\n" + "x" * 10**6})))
    assert (text.isprintable(), len(text) <= 500) == (True, True)


@pytest.mark.parametrize(
    "other",
    [
        answer(200, b"<html>", "text/html"),
        answer(404, b"<html>", "text/html"),
        answer(500, []),
        answer(400, {"problem": "no"}),
        answer(401, {"error": "headers: X-Wove-Key is missing", "code": "header-missing"}),
        answer(200, b"[" * 10**6),
    ],
)
def test_another_server(other: bytes) -> None:
    """What answers in another form than the control API is named, with its status and type."""
    assert "is not the control API of wove-http-dev serve" in str(error_of(other))


def test_port_of_tasks(worker: HttpWorker) -> None:
    """The worker's own port, in place of that of the control API, is said to be another one."""
    with pytest.raises(UsageError, match="not that of tasks; give the address that serve prints"):
        client(f"http://localhost:{worker.port}").worker()


def test_short_token() -> None:
    """A token of one letter is not hidden in the words of this program's own message."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NoAnswerError) as caught:
        ControlClient(url, "t").worker()
    assert str(caught.value).startswith(f"no serve answers at {url}/api/v1 (Connection refused); ")


@pytest.mark.parametrize(
    "echo",
    [
        answer(400, {"error": f"not for Bearer {TOKEN}", "hint": TOKEN}),
        answer(200, b"", kind=f"text/{TOKEN}"),
        f"Authorization: Bearer {TOKEN}\r\n\r\n".encode(),
    ],
    ids=["error", "type", "no-http"],
)
def test_echo(echo: bytes) -> None:
    """A server that repeats the token does not bring it into a message."""
    with scripted(echo) as server, pytest.raises(UsageError) as caught:
        client(server.url).runs()
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("value", [[], None, {"tasks": []}, {"runs": {}}])
def test_another_version(value: Any) -> None:
    """An answer without what this version expects is one of another version."""
    text = str(error_of(answer(200, value), call=lambda c: c.runs()))
    assert "is of another version than this command" in text


# Events

FIRST = "retry: 1000\nid: 1-5\n\n"


def collect(*answers: bytes) -> tuple[list[ServerEvent], list[str], list[str | None]]:
    """The events of streams until one is refused; the reasons of interruptions; and the ids with
    which the client connected."""
    found: list[ServerEvent] = []
    lost: list[str] = []
    with scripted(*answers, answer(400, {"error": "enough"})) as server:
        events = client(server.url).events(lost=lambda e: lost.append(str(e)), pause=lambda _: None)
        with pytest.raises(UsageError, match="enough"):
            found.extend(events)
        headers = [server.headers(index) for index in range(len(server.requests))]
        return found, lost, [each.get("last-event-id") for each in headers]


def test_events() -> None:
    """The events of a stream are returned with their JSON."""
    found, _, _ = collect(stream(FIRST, 'id: 1-6\nevent: run\ndata: {"run_id": "a"}\n\n'))
    assert found == [ServerEvent("run", {"run_id": "a"})]


def test_events_in_parts() -> None:
    """The parts in which an event arrives do not matter."""
    text = f"{FIRST}id: 1-6\nevent: run\ndata: [1]\n\n:\n\nid: 1-7\nevent: reset\ndata: {{}}\n\n"
    found, _, _ = collect(stream(*text))
    assert [event.name for event in found] == ["run", "reset"]


def test_events_after_an_interruption() -> None:
    """After an interruption the client goes on where the stream ended."""
    first = stream(FIRST, "id: 1-6\nevent: run\ndata: 1\n\n")
    second = stream("id: 1-6\n\n", "id: 1-7\nevent: run\ndata: 2\n\n")
    found, _, ids = collect(first, second)
    assert ([event.data for event in found], ids) == ([1, 2], [None, "1-6", "1-7"])


def test_interrupted_before_the_first_event() -> None:
    """A stream that ended before its first event is gone on from its beginning."""
    assert collect(stream(FIRST))[2] == [None, "1-5"]


def test_cut_event() -> None:
    """An event that was cut by the end of the connection is not returned."""
    found, _, ids = collect(stream(FIRST, "id: 1-6\nevent: run\ndata: [1"))
    assert (found, ids) == ([], [None, "1-5"])


def test_interruption_is_reported_once() -> None:
    """Of several attempts that fail, the first is reported."""
    _, lost, _ = collect(stream(FIRST), b"", b"")
    assert len(lost) == 1


def test_each_interruption_is_reported() -> None:
    """An interruption after a successful attempt is reported again."""
    assert len(collect(stream(FIRST), stream(FIRST))[1]) == 2


def test_first_connection_fails() -> None:
    """If the first connection fails, that is an error."""
    assert isinstance(error_of(b"", call=lambda c: next(c.events())), NoAnswerError)


def test_stream_of_another_server() -> None:
    """What is no event stream is named."""
    error = error_of(answer(200, {}), call=lambda c: next(c.events()))
    assert "is not the control API" in str(error)


def test_endless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end is not read into memory."""
    monkeypatch.setattr(module, "LINE_LIMIT", 1000)
    error = error_of(stream("x" * 2000), call=lambda c: next(c.events()))
    assert "is not the control API" in str(error)


def test_pause_between_attempts() -> None:
    """The client waits a second before each further attempt."""
    pauses: list[float] = []
    with scripted(stream(FIRST), b"", answer(400, {"error": "enough"})) as server:
        events = client(server.url).events(pause=pauses.append)
        with pytest.raises(UsageError, match="enough"):
            next(events)
    assert pauses == [1.0, 1.0]


def test_closed_iterator() -> None:
    """A client that stops iterating closes its connection."""
    with scripted(stream(FIRST, "event: run\ndata: 1\n\n"), answer(200, {})) as server:
        made = client(server.url)
        events = made.events()
        next(events)
        events.close()  # type: ignore[attr-defined]
        assert made.worker() == {}
