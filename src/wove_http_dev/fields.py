"""Typed dataclass fields with documentation and bounds, for options, faults and selectors.

A field is declared with :func:`field`. Its values are checked, parsed from text and shown in help
texts, and it can become a command line flag. A user's own fault may also have plain defaults; a
field whose annotation has other types than ``int``, ``float``, ``str``, ``bool``, ``None`` and
subclasses of :class:`TextValue` is not checked.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import shlex
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from wove_http_dev.cut_text import cut_end
from wove_http_dev.errors import UsageError
from wove_http_dev.secret import HIDDEN, hide

if TYPE_CHECKING:
    import argparse

T = TypeVar("T")
_PHRASES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_METAVARS = {bool: "true|false", int: "COUNT", float: "NUMBER", str: "TEXT"}
_DECLARED = "wove_http_dev"
"""The metadata key that only :func:`field` sets. Other metadata is a user's own, and not read."""
LARGEST = 10**18
"""Whole numbers above are refused: one of more than 4300 digits cannot even be printed."""
LONGEST = 1e9
"""Seconds. Longer times (32 years) are refused: no wait and no socket can have one above 9.2e9."""
SHOWN = 200
"""Characters of a value that a message shows."""


class TextValue:
    """Base class of further types of values that a field may have, each with a form as text:
    ``str`` returns it, and :meth:`from_text` reads it. Shell words need no quotes in it."""

    phrase: ClassVar[str] = "a value"
    """The values of the type in words, for messages."""
    short: ClassVar[str] = "a value"
    """The same, shorter, for help texts."""

    @classmethod
    def from_text(cls, text: str) -> TextValue | None:
        """Return the value that ``text`` writes; ``None`` if it is not meant as one. Raises
        :class:`UsageError` for one that is written wrongly."""
        raise NotImplementedError

    def misfit(self, field: TypedField) -> str:
        """Return why ``field``, with its bounds, cannot have this value; empty if it can."""
        return ""


_TRUE = ("true", "yes", "1", "on")
_FALSE = ("false", "no", "0", "off")


def field(
    default: T,
    doc: str,
    unit: str = "",
    *,
    least: float = 0.0,
    most: float = math.inf,
    above: float | None = None,
    choices: tuple[str, ...] = (),
    metavar: str = "",
    secret: bool = False,
    side: str = "",
    each_wait: bool = False,
) -> T:
    """Declare a field of a frozen dataclass.

    ``doc`` is one line of documentation. A number must be finite, between ``least`` and ``most``,
    and greater than ``above``. ``metavar`` is the placeholder for the value in help texts (default:
    made from the unit or the type). The value of a ``secret`` field is shown neither in the
    ``repr`` nor in a message. ``side`` groups the fields of one dataclass. ``each_wait`` is for a
    fault's field of the type ``Duration``: a distribution is drawn anew by each ``wait()``, and not
    once for each request.
    """
    facts = {
        "doc": doc,
        "unit": unit,
        "least": least,
        "most": most,
        "above": above,
        "choices": choices,
        "given_metavar": metavar,
        "secret": secret,
        "side": side,
        "each_wait": each_wait,
    }
    metadata = {**facts, _DECLARED: tuple(facts)}
    declared: T = dataclasses.field(default=default, repr=not secret, metadata=metadata)
    return declared


