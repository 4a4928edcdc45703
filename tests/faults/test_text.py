"""Faults written as text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.response import Status
from wove_http_dev.faults.run import SlowResponse
from wove_http_dev.faults.selector import Selector
from wove_http_dev.faults.text import expand_marker_words, parse_fault, read_injection, without
from wove_http_dev.fields import field

OR = ", or a distribution such as 0.1..0.5"
"""What a field that takes a duration takes as well."""


@dataclass(frozen=True)
class SlowThing(Fault):
    """Has a field of every type."""

    stage: ClassVar[str] = "run"
    delay: float = field(1.0, "a number", "seconds")
    count: int = field(1, "a whole number")
    loud: bool = field(False, "a truth")
    text: str = field("", "a text")
    limit: float | None = field(2.0, "a number or none")
    retry_after: str | None = field(None, "a text or none")


@dataclass(frozen=True)
class OtherThing(Fault):
    """Has no field."""

    stage: ClassVar[str] = "response"


@dataclass(frozen=True)
class NeedyThing(Fault):
    """Has a field without a default, and one that is derived."""

    stage: ClassVar[str] = "response"
    size: int
    twice: int = dataclasses.field(default=0, init=False)


TABLE: dict[str, type[Fault]] = {
    "slow-thing": SlowThing,
    "other-thing": OtherThing,
    "needy-thing": NeedyThing,
}


def fault_in(text: str) -> Fault:
    """The fault that ``text`` names."""
    return parse_fault(text, TABLE)[0]


def selection_in(text: str) -> dict[str, Any]:
    """The selector words in ``text``."""
    return parse_fault(text, TABLE)[1]


class TestFields:
    """A fault and its fields."""

    @pytest.mark.parametrize("text", ["slow-thing", "  slow-thing  ", "'slow-thing'"])
    def test_name_alone(self, text: str) -> None:
        """A name alone is the fault with its defaults."""
        assert fault_in(text) == SlowThing()

    @pytest.mark.parametrize(
        ("word", "fault"),
        [
            ("delay=2", SlowThing(delay=2.0)),
            ("delay=.5", SlowThing(delay=0.5)),
            ("delay=1e2", SlowThing(delay=100.0)),
            ("count=3", SlowThing(count=3)),
            ("loud=true", SlowThing(loud=True)),
            ("loud=Yes", SlowThing(loud=True)),
            ("loud=1", SlowThing(loud=True)),
            ("loud=on", SlowThing(loud=True)),
            ("loud=false", SlowThing(loud=False)),
            ("loud=OFF", SlowThing(loud=False)),
            ("text=abc", SlowThing(text="abc")),
            ("text=", SlowThing(text="")),
            ("text=a=b", SlowThing(text="a=b")),
            ("text=none", SlowThing(text="none")),
            ("text=5", SlowThing(text="5")),
            ("limit=none", SlowThing(limit=None)),
            ("limit=None", SlowThing(limit=None)),
            ("limit=3", SlowThing(limit=3.0)),
            ("retry_after=3", SlowThing(retry_after="3")),
            ("retry-after=3", SlowThing(retry_after="3")),
        ],
    )
    def test_field(self, word: str, fault: Fault) -> None:
        """A field's text becomes a value of its type."""
        assert fault_in(f"slow-thing {word}") == fault

    def test_type_of_a_number(self) -> None:
        """A whole number in a float's place is a float."""
        fault = fault_in("slow-thing delay=2")
        assert isinstance(fault, SlowThing)
        assert isinstance(fault.delay, float)

    @pytest.mark.parametrize(
        "word", ["text='two words'", '"text=two words"', r"text=two\ words", 'text="two words"']
    )
    def test_quoting(self, word: str) -> None:
        """Words are quoted as a shell would."""
        assert fault_in(f"slow-thing {word}") == SlowThing(text="two words")

    def test_several(self) -> None:
        """Fields and selector words may be in any order."""
        fault, selection = parse_fault("slow-thing times=1 delay=2 task=a text=b", TABLE)
        assert (fault, selection) == (SlowThing(delay=2.0, text="b"), {"times": 1, "task": "a"})


