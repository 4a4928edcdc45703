"""Bugs that were planted in an application are found, each with its verdict and fault."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from wove import weave

from tests.survival.driver import Check, Tried, cell_of
from wove_http_dev.survival.verdicts import Cell
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

LONG = {"timeout": 60.0, "delivery_timeout": 60.0}
CACHE: dict[str, Any] = {}


@pytest.fixture
def verdict(wove_http_ca: CertificateAuthority) -> Callable[..., Cell]:
    """``verdict(test, "status code=503")``: the cell of that test and fault."""

    def tried(test: Check, fault: str, **words: Any) -> Cell:
        CACHE.clear()
        return cell_of(wove_http_ca, test, fault, **words)

    return tried


# Swallows the error, and returns what an earlier call got.


def rates(currency: str) -> dict[str, float]:
    """Return rates, or those of the last time."""
    try:
        with weave() as w:

            @w.do(environment="workers")
            def fetch_rates() -> dict[str, float]:
                return {currency: 1.17}

        CACHE["rates"] = w.result.fetch_rates
    except Exception:
        pass
    found: dict[str, float] = CACHE["rates"]
    return found


def total(amounts: list[int]) -> float:
    """Return a sum, or that of the last time: what is kept is made of the results."""
    try:
        with weave() as w:

            @w.do(amounts, environment="workers")
            def convert(item: int) -> float:
                return item * 1.17

        CACHE["total"] = sum(w.result.convert)
    except Exception:
        pass
    found: float = CACHE["total"]
    return found


async def rates_later() -> dict[str, float]:
    """Return rates, or those of the last time."""
    try:
        async with weave() as w:

            @w.do(environment="workers")
            async def fetch_rates() -> dict[str, float]:
                return {"EUR": 1.17}

        CACHE["rates"] = w.result.fetch_rates
    except Exception:
        pass
    found: dict[str, float] = CACHE["rates"]
    return found


def check_rates() -> None:
    """Passes with old rates."""
    assert rates("EUR") == {"EUR": 1.17}


def check_total() -> None:
    """Passes with an old total."""
    assert total([1000, 2000]) > 0


def check_async_rates() -> None:
    """Passes with old rates."""
    assert asyncio.run(rates_later())["EUR"] == 1.17


@pytest.mark.parametrize("fault", ["status code=503", "refuse-connections", "truncated-body"])
@pytest.mark.parametrize("test", [check_rates, check_total, check_async_rates])
def test_stale_data_is_found(verdict: Callable[..., Cell], test: Check, fault: str) -> None:
    """Data of an earlier run, given as if it were new, is wrong."""
    cell = verdict(test, fault)
    assert cell.verdict == "wrong", cell
    assert "earlier run" in cell.detail or "very object" in cell.detail


# Repeats by hand a task that must not run twice.


def pay(order: int) -> str:
    """Charge, and charge again after an error."""
    error: Exception | None = None
    for _ in range(2):
        try:
            with weave() as w:

                @w.do(environment="workers")
                def charge() -> str:
                    return f"receipt {order}"

            receipt: str = w.result.charge
            return receipt
        except Exception as exc:
            error = exc
    raise LookupError("not paid") from error


def check_pay() -> None:
    """Passes if the second try has an answer."""
    assert pay(7) == "receipt 7"


@pytest.mark.parametrize(
    "fault", ["lost-response", "crash-after-run", "missing-terminal", "reset-mid-body"]
)
def test_repetition_is_found(verdict: Callable[..., Cell], fault: str) -> None:
    """A task that ran twice, without retries that ask for it, ran twice."""
    # Each try must last until the worker has run the task, also on a busy machine.
    limits = {"timeout": 60.0, "delivery_timeout": 1.0} if fault == "missing-terminal" else {}
    cell = verdict(check_pay, fault, **limits)
    if fault == "crash-after-run":  # the second try meets no worker
        assert cell.verdict == "handled", cell
    else:
        assert (cell.verdict, "'charge' ran 2 times" in cell.detail) == ("ran-twice", True), cell


# ``except BaseException``


def poll() -> str | None:
    """Return an answer, or nothing."""
    try:
        with weave() as w:

            @w.do(environment="workers")
            def ask() -> str:
                return "answer"

        answer: str = w.result.ask
        return answer
    except BaseException:
        return None


def check_poll() -> None:
    """Passes with or without an answer."""
    assert poll() in ("answer", None)


def test_hidden_exception_is_found(verdict: Callable[..., Cell]) -> None:
    """An exception that must end the program and that ``except BaseException`` hides is named with
    the place."""
    cell = verdict(check_poll, "task-cancelled")
    assert cell.verdict == "escaped", cell
    assert re.search(r"`except BaseException` at \S*test_planted_bugs.py:\d+ hides it", cell.detail)


# No timeout


def wait_long() -> str:
    """Wait for an answer, however long it takes."""
    try:
        with weave() as w:

            @w.do(environment="workers")
            def render() -> str:
                return "page"

        page: str = w.result.render
        return page
    except Exception:
        return ""


def check_wait_long() -> None:
    """Passes with a page and without."""
    assert wait_long() in ("page", "")


def arrived(worker: HttpWorker) -> None:
    """Wait until a run has arrived: it is stalled then, and no limit of the client's ends it."""
    worker.wait_for("render", "received", timeout=30)


