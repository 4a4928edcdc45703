"""Server-sent events: what a stream sends of the changes of a journal, and what it costs."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.run_records import make_run, returned
from tests.support import TIMEOUT
from wove_http_dev.errors import UnavailableError
from wove_http_dev.inspector import events as module
from wove_http_dev.inspector.events import (
    INTERVAL,
    REMEMBERED,
    SHARED,
    STREAM_LIMIT,
    Events,
    EventStream,
)
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange, Run

COMMENT = b":\n\n"


class Clock:
    """Seconds since the epoch, which a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Event:
    """One event, as a client reads it."""

    name: str
    data: Any
    id: str = ""


class Source:
    """A journal, what observes it, and one list. ``described`` are the threads that described a
    record, ``listed`` is how often the list was described."""

    def __init__(self, **words: Any) -> None:
        self.clock = Clock()
        self.journal = Journal(clock=self.clock)
        self.injections: list[str] = []
        self.described: list[threading.Thread] = []
        self.added = 0
        self.listed = 0
        words = {"keepalive": 0.0, "pause": lambda _: None, **words}
        self.events = Events(
            run=self._run,
            exchange=self._exchange,
            lists={"injections": self._list},
            clock=self.clock,
            **words,
        )
        self.journal.observe(self.events)

    def _list(self) -> Any:
        self.listed += 1
        return {"injections": self.injections}

    def _run(self, run: Run) -> Any:
        self.described.append(threading.current_thread())
        return {"run_id": run.run_id, "state": run.state}

    def _exchange(self, exchange: Exchange) -> Any:
        return {"number": exchange.number, "error": exchange.error}

    def add(self, run_id: str = "a") -> Run:
        self.added += 1
        run = make_run(run_id=run_id)
        run.received = self.clock.now
        self.journal.add_run(run)
        run.exchange_number = self.added
        return run


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.events.stop()