@dataclass(frozen=True)
class TypedField:
    """The declaration of one dataclass field: its types, default, documentation and bounds."""

    name: str
    kinds: tuple[type, ...]
    """The types that a value may have. Empty if the annotation has other types; then every value is
    allowed."""
    given_default: Any = dataclasses.MISSING
    factory: Callable[[], Any] | None = None
    """Makes the default; called for each use, as the dataclass itself does."""
    doc: str = ""
    unit: str = ""
    least: float = 0.0
    most: float = math.inf
    above: float | None = None
    choices: tuple[str, ...] = ()
    given_metavar: str = ""
    secret: bool = False
    side: str = ""
    each_wait: bool = False

    @property
    def default(self) -> Any:
        """The default; ``dataclasses.MISSING`` for a field without one."""
        return self.given_default if self.factory is None else self.factory()

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.given_default is dataclasses.MISSING and self.factory is None

    @property
    def optional(self) -> bool:
        """Whether ``None`` is allowed."""
        return type(None) in self.kinds

    @property
    def text_kinds(self) -> tuple[type[TextValue], ...]:
        """The allowed types that have a form of their own as text."""
        return tuple(kind for kind in self.kinds if issubclass(kind, TextValue))

    @property
    def accepts(self) -> str:
        """The allowed values in words: ``a number of seconds above 0, or none``."""
        phrase = next((_PHRASES[kind] for kind in self.kinds if kind in _PHRASES), "a number")
        if self.choices:
            phrase = " or ".join(filter(None, [", ".join(self.choices[:-1]), self.choices[-1]]))
        elif phrase.endswith("number"):
            phrase += (f" of {self.unit}" if self.unit else "") + self.bounds
        phrase = ", or ".join([phrase, *(kind.phrase for kind in self.text_kinds)])
        return f"{phrase}, or none" if self.optional else phrase

    @property
    def bounds(self) -> str:
        """The bounds of a number, as the end of a phrase: ``, 1 or more``."""
        if self.above is not None:
            most = f" and at most {_plain(self.most)}" if self.most < math.inf else ""
            return f" above {_plain(self.above)}{most}"
        if self.most < math.inf:
            return f" between {_plain(self.least)} and {_plain(self.most)}"
        return f", {_plain(self.least)} or more" if self.least > -math.inf else ""

    @property
    def metavar(self) -> str:
        """The placeholder for the value in help texts, such as ``SECONDS``."""
        if self.given_metavar or self.choices:
            return self.given_metavar or "|".join(self.choices)
        if self.unit:
            return self.unit.upper()
        return next((_METAVARS[kind] for kind in self.kinds if kind in _METAVARS), "VALUE")

    def help(self, default: Any = None) -> str:
        """Return the help text: the documentation, the bounds of a number that has two, further
        kinds of values, and ``default``."""
        text = f"{self.doc} ({self.bounds.strip()})" if self.most < math.inf else self.doc
        text = "; or ".join([text, *(kind.short for kind in self.text_kinds)])
        if default is not None and "default" not in text:
            text += f" (default: {default})"
        return text

    def written(self, value: Any) -> str:
        """Return ``name=value``, quoted for a shell, in the form that :meth:`parse` reads; a secret
        as ``name=<secret>``. A text ``none`` gets double quotes, because bare it is ``None``."""
        if self.secret and value is not None and self._differs(value):
            return f"{self.name}={HIDDEN}"
        text = "none" if value is None else _safely(str, value)
        if value is not None and self._reads_as_none(text):
            text = f'"{text}"'
        bare = value is None or isinstance(value, TextValue)
        return f"{self.name}={text if bare else shlex.quote(text)}"

    def _differs(self, value: Any) -> bool:
        try:
            return bool(value != self.default)
        except Exception:  # a user's own comparison, or factory
            return True

    def _reads_as_none(self, text: str) -> bool:
        """Whether ``text`` is ``none``, perhaps in double quotes, where ``None`` is allowed."""
        return self.optional and text.strip('"').lower() == "none"

    def check(self, value: Any, owner: str = "") -> None:
        """Raise :class:`UsageError` unless ``value`` is allowed. The message begins with
        ``owner``."""
        if value is self.given_default and self._allows_default:
            return
        if not self._allows(value):
            raise UsageError(f"{owner and owner + ': '}{self.name} {self._refusal(value)}")

    def parse(self, text: str, owner: str = "") -> Any:
        """Convert ``text`` to a value and check it. Raises :class:`UsageError`."""
        try:
            value = self._value(text)
        except UsageError as exc:
            raise UsageError(f"{owner and owner + ': '}{self.name}={exc}") from None
        except ValueError:
            refusal = self._refusal(text)
            raise UsageError(f"{owner and owner + ': '}{self.name} {refusal}") from None
        self.check(value, owner)
        return value

    def add_flag(self, parser: argparse.ArgumentParser, default: Any) -> None:
        """Add ``--name`` (for a boolean also ``--no-name``) to ``parser``."""
        import argparse

        flag = "--" + self.name.replace("_", "-")
        if self.kinds == (bool,):
            action = argparse.BooleanOptionalAction
            added = parser.add_argument(flag, action=action, default=default)
        else:
            kind = self._argument if {int, float} & {*self.kinds} or self.choices else str
            added = parser.add_argument(flag, type=kind, default=default, metavar=self.metavar)
        # Set late: until Python 3.12 a BooleanOptionalAction adds its default to a help text.
        added.help = self.help(default).replace("%", "%%")

    def _argument(self, text: str) -> Any:
        import argparse

        try:
            return self.parse(text)
        except UsageError:  # argparse puts the flag in front
            raise argparse.ArgumentTypeError(self._refusal(text)) from None

    def _refusal(self, value: Any) -> str:
        if self.secret:
            return f"takes {self.accepts}, and was given something else"
        phrase = self.accepts
        if isinstance(value, float) and not math.isfinite(value):
            phrase = phrase.replace("a number", "a finite number")
        elif _is_too_large(value):
            return f"takes {phrase}, not a number of more than 18 digits"
        elif self._is_too_long(value):
            phrase += f", at most {_plain(LONGEST)}"
        if isinstance(value, TextValue) and self._has_type(value):
            return f"takes {phrase}; {_safely(str, value)} {value.misfit(self)}"
        return f"takes {phrase}, not {_safely(repr, value)}{self._as_value(value)}"

    def _as_value(self, text: Any) -> str:
        """Return how to write a :class:`TextValue` that was given as ``text`` where a value is
        wanted."""
        try:
            found = [kind.from_text(text) for kind in self.text_kinds if isinstance(text, str)]
        except UsageError:
            return ""
        return next((f"; as a value it is {each!r}" for each in found if each is not None), "")

    def _is_too_long(self, value: Any) -> bool:
        return self.unit == "seconds" and isinstance(value, (int, float)) and value > LONGEST

    def _allows(self, value: Any) -> bool:
        if value is None and (self.optional or not self.kinds):
            return True
        if self.kinds and not self._has_type(value):
            return False
        if isinstance(value, TextValue):
            return not value.misfit(self)
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return True
        if isinstance(value, float) and not math.isfinite(value):
            return False
        if _is_too_large(value) or self._is_too_long(value):
            return False
        return self.least <= value <= self.most and (self.above is None or value > self.above)

    @functools.cached_property
    def _allows_default(self) -> bool:
        return self._allows(self.given_default)  # most values of options are the default

    def _has_type(self, value: Any) -> bool:
        kind = type(value)
        if kind in self.kinds or (kind is int and float in self.kinds):
            return True
        # A bool is an int, and an IntEnum prints as its name: the exact type is required.
        return isinstance(value, tuple({*self.kinds} - {int, bool}))

    def _value(self, text: str) -> Any:
        """Convert ``text``. Raises ``ValueError`` if it is not of the field's type."""
        if self.optional and text.lower() == "none":
            return None
        if len(text) > 1 and text[0] == text[-1] == '"' and self._reads_as_none(text):
            return text[1:-1]
        if bool in self.kinds and text.lower() in (*_TRUE, *_FALSE):
            return text.lower() in _TRUE
        for kind in self.text_kinds:
            if (value := kind.from_text(text)) is not None:
                return value
        for number in (float, int):
            if number in self.kinds:
                return number(text)
        if bool in self.kinds and str not in self.kinds:
            raise ValueError(text)
        return text


