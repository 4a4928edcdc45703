"""Parses faults written as text: ``NAME field=value … task=… times=…``, split like shell words.

``inject("…")``, the markers and ``--fault`` take the same text.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.distributions import takes_distribution
from wove_http_dev.faults.fault import STAGES, Fault
from wove_http_dev.faults.selector import Selector
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.spelling import did_you_mean

LONGEST_TEXT = 10_000
"""Characters that the text of a fault may have."""
_SEE = "see wove-http-dev faults"
_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


def parse_fault(
    text: str, table: Mapping[str, type[Fault]] = FAULTS, given: Mapping[str, Any] = _NO_FIELDS
) -> tuple[Fault, dict[str, Any]]:
    """Return the fault that ``text`` names, and the selector's fields (``task``, ``times``, …) in
    it. ``given`` has further fields of the fault, as values instead of text. Raises
    :class:`UsageError` with advice."""
    name, *settings = _shell_words(text)
    kind = named_fault(name, table)
    settings = list(_joined_distributions(settings, kind))
    values: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    for word in settings:
        key, equals, raw = word.partition("=")
        key = key.replace("-", "_")
        if not equals:
            raise UsageError(f"fault {name}: {word!r} is not field=value; {_example(kind, word)}")
        if key in values or key in selection:
            raise UsageError(f"fault {name}: {key}= is given twice")
        if key in fields_of(kind):
            values[key] = fields_of(kind)[key].parse(raw, f"fault {name}")
        elif key in fields_of(Selector):
            selection[key] = fields_of(Selector)[key].parse(raw, f"fault {name}")
        else:
            raise _no_field(name, kind, key)
    for key, value in given.items():
        if key not in fields_of(kind):
            raise _no_field(name, kind, key)
        if key in values:
            raise UsageError(f"fault {name}: {key}= is given twice")
        values[key] = _as_distribution(value, fields_of(kind)[key], f"fault {name}")
    for key, each in fields_of(kind).items():
        if each.required and key not in values:
            raise UsageError(f"fault {name} needs {key}=, {each.accepts}")
    return kind(**values), selection


def _as_distribution(value: Any, field: TypedField, owner: str) -> Any:
    """Return the distribution that ``value`` writes, ``delay="0.1..0.5"``, or else ``value``."""
    is_text = isinstance(value, str) and any(each in value for each in ("..", "("))
    return field.parse(value, owner) if is_text and takes_distribution(field) else value


def _joined_distributions(words: Iterable[str], kind: type[Fault]) -> Iterator[str]:
    """Yield ``words``, those of a distribution that is written with blanks as one:
    ``delay=normal(mean=1, sd=2)``."""
    begun = ""
    for word in words:
        field = fields_of(kind).get(word.partition("=")[0].replace("-", "_"))
        if begun:
            begun += word
        elif field is not None and takes_distribution(field) and "(" in word:
            begun = word
        else:
            yield word
        if begun.endswith(")"):
            yield begun
            begun = ""
    if begun:
        yield begun


def _example(kind: type[Fault], word: str) -> str:
    """Return how ``word``, which has no ``=``, is to be written: after a field, or as one."""
    names = list(fields_of(kind))
    if word.replace("-", "_") in (*names, *fields_of(Selector)):
        return f"write {word}=…, without blanks"
    fields = f"its fields are {', '.join(names)}" if names else "it has no fields of its own"
    return f"{fields}; those of every fault are {', '.join(fields_of(Selector))}"


def _no_field(name: str, kind: type[Fault], key: str) -> UsageError:
    known = sorted([*fields_of(kind), *fields_of(Selector)])
    return UsageError(f"fault {name} has no field {key!r}; {did_you_mean(key, known)}")


def named_fault(name: str, table: Mapping[str, type[Fault]] = FAULTS) -> type[Fault]:
    """Return the fault class called ``name``. Raises :class:`UsageError` that suggests the nearest
    name."""
    kind = table.get(name)
    if kind is None:
        raise UsageError(f"unknown fault {name!r}; {_instead_of(name, table)}")
    return kind


def _instead_of(name: str, table: Mapping[str, type[Fault]]) -> str:
    if name in STAGES:
        return f"that is a family; wove-http-dev faults {name} lists its faults"
    if name == "all":
        return "name one; all of them are tried with pytest --wove-http-faults=all"
    return did_you_mean(name, table, _SEE)


def read_injection(
    faults: Iterable[Fault | str], words: Mapping[str, Any], fields: Mapping[str, Any] = _NO_FIELDS
) -> tuple[tuple[Fault, ...], Selector]:
    """Return fault instances for ``faults`` (instances, or text), and the selector that says which
    requests they hit.

    The selector has the keywords ``words`` of ``inject()`` and those written in a text (``task=``,
    ``times=``, …); a keyword with its default value counts as not given. ``fields`` sets fields of
    the fault, if ``faults`` is one fault in text. Raises :class:`UsageError` for a text that is
    not a fault, for a keyword given twice with different values, and for other uses of ``fields``.
    """
    faults = list(faults)
    if fields and not (len(faults) == 1 and isinstance(faults[0], str)):
        advice = "a fault's field goes with one fault that is given by name"
        word = next(iter(fields))
        advice = did_you_mean(word, fields_of(Selector), advice)
        raise UsageError(f"inject() cannot use {word}=; {advice}")
    instances: list[Fault] = []
    selection: dict[str, Any] = {}
    for fault in faults:
        if isinstance(fault, str):
            fault, given = parse_fault(fault, given=fields)
            _merge(selection, given)
        if not isinstance(fault, Fault):
            raise UsageError(
                f"a fault is an instance or a string, not {fault!r}"
                f"{_called(fault) or _named(instances)}"
            )
        instances.append(fault)
    _merge(selection, Selector(**words).given)
    return tuple(instances), Selector(**selection)


def _called(value: Any) -> str:
    is_class = isinstance(value, type) and issubclass(value, Fault)
    return f"; did you mean {value.__name__}()?" if is_class else ""


def _named(before: list[Fault]) -> str:
    """Return what to do about a value that follows a fault and was perhaps meant as its field."""
    names = list(fields_of(type(before[-1]))) if before else []
    return f"; name a field: inject({before[-1].name!r}, {names[0]}=…)" if names else ""


def expand_marker_words(words: Iterable[Any]) -> list[str | Fault]:
    """Return the faults that a marker's ``words`` stand for: ``all``, families (stages), names,
    faults with fields (``"status code=500"``), instances, and lists of them.

    Names come in the catalogue's order, then faults with fields and instances as they were given.
    Raises :class:`UsageError` for a word that is none of these, and if there are no words.
    """
    names: set[str] = set()
    others: list[str | Fault] = []
    for word in _flat(words):
        if word == "all":
            names.update(FAULTS)
        elif word in STAGES:
            names.update(name for name, kind in FAULTS.items() if kind.stage == word)
        elif isinstance(word, str) and len(word.split()) < 2:
            if word not in FAULTS:
                advice = did_you_mean(word, [*FAULTS, *STAGES], _SEE)
                raise UsageError(f"unknown fault or family {word!r}; {advice}")
            names.add(word)
        elif isinstance(word, str):
            parse_fault(word)
            others.append(word)
        elif isinstance(word, Fault):
            others.append(word)
        else:
            raise UsageError(f"a fault is a name, a text or an instance, not {word!r}")
    if not names and not others:
        raise UsageError('say which faults: "all", names, or families ' + ", ".join(STAGES))
    return [*(name for name in FAULTS if name in names), *others]


def without(faults: Iterable[str | Fault], words: Iterable[Any]) -> list[str | Fault]:
    """Return ``faults``, which :func:`expand_marker_words` returned, without those that ``words``
    stand for: the name of a fault stands for it with any fields. Raises :class:`UsageError` for a
    word that is no fault or family; no words leave all."""
    words = list(_flat(words))
    if not words:
        return list(faults)
    out = {str(instance_of(each)) for each in expand_marker_words(words)}
    return [each for each in faults if not {str(instance_of(each)), instance_of(each).name} & out]


def instance_of(fault: str | Fault) -> Fault:
    """Return the fault that a text names, without the selector's fields in it; an instance itself.
    Raises :class:`UsageError` for a text that is not a fault."""
    return parse_fault(fault)[0] if isinstance(fault, str) else fault


def _shell_words(text: str) -> list[str]:
    if len(text) > LONGEST_TEXT:  # shlex takes a minute for 1 MB
        raise UsageError(f"fault {text!r} has more than {LONGEST_TEXT} characters")
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise UsageError(f"fault {text!r}: {exc}; quote it as a shell would") from exc
    if not words:
        raise UsageError("an empty fault; say NAME field=value …")
    return words


def _merge(selection: dict[str, Any], given: Mapping[str, Any]) -> None:
    for word, value in given.items():
        if selection.setdefault(word, value) != value:
            raise UsageError(
                f"{word}= is given twice, {selection[word]!r} and {value!r}; make two injections"
            )


def _flat(words: Iterable[Any]) -> Iterator[Any]:
    for word in words:
        if isinstance(word, (list, tuple, set, frozenset)):
            yield from _flat(word)
        else:
            yield word
