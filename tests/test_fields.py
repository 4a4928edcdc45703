"""Typed fields, declared once: checking, reading from text, showing, and command-line flags."""

from __future__ import annotations

import argparse
import dataclasses
import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.fields import TypedField, changed, check_fields, field, fields_of

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True)
class Example:
    """A dataclass with a field of every kind."""

    delay: float = field(1.0, "seconds to wait", "seconds")
    limit: float | None = field(2.0, "seconds at most", "seconds", above=0.0)
    count: int = field(1, "how many", least=1)
    port: int = field(0, "TCP port", most=65535, metavar="PORT")
    offset: int = field(0, "where", least=-math.inf)
    share: float = field(1.0, "which part", most=0.5)
    loud: bool = field(False, "whether to shout")
    name: str = field("", "its name")
    title: str | None = field(None, "its title, 100 % of it")
    shape: str = field("list", "its form", choices=("events", "list", "frame"))
    command: str | None = field(None, "which command", choices=("run", "cancel"))
    token: str | None = field(None, "password", secret=True, side="service")
    anything: Any = field(None, "what you like")


@dataclass(frozen=True)
class Plain:
    """A user's dataclass that does not use :func:`field`."""

    size: int = 3
    words: tuple[str, ...] = ()
    sizes: list[int] = dataclasses.field(default_factory=list)
    hidden: str = dataclasses.field(default="", metadata={"their": "own"})


class Unprintable:
    """A value whose text and comparison raise."""

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("a bug in __repr__")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("a bug in __eq__")


def failing() -> list[int]:
    """A default factory that is not to be called."""
    raise RuntimeError("called")


@dataclass(frozen=True)
class Unresolvable:
    """A dataclass whose annotations exist for type checkers only."""

    unknown: Decimal | None = None
    size: int = 3


@dataclass(frozen=True)
class Odd:
    """Fields of a user's own that are declared in other ways."""

    required: int
    made: list[int] = dataclasses.field(default_factory=failing)
    derived: int = dataclasses.field(default=3, init=False)
    theirs: int = dataclasses.field(default=3, metadata={"least": None, "choices": ["a"]})
    one: str = field("x", "the only one", choices=("x",))


def of(name: str) -> TypedField:
    """The field ``name`` of the example."""
    return fields_of(Example)[name]


