"""The control API from outside: paths, methods, answers and errors, at a real server."""

from __future__ import annotations

import collections
import json
import urllib.parse
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from tests.inspector.calls import API, TOKEN, Calls
from tests.support import run_frame, signed_request, weave_one
from wove_http_dev.inspector.api import ENTRIES, json_parts

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def test_health(api: Calls) -> None:
    """Health needs no credentials."""
    answer = api.send("GET", "/health")
    assert (answer.status, answer.document) == (200, {"status": "ok"})


def test_health_is_not_in_the_journal(api: Calls) -> None:
    """What is asked here is no exchange of the worker."""
    api.send("GET", "/health")
    assert api.get("/exchanges") == {"exchanges": []}


@pytest.mark.parametrize("target", ["/health", f"{API}/runs", "/"])
def test_head(api: Calls, target: str) -> None:
    """HEAD has the head of GET, and no body. A field that is only known when the content is made
    may be left out (RFC 9110, 9.3.2)."""
    wanted, answer = (api.send(method, target, BEARER) for method in ("GET", "HEAD"))
    assert answer.body == b""
    ignored = {"date", "transfer-encoding"}
    heads = [set(each.headers.items()) for each in (wanted, answer)]
    heads = [{(name, value) for name, value in head if name not in ignored} for head in heads]
    assert heads[0] == heads[1]


def test_options(api: Calls) -> None:
    """OPTIONS says which methods a path has."""
    answer = api.send("OPTIONS", f"{API}/injections", BEARER)
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


def test_options_shares_nothing(api: Calls) -> None:
    """No other origin is allowed anything (CORS)."""
    answer = api.send("OPTIONS", f"{API}/injections", BEARER)
    assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method(api: Calls, method: str) -> None:
    """A method that a path does not have is 405, with those that it has."""
    headers = {**BEARER, "Content-Type": "application/json"}
    answer = api.send(method, f"{API}/holds", headers)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answer.document["hint"] == "use GET, HEAD, POST"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/v1/run", "did you mean '/api/v1/runs'?"),
        ("/api/v1/runs/", "did you mean '/api/v1/runs'?"),
        ("/api/v2/worker", "did you mean '/api/v1/worker'?"),
        ("/stubs", "did you mean '/api/v1/stubs'?"),
        ("/helth", "did you mean '/health'?"),
        ("/zzz", "GET /api/v1/openapi.json describes the API"),
    ],
)
def test_unknown_path(api: Calls, path: str, hint: str) -> None:
    """A path that does not exist is 404, with the nearest that does."""
    answer = api.send("GET", path, BEARER)
    assert (answer.status, answer.document["hint"]) == (404, hint)


@pytest.mark.parametrize(
    "path",
    [
        "/../api.py",
        "/..%2fapi.py",
        "/%2e%2e/api.py",
        "//etc/passwd",
        "/page/../../secret.py",
        "/..\\api.py",
        "/page.css%00.html",
        "/%ff",
        "/.",
        "/api.py",
        "/index.html/../../api.py",
        "http://[",
        "//[/",
    ],
)
def test_traversal(api: Calls, path: str) -> None:
    """No path leads out of the folder of the page."""
    assert api.send("GET", path, BEARER).status in (400, 403, 404)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/runs?state=runing", "did you mean 'running'?"),
        ("/runs?taks=a", "did you mean 'task'?"),
        ("/runs?task=a&task=b", "give it once"),
        ("/worker?x=1", "leave it out"),
    ],
)
def test_wrong_query(api: Calls, path: str, hint: str) -> None:
    """A parameter that cannot be used is 400, with what to do."""
    answer = api.call("GET", path)
    assert (answer.status, answer.document["hint"]) == (400, hint)


