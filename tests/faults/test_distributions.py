"""Distributions: their text, their bounds, and the numbers that they give."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wove_http_dev import faults
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import (
    DISTRIBUTIONS,
    FAULTS,
    Distribution,
    Exponential,
    LogNormal,
    Normal,
    SlowBody,
    SlowResponse,
    Uniform,
    drawn,
)
from wove_http_dev.faults.distributions import distributions_of, takes_distribution
from wove_http_dev.faults.text import parse_fault
from wove_http_dev.fields import LONGEST, TypedField, fields_of

# Not by the clock, and the same examples in every run.
steady = settings(deadline=None, database=None, derandomize=True, max_examples=100)

GUIDE = Path(faults.__file__).parents[1] / "pytest_plugin" / "README.md"
FIELD = TypedField("delay", (float, Distribution), 1.0, unit="seconds")
VALUES = [
    (Uniform(0.1, 0.5), "0.1..0.5"),
    (Uniform(0, 2), "0..2"),
    (Normal(mean=0.3, sd=0.1), "normal(mean=0.3,sd=0.1)"),
    (LogNormal(median=0.2, sigma=1), "lognormal(median=0.2,sigma=1)"),
    (Exponential(mean=0.2), "exponential(mean=0.2)"),
]
positive = st.floats(0, LONGEST, exclude_min=True)
distributions = st.one_of(
    st.builds(lambda a, b: Uniform(*sorted([a, b])), st.floats(0, LONGEST), st.floats(0, LONGEST)),
    st.builds(Normal, st.floats(0, LONGEST), positive),
    st.builds(LogNormal, positive, st.floats(0, 10, exclude_min=True)),
    st.builds(Exponential, positive),
)


class TestText:
    """The form of a distribution as text."""

    @pytest.mark.parametrize(("value", "text"), VALUES, ids=str)
    def test_text_of_a_value(self, value: Distribution, text: str) -> None:
        """``str`` is the text that a fault takes."""
        assert str(value) == text

    @pytest.mark.parametrize(("value", "text"), VALUES, ids=str)
    def test_value_of_a_text(self, value: Distribution, text: str) -> None:
        """A fault's text has the value."""
        assert parse_fault(f"slow-response delay={text}")[0] == SlowResponse(delay=value)

    @pytest.mark.parametrize(
        "text",
        [
            "normal(mean=0.3, sd=0.1)",
            "normal( mean = 0.3 , sd = 0.1 )",
            "Normal(mean=0.3, sd=0.1)",
            "normal(sd=0.1,mean=0.3)",
            "'normal(mean=0.3, sd=0.1)'",
        ],
    )
    def test_other_ways_to_write_it(self, text: str) -> None:
        """Blanks, the order of parameters and the name of the class do not matter."""
        fault, selection = parse_fault(f"slow-response delay={text} times=2")
        assert (fault, selection) == (SlowResponse(delay=Normal(0.3, 0.1)), {"times": 2})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("0.5..0.1", "0.5..0.1 begins above its end; did you mean 0.1..0.5?"),
            ("0.1...0.5", "0.1...0.5: write two dots; did you mean 0.1..0.5?"),
            ("0.1-0.5", "0.1-0.5: did you mean 0.1..0.5?"),
            ("0.1..", "0.1..: '' is not a number"),
            ("1..2..3", "1..2..3: '2..3' is not a number"),
            ("-1..2", "-1..2: low takes a number between 0 and 1000000000, not -1.0"),
            ("nan..1", "nan..1: low takes a finite number between 0 and 1000000000, not nan"),
            ("0..inf", "0..inf: high takes a finite number between 0 and 1000000000, not inf"),
            ("0..1e10", "0..1e10: high takes a number between 0 and 1000000000, not 10000000000.0"),
            ("normal", "normal: write it as normal(mean=0.3,sd=0.1)"),
            ("normal(mean=1", "normal(mean=1: write it as normal(mean=0.3,sd=0.1)"),
            ("normal(mean=x,sd=1)", "normal(mean=x,sd=1): 'x' is not a number"),
            (
                "normal(0.3,0.1)",
                "normal(0.3,0.1): '0.3' has no name; write normal(mean=0.3,sd=0.1)",
            ),
            ("normal()", "normal(): normal needs mean=; write normal(mean=0.3,sd=0.1)"),
            ("normal(mean=1)", "normal(mean=1): normal needs sd=; write normal(mean=0.3,sd=0.1)"),
            ("normal(mean=1,sd=2,sd=3)", "normal(mean=1,sd=2,sd=3): sd= is given twice"),
            (
                "lognormal(median=1,sigm=2)",
                "lognormal(median=1,sigm=2): lognormal has no 'sigm'; did you mean 'sigma'?",
            ),
            (
                "exponential(mean=1,x=2)",
                "exponential(mean=1,x=2): exponential has no 'x'; write exponential(mean=0.2)",
            ),
            (
                "norml(mean=1,sd=1)",
                "norml(mean=1,sd=1): unknown distribution 'norml'; did you mean 'normal'?",
            ),
            (
                "zipf(a=2)",
                "zipf(a=2): unknown distribution 'zipf'; there are 0.1..0.5,"
                " normal(mean=0.3,sd=0.1), lognormal(median=0.2,sigma=1), exponential(mean=0.2)",
            ),
            (
                "normal(mean=1,sd=0)",
                "normal(mean=1,sd=0): sd takes a number above 0 and at most 1000000000, not 0.0",
            ),
            (
                "lognormal(median=1,sigma=11)",
                "lognormal(median=1,sigma=11): sigma takes a number above 0 and at most 10, not"
                " 11.0",
            ),
        ],
    )
    def test_wrong_text(self, text: str, message: str) -> None:
        """A text that is no distribution is one line that says what to write."""
        with pytest.raises(UsageError) as caught:
            parse_fault(f"slow-response delay={text}")
        assert str(caught.value) == f"fault slow-response: delay={message}"

    def test_text_without_a_distribution_in_it(self) -> None:
        """What looks like neither a number nor a distribution is told both forms."""
        with pytest.raises(UsageError, match=r"or a distribution such as 0\.1\.\.0\.5, not"):
            parse_fault("slow-response delay=soon")

    def test_text_for_a_field_that_takes_none(self) -> None:
        """A field that is not a duration takes no distribution."""
        with pytest.raises(UsageError, match="code takes a whole number between 200 and 599, not"):
            parse_fault("status code=200..500")

    def test_a_text_where_a_value_is_wanted(self) -> None:
        """The message has the value to write."""
        with pytest.raises(UsageError, match=r"as a value it is Uniform\(low=0.1, high=0.5\)"):
            SlowResponse(delay="0.1..0.5")  # type: ignore[arg-type]

    @steady
    @given(distributions)
    def test_round_trip(self, value: Distribution) -> None:
        """Every distribution is what a fault's own text says."""
        fault = SlowResponse(delay=value)
        assert parse_fault(str(fault))[0] == fault

    @steady
    @given(st.text("0123456789.enormalugpdiv=(),- ", max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text is a value, or a usage error."""
        with suppress(UsageError):
            fault, _ = parse_fault(f"slow-response 'delay={text}'")
            assert parse_fault(str(fault))[0] == fault


class TestValue:
    """A distribution as a value."""

    @pytest.mark.parametrize("make", [Normal, LogNormal])
    @pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, 1e10, 10**400, True, "1", None])
    def test_wrong_parameter(self, make: Callable[..., Distribution], wrong: object) -> None:
        """A parameter is a finite number within its bounds."""
        with pytest.raises(UsageError, match="takes a"):
            make(1.0, wrong)

    def test_base_class(self) -> None:
        """The base class is no distribution."""
        with pytest.raises(UsageError, match="not one of Uniform, Normal, LogNormal, Exponential"):
            Distribution()

    def test_repr(self) -> None:
        """The ``repr`` of a fault is code that makes it."""
        fault = SlowResponse(delay=LogNormal(median=0.2, sigma=1))
        assert eval(repr(fault)) == fault

    @pytest.mark.parametrize(("value", "_"), VALUES, ids=str)
    def test_pickle(self, value: Distribution, _: str) -> None:
        """A distribution that was pickled is the same."""
        assert pickle.loads(pickle.dumps(value)) == value

    def test_whole_numbers_are_numbers(self) -> None:
        """``Uniform(1, 2)`` is ``Uniform(1.0, 2.0)``, also as text."""
        assert str(Uniform(1, 2)) == str(Uniform(1.0, 2.0)) == "1..2"


class TestDraw:
    """The number that belongs to a chance."""

    @pytest.mark.parametrize(
        ("value", "least", "middle", "most"),
        [
            (Uniform(0.1, 0.5), 0.1, 0.3, 0.5),
            (Normal(mean=1, sd=0.1), 0.69098, 1.0, 1.30902),
            (Normal(mean=0, sd=1), 0.0, 0.67292, 3.09023),
            (LogNormal(median=0.2, sigma=1), 0.0091, 0.2, 4.39644),
            (Exponential(mean=0.2), 0.0, 0.13843, 1.38155),
        ],
        ids=str,
    )
    def test_shape(self, value: Distribution, least: float, middle: float, most: float) -> None:
        """The first, the middle and the last number, to 5 digits."""
        found = [round(value.draw(chance, FIELD), 5) for chance in (0.0, 0.5, math.nextafter(1, 0))]
        assert found == [pytest.approx(each, abs=1e-5) for each in (least, middle, most)]

    @steady
    @given(distributions, st.floats(0, 1, exclude_max=True))
    def test_bounds_of_seconds(self, value: Distribution, chance: float) -> None:
        """A number is never negative, and never above what a field may have."""
        assert 0 <= value.draw(chance, FIELD) <= LONGEST

    @steady
    @given(distributions, st.floats(0, 1, exclude_max=True), positive, positive)
    def test_bounds_of_a_field(
        self, value: Distribution, chance: float, one: float, other: float
    ) -> None:
        """A number is within the bounds of a field that can have the distribution."""
        least, most = sorted([one, other])
        field = TypedField("delay", (float, Distribution), 1.0, least=least, most=most)
        if not value.misfit(field):
            assert least <= value.draw(chance, field) <= most

    @steady
    @given(distributions, st.floats(0, 1, exclude_max=True))
    def test_above(self, value: Distribution, chance: float) -> None:
        """A number is above the bound of a field that excludes it."""
        field = TypedField("delay", (float, Distribution), 1.0, above=0.5)
        if not value.misfit(field):
            assert value.draw(chance, field) > 0.5

    @steady
    @given(distributions, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
    def test_order(self, value: Distribution, one: float, other: float) -> None:
        """A greater chance never gives a smaller number."""
        low, high = sorted([one, other])
        assert value.draw(low, FIELD) <= value.draw(high, FIELD) * (1 + 1e-9)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (
                Uniform(0.1, 3),
                "delay takes a number between 1 and 2, or a distribution such as"
                " 0.1..0.5; 0.1..3 begins below that",
            ),
            (Uniform(1, 3), "1..3 ends above that"),
            (Normal(0.5, 1), r"normal\(mean=0.5,sd=1\) has its mean below that"),
            (LogNormal(3, 1), r"lognormal\(median=3,sigma=1\) has its median above that"),
        ],
        ids=str,
    )
    def test_outside_the_bounds_of_a_field(self, value: Distribution, message: str) -> None:
        """A range must be within the bounds of its field; of the others, the middle."""
        field = TypedField("delay", (float, Distribution), 1.0, least=1, most=2)
        with pytest.raises(UsageError, match=message):
            field.check(value)


def test_drawn_number() -> None:
    """``drawn()`` returns a number as it is."""
    assert drawn(0.25) == 0.25


def test_a_distribution_that_is_not_drawn() -> None:
    """``drawn()`` refuses a distribution, and says when it is drawn."""
    with pytest.raises(UsageError, match=r"0\.1\.\.0\.5 is not drawn yet: a worker draws"):
        drawn(Uniform(0.1, 0.5))


def test_fields_with_a_distribution() -> None:
    """Only the fields that have a distribution now are found."""
    fault = SlowBody(drip=Uniform(0, 1))
    assert [(each.name, value) for each, value in distributions_of(fault)] == [
        ("drip", Uniform(0, 1))
    ]


@pytest.mark.parametrize("kind", DISTRIBUTIONS.values())
def test_guide_has_a_row(kind: type[Distribution]) -> None:
    """The guide has each distribution, as text."""
    assert f"\n| `{kind.example}` | `{kind.__name__}(" in GUIDE.read_text(encoding="utf-8")


def test_every_time_of_a_fault() -> None:
    """Every field of seconds takes a distribution, and no other field does."""
    fields = [(name, each) for name, kind in FAULTS.items() for each in fields_of(kind).values()]
    assert [
        (name, each)
        for name, each in fields
        if takes_distribution(each) is not (each.unit == "seconds")
    ] == []
