"""An application of four weaves that handles whatever a worker does: a local fallback, an error of
its own, an answer that says so, and a repetition that is safe."""

from __future__ import annotations

import asyncio
from typing import Any

from wove import weave

FAILURES = (Exception, asyncio.CancelledError)
LIST_PRICES = {"lamp": 40, "chair": 90}


class TrackingUnavailableError(Exception):
    """Where the parcel is cannot be said now."""


def price_of(item: str, discount: int) -> dict[str, Any]:
    """Return the price of an item."""
    return {"item": item, "price": LIST_PRICES[item] - discount}


def quote(items: list[str], discount: int = 5) -> list[dict[str, Any]]:
    """Price the items on the worker, or here if it cannot."""
    try:
        with weave() as w:

            @w.do(items, environment="workers", retries=1)
            def price(item: str) -> dict[str, Any]:
                return price_of(item, discount)

        prices: list[dict[str, Any]] = w.result.price
        return prices
    except FAILURES:
        return [price_of(item, discount) for item in items]


async def track(number: str) -> str:
    """Say where a parcel is: two tasks, of which the second needs the first."""
    try:
        async with weave() as w:

            @w.do(environment="workers")
            async def locate() -> dict[str, str]:
                await asyncio.sleep(0)
                return {"parcel": number, "town": "Bergen"}

            @w.do(environment="workers")
            def describe(locate: dict[str, str]) -> str:
                return f"{locate['parcel']} is in {locate['town']}"

        where: str = w.result.describe
        return where
    except FAILURES as exc:
        raise TrackingUnavailableError(number) from exc


def checkout(order: int, amount: int) -> dict[str, Any]:
    """Charge an order; Wove may repeat it, with a key by which the worker knows it."""
    try:
        with weave() as w:

            @w.do(environment="workers", retries=1, delivery_idempotency_key=f"order-{order}")
            def charge() -> dict[str, Any]:
                return {"order": order, "amount": amount}

            @w.do
            def book(charge: dict[str, Any]) -> str:
                return f"order {charge['order']}: {charge['amount']} paid"

        return {"status": "paid", "receipt": w.result.book}
    except FAILURES:
        return {"status": "unknown", "receipt": None}


def recommend(customer: str) -> list[str]:
    """Recommend items; a second try after a failure, and none after that."""
    for _ in range(2):
        try:
            with weave() as w:

                @w.do(environment="workers", delivery_idempotency_key=f"recommend-{customer}")
                def rank() -> list[str]:
                    return [f"{customer} may like a lamp"]

            ranked: list[str] = w.result.rank
            return ranked
        except FAILURES:
            continue
    return []


def check_quote() -> None:
    """The prices are those of the list, whoever made them."""
    assert quote(["lamp", "chair"]) == [price_of("lamp", 5), price_of("chair", 5)]


def check_track() -> None:
    """A customer learns where the parcel is, or that it cannot be said."""
    try:
        assert asyncio.run(track("p-7")) == "p-7 is in Bergen"
    except TrackingUnavailableError:
        return


def check_checkout() -> None:
    """An order is paid."""
    assert checkout(7, 42) == {"status": "paid", "receipt": "order 7: 42 paid"}


def check_recommend() -> None:
    """There is a recommendation, or none."""
    assert recommend("Ada") in (["Ada may like a lamp"], [])


CHECKS = (check_quote, check_track, check_checkout, check_recommend)
