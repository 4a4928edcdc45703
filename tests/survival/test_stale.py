"""Answers without a result behind them are told from answers that an application made anew."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from wove import weave

from tests.survival.driver import Check, Tried, cell_of
from wove_http_dev.survival.verdicts import Cell
from wove_http_dev.tls import CertificateAuthority

FAILURES = (Exception, asyncio.CancelledError)
DEFAULT = {"rate": 1.0}
CACHE: dict[str, Any] = {}


@pytest.fixture
def verdict(wove_http_ca: CertificateAuthority) -> Callable[..., Cell]:
    """``verdict(check, "status code=503")``: the cell of that test and fault."""

    def tried(check: Check, fault: str, **words: Any) -> Cell:
        CACHE.clear()
        currencies.cache_clear()
        return cell_of(wove_http_ca, check, fault, **words)

    return tried


def remote(name: str, value: Any) -> Any:
    """Run a task that returns ``value`` on the worker."""

    def body() -> Any:
        return value

    body.__name__ = name
    with weave() as w:
        w.do(environment="workers")(body)
    return w.result[name]


async def remotely(name: str, value: Any) -> Any:
    """Run a task that returns ``value`` on the worker."""

    def body() -> Any:
        return value

    body.__name__ = name
    async with weave() as w:
        w.do(environment="workers")(body)
    return w.result[name]


# Nothing wrong: each of these answers was made in its own call, or is no answer of the failed task.


def check_default() -> None:
    """A default value of the module."""

    def rate() -> Any:
        try:
            return remote("rate", {"rate": 1.17})
        except FAILURES:
            return DEFAULT

    assert rate()["rate"] > 0


def check_computed() -> None:
    """The same answer, computed here."""

    def render() -> Any:
        try:
            return remote("render", "report of 7")
        except FAILURES:
            return "report of " + str(7)

    assert render() == "report of 7"


def valid(number: int) -> bool:
    """Compute here what the task computes."""
    return number > 0


def check_computed_truth() -> None:
    """The same truth value, computed here."""

    def is_valid() -> Any:
        try:
            return remote("check", True)
        except FAILURES:
            return valid(7)

    assert is_valid() is True


def check_joined() -> None:
    """The same text as one that is made of the task's result, put together here."""

    def page(title: str = "a title") -> Any:
        try:
            return "<h1>" + remote("heading", "a title") + "</h1>"
        except FAILURES:
            return f"<h1>{title}</h1>"

    assert page() == "<h1>a title</h1>"


@functools.lru_cache
def currencies() -> list[str]:
    """A result that a cache keeps."""
    found: list[str] = remote("currencies", ["EUR", "NOK"])
    return found


def check_cached_other() -> None:
    """The result of another task, which a cache keeps; the failed one gave none."""

    def overview() -> Any:
        try:
            names = currencies()
            return {"names": names, "rate": remote("rate", 1.17)}
        except FAILURES:
            return {"names": currencies(), "rate": None}

    overview()


@functools.lru_cache
def euro() -> dict[str, float]:
    """The result of a task for one argument, which a cache keeps."""
    found: dict[str, float] = remote("rate", {"EUR": 1.17})
    return found


def check_cached_namesake() -> None:
    """The result of a task that a cache keeps, beside one of its name that failed."""

    def overview() -> Any:
        rates = [euro()]
        with contextlib.suppress(*FAILURES):
            rates.append(remote("rate", {"NOK": 11.8}))
        return {"rates": rates}

    overview()


def check_cached_namesake_alone() -> None:
    """The very result that a cache keeps, after one of its name that failed."""

    def base() -> Any:
        found = euro()
        with contextlib.suppress(*FAILURES):
            remote("rate", {"NOK": 11.8})
        return [found]

    def first() -> Any:
        (found,) = base()
        return found

    assert first() is euro()


class Connection:
    """An object of the application without data of a task."""


POOL = [Connection()]


def check_pooled() -> None:
    """An object of a pool, which a function returns whether its check succeeds or not."""

    def connection() -> Connection:
        found = POOL[0]
        with contextlib.suppress(*FAILURES):
            remote("ping", None)
        return found

    assert connection() is POOL[0]


class Service:
    """An object of the application, which keeps what it got."""

    def __init__(self) -> None:
        self.last: Any = None

    def refresh(self) -> Service:
        """Fetch, and return the object itself."""
        try:
            self.last = remote("refresh", {"rate": 1.17})
        except FAILURES:
            logging.getLogger(__name__).info("not refreshed")
        return self


SERVICE = Service()


def check_self() -> None:
    """A function that returns its object, which keeps what it got before."""
    assert SERVICE.refresh() is SERVICE


