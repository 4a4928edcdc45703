"""Hypothesis strategies for faults and schedules."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.strategies import SearchStrategy

from tests.test_schedule import Teapot
from wove_http_dev import Schedule, strategies
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS, Fault, Status
from wove_http_dev.fields import fields_of

QUIET = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=300,
    suppress_health_check=list(HealthCheck),
)


def drawn(strategy: SearchStrategy[Any], count: int = 60) -> list[Any]:
    """Some values of ``strategy``, the same each time."""
    values: list[Any] = []

    @settings(QUIET, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def note(value: Any) -> None:
        values.append(value)

    note()
    return values


def smallest(strategy: SearchStrategy[Any], condition: Any) -> Any:
    return find(strategy, condition, settings=settings(QUIET, max_examples=100))


@pytest.fixture(scope="module")
def any_faults() -> list[Fault]:
    return drawn(strategies.faults("connection", "run", "response", "wire"), 100)


@pytest.fixture(scope="module")
def any_schedules() -> list[Schedule]:
    return drawn(strategies.schedules("auth", "saturated", tasks=["charge", "it's"]), 80)


class TestFaults:
    """Which faults are drawn."""

    def test_a_family(self) -> None:
        """A family stands for its faults."""
        assert {fault.name for fault in drawn(strategies.faults("auth"))} == {
            kind.name for kind in FAULTS.values() if kind.stage == "auth"
        }

    def test_all(self) -> None:
        """``all`` stands for what can apply to a worker with the default options."""
        chosen = {choice.fault.name for choice in strategies._chosen(["all"], [])}
        assert chosen == {*FAULTS} - {"ip-san-missing"}

    def test_a_name_that_needs_an_option(self) -> None:
        """A name is drawn although it needs an option."""
        assert {fault.name for fault in drawn(strategies.faults("ip-san-missing"), 5)} == {
            "ip-san-missing"
        }

    def test_exclude(self) -> None:
        """``exclude`` takes the same words."""
        faults = strategies.faults("auth", "hang", exclude=["auth"])
        assert {fault.name for fault in drawn(faults, 5)} == {"hang"}

    def test_fields_are_drawn(self) -> None:
        """A field of a fault that is given by name is drawn."""
        assert len({fault.code for fault in drawn(strategies.faults("status"))}) > 5

    def test_given_fields_stay(self) -> None:
        """A fault with fields is drawn as it is."""
        assert set(drawn(strategies.faults("status code=404"), 5)) == {Status(code=404)}

    def test_an_instance(self) -> None:
        """An instance is drawn as it is."""
        assert set(drawn(strategies.faults(Teapot(strength=2)), 5)) == {Teapot(strength=2)}

    def test_times_are_short(self, any_faults: list[Fault]) -> None:
        """A time is at most its default, or a second where that is None."""
        long = [
            fault
            for fault in any_faults
            for name, each in fields_of(type(fault)).items()
            if each.unit == "seconds" and (getattr(fault, name) or 0) > (each.default or 1.0)
        ]
        assert long == []

    def test_statuses_are_errors(self, any_faults: list[Fault]) -> None:
        """A status is of the hundred of its default or above, because a 200 without frames, in
        place of an error, would be a stall."""
        assert {fault.code // 100 for fault in any_faults if isinstance(fault, Status)} == {5}

    def test_sizes_are_the_default(self, any_faults: list[Fault]) -> None:
        """A size in bytes, which would take memory or time, is the default."""
        sizes = {
            (fault.name, getattr(fault, name) == each.default)
            for fault in any_faults
            for name, each in fields_of(type(fault)).items()
            if each.unit == "bytes"
        }
        assert {is_default for _, is_default in sizes} == {True}

    def test_shrinks_to_the_defaults(self) -> None:
        """A fault shrinks to the defaults of its fields."""
        assert smallest(strategies.faults("status"), lambda fault: True) == Status()

    def test_shrinks_one_field(self) -> None:
        """A field that does not matter shrinks to its default, although another matters."""
        found = smallest(strategies.faults("status"), lambda fault: fault.code > 503)
        assert found.retry_after is None

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ((), "say which faults"),
            (("statsu",), "did you mean 'status'"),
            (("status times=1",), r"cannot use times= of status: draw schedules\(\)"),
        ],
    )
    def test_wrong_words(self, words: tuple[str, ...], reason: str) -> None:
        """A wrong word is a usage error when the strategy is made."""
        with pytest.raises(UsageError, match=reason):
            strategies.faults(*words)

    def test_nothing_left(self) -> None:
        """Words that leave no fault are a usage error."""
        with pytest.raises(UsageError, match="no fault is left"):
            strategies.faults("auth", exclude=["auth"])


class TestSchedules:
    """Which schedules are drawn."""

    def test_the_repr_is_code(self, any_schedules: list[Schedule]) -> None:
        """The ``repr`` of each makes an equal one."""
        assert [eval(repr(schedule)) for schedule in any_schedules] == any_schedules

    def test_lengths(self, any_schedules: list[Schedule]) -> None:
        """They have none to three injections."""
        assert {len(schedule) for schedule in any_schedules} == {0, 1, 2, 3}

    def test_most(self) -> None:
        """``most`` is the number of injections at most."""
        assert max(map(len, drawn(strategies.schedules("auth", most=1)))) == 1

    @pytest.mark.parametrize("words", ["task=charge", "times=2", "after=3", "it"])
    def test_selections(self, any_schedules: list[Schedule], words: str) -> None:
        """Tasks, ``times`` and ``after`` are drawn."""
        assert any(words in repr(schedule) for schedule in any_schedules)

    def test_a_given_selection_stays(self) -> None:
        """A selection that a word has is not drawn."""
        schedules = strategies.schedules("status times=7", tasks=["charge"])
        assert all(
            repr(each).count("status") == repr(each).count("times=7") for each in drawn(schedules)
        )

    def test_shrinks_to_nothing(self) -> None:
        """The smallest schedule has no fault."""
        assert smallest(strategies.schedules("auth"), lambda schedule: True) == Schedule()

    def test_shrinks_to_the_fewest(self) -> None:
        """What one injection can do shrinks to that one, without a word that does not matter."""
        found = smallest(
            strategies.schedules("status", "hang", tasks=["charge"]),
            lambda schedule: any(fault.name == "hang" for fault in schedule.faults),
        )
        assert repr(found) == "Schedule(['hang'])"

    def test_shrinks_a_selection(self) -> None:
        """A selection shrinks to the least that matters."""
        found = smallest(
            strategies.schedules("status", tasks=["charge"]),
            lambda schedule: "times=" in repr(schedule),
        )
        assert repr(found) == "Schedule(['status times=1'])"

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"tasks": "charge"}, r"tasks=\['charge'\]"),
            ({"tasks": [""]}, "a name or a glob"),
            ({"most": -1}, "most must be"),
        ],
    )
    def test_wrong_options(self, options: dict[str, Any], reason: str) -> None:
        """A wrong option is a usage error when the strategy is made."""
        with pytest.raises(UsageError, match=reason):
            strategies.schedules("all", **options)


@pytest.fixture(scope="module")
def without_hypothesis() -> list[str]:
    """What a process prints that does not have Hypothesis."""
    code = """
import sys
sys.modules["hypothesis"] = None
try:
    import wove_http_dev.strategies
except ModuleNotFoundError as exc:
    print(exc)
from wove_http_dev import Schedule
print(Schedule(["hang"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_strategies_without_hypothesis(without_hypothesis: list[str]) -> None:
    """Without Hypothesis the import of the strategies says what to install, in one line."""
    assert without_hypothesis[:-1] == [
        "wove_http_dev.strategies needs Hypothesis: pip install 'hypothesis>=6.82'"
    ]


def test_a_schedule_without_hypothesis(without_hypothesis: list[str]) -> None:
    """Without Hypothesis a schedule that was pasted into a test works."""
    assert without_hypothesis[-1] == "Schedule(['hang'])"