class TestSelectorWords:
    """Words that select requests."""

    @pytest.mark.parametrize(
        ("word", "selection"),
        [
            ("task=render_*", {"task": "render_*"}),
            ("task=none", {"task": None}),
            ("""task='"none"'""", {"task": "none"}),
            ("command=cancel_task", {"command": "cancel_task"}),
            ("times=2", {"times": 2}),
            ("times=none", {"times": None}),
            ("after=3", {"after": 3}),
            ("probability=0.25", {"probability": 0.25}),
            ("seed=7", {"seed": 7}),
            ("initial_values=yes", {"initial_values": True}),
        ],
    )
    def test_word(self, word: str, selection: dict[str, Any]) -> None:
        """A selector word's text becomes a value of its type."""
        assert selection_in(f"other-thing {word}") == selection

    def test_none(self) -> None:
        """Without selector words the selection is empty."""
        assert selection_in("other-thing") == {}

    def test_is_not_a_field(self) -> None:
        """A selector word does not become a field."""
        assert fault_in("other-thing times=2") == OtherThing()


class TestUsageErrors:
    """Texts that are not a fault."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "an empty fault; say NAME field=value"),
            ("   ", "an empty fault"),
            ("slow-thing text='open", "No closing quotation; quote it as a shell would"),
            ("slow-thin", "unknown fault 'slow-thin'; did you mean 'slow-thing'?"),
            ("SlowThing", "unknown fault 'SlowThing'; did you mean 'slow-thing'?"),
            ("zzz", "unknown fault 'zzz'; see wove-http-dev faults"),
            ("delay=2", "unknown fault 'delay=2'"),
            ("slow-thing delay", "'delay' is not field=value; write delay=…, without blanks"),
            ("slow-thing delay = 2", "'delay' is not field=value; write delay=…, without blanks"),
            ("slow-thing times 2", "'times' is not field=value; write times=…, without blanks"),
            ("needy-thing 7", "'7' is not field=value; its fields are size; those of every fault"),
            ("other-thing 7", "it has no fields of its own; those of every fault are task, "),
            ("auth", "'auth'; that is a family; wove-http-dev faults auth lists its faults"),
            ("all", "'all'; name one; all of them are tried with pytest --wove-http-faults=all"),
            ("slow-thing dely=2", "has no field 'dely'; did you mean 'delay'?"),
            ("slow-thing time=2", "has no field 'time'; did you mean 'times'?"),
            ("other-thing qqq=2", "has no field 'qqq'; there are after, command,"),
            ("other-thing =2", "has no field ''"),
            ("slow-thing stage=run", "has no field 'stage'"),
            ("slow-thing delay=soon", "delay takes a number of seconds, 0 or more, not 'soon'"),
            ("slow-thing delay=none", "delay takes a number of seconds, 0 or more, not 'none'"),
            ("slow-thing delay=", "delay takes a number of seconds, 0 or more, not ''"),
            ("slow-thing limit=soon", "limit takes a number, 0 or more, or none, not 'soon'"),
            ("slow-thing count=1.5", "count takes a whole number, 0 or more, not '1.5'"),
            ("slow-thing loud=maybe", "loud takes true or false, not 'maybe'"),
            ("slow-thing delay=nan", "delay takes a finite number of seconds, 0 or more, not nan"),
            ("slow-thing delay=inf", "delay takes a finite number of seconds, 0 or more, not inf"),
            ("slow-thing delay=-1", "delay takes a number of seconds, 0 or more, not -1"),
            ("slow-thing times=two", "times takes a whole number, 1 or more, or none, not 'two'"),
            ("slow-thing after=none", "after takes a whole number, 0 or more, not 'none'"),
            ("slow-thing initial_values=2", "initial_values takes true or false, not '2'"),
            ("slow-thing delay=1e10", "delay takes a number of seconds, 0 or more, at most 10000"),
            ("needy-thing", "fault needy-thing needs size=, a whole number, 0 or more"),
            ("needy-thing size=1 twice=2", "fault needy-thing has no field 'twice'"),
        ],
    )
    def test_message(self, text: str, message: str) -> None:
        """A text that is not a fault is a usage error that says what to do."""
        with pytest.raises(UsageError) as caught:
            parse_fault(text, TABLE)
        assert message in str(caught.value)


class TestRealFaults:
    """The faults of the catalogue."""

    def test_every_name(self) -> None:
        """Every fault is found by its name, with its defaults."""
        found = {name: parse_fault(name, FAULTS)[0] for name in FAULTS}
        assert found == {name: kind() for name, kind in FAULTS.items()}

    def test_own_text(self) -> None:
        """A fault's own text is read as the same fault."""
        found = {name: parse_fault(str(kind()), FAULTS)[0] for name, kind in FAULTS.items()}
        assert found == {name: kind() for name, kind in FAULTS.items()}

    def test_text_with_fields(self) -> None:
        """A text with fields is read as the same fault."""
        fault = SlowThing(delay=2.5, count=3, loud=True, limit=None)
        assert fault_in(str(fault)) == fault

    def test_text_with_spaces(self) -> None:
        """A field with spaces in it is read as the same fault."""
        fault = SlowThing(text="two words")
        assert fault_in(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "reject-auth status=200",
            "reject-auth: status takes a whole number between 400 and 599, not 200",
        ),
        ("refuse-cancel status=99", "between 400 and 599"),
        ("html-page status=0", "between 200 and 599"),
        ("status code=600", "between 200 and 599"),
        ("redirect code=200", "between 300 and 399"),
        ("interim-response code=200", "between 100 and 199"),
        ("slow-body bytes=0", "slow-body: bytes takes a whole number of bytes, 1 or more, not 0"),
        ("oversized-body size=9999999999999", "between 0 and"),
        ("expired-certificate days=99999999", "between 0 and 10000"),
        ("wrong-hostname hostname=''", "must be a host name, not ''"),
        ("wrong-hostname hostname=a..b", "must be a host name"),
        ("status code=503 code=504", "fault status: code= is given twice"),
        ("status times=1 times=2", "fault status: times= is given twice"),
    ],
)
def test_an_invalid_value(text: str, message: str) -> None:
    """A value out of its field's range is a usage error."""
    with pytest.raises(UsageError, match=message):
        parse_fault(text, FAULTS)