def check_constant() -> None:
    """A constant that does not depend on the task, after an error."""

    def notify() -> str:
        try:
            remote("notify", None)
        except FAILURES as exc:
            return f"not sent: {type(exc).__name__}"
        return "queued"

    notify()


RATES = {"EUR": 1.17}


class Rate:
    """A rate of the application."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rate) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


def check_object_of_a_table() -> None:
    """The same answer after a cancellation, an object that is made of a table."""

    def rate() -> Rate:
        try:
            return Rate(remote("rate", RATES["EUR"]))
        except asyncio.CancelledError:
            return Rate(RATES["EUR"])
        except Exception:
            return Rate(0.0)

    assert rate().value >= 0


def check_optional() -> None:
    """A step that may fail in any way, and the answer of which does not depend on it."""

    def place(order: int) -> dict[str, Any]:
        try:
            remote("notify", None)
        except FAILURES:
            logging.getLogger(__name__).info("not notified")
        return {"order": order, "status": "placed"}

    assert place(7)["status"] == "placed"


@pytest.mark.parametrize("fault", ["status code=503", "task-cancelled"])
@pytest.mark.parametrize(
    "check",
    [
        check_default,
        check_object_of_a_table,
        check_optional,
        check_computed,
        check_computed_truth,
        check_joined,
        check_cached_other,
        check_pooled,
        check_self,
        check_constant,
    ],
)
def test_nothing_wrong(verdict: Callable[..., Cell], check: Check, fault: str) -> None:
    """A fallback, an answer computed here, and a cache of another task are no stale data."""
    cell = verdict(check, fault)
    assert cell.verdict in ("survived", "handled"), cell


@pytest.mark.parametrize("check", [check_cached_namesake, check_cached_namesake_alone])
def test_namesake_in_a_cache(wove_http_ca: CertificateAuthority, check: Check) -> None:
    """A result that a cache keeps is not that of a failed task of its name with other arguments,
    though an earlier run delivered both."""
    euro.cache_clear()
    clean = Tried(wove_http_ca, check).observation
    cells = [
        cell_of(wove_http_ca, check, fault, clean)
        for fault in ("status code=503", "refuse-connections")
    ]
    assert [cell.verdict for cell in cells] == ["survived", "survived"], cells


def check_constant_of_a_coroutine() -> None:
    """A constant that does not depend on the task, which asyncio.run() returns."""

    async def notify() -> str:
        with contextlib.suppress(*FAILURES):
            await remotely("notify", None)
        return "queued"

    assert asyncio.run(notify()) == "queued"


def check_global_of_a_coroutine() -> None:
    """A value of the module that does not depend on the task, which asyncio.run() returns."""

    async def rate() -> Any:
        with contextlib.suppress(*FAILURES):
            await remotely("notify", None)
        return DEFAULT

    assert asyncio.run(rate()) is DEFAULT


def check_argument_of_a_coroutine() -> None:
    """What the caller gave, which asyncio.run() returns."""

    async def saved(order: Any) -> Any:
        with contextlib.suppress(*FAILURES):
            await remotely("save", None)
        return order

    assert asyncio.run(saved(DEFAULT)) is DEFAULT


@pytest.mark.parametrize(
    "check",
    [check_constant_of_a_coroutine, check_global_of_a_coroutine, check_argument_of_a_coroutine],
)
def test_nothing_wrong_in_a_coroutine(verdict: Callable[..., Cell], check: Check) -> None:
    """What a coroutine returns in any case is no old data, as with a function."""
    cell = verdict(check, "status code=503")
    assert cell.verdict == "survived", cell


# Wrong


def check_kept_in_a_coroutine() -> None:
    """An answer of an earlier call, which asyncio.run() returns."""

    async def late_rates() -> Any:
        with contextlib.suppress(*FAILURES):
            CACHE["rate"] = await remotely("rate", {"EUR": 1.17})
        found = CACHE["rate"]
        with contextlib.suppress(*FAILURES):
            await remotely("note", None)
        return found

    assert asyncio.run(late_rates())["EUR"] > 1


def test_name_of_a_coroutine(verdict: Callable[..., Cell]) -> None:
    """The application's function is named, not asyncio.run()."""
    cell = verdict(check_kept_in_a_coroutine, "status code=503")
    assert "late_rates() answers with old data" in cell.customer


def check_kept_in_an_object() -> None:
    """An answer of an earlier call, inside a new object."""

    def report() -> Any:
        with contextlib.suppress(*FAILURES):
            CACHE["rate"] = remote("rate", {"EUR": 1.17})
        return {"title": "rates", "rates": CACHE["rate"]}

    assert report()["title"] == "rates"


