"""An application that charges a card on a worker, first as it often is, then mended."""

from wove import weave

BOOKED: list = []  # the orders that the bank was asked to charge


def pay(order):
    with weave() as w:

        @w.do(environment="workers", retries=1)
        def charge():
            return book(order)

    return w.result.charge


def book(order):
    BOOKED.append(order)
    return f"order {order} is paid"


def pay_once(order):
    with weave() as w:

        @w.do(environment="workers", retries=1)
        def charge():
            return book_once(order)

    return w.result.charge


def book_once(order):  # the order's number is the bank's idempotency key
    return book(order) if order not in BOOKED else f"order {order} is paid"
