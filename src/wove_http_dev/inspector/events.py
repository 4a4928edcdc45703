"""Server-sent events (WHATWG HTML, "Server-sent events") about the runs and exchanges of a journal,
and about the injections, holds and stubs of its worker.

A thread that changes the journal only notes what has changed; the JSON is made by the threads of
the streams. What is noted is shared by all streams: a stream has nothing but the number of the
last change that it has sent, so a reader that reads nothing costs no memory here.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Any

from wove_http_dev.errors import UnavailableError
from wove_http_dev.inspector.shapes import is_problem
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run

INTERVAL = 0.1
"""Seconds from a change until it is sent, with all others of that time."""
KEEPALIVE = 15.0
"""Seconds without a change after which a comment is sent, which finds a client that has ended."""
STREAM_LIMIT = 64
REMEMBERED = 2000
"""Changed records that are remembered; a stream that is further behind gets ``reload``."""
BATCH = 200
"""Records that are sent in one write."""
SHARED = 4096
"""Bytes up to which the event of a change is kept for the other streams."""
RETRY = 1000
"""Milliseconds after which a browser connects again."""


class Events(JournalObserver):
    """Notes the changes of a journal that it observes, and makes streams of them. Thread-safe.

    ``run`` and ``exchange`` describe a record as plain JSON values; each of ``lists``, by the name
    of its event, describes everything of a kind. They are called in the threads of streams.
    ``pause`` waits for ``interval`` seconds, before each write of a stream.
    """

    def __init__(
        self,
        *,
        run: Callable[[Run], Any],
        exchange: Callable[[Exchange], Any],
        lists: Mapping[str, Callable[[], Any]],
        interval: float = INTERVAL,
        keepalive: float = KEEPALIVE,
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._describe_run = run
        self._describe_exchange = exchange
        self._lists = dict(lists)
        self._interval = interval
        self._keepalive = keepalive
        self._stopped = threading.Event()
        self._pause = pause if pause is not None else self._stopped.wait
        self._epoch = str(int(clock() * 1000))
        self._lock = threading.Lock()  # entered by itself: through the condition takes longer
        self._changed = threading.Condition(self._lock)
        self._number = 0
        self._notes: OrderedDict[object, _Note] = OrderedDict()
        """The newest change of each record, by its ``id()``, in the order of the changes."""
        self._forgotten = 0
        """The number of the newest change that is not among the notes."""
        self._taken = 0
        """The number of the last change when a stream took notes last: those do not change any
        more."""
        self._reset_at = 0
        """The number of the newest exchange before the last reset."""
        self._idle = 0
        self._list_data: tuple[int, dict[str, bytes]] = (-1, {})
        """The lists as JSON, and the number of the last change before they were described."""
        self._streams: set[EventStream] = set()

    # What changes

    def exchange_opened(self, exchange: Exchange) -> None:
        """Note the exchange."""
        self._note(exchange)

    def exchange_updated(self, exchange: Exchange) -> None:
        """Note the exchange."""
        self._note(exchange)

    def exchange_closed(self, exchange: Exchange) -> None:
        """Note the exchange."""
        self._note(exchange)

    def run_added(self, run: Run) -> None:
        """Note the run."""
        self._note(run)

    def run_changed(self, run: Run) -> None:
        """Note the run."""
        self._note(run)

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        """Note the run."""
        self._note(run)

    def run_lost(self, run: Run) -> None:
        """Note the run."""
        self._note(run)

    def lists_changed(self) -> None:
        """Let the streams compare the lists with what they have sent. After a change of the journal
        they do that without this call."""
        with self._changed:
            self._count()

    def reset(self, newest: int) -> None:
        """Send ``reset``, and nothing about the exchanges up to the number ``newest``, and their
        runs. To be called after the journal was emptied."""
        with self._changed:
            self._reset_at = newest
            self._notes.clear()
            self._notes["reset"] = _Note(None, self._count())

    def _note(self, record: Run | Exchange) -> None:
        # Weak, because only the journal keeps records: it is limited. A new record that gets the
        # id() of one that was freed takes the place of its note, which nobody can use.
        reference = weakref.ref(record)
        with self._lock:
            note = self._notes.pop(id(record), None)
            if note is None or note.number <= self._taken or note.reference is not reference:
                note = _Note(reference)
            note.number = self._count()
            self._notes[id(record)] = note
            if len(self._notes) > REMEMBERED:
                self._forgotten = self._notes.popitem(last=False)[1].number

    def _count(self) -> int:
        """Count a change, and wake the streams that wait for one. The caller has the lock."""
        self._number += 1
        if self._idle:
            self._changed.notify_all()
        return self._number

    # Streams

    def stream(self, last_event_id: str | None = None, *, problems: bool = False) -> EventStream:
        """Return a new stream, which begins after the event ``last_event_id``; without one, now.
        With ``problems`` it has only those exchanges that were refused or failed.

        Raises :class:`UnavailableError` if :data:`STREAM_LIMIT` streams are open.
        """
        with self._lock:
            if len(self._streams) >= STREAM_LIMIT:
                raise UnavailableError(
                    f"{STREAM_LIMIT} event streams are open; close pages that show this worker",
                    retry_after=KEEPALIVE,
                )
            position = self._position(last_event_id) if last_event_id else self._number
            stream = EventStream(self, position, problems)
            self._streams.add(stream)
            return stream

    def stop(self) -> None:
        """End every stream, also those that wait, and those that begin later."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    @property
    def open_streams(self) -> int:
        """The number of streams that are not closed."""
        with self._changed:
            return len(self._streams)

    def _position(self, last_event_id: str) -> int | None:
        """The number in ``last_event_id``; ``None`` if it is unknown what has changed since."""
        epoch, _, text = last_event_id.partition("-")
        if epoch != self._epoch or not (text.isascii() and text.isdigit() and len(text) < 20):
            return None
        number = int(text)
        return number if self._forgotten <= number <= self._number else None

    def _remove(self, stream: EventStream) -> None:
        with self._changed:
            self._streams.discard(stream)

    def _wait(self, position: int) -> bool:
        """Block until there is a change after ``position`` or the streams have to end, at most for
        the time after which a comment is due; return whether there is a change."""
        with self._changed:
            self._idle += 1
            try:
                return self._changed.wait_for(
                    lambda: self._number > position or self._stopped.is_set(), self._keepalive
                )
            finally:
                self._idle -= 1

    def _after(self, position: int, problems: bool) -> tuple[list[_Note], int] | None:
        """The oldest notes after ``position``, with ``problems`` without those of other exchanges,
        and the number of the last change that they cover; ``None`` if older ones were forgotten."""
        with self._changed:
            if position < self._forgotten:
                return None
            self._taken = newest = self._number
            notes = reversed(self._notes.values())
            found = list(takewhile(lambda note: note.number > position, notes))[::-1]
        if problems:
            found = [note for note in found if not note.of_plain_exchange()]
        if len(found) > BATCH:
            return found[:BATCH], found[BATCH - 1].number
        return found, newest

    def _block(self, note: _Note) -> bytes:
        """The event for ``note``; empty if its record is no longer there."""
        if note.reference is None:
            return self._event("reset", {}, note.number)
        record = note.reference()
        if record is None or self._of_before(record):
            return b""
        if note.block is not None:
            return note.block
        if isinstance(record, Run):
            block = self._event("run", self._describe_run(record), note.number)
        else:
            block = self._event("exchange", self._describe_exchange(record), note.number)
        if len(block) <= SHARED:
            note.block = block
        return block

    def _of_before(self, record: Run | Exchange) -> bool:
        """Whether ``record`` is from before the last reset."""
        number = record.exchange_number if isinstance(record, Run) else record.number
        return number is not None and number <= self._reset_at

    def _described_lists(self) -> dict[str, bytes]:
        """Each list as JSON. Described once for all streams, until something changes again."""
        number = self._number  # before they are described: they may change meanwhile
        if self._list_data[0] != number:
            described = {name: json.dumps(each()).encode() for name, each in self._lists.items()}
            self._list_data = (number, described)
        return self._list_data[1]

    def _id_line(self, number: int) -> bytes:
        return f"id: {self._epoch}-{number}\n".encode("ascii")

    def _event(self, name: str, value: Any, number: int) -> bytes:
        # JSON as ASCII has no line break, and writes lone surrogates, which UTF-8 cannot, escaped.
        return self._id_line(number) + f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