@pytest.mark.parametrize(
    "query",
    [
        "initial_values=yes",
        "limit=x",
        "limit=0",
        "limit=-1",
        "limit=--5",
        "limit=" + "9" * 5000,
        "after=nan",
        "after=1e999",
    ],
)
def test_value_of_another_type(api: Calls, query: str) -> None:
    """A value of another type is 400."""
    assert api.call("GET", f"/runs?{query}").status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff",
        b'{"probability": NaN}',
        b'{"fault": 1}',
        b'{"fault": null}',
        b'{"faults": "status"}',
        b'{"fault": "status", "faults": ["status"]}',
        b'{"fault": "status", "times": 1.5}',
        b'{"fault": "status", "times": 0}',
        b'{"fault": "status", "times": true}',
        b'{"fault": "status", "probability": 2}',
        b'{"fault": "status", "task": ""}',
        b'{"fault": "status", "command": "walk"}',
        b'{"fault": ""}',
        b'{"fault": "\\ud800"}',
        b'{"seed": ' + b"9" * 100_000 + b"}",
        b"[" * 100_000,
        b'{"fault": ' * 200 + b"1" + b"}" * 200,
    ],
    ids=lambda body: body[:40],
)
def test_body_that_cannot_be_used(api: Calls, body: bytes) -> None:
    """A body that is not JSON, or of other types, is 400 in one line."""
    headers = {**BEARER, "Content-Type": "application/json"}
    answer = api.send("POST", f"{API}/injections", headers, body)
    assert (answer.status, answer.error.splitlines()) == (400, [answer.error])


def test_body_too_large(api: Calls) -> None:
    """A body of more than 1 MiB is 413."""
    headers = {**BEARER, "Content-Type": "application/json"}
    answer = api.send("POST", f"{API}/stubs", headers, b" " * (2**20 + 1))
    assert (answer.status, sorted(answer.document)) == (413, ["error", "hint"])


def test_chunked_body_too_large(api: Calls) -> None:
    """A body without Content-Length of more than 1 MiB is 413."""
    head = (
        f"POST {API}/stubs HTTP/1.1\r\nHost: {api.host}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    size = 2**20 + 1
    (answer,) = api.raw(head.encode() + b"%x\r\n" % size + b" " * size + b"\r\n0\r\n\r\n")
    assert answer.status == 413


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        ({"fault": "slow-respose"}, "did you mean 'slow-response'?"),
        ({"fault": "status cod=1"}, "did you mean 'code'?"),
        ({"falt": "status"}, "did you mean 'fault'?"),
    ],
)
def test_near_miss(api: Calls, document: Any, hint: str) -> None:
    """A misspelt name has the same advice as everywhere."""
    answer = api.call("POST", "/injections", document)
    assert (answer.status, answer.document["hint"]) == (400, hint)


def test_error_is_a_conflict_where_the_worker_cannot(api: Calls) -> None:
    """What the worker's state does not allow is 409."""
    signed_request(api.worker, run_frame(len, {"obj": "x"}, run_id="r"))
    answer = api.call("POST", "/runs/r/replay")
    assert (answer.status, sorted(answer.document)) == (409, ["error", "hint"])


@pytest.mark.parametrize(
    "run_id", ["a b", "a/b", "/", "wove:1?x#y", "größe", "x/replay", "%2e", "a+b", "%2F", "a%25"]
)
def test_any_run_id(api: Calls, run_id: str) -> None:
    """A run whose id has any characters is found by its path."""
    signed_request(api.worker, run_frame(len, {"obj": "x"}, run_id=run_id))
    assert api.get(f"/runs/{urllib.parse.quote(run_id, safe='')}")["run_id"] == run_id


def test_run_id_with_a_lone_surrogate(api: Calls) -> None:
    """A run whose id UTF-8 cannot write is found by the bytes that it would have."""
    signed_request(api.worker, run_frame(len, {"obj": "x"}, run_id="a\ud800"))
    assert api.get("/runs/a%ED%A0%80")["run_id"] == "a\ud800"


