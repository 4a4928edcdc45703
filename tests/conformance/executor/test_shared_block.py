"""A block that several threads are in, entered and left once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from wove_http_dev.conformance.executor.shared_block import Shared


def recording(steps: list[str]) -> Shared:
    """Return a shared block that notes in ``steps`` when it is entered and left."""

    @contextmanager
    def block() -> Iterator[None]:
        steps.append("in")
        yield
        steps.append("out")

    return Shared(block)


def test_it_is_entered_once() -> None:
    """A second entry changes nothing."""
    steps: list[str] = []
    shared = recording(steps)
    with shared.entered(), shared.entered():
        assert steps == ["in"]


def test_it_is_left_when_the_last_one_has_left() -> None:
    """The first that entered may leave first."""
    steps: list[str] = []
    shared = recording(steps)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(shared.entered())
        second.enter_context(shared.entered())
        first.close()
        assert steps == ["in"]


def test_it_can_be_entered_again() -> None:
    """After the last one has left, the next one enters again."""
    steps: list[str] = []
    shared = recording(steps)
    for _ in range(2):
        with shared.entered():
            pass
    assert steps == ["in", "out", "in", "out"]
