"""The control API and the page as one server beside a worker."""

from __future__ import annotations

import contextlib
import gc
import http.client
import itertools
import json
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

import pytest

from tests.inspector.calls import API, TOKEN, Calls, inspector
from tests.support import (
    TIMEOUT,
    answer,
    closing_all,
    lasting,
    run_frame,
    signed_request,
    weave_one,
)
from wove_http_dev.cli.serve_log import ServeLog
from wove_http_dev.inspector import events, server
from wove_http_dev.inspector.inspector import Inspector
from wove_http_dev.inspector.shapes import HELD_RUNS
from wove_http_dev.runs.journal import Journal
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


def test_journal_is_left(wove_http_worker: HttpWorker) -> None:
    """After its end it does not observe the worker's journal, which would keep it."""
    journal = wove_http_worker.journal
    with inspector(wove_http_worker) as served:
        served._stream(None).close()
        journal.close(journal.open())
        assert len(served.events._notes) == 1
    journal.close(journal.open())
    assert len(served.events._notes) == 1


def test_nothing_is_noted_without_a_stream(wove_http_worker: HttpWorker) -> None:
    """What changes before the first stream of events costs nothing."""
    journal = wove_http_worker.journal
    with inspector(wove_http_worker) as served:
        journal.close(journal.open())
        assert len(served.events._notes) == 0


def test_second_stream_notes_nothing_twice(wove_http_worker: HttpWorker) -> None:
    """However many streams there are, a change is noted once."""
    journal = wove_http_worker.journal
    with inspector(wove_http_worker) as served:
        served._stream(None).close()
        before = served.events._number
        served._stream(None).close()
        journal.open()
        assert served.events._number - before == 1


class TestEvents:
    """The stream of events, at a real server."""

    @staticmethod
    def read_until(stream: IO[bytes], event: bytes) -> bytes:
        """Read lines up to an event of this name; return its data."""
        while (line := stream.readline()) != b"event: " + event + b"\n":
            assert line, "the stream has ended"
        return stream.readline()

    @pytest.fixture
    def query(self) -> str:
        return ""

    @pytest.fixture
    def stream(self, api: Calls, query: str) -> Iterator[IO[bytes]]:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        with contextlib.closing(connection):
            headers = {"Authorization": f"Bearer {TOKEN}"}
            connection.request("GET", f"{API}/events{query}", headers=headers)
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

    def test_hold_of_many_runs(self, api: Calls, stream: IO[bytes]) -> None:
        """Of a hold at which many runs have arrived, the newest are named, and all counted."""
        hold = api.worker.hold(release_when=1)
        frames = [run_frame(answer, run_id=f"run-{n}") for n in range(HELD_RUNS + 1)]
        for frame in frames:
            signed_request(api.worker, frame)
        counted = f'"arrived": {len(frames)}'.encode()
        while counted not in (data := self.read_until(stream, b"holds")):
            pass
        (found,) = json.loads(data.removeprefix(b"data: "))["holds"]
        assert found["runs"] == [f"run-{n}" for n in range(1, HELD_RUNS + 1)]
        assert len(api.get("/holds")["holds"][0]["runs"]) == len(hold.runs) == len(frames)

    @pytest.mark.parametrize(("query", "number"), [("", 1), ("?problems=true", 2)])
    def test_problems(self, api: Calls, stream: IO[bytes], number: int) -> None:
        """With ``problems``, of the exchanges only those that were refused or failed come."""
        api.worker.allow_refusals()
        signed_request(api.worker, run_frame(answer))
        signed_request(api.worker, b"no frame")
        data = self.read_until(stream, b"exchange")
        assert json.loads(data.removeprefix(b"data: "))["number"] == number

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


CROWD = 500
"""Clients that open a stream of events and never read."""
REQUEST = (
    f"GET {API}/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
)


