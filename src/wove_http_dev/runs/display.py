"""Arguments and results as text of limited length, made on the task's thread from the objects that
the task has anyway, so that nothing is unpickled to be shown.

``reprlib`` limits each container by itself: 20 items on 6 levels are 64 million. Here the whole
text is limited, and what does not fit is not made. The exception is the ``repr`` of a class that
has a ``__repr__`` of its own, which is made whole and then cut.
"""

from __future__ import annotations

import collections
import contextvars
import dataclasses
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from wove_http_dev.cut_text import cut_end
from wove_http_dev.printable import printable
from wove_http_dev.runs.capture import Capture, capturing_context

if TYPE_CHECKING:  # a process for bodies, which needs neither, starts in two thirds of the time
    from wove_http_dev.runs.journal import Journal
    from wove_http_dev.runs.records import Run

TEXT_LIMIT = 2000
"""Characters of a text."""
_NAME_LIMIT = 50
"""Characters of an argument's name."""
_LEAST_SHARE = 100
"""Characters of an argument, with its name, however many there are. Those without room are
counted."""
_SLACK = 4096
"""Characters after a limit that are searched for secrets, one of which may begin before it."""
_STRING_LIMIT = 400
"""Characters of a text, or bytes, inside a container."""
_NOTE = len("… (10,000,000,000 characters)")
"""Room for the length of a text that is cut."""
_ITEMS = 50
"""Items of a container."""
_LEVELS = 6
"""Containers inside one another."""
_INT_BITS = 4000
"""Bits of a number that is shown in full: Python refuses to print one of more than 4300 digits."""

Clean = Callable[[str, int], str]
"""Returns at most so many characters of a text, without the secrets in it."""


def value_text(value: Any, clean: Clean = cut_end, limit: int = TEXT_LIMIT) -> str:
    """Return as much of ``repr(value)`` as fits into ``limit`` characters, escaped except for line
    breaks and tabs, which tables and arrays have. ``clean`` removes secrets. Never raises."""
    pieces: list[str] = []
    left = limit
    try:
        for piece in _pieces(value, clean, 0, limit - _NOTE):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                break
    except BaseException as exc:  # another thread changes the value, or its class is hostile
        pieces.append(f"<{type(exc).__name__} in the repr>")
    return cut_end(printable(clean("".join(pieces), limit), keep="\n\t"), limit)