class _Note:
    """That a record has changed, or, without ``reference``, that all were removed."""

    __slots__ = ("block", "number", "reference")

    def __init__(self, reference: weakref.ref[Run | Exchange] | None, number: int = 0) -> None:
        self.number = number
        self.reference = reference
        self.block: bytes | None = None
        """The event, once a stream has made it."""

    def of_plain_exchange(self) -> bool:
        """Whether it is of an exchange that was not refused and has not failed."""
        record = self.reference() if self.reference is not None else None
        return isinstance(record, Exchange) and not is_problem(record)


class EventStream:
    """The body of a response of type ``text/event-stream``, for one client: an iterator that blocks
    until there is something to write. A WSGI server calls :meth:`close`."""

    def __init__(self, events: Events, position: int | None, problems: bool) -> None:
        self._events = events
        self._position = position
        self._problems = problems
        self._begun = False
        self._sent: dict[str, bytes] = {}
        """The data of each list as this stream has sent it."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return self._beginning()
        events = self._events
        while not events._stopped.is_set():
            assert self._position is not None
            if not events._wait(self._position):
                return b":\n\n"
            events._pause(events._interval)
            data = self._news()
            if data:
                return data
        raise StopIteration

    def close(self) -> None:
        """Make room for another stream."""
        self._events._remove(self)

    def _beginning(self) -> bytes:
        """What the client needs before it reads the lists of runs and exchanges: the position for
        its next connection, and each list that is sent whole."""
        head = f"retry: {RETRY}\n".encode("ascii")
        if self._position is None:
            return head + self._reload()
        return head + self._events._id_line(self._position) + b"\n" + self._changed_lists()

    def _news(self) -> bytes:
        assert self._position is not None
        found = self._events._after(self._position, self._problems)
        if found is None:
            return self._reload()
        notes, self._position = found
        return b"".join(map(self._events._block, notes)) + self._changed_lists()

    def _reload(self) -> bytes:
        """The event after which the client reads everything again."""
        self._position = self._events._number
        event = self._events._event("reload", {}, self._position)
        return event + self._changed_lists()

    def _changed_lists(self) -> bytes:
        assert self._position is not None
        blocks = []
        for name, data in self._events._described_lists().items():
            if self._sent.get(name) != data:
                self._sent[name] = data
                head = f"event: {name}\ndata: ".encode("ascii")
                blocks.append(self._events._id_line(self._position) + head + data + b"\n\n")
        return b"".join(blocks)
