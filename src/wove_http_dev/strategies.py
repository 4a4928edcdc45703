"""Hypothesis strategies for faults and schedules of faults (the extra ``hypothesis``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wove_http_dev.argument_checks import check_count
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS, Fault, Worker
from wove_http_dev.faults.text import expand_marker_words, parse_fault, without
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.runs.task_names import check_matching
from wove_http_dev.schedule import Entry, Schedule

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ModuleNotFoundError as exc:
    if exc.name != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "wove_http_dev.strategies needs Hypothesis: pip install 'hypothesis>=6.82'",
        name="hypothesis",
    ) from None

__all__ = ["faults", "schedules"]

USUAL = Worker(tls=True, security="signed", host="localhost", isolated=False)
"""The worker to which the faults of a family, or ``"all"``, must be able to apply."""
NARROW = 1000
"""Whole numbers are drawn if the bounds of their field are at most this far apart."""
LONGEST = 1.0
"""Seconds that are drawn at most for a time whose default is ``None``."""
AFTER = 3
TIMES = 3
"""The largest ``after`` and ``times`` that are drawn."""


def faults(*words: str | Fault, exclude: Iterable[str | Fault] = ()) -> SearchStrategy[Fault]:
    """Return a strategy that draws one fault.

    ``words`` are those of the marker ``wove_http_faults``: ``"all"``, families, names, a fault with
    fields (drawn with these fields) or an instance (drawn as it is). ``"all"`` and families leave
    out what cannot apply to a worker with the default options. Of a family or a name the fields are
    drawn as well: a time up to its default (1 s where that is ``None``), a status from the hundred
    of its default on; sizes and texts keep their default. It shrinks to the defaults of the fields.
    Raises :class:`UsageError` for a word that is no fault.
    """
    chosen = _chosen(words, exclude)
    for choice in chosen:
        if choice.given:
            word = next(iter(choice.given))
            raise UsageError(f"faults() cannot use {word}= of {choice.fault}: draw schedules()")
    return st.one_of([choice.drawn for choice in chosen])


def schedules(
    *words: str | Fault,
    tasks: Sequence[str] = (),
    most: int = 3,
    exclude: Iterable[str | Fault] = (),
) -> SearchStrategy[Schedule]:
    """Return a strategy that draws a :class:`Schedule` of at most ``most`` injections.

    Each has a fault of :func:`faults`, hits every task or one of ``tasks`` (names or globs), lets
    ``after`` requests (0 to 3) through first, and then hits every request or ``times`` of them (1
    to 3); a selection that a word has (``"status times=1"``) stays. It shrinks to the fewest
    injections, and each to the defaults of its fields and the fewest words: one that hits every
    request, if that fails as well. Raises :class:`UsageError` as :func:`faults` does, and for
    ``tasks`` that are not names.
    """
    if isinstance(tasks, str):
        raise UsageError(f"tasks takes a list of names: tasks=[{tasks!r}]")
    for task in tasks:
        check_matching(task, False)
    check_count("most", most, "injections", least=0)
    entries = [_entry(choice, tasks) for choice in _chosen(words, exclude)]
    return _schedule(st.lists(st.one_of(entries), max_size=most))


@st.composite
def _schedule(draw: st.DrawFn, entries: SearchStrategy[list[Entry]]) -> Schedule:
    """Draw a schedule. Hypothesis shows what a ``map()`` returns as the call of its function, which
    is not the ``repr`` that a person can paste."""
    return Schedule(draw(entries))


@dataclass(frozen=True)
class _Choice:
    """One of the faults to draw from."""

    fault: Fault
    vary: bool
    """Whether its fields are drawn; else the fault is drawn as it is."""
    given: Mapping[str, Any]
    """The selection that its text has."""

    @property
    def drawn(self) -> SearchStrategy[Fault]:
        kind = type(self.fault)
        values = {name: _values(each) for name, each in fields_of(kind).items()}
        varied = {name: drawn for name, drawn in values.items() if drawn is not None}
        return st.builds(kind, **varied) if self.vary and varied else st.just(self.fault)


def _chosen(words: Iterable[Any], exclude: Iterable[Any]) -> list[_Choice]:
    words = list(words)
    chosen = []
    out = [exclude] if isinstance(exclude, str) else exclude
    for word in without(expand_marker_words(words), out):
        fault, given = _read(word)
        if word in FAULTS and word not in words and fault.cannot_apply(USUAL) is not None:
            continue
        chosen.append(_Choice(fault, word in FAULTS, given))
    if not chosen:
        raise UsageError("no fault is left to draw: exclude= or the default options rule all out")
    return chosen


def _read(word: str | Fault) -> tuple[Fault, dict[str, Any]]:
    return (word, {}) if isinstance(word, Fault) else parse_fault(word)


def _values(each: TypedField) -> SearchStrategy[Any] | None:
    """Return a strategy for the values of a field, the default first; ``None`` if only the default
    is to be drawn."""
    others: SearchStrategy[Any]
    if each.each_wait:  # a body of many pieces would take as many times as long
        return None
    if each.choices or bool in each.kinds:
        others = st.sampled_from(each.choices or (False, True))
    elif float in each.kinds and each.unit == "seconds":
        most = min(each.most, LONGEST if each.default is None else float(each.default))
        others = st.integers(1, max(1, round(most * 100))).map(lambda hundredths: hundredths / 100)
    elif int in each.kinds and each.most - each.least <= NARROW:
        # A status of 2xx in place of an error would be an answer without frames: a stall.
        least = max(int(each.least), each.default // 100 * 100)
        others = st.integers(least, int(each.most))
    else:
        return None
    return st.one_of(st.just(each.default), others)


def _entry(choice: _Choice, tasks: Sequence[str]) -> SearchStrategy[Entry]:
    fault = choice.fault
    if fault.listener:  # nothing selects requests for it
        return choice.drawn
    task = st.none() if fault.stage == "connection" else st.sampled_from([None, *tasks])
    selection = {
        "task": task,
        "after": st.integers(0, AFTER),
        "times": st.one_of(st.integers(1, TIMES), st.none()),
    }
    drawn = {word: values for word, values in selection.items() if word not in choice.given}
    given = {word: st.just(value) for word, value in choice.given.items()}
    return st.tuples(choice.drawn, st.fixed_dictionaries({**drawn, **given}))