def arguments_text(arguments: Mapping[str, Any], clean: Clean = cut_end) -> str:
    """Return ``arguments`` as they stand in a call: ``n=3, name='x'``. A long argument is cut, so
    that the next ones can be seen. Never raises."""
    parts: list[str] = []
    left, waiting = TEXT_LIMIT - len("… 1,000,000 more"), len(arguments)
    for name, value in arguments.items():
        if left < _LEAST_SHARE:
            parts.append(f"… {waiting:,} more")
            break
        share = max(left // waiting, _LEAST_SHARE) - len(", ")
        start = f"{cut_end(printable(clean(name, _NAME_LIMIT)), _NAME_LIMIT)}="
        parts.append(start + value_text(value, clean, share - len(start)))
        left -= len(parts[-1]) + len(", ")
        waiting -= 1
    return cut_end(", ".join(parts), TEXT_LIMIT)


class RunDisplay:
    """Makes the texts of a run, while its body runs, and keeps what the body writes."""

    def __init__(self, run: Run, journal: Journal) -> None:
        self._run = run
        self._journal = journal

    def context(self) -> contextvars.Context:
        """Return a new context for the body."""
        return capturing_context(self._capture())

    def _capture(self) -> Capture:
        if self._run._capture is None:  # a fault may run the body again
            self._run._capture = Capture(self._journal.redaction.redact)
        return self._run._capture

    def body_ended(self) -> None:
        """Write the parts of lines that the body has written, before the log says that it has
        ended; count what it has written, if its run was answered before."""
        if self._run._capture is not None:
            self._run._capture.end()
        if self._run._has_reached("finished"):
            self._journal.update_run(self._run)

    def show_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Set the text of the arguments, before the body can change them."""
        self._run.args_text = arguments_text(arguments, self._journal.redaction.clean)
        self._journal.announce_run(self._run)

    def result(self, value: Any) -> str:
        """Return the text of the result."""
        return value_text(value, self._journal.redaction.clean)

    # For a body in another process, where its texts were made without redaction

    def show_arguments_text(self, text: str) -> None:
        """Set the text of the arguments."""
        self._run.args_text = self._journal.redaction.redact_cut(text)
        self._journal.announce_run(self._run)

    def result_text(self, text: str | None) -> str | None:
        """Return the text of the result ``text`` without secrets."""
        return None if text is None else self._journal.redaction.redact_cut(text)

    def logged(self, data: bytes) -> None:
        """Keep a log record that was not written to a stream."""
        self._capture().write(data)

    def left_out(self, characters: int) -> None:
        """Count ``characters`` that the body has written and that were dropped there."""
        self._capture().leave_out(characters)


def _pieces(value: Any, clean: Clean, level: int, longest: int = _STRING_LIMIT) -> Iterator[str]:
    """Return the ``repr`` of ``value``, which is inside ``level`` containers, in pieces; of a text,
    only the first ``longest`` characters. Of a container, the methods of the builtin type
    are called: those of a subclass can do anything."""
    kind = type(value)
    base = _BY_REPR.get(kind.__repr__)
    if base is int:
        return iter([_number(value)])
    if base in (str, bytes, bytearray):
        return iter([_string(value, base, clean, longest)])
    if base is not None:
        return _container(value, base, clean, level)
    names = _field_names(kind)
    if names is not None:
        items = (
            chain([f"{name}="], _pieces(getattr(value, name), clean, level + 1)) for name in names
        )
        return _enclosed(f"{kind.__qualname__}(", ")", items, len(names), level)
    return iter([_own_repr(value)])


def _number(value: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _INT_BITS else f"<int of {bits:,} bits>"


def _string(value: Any, base: Any, clean: Clean, limit: int) -> str:
    length = base.__len__(value)
    if length <= limit:
        return str(base.__repr__(value))
    # Cleaned before it is cut: otherwise the beginning of a secret would stay.
    beginning = repr(base(base.__getitem__(value, slice(limit + _SLACK))))
    unit = "characters" if base is str else "bytes"
    return f"{clean(beginning, limit)} ({length:,} {unit})"


def _own_repr(value: Any) -> str:
    try:
        return repr(value)
    except BaseException as exc:  # a user's __repr__ may raise anything, SystemExit too
        return f"<{type(value).__qualname__} whose __repr__ raised {type(exc).__name__}>"


def _container(value: Any, base: Any, clean: Clean, level: int) -> Iterator[str]:
    items: Iterator[Iterator[str]]
    if base is dict:
        items = (
            chain(_pieces(key, clean, level + 1), [": "], _pieces(each, clean, level + 1))
            for key, each in dict.items(value)
        )
    else:
        items = (_pieces(each, clean, level + 1) for each in base.__iter__(value))
    length = base.__len__(value)
    return _enclosed(*_brackets(type(value), base, length), items, length, level)


def _brackets(kind: type, base: Any, length: int) -> tuple[str, str]:
    opening, closing = _BRACKETS[base]
    if base is tuple and length == 1:
        return "(", ",)"
    if base in (set, frozenset):
        if not length:
            return f"{kind.__qualname__}(", ")"
        named = kind is not set
    else:
        named = base is collections.deque or kind.__repr__ is not base.__repr__
    return (f"{kind.__qualname__}({opening}", f"{closing})") if named else (opening, closing)


def _enclosed(
    opening: str, closing: str, items: Iterable[Iterator[str]], length: int, level: int
) -> Iterator[str]:
    yield opening
    if length and level >= _LEVELS:
        yield "…"
    else:
        for number, item in enumerate(islice(items, _ITEMS)):
            yield ", " if number else ""
            yield from item
        if length > _ITEMS:
            yield f", … {length - _ITEMS:,} more"
    yield closing


def _field_names(kind: type) -> list[str] | None:
    """Return the names that the ``repr`` of a dataclass or a named tuple shows; ``None`` for
    another class, and for one with a ``__repr__`` of its own."""
    file = getattr(getattr(kind.__repr__, "__code__", None), "co_filename", None)
    if file in _DATACLASS_FILES and dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.repr]
    if file == collections.__file__ and issubclass(kind, tuple):
        return list(getattr(kind, "_fields", ()))
    return None


# The decorator that makes the ``__repr__`` of a dataclass is in the second from Python 3.13 on.
_DATACLASS_FILES = (dataclasses.__file__, reprlib.__file__)
_BRACKETS: dict[Any, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    dict: ("{", "}"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    collections.deque: ("[", "]"),
}
_BY_REPR: dict[Any, Any] = {
    **{kind.__repr__: kind for kind in (int, str, bytes, bytearray, *_BRACKETS)},
    collections.defaultdict.__repr__: dict,
    collections.OrderedDict.__repr__: dict,
    collections.Counter.__repr__: dict,
}