def fields_of(kind: type) -> Mapping[str, TypedField]:
    """Return the fields of the dataclass ``kind`` by name, in order of declaration, without those
    that its constructor does not take (``init=False``)."""
    return _read_fields(kind)


@functools.lru_cache(maxsize=512)
def _read_fields(kind: Any) -> Mapping[str, TypedField]:
    try:
        hints = typing.get_type_hints(kind)
    except Exception:  # a user's own class may have annotations that cannot be resolved
        hints = {}
    return {
        each.name: TypedField(
            each.name,
            _kinds(hints.get(each.name)),
            each.default,
            None if each.default_factory is dataclasses.MISSING else each.default_factory,
            **{fact: each.metadata[fact] for fact in each.metadata.get(_DECLARED, ())},
        )
        for each in dataclasses.fields(kind)
        if each.init
    }


def check_fields(instance: Any, owner: str = "") -> None:
    """Raise :class:`UsageError` for the first field of ``instance`` whose value is not allowed."""
    for name, each in fields_of(type(instance)).items():
        each.check(getattr(instance, name), owner)


def hide_secret_fields(instance: Any) -> None:
    """Replace the secrets in ``instance``, a frozen dataclass, by equal ones that are not shown."""
    for name, each in fields_of(type(instance)).items():
        if each.secret:
            object.__setattr__(instance, name, hide(getattr(instance, name)))


def changed(instance: Any) -> list[str]:
    """Return ``name=value`` for each field of ``instance`` that differs from its default."""
    return [
        each.written(getattr(instance, name))
        for name, each in fields_of(type(instance)).items()
        if each._differs(getattr(instance, name))
    ]


def _kinds(hint: Any) -> tuple[type, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    return kinds if all(map(_is_known, kinds)) else ()


def _is_known(kind: Any) -> bool:
    return kind in (*_PHRASES, type(None)) or (
        isinstance(kind, type) and issubclass(kind, TextValue)
    )


def _is_too_large(value: Any) -> bool:
    return isinstance(value, int) and abs(value) > LARGEST


def _safely(write: Callable[[Any], str], value: Any) -> str:
    """Return the text that ``write``, ``str`` or ``repr``, makes of a user's ``value``, at most
    :data:`SHOWN` characters of it."""
    try:
        return cut_end(write(value), SHOWN)
    except Exception:  # a user's own method, or a number with too many digits
        return f"<{type(value).__name__}>"


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:g}"
