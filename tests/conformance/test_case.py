"""What a case is called, and how families keep their cases apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.conformance.numbering import gaps, repeated
from wove_http_dev.conformance.case import MUST, SHOULD, Case, Family


def nothing_happens(check: object) -> str:
    """Nothing
    happens."""
    return "nothing"


def family_of(*numbers: str) -> Family:
    """A family with a case for each of ``numbers``, each with another name."""
    family = Family("made-up")
    for number in numbers:
        family.must(number, "a test", scenario="a", expected="b", name=f"case-{number}")(
            nothing_happens
        )
    return family


def one_case() -> Case:
    """A case that takes everything it can from its function."""
    family = Family("made-up")
    family.must("07", "a test", scenario="a request", expected="an answer")(nothing_happens)
    return family.cases[0]


def test_a_case_is_named_after_its_function() -> None:
    """With hyphens."""
    assert one_case().title == "made-up.07-nothing-happens"


def test_the_docstring_is_the_requirement() -> None:
    """On one line."""
    assert one_case().requirement == "Nothing happens."


def test_a_case_without_a_number_is_identified_by_its_name() -> None:
    """Its title does not repeat the name."""
    family = Family("outcome")
    family.must("", "a test", scenario="a", expected="b", name="slow-response")(nothing_happens)
    assert (family.cases[0].id, family.cases[0].title) == ("outcome.slow-response",) * 2


@pytest.mark.parametrize("pattern", ["made-up.07", "nothing-*", "made-up", "*.07-nothing-happens"])
def test_a_case_matches_id_name_title_and_family(pattern: str) -> None:
    """So all four choose it on the command line."""
    assert one_case().matches(pattern)


def test_must_and_should_set_the_level() -> None:
    """A case says which of the two it is."""
    family = Family("made-up")
    family.must("01", "a test", scenario="a", expected="b", name="first")(nothing_happens)
    family.should("02", "a test", scenario="a", expected="b", name="second")(nothing_happens)
    assert [case.level for case in family.cases] == [MUST, SHOULD]


def test_a_number_that_is_taken_is_an_error() -> None:
    """The message names the case that has it."""
    family = family_of("01")
    with pytest.raises(ValueError, match=r"made-up\.01-case-01 exists already"):
        family.must("01", "a test", scenario="a", expected="b")(nothing_happens)


def test_a_name_that_is_taken_is_an_error() -> None:
    """Also under another number."""
    family = family_of("01")
    with pytest.raises(ValueError, match=r"cannot add made-up\.02-case-01"):
        family.must("02", "a test", scenario="a", expected="b", name="case-01")(nothing_happens)


def parametrized() -> Family:
    """Two cases that share a body."""
    family = Family("made-up")

    @family.each(
        {"01": SimpleNamespace(word="one"), "02": SimpleNamespace(word="two")},
        "a test",
        name="says-{0.word}",
        scenario="the word {0.word}",
        expected="{0.word}",
    )
    def says(check: object, value: SimpleNamespace) -> str:
        """It says {0.word}."""
        return str(value.word)

    return family


def test_each_makes_a_case_of_each_value() -> None:
    """Numbered and named by the value."""
    titles = [case.title for case in parametrized().cases]
    assert titles == ["made-up.01-says-one", "made-up.02-says-two"]


def test_each_formats_the_texts_with_the_value() -> None:
    """The docstring as well."""
    case = parametrized().cases[1]
    found = (case.requirement, case.scenario, case.expected)
    assert found == ("It says two.", "the word two", "two")


def test_each_gives_the_body_its_value() -> None:
    """After the context."""
    assert [case.body(None) for case in parametrized().cases] == ["one", "two"]


def test_gaps_are_found() -> None:
    """A family whose numbers miss one is listed with those it has."""
    assert gaps(family_of("01", "03").cases) == {"made-up": ["01", "03"]}


def test_numbers_without_a_gap_are_not_listed() -> None:
    """In whatever order they are."""
    assert gaps(family_of("02", "01").cases) == {}


def test_repeated_ids_are_found() -> None:
    """Also when two families of one name hold them."""
    assert repeated([*family_of("01").cases, *family_of("01").cases]) == [
        "made-up.01",
        "made-up.case-01",
    ]


def test_an_unnumbered_case_is_not_its_own_repetition() -> None:
    """Its id and its name are the same text."""
    assert repeated(family_of("").cases) == []