@pytest.mark.parametrize(
    ("name", "field", "value", "wanted"),
    [
        ("slow-response", "delay", "2", f"a number of seconds, 0 or more{OR}"),
        ("status", "code", 503.0, "a whole number between 200 and 599"),
        ("status", "code", True, "a whole number between 200 and 599"),
        ("status", "reason", 3, "text, or none"),
        ("reject-auth", "status", "x", "a whole number between 400 and 599"),
        ("stall-mid-body", "seconds", "x", f"a number of seconds, 0 or more{OR}, or none"),
    ],
)
def test_a_value_of_another_type(name: str, field: str, value: object, wanted: str) -> None:
    """The types of an instance's fields are checked, like those of a text."""
    with pytest.raises(UsageError, match=f"{name}: {field} takes {wanted}, not {value!r}"):
        FAULTS[name](**{field: value})


def test_a_whole_number_is_a_number() -> None:
    """``delay=2`` is accepted like ``delay=2.0``."""
    assert SlowResponse(delay=2) == SlowResponse(delay=2.0)


def test_a_custom_fields_type_is_its_own() -> None:
    """A field whose type is not number, text or truth value is not checked."""

    @dataclass(frozen=True)
    class Odd(Fault):
        stage: ClassVar[str] = "wire"
        words: tuple[str, ...] = ()
        sizes: list[int] = dataclasses.field(default_factory=list)

    assert Odd(words=("a",), sizes=[1]).sizes == [1]


class TestChoose:
    """The faults that a marker's words select."""

    def test_all_means_the_catalogue(self) -> None:
        """ "all" selects every fault, in order."""
        assert expand_marker_words(["all"]) == list(FAULTS)

    def test_a_family_means_its_faults(self) -> None:
        """A stage's name selects its faults."""
        assert expand_marker_words(["wire"]) == [
            name for name, kind in FAULTS.items() if kind.stage == "wire"
        ]

    def test_an_unknown_word_is_a_usage_error(self) -> None:
        """An unknown word is a usage error that suggests the nearest name."""
        with pytest.raises(UsageError, match="did you mean 'hang'"):
            expand_marker_words(["hnag"])

    def test_no_word_is_a_usage_error(self) -> None:
        """A marker without a word is a usage error, because it would select no test."""
        with pytest.raises(UsageError, match="say which faults"):
            expand_marker_words([])

    def test_lists_are_flattened(self) -> None:
        """A list of words is accepted like the words."""
        assert expand_marker_words([["hang", "status"], "wire"]) == expand_marker_words(
            ["hang", "status", "wire"]
        )

    def test_a_fault_with_fields_is_kept_as_it_is(self) -> None:
        """Texts with fields and instances follow the plain names, in their order."""
        louder = FAULTS["slow-response"]()
        assert expand_marker_words([louder, "status code=500", "hang"]) == [
            "hang",
            louder,
            "status code=500",
        ]

    @pytest.mark.parametrize(
        ("word", "message"),
        [
            (3, "not 3"),
            ("status cod=5", "did you mean 'code'"),
            ("status code=9", "between 200 and"),
        ],
    )
    def test_what_is_not_a_fault_is_a_usage_error(self, word: Any, message: str) -> None:
        """A value that is not a fault is a usage error that says why."""
        with pytest.raises(UsageError, match=message):
            expand_marker_words([word])