class TestCrowd:
    """Clients that open streams of events and never read."""

    @pytest.fixture(autouse=True)
    def descriptors(self) -> Iterator[None]:
        """This process may have a thousand descriptors: a system may allow 256 by itself."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1024), hard))
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.fixture
    def served(self, wove_http_worker: HttpWorker) -> Iterator[Inspector]:
        """An inspector with :data:`CROWD` such clients, of which none waits for an answer."""
        with inspector(wove_http_worker) as served, closing_all() as clients:
            for _ in range(CROWD):
                clients.append(sock := socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.settimeout(TIMEOUT)
                sock.connect(("127.0.0.1", served.port))
                sock.sendall((REQUEST % served.port).encode())
            for sock in clients:
                sock.recv(1, socket.MSG_PEEK)
            yield served

    @staticmethod
    def write_until_dropped(worker: HttpWorker, served: Inspector) -> None:
        """Let things happen until the streams that nobody reads are closed."""
        deadline = time.monotonic() + TIMEOUT
        while served.events.open_streams and time.monotonic() < deadline:
            for _ in range(events.BATCH):
                exchange = worker.journal.open()
                exchange.error = "x" * 1000
                worker.journal.close(exchange)
            time.sleep(events.INTERVAL)

    def test_streams_are_limited(self, served: Inspector) -> None:
        """Each has been answered, and only so many have a stream, and with it a thread. (The
        threads of those that were refused end, on a busy machine some time after the answer.)"""
        deadline = time.monotonic() + TIMEOUT
        while self.connection_threads() > events.STREAM_LIMIT and time.monotonic() < deadline:
            time.sleep(0.05)
        counts = served.events.open_streams, self.connection_threads()
        assert counts == (events.STREAM_LIMIT, events.STREAM_LIMIT)

    @staticmethod
    def connection_threads() -> int:
        """The number of threads that serve a connection of the page's server."""
        names = [thread.name for thread in threading.enumerate()]
        return names.count("wove-http-dev-page-connection")

    def test_tasks_go_on(self, served: Inspector) -> None:
        """Meanwhile the worker serves tasks."""
        assert weave_one(5) == 5

    @pytest.fixture
    def short_writes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Clients have a tenth of a second to take a part of an answer."""
        monkeypatch.setattr(server, "WRITE_TIME", 0.1)

    @pytest.mark.usefixtures("short_writes")
    def test_they_are_dropped(self, served: Inspector, wove_http_worker: HttpWorker) -> None:
        """When what was sent to them is not taken in time, they are dropped."""
        self.write_until_dropped(wove_http_worker, served)
        assert served.events.open_streams == 0

    def test_stop_ends_them(self, served: Inspector) -> None:
        """The end of the server ends them all, and their threads."""
        threads = set(threading.enumerate())
        served.__exit__()
        left = lasting(threads & {each for each in threads if "page" in each.name})
        assert (left, served.events.open_streams) == ([], 0)


class TestMemory:
    """What a worker remembers of tasks that somebody watches."""

    TASKS = 150
    """Tasks of a round."""
    KEPT = 50
    """Runs, exchanges and changes that are remembered here."""

    @pytest.fixture
    def watched(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
        """A worker as that of ``serve``, with a log and a page, whose memories are soon full. It
        needs no nonces, whose limit is time."""
        defaults = Journal.__init__.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "count_limit", self.KEPT)
        monkeypatch.setattr(events, "REMEMBERED", self.KEPT)
        with (
            HttpWorker(inspected=True, tls=False, security="bearer") as worker,
            inspector(worker) as served,
            socket.create_connection(("127.0.0.1", served.port), TIMEOUT) as stream,
        ):
            worker.journal.observe(ServeLog(lambda _: None, clean=worker.journal.redaction.clean))
            stream.sendall((REQUEST % served.port).encode())
            stream.recv(1, socket.MSG_PEEK)
            yield Calls(worker, served.port)

    def remembered(self, watched: Calls, number: int) -> tuple[int, int]:
        """The objects, and the blocks of memory, that there are after a round of tasks and what a
        page asks for."""
        for task in range(self.TASKS):
            signed_request(watched.worker, run_frame(answer, run_id=f"task:{number}-{task}"))
        watched.get("/runs")
        watched.get("/exchanges")
        gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks()

    def test_nothing_grows_with_the_number_of_tasks(self, watched: Calls) -> None:
        """Once every memory is full, a task leaves nothing: neither an object nor a text. What each
        task would leave is more in every round; Python's own caches are full at some time."""
        counts = [self.remembered(watched, number) for number in range(5)]
        for kind in zip(*counts, strict=True):
            growth = [after - before for before, after in itertools.pairwise(kind)]
            assert min(growth[1:]) < self.TASKS / 2, kind
