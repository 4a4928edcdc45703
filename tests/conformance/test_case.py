"""Cases and families: ids, names, texts, and errors in the numbering."""

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
    """Return a family with one case for each of ``numbers``."""
    family = Family("made-up")
    for number in numbers:
        family.must(number, "a test", scenario="a", expected="b", name=f"case-{number}")(
            nothing_happens
        )
    return family


def one_case() -> Case:
    """Return a case whose name and requirement come from its function."""
    family = Family("made-up")
    family.must("07", "a test", scenario="a request", expected="an answer")(nothing_happens)
    return family.cases[0]


def test_a_case_is_named_after_its_function() -> None:
    """A case has its function's name, with hyphens."""
    assert one_case().title == "made-up.07-nothing-happens"


def test_the_docstring_is_the_requirement() -> None:
    """The function's docstring becomes the requirement, on one line."""
    assert one_case().requirement == "Nothing happens."


def test_a_case_without_a_number_is_identified_by_its_name() -> None:
    """The title of a case without a number does not repeat the name."""
    family = Family("outcome")
    family.must("", "a test", scenario="a", expected="b", name="slow-response")(nothing_happens)
    assert (family.cases[0].id, family.cases[0].title) == ("outcome.slow-response",) * 2


@pytest.mark.parametrize("pattern", ["made-up.07", "nothing-*", "made-up", "*.07-nothing-happens"])
def test_a_case_matches_id_name_title_and_family(pattern: str) -> None:
    """A glob on the command line matches the id, name, title or family of a case."""
    assert one_case().matches(pattern)


def test_must_and_should_set_the_level() -> None:
    """``must`` and ``should`` set the level of a case."""
    family = Family("made-up")
    family.must("01", "a test", scenario="a", expected="b", name="first")(nothing_happens)
    family.should("02", "a test", scenario="a", expected="b", name="second")(nothing_happens)
    assert [case.level for case in family.cases] == [MUST, SHOULD]


def test_a_case_runs_beside_others() -> None:
    """A case whose decorator says nothing about it can run beside others."""
    assert not one_case().alone


@pytest.mark.parametrize("kind", ["must", "should"])
def test_a_case_can_ask_to_run_alone(kind: str) -> None:
    """``must`` and ``should`` take ``alone``."""
    family = Family("made-up")
    decorate = getattr(family, kind)
    decorate("01", "a test", scenario="a", expected="b", alone=True)(nothing_happens)
    assert family.cases[0].alone


def test_each_can_ask_for_cases_that_run_alone() -> None:
    """``each`` takes ``alone`` for all of its cases."""
    family = Family("made-up")

    @family.each(["one", "two"], "a test", name="says-{}", scenario="", expected="", alone=True)
    def says(check: object, value: str) -> str:
        """It says {}."""
        return value

    assert [case.alone for case in family.cases] == [True, True]


def test_a_number_that_is_taken_is_an_error() -> None:
    """The error for a number that is taken names the case that has it."""
    family = family_of("01")
    with pytest.raises(ValueError, match=r"made-up\.01-case-01 exists already"):
        family.must("01", "a test", scenario="a", expected="b")(nothing_happens)


def test_a_name_that_is_taken_is_an_error() -> None:
    """Two cases with different numbers cannot have the same name."""
    family = family_of("01")
    with pytest.raises(ValueError, match=r"cannot add made-up\.02-case-01"):
        family.must("02", "a test", scenario="a", expected="b", name="case-01")(nothing_happens)


def parametrized() -> Family:
    """Return a family with two cases that share a body."""
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
    """``each`` makes one case for each value, with its own number and name."""
    titles = [case.title for case in parametrized().cases]
    assert titles == ["made-up.01-says-one", "made-up.02-says-two"]


def test_each_formats_the_texts_with_the_value() -> None:
    """The requirement, scenario and expected text are formatted with the value."""
    case = parametrized().cases[1]
    found = (case.requirement, case.scenario, case.expected)
    assert found == ("It says two.", "the word two", "two")


def test_each_gives_the_body_its_value() -> None:
    """The body gets the value as its second argument."""
    assert [case.body(None) for case in parametrized().cases] == ["one", "two"]


def test_gaps_are_found() -> None:
    """A family with a gap in its numbers is returned with its numbers."""
    assert gaps(family_of("01", "03").cases) == {"made-up": ["01", "03"]}


def test_numbers_without_a_gap_are_not_listed() -> None:
    """The order in which the cases were added does not matter."""
    assert gaps(family_of("02", "01").cases) == {}


def test_repeated_ids_are_found() -> None:
    """Ids that two families of the same name share are found."""
    assert repeated([*family_of("01").cases, *family_of("01").cases]) == [
        "made-up.01",
        "made-up.case-01",
    ]


def test_an_unnumbered_case_is_not_its_own_repetition() -> None:
    """A case without a number is not a repetition, though its id and title are equal."""
    assert repeated(family_of("").cases) == []