def test_path_that_is_no_utf8(api: Calls) -> None:
    """Bytes that are no UTF-8 are in no id."""
    assert api.call("GET", "/runs/%FF").status == 404


def test_lone_surrogate(api: Calls) -> None:
    """A text that UTF-8 cannot write is escaped."""
    signed_request(api.worker, run_frame(len, {"obj": "x"}, task="\ud800"))
    assert api.get("/runs")["runs"][0]["task_id"] == "\ud800"


def test_task_named_as_html(api: Calls) -> None:
    """A task's name is JSON text of type JSON, which no browser takes for a page."""
    signed_request(api.worker, run_frame(len, {"obj": "x"}, task="<img onerror=x>"))
    answer = api.call("GET", "/runs")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body)["runs"][0]["task_id"] == "<img onerror=x>"


def test_weave_is_seen(api: Calls) -> None:
    """A real weave's run is in the list, without the initial values."""
    assert weave_one(5) == 5
    (run,) = api.get("/runs")["runs"]
    assert (run["state"], run["executions"], run["error"]) == ("succeeded", 1, None)


def test_methods_of_a_replay(api: Calls) -> None:
    """The path of a replay is not that of a run whose id ends like it."""
    answer = api.send("OPTIONS", f"{API}/runs/a/replay", BEARER)
    assert answer.headers["allow"] == "POST, OPTIONS"


def whole(value: Any) -> bytes:
    """The JSON of ``value``."""
    return b"".join(json_parts(value))


@pytest.mark.parametrize("count", [0, 1, ENTRIES, 2 * ENTRIES + 1])
def test_json_of_a_list(count: int) -> None:
    """A list has every entry once, however many parts it is written in."""
    runs = [{"n": n, "text": "\ud800"} for n in range(count)]
    value = {"runs": runs, "other": None}
    assert json.loads(whole(value)) == value
    assert whole({**value, "runs": iter(runs)}) == whole(value)


@pytest.mark.parametrize("value", [{}, [], None, {"a": {"b": [1, 2]}, "c": []}], ids=repr)
def test_json(value: Any) -> None:
    """Whatever the value, its JSON is the value."""
    assert json.loads(whole(value)) == value


class Entry(dict[str, int]):
    """An object to which weak references can be made."""


def test_entries_are_made_in_parts() -> None:
    """Entries that are made while they are written are not all in memory at once."""
    made: list[weakref.ref[Entry]] = []
    alive = []

    def entries() -> Iterator[Entry]:
        for number in range(10 * ENTRIES):
            entry = Entry(n=number)
            made.append(weakref.ref(entry))
            alive.append(sum(each() is not None for each in made))
            yield entry

    collections.deque(json_parts({"runs": entries()}), maxlen=0)
    assert max(alive) <= 2 * ENTRIES


def test_no_part_has_more_than_its_entries() -> None:
    """What is made of a long list, and waits for the client to read, is one part of it."""
    parts = json_parts({"runs": iter(["x" * 100] * 10 * ENTRIES)})
    assert max(map(len, parts)) < 2 * 100 * ENTRIES


def test_list_of_the_journal_is_written_while_it_is_made(api: Calls) -> None:
    """The answer to a client that reads runs is never whole in memory: its length is not known
    when it begins."""
    wanted = {"/runs": "chunked", "/exchanges": "chunked", "/holds": None}
    found = {path: api.call("GET", path).headers.get("transfer-encoding") for path in wanted}
    assert found == wanted


def test_json_of_a_long_list_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call that keeps the interpreter's lock writes a whole journal."""
    sizes, original = [], json.dumps

    def dumps(value: Any, **words: Any) -> str:
        sizes.append(len(value) if isinstance(value, list) else 1)
        return original(value, **words)

    monkeypatch.setattr(json, "dumps", dumps)
    whole({"runs": list(range(1000))})
    assert max(sizes) <= ENTRIES
