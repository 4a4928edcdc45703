"""What ``ctl`` prints of the control API's JSON: lines that fit the terminal, and escape what a
client or a task has said."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from wove_http_dev.cli.log_lines import Entry, TextLines, columns, cut, time_of_day
from wove_http_dev.cli.streams import wants_color
from wove_http_dev.printable import printable
from wove_http_dev.runs.task_names import short_id

WIDTH = 80
"""Columns of the output where it is no terminal."""
NARROWEST = 60
"""Columns that a table needs; a narrower terminal wraps its lines."""
LONGEST = 10_000
"""Characters of a value that are shown."""
FINISHED = ("succeeded", "failed", "cancelled", "lost")
_STATES = {
    "received": ("received", "36"),
    "held": ("held", "33"),
    "running": ("running", "36"),
    "succeeded": ("ok", "32"),
    "failed": ("FAILED", "1;31"),
    "cancelled": ("cancelled", "33"),
    "lost": ("LOST", "1;31"),
}
"""By state of a run: the word, and its colour (see ``log_lines``)."""
_SEEN_LIMIT = 2000
"""Runs and exchanges of which :class:`Tail` remembers what it has shown."""
Json = dict[str, Any]


class CtlText:
    """Makes lines of at most ``width`` columns which a stream with ``encoding`` can write."""

    def __init__(self, width: int, encoding: str = "utf-8", *, color: bool = False) -> None:
        self.width = width
        self._encoding = encoding
        self._color = color
        self.log = TextLines(encoding=encoding, color=color, width=width)

    @classmethod
    def for_stream(cls, stream: TextIO) -> CtlText:
        """Return the one for ``stream``: with the terminal's width, and with colour if it wants
        that."""
        return cls(
            max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns),
            stream.encoding or "utf-8",
            color=wants_color(stream),
        )

    def shown(self, text: str, keep: str = "") -> str:
        """Return ``text`` escaped, as the stream can write it; of a long one the beginning, and how
        much is left out."""
        left_out = len(text) - LONGEST
        text = printable(text[:LONGEST], keep)
        if left_out > 0:
            text += f"[... {left_out:,} characters left out ...]"
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _painted(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._color and text.strip() else text

    def _state(self, run: Json, width: int = 0) -> str:
        word, style = _STATES.get(run["state"], (self.shown(str(run["state"])), ""))
        return self._painted(word, style) + " " * (width - columns(word))

    # Runs

    def table(self, runs: Sequence[Json]) -> list[str]:
        """Return a line for each run below a heading."""
        names = [self.shown(run["task_id"]) for run in runs]
        room = max(4, min(self.width // 3, max(columns(name) for name in names)))
        head = f"{'RUN':<8}  {'STATE':<9}  {'MS':>8}  {_padded('TASK', room)}  WHAT"
        lines = [self._painted(head, "2")]
        for run, name in zip(runs, names, strict=True):
            seconds = run["seconds"]
            taken = "" if seconds is None else f"{seconds * 1000:.1f}"
            start = f"{_padded(cut(self.shown(short_id(run['run_id'])), 8), 8)}  "
            rest = f"  {taken:>8}  {_padded(cut(name, room), room)}  "
            what = cut(self._what(run), self.width - columns(start) - 9 - columns(rest))
            lines.append(f"{start}{self._state(run, 9)}{rest}{what}".rstrip())
        return lines

    def _what(self, run: Json) -> str:
        """Return arguments and outcome of a run as one line."""
        outcome = run["error"] or run["result"]
        if outcome is not None and run["error_place"]:
            outcome = f"{outcome} ({run['error_place']})"
        notes = [f"[fault: {run['faults_text']}]"] if run["faults"] else []
        notes += ["[stub]"] if run["stubbed"] else []
        words = [run["args"] or "", "" if outcome is None else f"-> {outcome}", *notes]
        return self.shown(" ".join(filter(None, words)))

    def run(self, run: Json) -> Iterator[str]:
        """Yield the lines that show a run in full."""
        yield from self._field("run", run["run_id"])
        yield from self._field("task", run["task_id"])
        times = f", {run['seconds'] * 1000:.1f} ms" if run["seconds"] is not None else ""
        marks = [name for name in ("stubbed", "cancel_requested", "initial_value") if run[name]]
        notes = "".join(f", {name.replace('_', ' ')}" for name in marks)
        yield f"{'state':<11}{self._state(run)}{times}{notes}"
        for name in ("received", "started", "finished", "answered"):
            if run[name] is not None:
                yield from self._field(name, time_of_day(run[name]))
        if run["executions"] != 1:
            yield from self._field("executed", f"{run['executions']} times")
        yield from self._field("held by", ", ".join(run["held_by"]))
        yield from self._field("faults", run["faults_text"])
        yield from self._field("key", run.get("delivery_key"))  # an older serve has none
        yield from self._field("exchange", ", ".join(f"#{number}" for number in run["exchanges"]))
        for leg in run.get("upstream") or ():  # an older serve has none
            yield from self._field("forwarded", leg["text"])
        yield from self._field("arguments", run["args"])
        yield from self._field("result", run["result"])
        yield from self._field("error", run["error"])
        yield from self._field("where", run["error_place"])
        yield from self._block("traceback", run["traceback"])
        yield from self._block("body is here now", run.get("stack"))
        yield from self._block("output", run["output"])

    def _field(self, name: str, value: str | None) -> Iterator[str]:
        if not value:
            return
        room = max(20, self.width - 11)
        lines = textwrap.wrap(self.shown(value), room, break_on_hyphens=False) or [""]
        yield f"{name:<11}{lines[0]}"
        for line in lines[1:]:
            yield f"{'':<11}{line}"

    def _block(self, name: str, value: str | None) -> Iterator[str]:
        """Yield a text of several lines, which are not broken, so that they can be copied."""
        if value:
            yield ""
            yield self._painted(f"{name}:", "2")
            for line in value.rstrip("\n").split("\n"):
                yield f"  {self.shown(line.rstrip(), keep=chr(9))}"

    # What is in force

    def status(
        self, worker: Json, injections: Sequence[Json], holds: Sequence[Json], stubs: Sequence[Json]
    ) -> Iterator[str]:
        """Yield the lines that show where a worker is, and what is in force."""
        yield from self._field("worker", worker["url"])
        yield from self._field("page", worker["page_url"])
        yield from self._field("serving", f"environment {worker['environment']!r}")
        yield from self._field("runner", worker.get("runner"))  # an older serve has none
        lines = [
            *(self.injection(each) for each in injections),
            *(self.hold(each) for each in holds if not each["released"]),
            *(self.stub(each) for each in stubs),
        ]
        yield from lines or ["no fault, hold or stub is in force"]

    def injection(self, made: Json) -> str:
        """Return the line of an injection."""
        words = [
            f"{name}={made[name]}"
            for name, usual in (
                ("task", None),
                ("command", None),
                ("times", None),
                ("after", 0),
                ("probability", 1.0),
                ("seed", None),
            )
            if made[name] != usual
        ]
        state = "" if made["active"] else ", no longer in force"
        hits = "1 hit" if made["hits"] == 1 else f"{made['hits']} hits"
        text = f"injection {made['id']}: {' '.join([made['fault'], *words])} ({hits}{state})"
        return cut(self.shown(text), self.width)

    def hold(self, made: Json) -> str:
        """Return the line of a hold."""
        what = "all tasks" if made["task"] is None else repr(made["task"])
        state = "released" if made["released"] else "holding"
        return cut(
            self.shown(f"hold {made['id']}: {state} {what} ({made['arrived']} arrived)"), self.width
        )

    def stub(self, made: Json) -> str:
        """Return the line of a stub."""
        if made.get("error"):
            answer = f"raises {made['error']['type']}: {made['error']['message']}"
        else:
            answer = f"returns {json.dumps(made.get('result'))}"
        return cut(self.shown(f"stub {made['id']}: {made['task']!r} {answer}"), self.width)


class Tail:
    """Makes lines of a stream's events: when a run starts, is held, and ends; refusals, and
    connections that never became a request."""

    def __init__(self, text: CtlText) -> None:
        self._text = text
        self._shown: OrderedDict[object, str] = OrderedDict()
        """By run or exchange, what was shown of it last."""

    def lines(self, name: str, data: Any) -> Iterable[str]:
        """Return the lines for an event; none for one that a person need not see."""
        if name == "run":
            return self._entry(data["run_id"], _run_entry(data))
        if name == "exchange":
            return self._entry(data["number"], _exchange_entry(data))
        if name in ("reset", "reload"):
            self._shown.clear()
        return ["the journal was emptied"] if name == "reset" else []

    def _entry(self, key: object, entry: Entry | None) -> Iterable[str]:
        """Return the line of ``entry``, unless the last one of its run or exchange said the
        same."""
        if entry is None or self._shown.get(key) == entry["event"]:
            return []
        self._shown[key] = entry["event"]
        self._shown.move_to_end(key)
        if len(self._shown) > _SEEN_LIMIT:
            self._shown.popitem(last=False)
        return [self._text.log.line(entry)]


def _run_entry(run: Json) -> Entry | None:
    names = (
        "run_id",
        "task_id",
        "args",
        "result",
        "error",
        "error_place",
        "faults",
        "drawn",
        "stubbed",
    )
    entry = {name: run[name] for name in names}
    if run["initial_value"] and run["state"] in ("received", "held", "running", "succeeded"):
        return None
    if run["state"] in FINISHED:
        ended = {"time": run["finished"], "state": run["state"], "seconds": run["seconds"]}
        return {**entry, **ended, "event": "run-ended"}
    if run["state"] == "held":
        return {**entry, "time": run["received"], "event": "run-held", "held_by": run["held_by"]}
    if run["state"] == "running":
        return {**entry, "time": run["started"], "event": "run-started"}
    return None


def _exchange_entry(exchange: Json) -> Entry | None:
    """Return the entry of an exchange that has ended, if the lines of its run do not say it all."""
    if exchange["seconds"] is None:
        return None
    if exchange["internal_error"]:
        event = "worker-failed"
    elif exchange["kind"] == "connection":
        event = "no-request"
    elif exchange["refusal"]:
        event = "refused"
    else:
        return None
    names = (
        *("number", "run_id", "task_id", "method", "target"),
        *("status", "events", "faults", "drawn", "hint"),
    )
    return {
        **{name: exchange[name] for name in names},
        "time": exchange["received"] + exchange["seconds"],
        "event": event,
        "seconds": exchange["seconds"],
        "reason": exchange["refusal"] or exchange["error"],
    }


def _padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))