class TestCheck:
    """Valid and invalid values."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("delay", 0),
            ("delay", 2.5),
            ("limit", None),
            ("count", 1),
            ("port", 65535),
            ("offset", -7),
            ("loud", True),
            ("name", "x"),
            ("title", None),
            ("shape", "events"),
            ("command", None),
            ("anything", None),
            ("anything", [1]),
        ],
    )
    def test_allowed(self, name: str, value: Any) -> None:
        """A value of the type and within the bounds does not raise."""
        assert of(name).check(value) is None  # type: ignore[func-returns-value]

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("delay", "1", "delay takes a number of seconds, 0 or more, not '1'"),
            ("delay", True, "delay takes a number of seconds, 0 or more, not True"),
            ("delay", None, "delay takes a number of seconds, 0 or more, not None"),
            ("delay", -1, "delay takes a number of seconds, 0 or more, not -1"),
            ("delay", math.nan, "delay takes a finite number of seconds, 0 or more, not nan"),
            ("limit", 0, "limit takes a number of seconds above 0, or none, not 0"),
            ("count", 0, "count takes a whole number, 1 or more, not 0"),
            ("count", 1.0, "count takes a whole number, 1 or more, not 1.0"),
            ("port", 65536, "port takes a whole number between 0 and 65535, not 65536"),
            ("share", 0.6, "share takes a number between 0 and 0.5, not 0.6"),
            ("offset", "x", "offset takes a whole number, not 'x'"),
            ("loud", 1, "loud takes true or false, not 1"),
            ("name", 3, "name takes text, not 3"),
            ("title", 3, "title takes text, or none, not 3"),
            ("shape", "tree", "shape takes events, list or frame, not 'tree'"),
            ("command", "", "command takes run or cancel, or none, not ''"),
            ("anything", -1, "anything takes a number, 0 or more, not -1"),
        ],
    )
    def test_refused(self, name: str, value: Any, sentence: str) -> None:
        """An invalid value is refused with one sentence that says what the field accepts."""
        with pytest.raises(UsageError) as caught:
            of(name).check(value)
        assert str(caught.value) == sentence

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("delay", 1e10, "delay takes a number of seconds, 0 or more, at most 1000000000, not"),
            ("delay", 10**5000, "delay takes a number of seconds, 0 or more, not a number of more"),
            ("count", 10**5000, "count takes a whole number, 1 or more, not a number of more than"),
            ("count", -(10**5000), "count takes a whole number, 1 or more, not a number of more"),
            ("offset", 10**19, "offset takes a whole number, not a number of more than 18 digits"),
            ("name", [1] * 1000, r"name takes text, not \[(1, ){66}…$"),
            ("name", Unprintable(), "name takes text, not <Unprintable>"),
        ],
        ids=["long", "huge-float", "huge", "negative", "seed", "long-repr", "no-repr"],
    )
    def test_value_that_cannot_be_used(self, name: str, value: Any, sentence: str) -> None:
        """A number that is too large to be waited for or printed, or a value that cannot be
        printed, is refused as any other."""
        with pytest.raises(UsageError, match=sentence):
            of(name).check(value)

    def test_largest(self) -> None:
        """The largest numbers that are allowed."""
        check_fields(Example(delay=1e9, count=10**18, share=0.5))

    def test_owner(self) -> None:
        """The sentence begins with the owner, if there is one."""
        with pytest.raises(UsageError, match=r"^slow-response: delay takes"):
            of("delay").check(-1, "slow-response")

    def test_secret_is_not_in_the_message(self) -> None:
        """The message about a refused secret does not show it."""
        with pytest.raises(UsageError) as caught:
            of("token").check(b"correct-horse")
        assert "horse" not in str(caught.value)

    def test_secret_is_not_in_the_repr(self) -> None:
        """A dataclass does not show its secret."""
        assert "correct-horse" not in repr(Example(token="correct-horse"))

    def test_whole_dataclass(self) -> None:
        """``check_fields`` checks every field."""
        with pytest.raises(UsageError, match=r"^example: count takes"):
            check_fields(Example(count=0), "example")

    def test_default_that_is_not_allowed(self) -> None:
        """A default is checked as any other value, each time."""

        @dataclass(frozen=True)
        class Wrong:
            count: int = field(0, "how many", least=1)

        for _ in range(2):
            with pytest.raises(UsageError, match="count takes a whole number"):
                check_fields(Wrong())


class TestParse:
    """Values read from text."""

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("delay", "2", 2.0),
            ("limit", "None", None),
            ("count", "3", 3),
            ("loud", "On", True),
            ("loud", "no", False),
            ("name", "none", "none"),
            ("title", "none", None),
            ("shape", "frame", "frame"),
            ("anything", "5", "5"),
        ],
    )
    def test_value(self, name: str, text: str, value: Any) -> None:
        """Text becomes a value of the field's type."""
        assert of(name).parse(text) == value

    @pytest.mark.parametrize(
        ("name", "text"),
        [("delay", "soon"), ("count", "0"), ("count", "1.5"), ("loud", "maybe"), ("shape", "x")],
    )
    def test_refused(self, name: str, text: str) -> None:
        """Text for an invalid value is refused with the same sentence as the value."""
        with pytest.raises(UsageError, match=f"^here: {name} takes {of(name).accepts}, not"):
            of(name).parse(text, "here")


class TestPlainDataclass:
    """A dataclass that does not use :func:`field`."""

    def test_defaults(self) -> None:
        """Defaults are known, including those from a factory."""
        assert [each.default for each in fields_of(Plain).values()] == [3, (), [], ""]

    def test_number_is_not_negative(self) -> None:
        """A plain number is checked like a declared one."""
        with pytest.raises(UsageError, match="size takes a whole number, 0 or more, not -1"):
            check_fields(Plain(size=-1))

    def test_other_types(self) -> None:
        """A field with another type is not checked."""
        assert check_fields(Plain(words=3)) is None  # type: ignore[func-returns-value, arg-type]

    def test_unresolvable_annotations(self) -> None:
        """Fields of a class with unresolvable annotations are not checked."""
        assert check_fields(Unresolvable(size="x")) is None  # type: ignore[func-returns-value, arg-type]

    def test_unresolvable_annotations_and_a_number(self) -> None:
        """A number must be finite and not negative even if annotations are unresolvable."""
        with pytest.raises(UsageError, match="size takes"):
            check_fields(Unresolvable(size=-1))


