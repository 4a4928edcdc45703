"""Texts of arguments and results."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from wove import weave

from tests.run_records import SECRET, finished_run
from tests.support import weave_one
from wove_http_dev import CertificateAuthority, HttpWorker
from wove_http_dev.runs.capture import note
from wove_http_dev.runs.display import TEXT_LIMIT, RunDisplay, arguments_text, value_text
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import CANCELLED
from wove_http_dev.runs.records import Run


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


@dataclass
class Account:
    """A dataclass with a field that its ``repr`` does not show."""

    name: str
    password: str = field(default="", repr=False)


@dataclass
class Own:
    """A dataclass with a ``__repr__`` of its own."""

    name: str

    def __repr__(self) -> str:
        return "<own>"


class Listed(list[int]):
    """A subclass of a builtin type that keeps its ``repr``, and whose methods raise."""

    def __iter__(self) -> Iterator[int]:
        raise SystemExit("iterated")

    def __len__(self) -> int:
        raise SystemExit("measured")


class Colours(set[int]):
    """A subclass of ``set``, whose ``repr`` has the name of the class."""


class Represented:
    """An object whose ``repr`` is what a function returns."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __repr__(self) -> str:
        return self._make()  # type: ignore[no-any-return]


class NoTruth:
    """An object that has no truth value and cannot be compared, like an array of numpy."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    def __repr__(self) -> str:
        return "array([1, 2],\n      [3, 4])"


class HasNoName(type):
    """A class of classes whose attributes cannot be read."""

    def __getattribute__(cls, name: str) -> Any:
        raise SystemExit(name)


def exits() -> str:
    raise SystemExit(1)


def recursive() -> str:
    return recursive()


def nested(depth: int) -> list[Any]:
    """A list inside a list, ``depth`` times."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