class TestReadInjection:
    """Reading faults and selector words together."""

    def test_instances(self) -> None:
        """Texts become faults; instances are unchanged."""
        slow = SlowResponse(delay=2.0)
        assert read_injection(["status code=500", slow], {})[0] == (Status(code=500), slow)

    def test_words_of_a_text(self) -> None:
        """The selector has the words of the texts."""
        assert read_injection(["status times=2", "hang task=a"], {})[1] == Selector("a", times=2)

    def test_words_beside_a_text(self) -> None:
        """The selector also has the words given as keywords; a keyword with its default value
        counts as not given."""
        words = {"task": "a", "after": 0, "probability": 1.0}
        assert read_injection(["status after=3"], words)[1] == Selector("a", after=3)

    def test_same_value_twice(self) -> None:
        """The same value given twice is accepted."""
        assert read_injection(["status times=2", "hang times=2"], {"times": 2})[1].times == 2

    @pytest.mark.parametrize(
        ("faults", "words", "message"),
        [
            (["status times=1", "hang times=2"], {}, "times= is given twice, 1 and 2"),
            (["status times=1"], {"times": 2}, "times= is given twice, 1 and 2"),
            ([3], {}, "a fault is an instance or a string, not 3$"),
            (["status", 503], {}, r"not 503; name a field: inject\('status', code=…\)$"),
            (["empty-body", 1], {}, "a fault is an instance or a string, not 1$"),
            (["status"], {"times": 0}, "times takes a whole number, 1 or more"),
        ],
    )
    def test_refused(self, faults: list[Any], words: dict[str, Any], message: str) -> None:
        """Contradictory words and values that are not faults are usage errors."""
        with pytest.raises(UsageError, match=message):
            read_injection(faults, words)


class TestFieldsAsKeywords:
    """Fields of a fault as values, beside its name."""

    @pytest.mark.parametrize("text", ["slow-response", "slow-response task=a"])
    def test_value(self, text: str) -> None:
        """A field given as a value is the fault's."""
        assert read_injection([text], {}, {"delay": 2})[0] == (SlowResponse(delay=2),)

    @pytest.mark.parametrize(
        ("faults", "fields", "message"),
        [
            (["status"], {"cod": 503}, r"status has no field 'cod'; did you mean 'code'\?"),
            (["status"], {"tmes": 1}, r"status has no field 'tmes'; did you mean 'times'\?"),
            (["status"], {"code": "x"}, r"status: code takes a whole number .* not 'x'"),
            (["status code=500"], {"code": 503}, r"status: code= is given twice"),
            ([SlowResponse()], {"delay": 2}, r"delay=; .* one fault that is given by name"),
            (["status", "hang"], {"code": 503}, r"code=; .* one fault that is given by name"),
            ([SlowResponse()], {"tmes": 2}, r"cannot use tmes=; did you mean 'times'\?"),
            ([], {"tmes": 2}, r"cannot use tmes=; did you mean 'times'\?"),
        ],
        ids=str,
    )
    def test_refused(self, faults: list[Fault | str], fields: dict[str, Any], message: str) -> None:
        """A field that cannot be used is a usage error that says what to do."""
        with pytest.raises(UsageError, match=message):
            read_injection(faults, {}, fields)


class TestWithout:
    """Faults that are left out of others."""

    def test_a_family(self) -> None:
        """The name of a family leaves out all its faults."""
        kept = without(["reject-auth", "status", "wrong-secret"], ["auth"])
        assert kept == ["status"]

    def test_a_name_means_it_with_any_field(self) -> None:
        """The name of a fault leaves it out whatever its fields are."""
        assert without(["status code=500", "hang"], ["status"]) == ["hang"]

    def test_a_field_means_that_fault_only(self) -> None:
        """A fault with a field leaves out no other of its name."""
        kept = without(["status", "status code=500"], ["status code=500"])
        assert kept == ["status"]

    def test_no_words_leave_all(self) -> None:
        """Nothing is left out without words."""
        assert without(["hang"], [[], ()]) == ["hang"]

    def test_a_misspelt_word(self) -> None:
        """A word that is no fault is a usage error, also where it would leave out nothing."""
        with pytest.raises(UsageError, match="did you mean 'hang'"):
            without(["status"], ["hagn"])