class TestOddDataclass:
    """Fields that a user's own dataclass declares in other ways."""

    def test_factory_is_not_called(self) -> None:
        """Neither reading the fields of a class nor showing an instance depends on a factory."""
        assert changed(Odd(required=1, made=[2])) == ["required=1", "made='[2]'"]

    def test_required(self) -> None:
        """A field without a default is required."""
        assert [name for name, each in fields_of(Odd).items() if each.required] == ["required"]

    def test_derived(self) -> None:
        """A field that the constructor does not take is not among the fields."""
        assert "derived" not in fields_of(Odd)

    def test_metadata_of_their_own(self) -> None:
        """Metadata that :func:`field` did not write is not read."""
        assert (fields_of(Odd)["theirs"].least, fields_of(Odd)["theirs"].choices) == (0.0, ())

    def test_one_choice(self) -> None:
        """A single choice is named alone."""
        assert fields_of(Odd)["one"].accepts == "x"


class TestShown:
    """The texts that are printed about a field."""

    @pytest.mark.parametrize(
        ("name", "metavar"),
        [
            ("delay", "SECONDS"),
            ("count", "COUNT"),
            ("share", "NUMBER"),
            ("port", "PORT"),
            ("name", "TEXT"),
            ("shape", "events|list|frame"),
            ("anything", "VALUE"),
        ],
    )
    def test_metavar(self, name: str, metavar: str) -> None:
        """The placeholder for a value is its unit or its type."""
        assert of(name).metavar == metavar

    def test_help(self) -> None:
        """The help text is the documentation, with the bounds if there are two."""
        assert of("port").help() == "TCP port (between 0 and 65535)"

    def test_help_with_default(self) -> None:
        """The help text has the default, unless it is ``None``."""
        assert of("port").help(80) == "TCP port (between 0 and 65535) (default: 80)"

    def test_changed(self) -> None:
        """Fields that differ from their defaults are shown in their written form."""
        assert changed(Example(delay=2.0, name="two words")) == ["delay=2.0", "name='two words'"]

    def test_written_none(self) -> None:
        """``None`` is written in the form in which it is read."""
        assert changed(Example(limit=None)) == ["limit=none"]

    def test_changed_secret(self) -> None:
        """A secret is written without its value."""
        assert changed(Example(token="correct-horse")) == ["token=<secret>"]

    def test_changed_text_none(self) -> None:
        """A text ``none`` is written so that it is not read as ``None``."""
        written = [of("title").written(text) for text in ("none", '"NONE"', "none?")]
        assert written == ["title='\"none\"'", 'title=\'""NONE""\'', "title='none?'"]

    @pytest.mark.parametrize("value", [None, "none", '"none"', '"none', "None", "x", ""])
    def test_written_is_read_back(self, value: str | None) -> None:
        """What is written is read as the same value."""
        (word,) = shlex.split(of("title").written(value))
        assert of("title").parse(word.partition("=")[2]) == value

    def test_changed_odd_value(self) -> None:
        """A value that cannot be compared or printed is shown by its type."""
        assert changed(Example(anything=Unprintable())) == ["anything='<Unprintable>'"]

    def test_side(self) -> None:
        """The declared side says who uses the value."""
        assert [each.name for each in fields_of(Example).values() if each.side] == ["token"]


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    """A parser with a flag for each field."""
    made = argparse.ArgumentParser(prog="example")
    for each in fields_of(Example).values():
        each.add_flag(made, each.default)
    return made


class TestFlags:
    """Fields as command-line flags."""

    @pytest.mark.parametrize(
        ("words", "name", "value"),
        [
            ([], "delay", 1.0),
            (["--delay", "2"], "delay", 2.0),
            (["--limit", "none"], "limit", None),
            (["--loud"], "loud", True),
            (["--no-loud"], "loud", False),
            (["--title", "none"], "title", "none"),
            (["--anything", "5"], "anything", "5"),
        ],
    )
    def test_value(
        self, parser: argparse.ArgumentParser, words: list[str], name: str, value: Any
    ) -> None:
        """A flag has its field's type and default."""
        assert getattr(parser.parse_args(words), name) == value

    def test_refused(
        self, parser: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """An invalid value of a flag is refused with the field's sentence."""
        with pytest.raises(SystemExit):
            parser.parse_args(["--port", "70000"])
        message = "argument --port: takes a whole number between 0 and 65535, not '70000'"
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize(
        "line",
        [
            "--delay SECONDS seconds to wait (default: 1.0)",
            "--loud, --no-loud whether to shout (default: False)",
            "--title TEXT its title, 100 % of it",
        ],
    )
    def test_help(self, parser: argparse.ArgumentParser, line: str) -> None:
        """The help of a flag names the kind of value, the documentation and the default."""
        assert f" {line} --" in " ".join(parser.format_help().split())