class Seen(JournalObserver):
    """Remembers each change of a run: its state, and the text of its arguments."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str | None]] = []

    def run_changed(self, run: Run) -> None:
        self.changes.append((run.state, run.args_text))


class TestValue:
    """``value_text`` returns the ``repr`` of a value."""

    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, 3, 2**4000 - 1, 1.5, "x", b"x", bytearray(b"x"), len, Point),
            *(
                [],
                [1, [2]],
                (),
                (1,),
                (1, 2),
                {},
                {1: [2]},
                set(),
                {1},
                frozenset(),
                frozenset({1}),
            ),
            *(Colours(), Colours({1}), collections.deque([1]), collections.Counter("aa")),
            *(Point(1, 2), Account("a", "b"), Own("x"), [Point(1, 2)], NoTruth()),
        ],
        ids=lambda value: f"{type(value).__name__}-{str(value)[:12]}",
    )
    def test_same_as_pythons(self, value: Any) -> None:
        """The text of a short value is its ``repr``."""
        assert value_text(value) == repr(value)

    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (lambda: list(range(10**6)), "48, 49, … 999,950 more]"),
            (lambda: "x" * 10**7, "xxx… (10,000,000 characters)"),
            (lambda: b"x" * 10**7, "xxx… (10,000,000 bytes)"),
            (lambda: ["x" * 10**7], "xxx… (10,000,000 characters)]"),
            (lambda: nested(100_000), "[[[[[[[…]]]]]]]"),
            (lambda: 10**100_000, "<int of 332,193 bits>"),
            (lambda: Listed([1]), "[1]"),
        ],
        ids=["list", "str", "bytes", "str-inside", "nested", "int", "subclass"],
    )
    def test_large(self, make: Callable[[], Any], text: str) -> None:
        """The text of a large value says how much is left out."""
        assert value_text(make()).endswith(text)

    def test_cycle(self) -> None:
        """A list that contains itself is shown to a limited depth."""
        cycle: list[Any] = []
        cycle.append(cycle)
        assert value_text(cycle) == "[[[[[[[…]]]]]]]"

    def test_what_does_not_fit_is_not_made(self) -> None:
        """Of a value that is too long, the items after the limit are not asked for their repr."""
        asked: list[None] = []

        def make() -> str:
            asked.append(None)
            return "x" * 1000

        value_text([[Represented(make)] * 50] * 50)
        assert len(asked) < 10

    @pytest.mark.parametrize(
        "make",
        [
            lambda: dict.fromkeys(range(10**6), "x" * 1000),
            lambda: [["x" * 300] * 50] * 50,
            lambda: Represented(lambda: "x" * 10**7),
            lambda: Represented(lambda: "\ud800" * 10**6),
            lambda: "\x00" * 10**6,
            lambda: collections.OrderedDict.fromkeys(range(10**5), "\x1b" * 1000),
        ],
        ids=["dict", "lists", "repr", "surrogates", "control", "ordered"],
    )
    def test_limit(self, make: Callable[[], Any]) -> None:
        """No text is longer than the limit, also where characters are escaped."""
        assert len(value_text(make())) <= TEXT_LIMIT

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (Represented(exits), "<Represented whose __repr__ raised SystemExit>"),
            (Represented(recursive), "<Represented whose __repr__ raised RecursionError>"),
            (Represented(lambda: None), "<Represented whose __repr__ raised TypeError>"),
            ([1, Represented(exits), 2], "[1, <Represented whose __repr__ raised SystemExit>, 2]"),
        ],
        ids=["raises", "recursion", "no-text", "inside"],
    )
    def test_hostile(self, value: Any, text: str) -> None:
        """An error of a ``__repr__`` is part of the text."""
        assert value_text(value) == text

    def test_hostile_class(self) -> None:
        """An object whose class cannot be asked for anything ends the text."""
        kind: Any = HasNoName("Nameless", (), {})
        text = value_text([1, object.__new__(kind)])
        assert text == "[1<SystemExit in the repr>"

    def test_changed_meanwhile(self) -> None:
        """A dict that another thread changes is shown as far as it was read."""
        value: dict[int, Any] = {}
        value.update({1: Represented(lambda: str(value.setdefault(2, 3))), 4: 5})
        assert value_text(value) == "{1: 3<RuntimeError in the repr>"

    @pytest.mark.parametrize(
        ("made", "text"), [("a\nb\tc", "a\nb\tc"), ("\x1b[2J\u202e\ud800", r"\x1b[2J\u202e\ud800")]
    )
    def test_escaped(self, made: str, text: str) -> None:
        """What a ``__repr__`` returns is escaped, except for line breaks and tabs."""
        assert value_text(Represented(lambda: made)) == text


class TestSecret:
    """The worker's secret is not shown."""

    @pytest.mark.parametrize(
        "value",
        [
            SECRET,
            SECRET.encode(),
            {SECRET: [SECRET]},
            Account(SECRET),
            Represented(lambda: SECRET),
        ],
    )
    def test_redacted(self, journal: Journal, value: Any) -> None:
        """No part of the secret is in a text."""
        assert SECRET[:5] not in value_text(value, journal.redaction.clean)

    @pytest.mark.parametrize(
        "values",
        [
            ["x" * (TEXT_LIMIT - more) + SECRET + "x" * 10**5 for more in range(5, 50)],
            [["x" * (400 - more) + SECRET + "x" * 10**5] for more in range(5, 20)],
            [["x" * 380] * 5 + ["x" * more + SECRET] for more in range(50, 90)],
        ],
        ids=["text", "in-a-list", "behind-others"],
    )
    def test_cut(self, journal: Journal, values: list[Any]) -> None:
        """No part of the secret is in a text that is cut, wherever that is."""
        assert not [
            value for value in values if SECRET[:5] in value_text(value, journal.redaction.clean)
        ]

    def test_name(self, journal: Journal) -> None:
        """The secret is not shown as the name of an argument."""
        assert arguments_text({SECRET: 1}, journal.redaction.clean) == "[redacted]=1"


class TestArguments:
    """``arguments_text`` returns the arguments of a call."""

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({}, ""),
            ({"n": 3, "name": "x"}, "n=3, name='x'"),
            ({"\x1b[2J": 1}, r"\x1b[2J=1"),
            ({"x": Represented(exits)}, "x=<Represented whose __repr__ raised SystemExit>"),
        ],
        ids=["none", "two", "escaped", "hostile"],
    )
    def test_text(self, arguments: dict[str, Any], text: str) -> None:
        """Arguments are shown as a call has them."""
        assert arguments_text(arguments) == text

    def test_long_argument(self) -> None:
        """A long argument leaves room for the next one."""
        assert arguments_text({"data": ["x" * 300] * 50, "n": 3}).endswith("…, n=3")

    def test_long_text(self) -> None:
        """The length of a text that is cut is shown."""
        text = arguments_text({"data": "x" * 10**6, "n": 3})
        assert text.endswith("x… (1,000,000 characters), n=3")

    def test_many(self) -> None:
        """Arguments without room are counted."""
        text = arguments_text({f"a{number}": "x" * 1000 for number in range(1000)})
        assert text.endswith(", … 979 more")

    @pytest.mark.parametrize("count", [1, 20, 10**5])
    @pytest.mark.parametrize("name", ["a", "\U000e0001" * 100])
    def test_limit(self, count: int, name: str) -> None:
        """The arguments are never longer than the limit."""
        text = arguments_text({f"{name}{number}": "\x00" * 1000 for number in range(count)})
        assert len(text) <= TEXT_LIMIT


