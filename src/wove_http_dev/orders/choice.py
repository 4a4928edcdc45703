"""Chooses the orders in which the runs of a task are to complete."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

ATTEMPTS = 20
"""How often a random order is drawn, for each that is wanted, to find one that is new."""


def chosen_orders(
    needs: Sequence[int], at_once: int, limit: int, seed: str
) -> list[tuple[int, ...]]:
    """Return at most ``limit`` different orders in which runs can complete; the first is the one in
    which they are sent.

    Run ``k`` is sent when ``needs[k]`` others have completed, and at most ``at_once`` of those that
    were sent are in flight, the first ones. If there are more than ``limit`` orders, the second has
    the last run first wherever that can be, and the others are drawn with ``seed``.
    """
    found = list(islice(_possible(needs, at_once), limit + 1))
    if len(found) <= limit:
        return found
    draw = random.Random(seed).random  # unlike shuffle(), the same in every version of Python
    chosen = dict.fromkeys([found[0], _walk(needs, at_once, lambda ready: ready[-1])][:limit])
    for _ in range(ATTEMPTS * limit):
        if len(chosen) == limit:
            break
        chosen.setdefault(_walk(needs, at_once, lambda ready: ready[int(draw() * len(ready))]))
    return list(chosen)


def _ready(needs: Sequence[int], at_once: int, done: Sequence[int]) -> list[int]:
    past = {*done}
    sent = (k for k, count in enumerate(needs) if count <= len(done) and k not in past)
    return list(islice(sent, at_once))


def _walk(
    needs: Sequence[int], at_once: int, choose: Callable[[list[int]], int]
) -> tuple[int, ...]:
    done: list[int] = []
    while len(done) < len(needs):
        done.append(choose(_ready(needs, at_once, done)))
    return tuple(done)


def _possible(needs: Sequence[int], at_once: int) -> Iterator[tuple[int, ...]]:
    """Yield every order, in lexicographic order."""
    done: list[int] = []
    open_choices = [iter(_ready(needs, at_once, done))]
    while open_choices:  # not recursive: there may be a thousand runs
        index = next(open_choices[-1], None)
        if index is not None:
            done.append(index)
            if len(done) < len(needs):
                open_choices.append(iter(_ready(needs, at_once, done)))
                continue
            yield tuple(done)
        else:
            open_choices.pop()
        if done:
            done.pop()
