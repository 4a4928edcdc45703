"""An application as many are: its tests pass, and it does not survive every fault."""

from wove import weave

PRICES: dict = {}  # what the worker has answered


def charge(order):
    with weave() as w:

        @w.do(environment="workers")
        def book():
            return f"order {order} is paid"

    return w.result.book


def pay(order):
    try:
        return charge(order)
    except Exception:  # whatever it was, a second attempt may do
        return charge(order)


def price(item):
    try:
        with weave() as w:

            @w.do(environment="workers")
            def look_up():
                return {"item": item, "cents": 995}

        PRICES[item] = w.result.look_up
    except Exception:
        pass  # the last price will do
    return PRICES[item]