def test_missing_timeout_is_found(verdict: Callable[..., Cell]) -> None:
    """A weave that only the end of the fault ended hung."""
    cell = verdict(check_wait_long, "hang", watchdog=arrived, **LONG)
    assert (cell.verdict, "'render'" in cell.detail) == ("hung", True), cell


# Trusts a cancelled task


def order(number: int) -> dict[str, Any]:
    """Charge, and take a cancellation for success."""
    try:
        with weave() as w:

            @w.do(environment="workers")
            def charge() -> str:
                return f"receipt {number}"

        CACHE["receipt"] = w.result.charge
    except asyncio.CancelledError:
        pass  # "it was cancelled, so it had been sent"
    return {"status": "paid"}


def ship(number: int) -> str:
    """Ship, and take a cancellation for success."""
    try:
        with weave() as w:

            @w.do(environment="workers")
            def send() -> str:
                return "sent"

        state: str = w.result.send
        return state
    except asyncio.CancelledError:
        return "sent"


@dataclass
class Receipt:
    """What a customer gets."""

    number: int
    state: str


def receipt(number: int) -> Receipt:
    """Charge, and take a cancellation for success."""
    with contextlib.suppress(asyncio.CancelledError), weave() as w:

        @w.do(environment="workers")
        def charge() -> str:
            return "charged"

    return Receipt(number, "paid")


def check_receipt() -> None:
    """Passes without a charge."""
    assert receipt(7) == Receipt(7, "paid")


def check_order() -> None:
    """Passes without a charge."""
    assert order(7) == {"status": "paid"}


def check_ship() -> None:
    """Passes without a parcel."""
    assert ship(7) == "sent"


@pytest.mark.parametrize("test", [check_order, check_ship, check_receipt])
def test_trust_in_a_cancelled_task_is_found(verdict: Callable[..., Cell], test: Check) -> None:
    """The answer of success after a task that was cancelled is wrong."""
    cell = verdict(test, "task-cancelled")
    assert (cell.verdict, "was cancelled" in cell.detail) == ("wrong", True), cell


def test_stale_data_of_any_earlier_run(wove_http_ca: CertificateAuthority) -> None:
    """Data that the run with another fault got is stale in the next one."""
    CACHE.clear()
    clean = Tried(wove_http_ca, check_total).observation
    between = cell_of(wove_http_ca, check_total, "missing-started", clean)
    cell = cell_of(wove_http_ca, check_total, "status code=503", clean)
    assert (between.verdict, cell.verdict) == ("survived", "wrong"), cell