def test_output_after_the_answer_counts(journal: Journal) -> None:
    """What an abandoned body has written takes bytes of the journal, once the body has ended."""
    run = finished_run(journal, CANCELLED)
    display = RunDisplay(run, journal)
    display.context().run(note, b"x" * 50_000, "utf-8")
    display.body_ended()
    assert journal.size > 50_000


@pytest.fixture(scope="module", params=[False, True], ids=["thread", "isolated"])
def lasting(
    request: pytest.FixtureRequest, wove_http_ca: CertificateAuthority
) -> Iterator[HttpWorker]:
    """A worker that keeps what a person is shown, for ``inspected``."""
    with HttpWorker(ca=wove_http_ca, isolated=request.param, inspected=True) as worker:
        yield worker


class TestWorker:
    """The texts of a worker's runs."""

    @pytest.fixture
    def inspected(self, lasting: HttpWorker) -> Iterator[HttpWorker]:
        """The worker, empty and configured in Wove."""
        lasting.reset()
        with lasting.configured():
            yield lasting

    def test_texts(self, inspected: HttpWorker) -> None:
        """A run has the texts of its arguments and of its result."""
        with weave() as w:
            w.do([3, 4], environment="workers")(lambda item: item * [item])
        assert w.result.final == [[3, 3, 3], [4, 4, 4, 4]]
        texts = {(run.args_text, run.result_text) for run in inspected.runs}
        assert texts == {("item=3", "[3, 3, 3]"), ("item=4", "[4, 4, 4, 4]")}

    def test_arguments_before_the_body(self, inspected: HttpWorker) -> None:
        """The arguments are those that the body got, and not what it made of them."""

        def clears(numbers: list[int]) -> None:
            numbers.clear()

        with weave(numbers=[1, 2]) as w:
            w.do(environment="workers")(clears)
        assert w.result.clears is None
        assert inspected.runs.last.args_text == "numbers=[1, 2]"

    def test_initial_value(self, inspected: HttpWorker) -> None:
        """A run that only delivers an initial value has texts, too."""
        with weave(environment="workers", x=5) as w:
            w.do(lambda x: x)
        assert w.result.final == 5
        (run,) = [each for each in inspected.all_runs if each.task_id == "x"]
        assert (run.initial_value, run.args_text, run.result_text) == (True, "", "5")

    def test_failed(self, inspected: HttpWorker) -> None:
        """A run that failed has the text of its arguments, and no result."""
        with pytest.raises(ZeroDivisionError):
            weave_one(lambda: 1 / 0)
        run = inspected.runs.last
        assert (run.args_text, run.result_text) == ("", None)

    def test_stubbed(self, inspected: HttpWorker) -> None:
        """The run of a stub has no texts: nothing was loaded."""
        with inspected.stub("task", result=5):
            weave_one()
        run = inspected.runs.last
        assert (run.args_text, run.result_text) == (None, None)

    def test_hostile(self, inspected: HttpWorker) -> None:
        """A result whose repr raises reaches the client."""

        class Hostile:
            def __repr__(self) -> str:
                raise SystemExit(1)

        assert type(weave_one(Hostile)).__name__ == "Hostile"
        text = inspected.runs.last.result_text or ""
        assert text.endswith("Hostile whose __repr__ raised SystemExit>")

    def test_secret(self, inspected: HttpWorker) -> None:
        """The worker's secret is not in the texts of its runs."""
        secret = "".join(inspected.secret)  # a plain text
        weave_one(lambda: secret)
        assert inspected.runs.last.result_text == "'[redacted]'"

    def test_callable(self, inspected: HttpWorker) -> None:
        """A run keeps the pickled function."""
        weave_one(lambda: 7)
        payload = inspected.runs.last.callable_pickle
        assert payload is not None
        assert pickle.loads(payload)() == 7

    def test_shown_before_the_body_starts(self, inspected: HttpWorker) -> None:
        """Observers get the arguments while the run is running."""
        seen = Seen()
        inspected.journal.observe(seen)
        weave_one(lambda: 1)
        assert ("running", "") in seen.changes

    def test_not_asked_for(self, wove_http_worker: HttpWorker) -> None:
        """The runs of a fixture's worker have no texts and keep no function."""
        weave_one()
        run = wove_http_worker.runs.last
        assert (run.args_text, run.result_text, run.callable_pickle) == (None, None, None)