def parse(data: bytes) -> list[Event]:
    """The events in ``data``, as the standard says: a block without data is none."""
    found = []
    for block in data.decode("ascii").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append(Event(fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return found


def names(data: bytes) -> list[str]:
    return [event.name for event in parse(data)]


def opened(source: Source, last_event_id: str | None = None) -> EventStream:
    """A stream whose beginning was read."""
    stream = source.events.stream(last_event_id)
    next(stream)
    return stream


def pending(stream: EventStream) -> list[Event]:
    """Everything that the stream has to send now."""
    found: list[Event] = []
    while (data := next(stream)) != COMMENT:
        found += parse(data)
    return found


# What is sent


def test_run(source: Source) -> None:
    """A run that was added is an event with its description."""
    stream = opened(source)
    source.add()
    (event,) = pending(stream)
    assert (event.name, event.data) == ("run", {"run_id": "a", "state": "received"})


def test_exchange(source: Source) -> None:
    """An exchange that was opened is an event with its description."""
    stream = opened(source)
    source.journal.open()
    (event,) = pending(stream)
    assert (event.name, event.data) == ("exchange", {"number": 1, "error": ""})


@pytest.mark.parametrize("change", ["update", "close"])
def test_change_of_an_exchange(source: Source, change: str) -> None:
    """A change of an exchange is sent."""
    exchange = source.journal.open()
    stream = opened(source)
    exchange.error = "late"
    getattr(source.journal, change)(exchange)
    assert [event.data["error"] for event in pending(stream)] == ["late"]


def test_states_of_a_run(source: Source) -> None:
    """Each state that a stream finds is sent."""
    run, stream = source.add(), opened(source)
    states = []
    for state in ("held", "running"):
        source.journal.change(run, state)
        states += [event.data["state"] for event in pending(stream)]
    source.journal.finish(run, returned(1))
    states += [event.data["state"] for event in pending(stream)]
    assert states == ["held", "running", "succeeded"]


def test_lost_run(source: Source) -> None:
    """A run that is lost is sent."""
    run, stream = source.add(), opened(source)
    source.journal.lose(run)
    assert [event.data["state"] for event in pending(stream)] == ["lost"]


def test_changes_are_coalesced(source: Source) -> None:
    """Several changes of a run between two writes are one event, with its present state."""
    stream = opened(source)
    run = source.add()
    source.journal.change(run, "running")
    source.journal.finish(run, returned(1))
    assert [event.data["state"] for event in pending(stream)] == ["succeeded"]


def test_order(source: Source) -> None:
    """Events come in the order of the last changes."""
    stream = opened(source)
    first = source.add("a")
    source.add("b")
    source.journal.change(first, "running")
    assert [event.data["run_id"] for event in pending(stream)] == ["b", "a"]


def test_two_streams(source: Source) -> None:
    """Each stream gets every change."""
    streams = [opened(source), opened(source)]
    source.add()
    assert [[event.name for event in pending(stream)] for stream in streams] == [["run"]] * 2


def test_problems(source: Source) -> None:
    """A stream of problems has every run, and of the exchanges only those that were refused or
    failed, also if that is not so from the beginning."""
    stream = source.events.stream(problems=True)
    next(stream)
    late, _ = source.journal.open(), source.journal.open()
    assert pending(stream) == []
    late.refusal = "bad signature"
    source.journal.close(late)
    source.add()
    assert [event.name for event in pending(stream)] == ["exchange", "run"]


def test_batches_of_problems(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchanges that a stream leaves out do not count for the size of a write."""
    monkeypatch.setattr(module, "BATCH", 2)
    stream = source.events.stream(problems=True)
    next(stream)
    for number in range(5):
        source.journal.open()
        source.add(str(number))
    writes = [[event.data["run_id"] for event in parse(next(stream))] for _ in range(3)]
    assert writes == [["0", "1"], ["2", "3"], ["4"]]


def test_hostile_text(source: Source) -> None:
    """Line breaks, other controls and lone surrogates cannot end an event or add a field."""
    stream = opened(source)
    name = "a\n\nevent: reset\rdata: x\0\u2028\ud800"
    source.add(name)
    (event,) = pending(stream)
    assert (event.name, event.data["run_id"]) == ("run", name)


def test_journal_of_a_dropped_run(source: Source) -> None:
    """A record that the journal no longer keeps is not kept by the events, and not sent."""
    stream = opened(source)
    source.add()
    source.journal.clear()
    gc.collect()
    assert pending(stream) == []


# Lists


def test_lists_come_first(source: Source) -> None:
    """A stream begins with the lists."""
    source.injections.append("status")
    (event,) = parse(next(source.events.stream()))
    assert (event.name, event.data) == ("injections", {"injections": ["status"]})


def test_changed_list(source: Source) -> None:
    """A list is sent when ``lists_changed`` was called and it has changed."""
    stream = opened(source)
    source.injections.append("status")
    source.events.lists_changed()
    assert [event.data for event in pending(stream)] == [{"injections": ["status"]}]


def test_list_that_a_request_changed(source: Source) -> None:
    """A list that changes with a request, such as the hits, is sent with its exchange."""
    stream = opened(source)
    source.injections.append("1 hit")
    source.journal.open()
    assert [event.name for event in pending(stream)] == ["exchange", "injections"]


def test_unchanged_list(source: Source) -> None:
    """A list that has not changed is not sent again."""
    stream = opened(source)
    source.events.lists_changed()
    assert pending(stream) == []


# Reset


def test_reset(source: Source) -> None:
    """After a reset a stream sends ``reset``, and nothing of what was before."""
    stream = opened(source)
    run = source.add()
    source.journal.clear()
    source.events.reset(source.added)
    assert run.state == "received"  # it is not freed yet
    assert [event.name for event in pending(stream)] == ["reset"]


def test_run_after_a_reset(source: Source) -> None:
    """What comes after a reset is sent after it."""
    stream = opened(source)
    source.events.reset(source.added)
    source.add()
    assert [event.name for event in pending(stream)] == ["reset", "run"]


def test_run_after_a_reset_and_a_clock_set_back(source: Source) -> None:
    """What comes after a reset is sent, whatever the clock says."""
    stream = opened(source)
    source.add()
    source.events.reset(source.added)
    source.clock.now -= 3600
    source.add()
    assert [event.name for event in pending(stream)] == ["reset", "run"]


def test_run_that_a_reset_released(source: Source) -> None:
    """A run of the time before a reset, which ends after it, is not sent."""
    run, stream = source.add(), opened(source)
    source.events.reset(source.added)
    source.journal.finish(run, returned(1))
    assert [event.name for event in pending(stream)] == ["reset"]


# Last-Event-ID


def test_beginning_has_an_id(source: Source) -> None:
    """A client that has received no event yet knows where to go on."""
    source.add()
    text = next(source.events.stream())
    assert text.startswith(b"retry: 1000\nid: 1000000-1\n\n")


def test_resume(source: Source) -> None:
    """A client that connects again gets what has changed since its last event."""
    stream = opened(source)
    source.add("a")
    (last,) = pending(stream)
    source.add("b")
    again = opened(source, last.id)
    assert [event.data["run_id"] for event in pending(again)] == ["b"]


def test_resume_without_news(source: Source) -> None:
    """A client that has missed nothing gets nothing twice."""
    stream = opened(source)
    source.add("a")
    (last,) = pending(stream)
    assert pending(opened(source, last.id)) == []


@pytest.mark.parametrize(
    "last",
    [
        "999-0",
        "1000000-5",
        "1000000-x",
        "1000000-",
        "1000000--1",
        "x",
        "-",
        "1000000-٣",
        "9" * 9999,
    ],
)
def test_unknown_id(source: Source, last: str) -> None:
    """With the id of another start, or one that is none, a stream begins with ``reload``."""
    assert names(next(source.events.stream(last)))[0] == "reload"


def test_id_of_reload(source: Source) -> None:
    """``reload`` has the id from which to go on."""
    source.add()
    event, *_ = parse(next(source.events.stream("x")))
    assert event.id == "1000000-1"


def test_old_id(source: Source) -> None:
    """With an id older than what is remembered, a stream begins with ``reload``."""
    for _ in range(REMEMBERED + 2):
        source.journal.open()
    assert names(next(source.events.stream("1000000-1")))[0] == "reload"


def test_oldest_id(source: Source) -> None:
    """With the oldest id of which nothing is missing, a stream goes on."""
    for _ in range(REMEMBERED + 2):
        source.journal.open()
    stream = opened(source, "1000000-2")
    assert [event.data["number"] for event in pending(stream)] == [*range(3, REMEMBERED + 3)]


def test_slow_stream(source: Source) -> None:
    """A stream that falls further behind than what is remembered sends ``reload``, once."""
    stream = opened(source)
    for _ in range(REMEMBERED + 1):
        source.journal.open()
    assert [event.name for event in pending(stream)][:1] == ["reload"]
    assert pending(stream) == []


def test_batches(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent in one write is limited; the next write goes on, in order."""
    monkeypatch.setattr(module, "BATCH", 2)
    stream = opened(source)
    for _ in range(5):
        source.journal.open()
    writes = [[event.data["number"] for event in parse(next(stream))] for _ in range(3)]
    assert writes == [[1, 2], [3, 4], [5]]


# What it costs


def test_described_by_the_stream(source: Source) -> None:
    """A record is described in the thread of a stream, not in that of the task."""
    stream = opened(source)
    thread = threading.Thread(target=source.add)
    thread.start()
    thread.join()
    assert source.described == []
    pending(stream)
    assert source.described == [threading.current_thread()]


def test_described_once(source: Source) -> None:
    """A change is described once for all streams."""
    streams = [opened(source) for _ in range(3)]
    source.add()
    events = [pending(stream) for stream in streams]
    assert (len(source.described), events[0] == events[1] == events[2]) == (1, True)


def test_long_events_are_not_kept(source: Source) -> None:
    """A long event is made again for each stream, so that they take no memory."""
    streams = [opened(source) for _ in range(3)]
    source.add("x" * SHARED)
    for stream in streams:
        pending(stream)
    assert len(source.described) == 3


def test_notes_are_not_made_again(source: Source) -> None:
    """Until a stream takes it, the note of a record is used for its next change."""
    stream = opened(source)
    run = source.add()
    (first,) = source.events._notes.values()
    source.journal.change(run, "running")
    assert (*source.events._notes.values(),) == (first,)
    pending(stream)
    source.journal.finish(run, returned(1))
    assert (*source.events._notes.values(),) != (first,)


def test_change_during_a_description(source: Source) -> None:
    """A run that changes while a stream describes it is sent again."""
    stream = opened(source)
    source.add()
    describe = source._run

    def changing(run: Run) -> Any:
        described = describe(run)
        if len(source.described) == 1:
            source.journal.change(run, "running")
        return described

    source.events._describe_run = changing
    assert [event.data["state"] for event in pending(stream)] == ["received", "running"]


def test_shared_event_is_replaced(source: Source) -> None:
    """Of a run that changes again, every stream gets the new state."""
    first, second = opened(source), opened(source)
    run = source.add()
    pending(first)
    source.journal.change(run, "running")
    assert [event.data["state"] for event in pending(second)] == ["running"]


def test_lists_are_described_once(source: Source) -> None:
    """After a change the lists are described once for all streams."""
    streams = [opened(source) for _ in range(3)]
    source.listed = 0
    source.events.lists_changed()
    for stream in streams:
        pending(stream)
    assert source.listed == 1


def test_pause() -> None:
    """Between a change and its write, a stream waits a tenth of a second for others."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        made.add(f"while waiting {len(pauses)}")

    made = Source(pause=pause)
    stream = opened(made)
    made.add("first")
    data = next(stream)
    assert (names(data), pauses) == (["run", "run"], [INTERVAL])


def test_notes_are_limited(source: Source) -> None:
    """However much changes, a limited number of records is remembered."""
    for _ in range(REMEMBERED + 10):
        source.journal.open()
    assert len(source.events._notes) == REMEMBERED


def test_too_many_streams(source: Source) -> None:
    """Beyond the limit a stream is refused with status 503 and a hint."""
    streams = [source.events.stream() for _ in range(STREAM_LIMIT)]
    with pytest.raises(UnavailableError, match="64 event streams are open; close") as caught:
        source.events.stream()
    assert (caught.value.status, len(streams)) == (503, 64)


@pytest.mark.parametrize("times", [1, 2])
def test_closed_stream_makes_room(source: Source, times: int) -> None:
    """A stream that is closed, even twice, no longer counts, whether it has begun or not."""
    streams = [source.events.stream() for _ in range(STREAM_LIMIT)]
    for _ in range(times):
        streams[0].close()
    assert source.events.open_streams == STREAM_LIMIT - 1


# Waiting and the end


def test_keepalive(source: Source) -> None:
    """Where nothing changes, a comment is sent."""
    assert next(opened(source)) == COMMENT


def waiting(source: Source) -> None:
    """Wait until a stream waits for a change."""
    deadline = time.monotonic() + TIMEOUT
    while not source.events._idle and time.monotonic() < deadline:
        time.sleep(0.001)


def test_waiting_stream_is_woken() -> None:
    """A stream that waits is woken by a change."""
    source = Source(keepalive=TIMEOUT * 2)
    stream = opened(source)
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(next(stream)))
    thread.start()
    waiting(source)
    source.add()
    thread.join(TIMEOUT)
    source.events.stop()
    assert [names(data) for data in found] == [["run"]]


def test_stop_ends_a_waiting_stream() -> None:
    """``stop()`` ends a stream that waits for a change."""
    source = Source(keepalive=TIMEOUT * 2)
    stream = opened(source)
    thread = threading.Thread(target=lambda: list(stream))
    thread.start()
    waiting(source)
    source.events.stop()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_stop_ends_a_stream_that_pauses() -> None:
    """``stop()`` ends a stream that waits for the time of its next write."""
    source = Source(interval=TIMEOUT * 2, pause=None)
    stream = opened(source)
    source.add()
    thread = threading.Thread(target=lambda: list(stream))
    thread.start()
    source.events.stop()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_stream_after_stop(source: Source) -> None:
    """A stream that begins after ``stop()`` ends at once."""
    source.events.stop()
    assert len(list(source.events.stream())) <= 1