def check_global() -> None:
    """A global variable with the result of an earlier call in it."""

    def rates() -> Any:
        with contextlib.suppress(*FAILURES):
            CACHE["EUR"] = remote("rate", 1.17)
        return CACHE

    assert rates()["EUR"] > 1


def check_second_step_never_came() -> None:
    """An answer of an earlier call, though the failed task is the one before."""

    def price() -> Any:
        try:
            base = remote("base", 1000.5)
            CACHE["price"] = remote("tax", base * 1.25)
        except FAILURES:
            pass
        return CACHE["price"]

    assert price() > 0


def check_kept_of_namesakes() -> None:
    """Answers of an earlier call, of which the first task failed and the second never came."""

    def table() -> Any:
        with contextlib.suppress(*FAILURES):
            for currency, rate in {"EUR": 1.17, "NOK": 11.8}.items():
                CACHE[currency] = remote("rate", {currency: rate})
        return [*CACHE.values()]

    assert len(table()) == 2


def check_kept_and_read_first() -> None:
    """An answer of an earlier call, which a variable has before the task is sent."""

    def total() -> Any:
        found = CACHE.get("total")
        with contextlib.suppress(*FAILURES):
            found = CACHE["total"] = [remote("rate", 1.5) * 2]
        return found

    assert total() == [3.0]


NUMBERS = itertools.count()


def check_kept_of_other_work() -> None:
    """An answer of an earlier call, though no two calls send the same."""

    def rate() -> Any:
        with contextlib.suppress(*FAILURES):
            CACHE["EUR"] = remote("rate", {"EUR": 1.17, "request": next(NUMBERS)})
        return {"rate": CACHE["EUR"]}

    assert rate()["rate"]["EUR"] == 1.17


def check_kept_beside_other_work() -> None:
    """An answer of an earlier call, whose weave has sent something new for another task."""

    def total() -> Any:
        number, works = next(NUMBERS), "total" not in CACHE
        with contextlib.suppress(*FAILURES):
            with weave(environment="workers") as w:

                @w.do
                def note() -> str:
                    return f"note {number}"

                @w.do
                def rate(note: str) -> float:
                    if not works:
                        raise LookupError(note)
                    return 1.5

            CACHE["total"] = [w.result.rate * 2]
        return CACHE["total"]

    assert total() == [3.0]


def test_other_work_that_succeeded(verdict: Callable[..., Cell]) -> None:
    """What succeeded in the weave of a failed task makes old data no newer."""
    cell = verdict(check_kept_beside_other_work, "slow-response delay=0.01")
    assert (cell.verdict, "very object" in cell.detail) == ("wrong", True), cell


TABLE = {"EUR": {"rate": 1.0}}


def rate_or(default: Callable[[], Any]) -> Any:
    """Return a rate of the worker, or a default."""
    try:
        return remote("rate", {"rate": 1.17})
    except FAILURES:
        return default()


def check_default_of_a_table() -> None:
    """A default value that a variable has."""
    assert rate_or(lambda: TABLE["EUR"])


def check_default_of_a_function() -> None:
    """A constant of another function than the one that the test calls."""
    assert rate_or(lambda: "not known")


def check_default_of_a_coroutine() -> None:
    """A constant of a coroutine."""

    async def rate() -> Any:
        try:
            async with weave() as w:

                @w.do(environment="workers")
                def rate() -> dict[str, float]:
                    return {"rate": 1.17}

            return w.result.rate
        except FAILURES:
            return "not known"

    assert asyncio.run(rate())


@pytest.mark.parametrize(
    "check", [check_default_of_a_table, check_default_of_a_function, check_default_of_a_coroutine]
)
def test_default_of_several_runs(wove_http_ca: CertificateAuthority, check: Check) -> None:
    """The default that a function returns whenever the task fails is no old data."""
    clean = Tried(wove_http_ca, check).observation
    cells = [cell_of(wove_http_ca, check, "status code=503", clean) for _ in range(2)]
    assert [cell.verdict for cell in cells] == ["survived", "survived"], cells


@pytest.mark.parametrize("fault", ["status code=503", "task-cancelled"])
@pytest.mark.parametrize(
    "check",
    [
        check_kept_in_an_object,
        check_global,
        check_kept_and_read_first,
        check_kept_of_namesakes,
        check_kept_of_other_work,
        check_second_step_never_came,
        check_kept_in_a_coroutine,
    ],
)
def test_wrong(verdict: Callable[..., Cell], check: Check, fault: str) -> None:
    """The object that an earlier run delivered is found where the answer has it."""
    cell = verdict(check, fault)
    assert cell.verdict == "wrong", cell
