"""An application whose result depends on the order in which its runs complete."""

from wove import weave

BALANCE = [0]


def book(movements):
    BALANCE[0] = 0
    with weave() as w:

        @w.do(movements, environment="workers")
        def move(item):
            return apply(item)

    return sum(w.result.move)


def apply(amount):
    if BALANCE[0] + amount < 0:
        return 0  # refused: the account is empty
    BALANCE[0] += amount
    return amount
