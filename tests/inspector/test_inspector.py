"""The control API and the page as one server beside a worker."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from typing import IO, Any

import pytest

from tests.inspector.calls import API, TOKEN, Calls, inspector
from tests.support import TIMEOUT, lasting, weave_one
from wove_http_dev.inspector import events
from wove_http_dev.worker import HttpWorker


def test_addresses(wove_http_worker: HttpWorker) -> None:
    """Page and API have their URLs, and only the entry has the token."""
    with inspector(wove_http_worker) as served:
        base = f"http://127.0.0.1:{served.port}/"
        assert (served.url, served.api_url) == (base, f"{base}api/v1")
        assert f"{served.entry_url}" == f"{base}?token={TOKEN}"


def test_entry_does_not_show_in_a_repr(wove_http_worker: HttpWorker) -> None:
    """The address with the token is a secret."""
    with inspector(wove_http_worker) as served:
        assert TOKEN not in repr(served.entry_url)


def test_no_thread_is_left(wove_http_worker: HttpWorker) -> None:
    """Its threads end with it."""
    before = set(threading.enumerate())
    with inspector(wove_http_worker) as served:
        Calls(wove_http_worker, served.port).get("/worker")
    assert lasting(set(threading.enumerate()) - before) == []


class TestEvents:
    """The stream of events, at a real server."""

    @staticmethod
    def read_until(stream: IO[bytes], event: bytes) -> bytes:
        """Read lines up to an event of this name; return its data."""
        while (line := stream.readline()) != b"event: " + event + b"\n":
            assert line, "the stream has ended"
        return stream.readline()

    @pytest.fixture
    def stream(self, api: Calls) -> Iterator[IO[bytes]]:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {TOKEN}"}
            connection.request("GET", f"{API}/events", headers=headers)
            answer = connection.getresponse()
            assert answer.getheader("Content-Type") == "text/event-stream"
            yield answer

    def test_run(self, api: Calls, stream: IO[bytes]) -> None:
        """A run of a weave comes, as it is in the list."""
        weave_one(5)
        while b'"succeeded"' not in (data := self.read_until(stream, b"run")):
            pass
        run = json.loads(data.removeprefix(b"data: "))
        assert run == api.get("/runs")["runs"][0]

    @pytest.mark.parametrize(
        ("kind", "document"),
        [
            ("injections", {"fault": "status"}),
            ("holds", {"task": "x"}),
            ("stubs", {"task": "x", "result": 1}),
        ],
    )
    def test_list(self, api: Calls, stream: IO[bytes], kind: str, document: Any) -> None:
        """What the API makes comes, as the whole list."""
        made = api.post(f"/{kind}", document)
        while f'"id": {made["id"]}'.encode() not in (
            data := self.read_until(stream, kind.encode())
        ):
            pass
        assert json.loads(data.removeprefix(b"data: ")) == {kind: [made]}

    def test_reset(self, api: Calls, stream: IO[bytes]) -> None:
        """A reset comes."""
        api.post("/reset")
        self.read_until(stream, b"reset")

    def test_unknown_last_event(self, api: Calls) -> None:
        """A stream that cannot be resumed begins with reload."""
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {TOKEN}", "Last-Event-ID": "1-1"}
            connection.request("GET", f"{API}/events", headers=headers)
            self.read_until(connection.getresponse(), b"reload")

    def test_too_many(self, api: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        """Beyond the limit of streams the answer is 503, with what to do."""
        monkeypatch.setattr(events, "STREAM_LIMIT", 0)
        answer = api.call("GET", "/events")
        assert (answer.status, "close pages" in answer.document["hint"]) == (503, True)

    def test_ends_with_the_server(self, wove_http_worker: HttpWorker) -> None:
        """The end of the server ends open streams at once, and leaves no thread."""
        before = set(threading.enumerate())
        with inspector(wove_http_worker) as served:
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=TIMEOUT)
            headers = {"Authorization": f"Bearer {TOKEN}"}
            connection.request("GET", f"{API}/events", headers=headers)
            answer = connection.getresponse()
        with contextlib.closing(connection), contextlib.suppress(http.client.HTTPException):
            answer.read()
        assert lasting(set(threading.enumerate()) - before) == []
