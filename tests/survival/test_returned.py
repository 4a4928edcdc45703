"""What the functions that a test calls return."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wove_http_dev.client.observed_weaves import ObservedWeave
from wove_http_dev.survival.returned import Caller, Returned

STATE = {"rates": [1.5]}
_weave = ObservedWeave(0.0)


def deep() -> float:
    """Return a value to ``shallow``, not to the test."""
    return 1.25


def shallow() -> list[float]:
    """Return a new list."""
    return [deep()]


def failing() -> None:
    """Raise."""
    raise LookupError


def state() -> dict[str, list[float]]:
    """Return what existed before the call."""
    return STATE


def same(value: Any) -> Any:
    """Return the argument."""
    return value


async def later() -> str:
    """Return after another turn of the event loop."""
    await asyncio.sleep(0)
    return "later"


def observe(test: Callable[[], Any]) -> Returned:
    """Run ``test`` and return what was observed."""
    returned = Returned(test)
    with returned.observing():
        result = test()
        if asyncio.iscoroutine(result):
            asyncio.run(result)
    return returned


def values(returned: Returned) -> list[tuple[str, bool, Any]]:
    """Name and outcome of each call."""
    return [(call.name, call.returned, call.value) for call in returned.calls]


def test_value_of_a_call() -> None:
    """The value of a function that the test calls is kept, and not that of a deeper one."""

    def test() -> None:
        shallow()

    assert values(observe(test)) == [("shallow", True, [1.25])]


def test_call_of_a_fixture() -> None:
    """What a fixture of the test calls counts as called by the test."""

    def fixture() -> list[float]:
        return shallow()

    def test() -> None:
        return

    returned = Returned(test, [fixture])
    with returned.observing():
        fixture()
    assert values(returned) == [("shallow", True, [1.25])]


def test_identity() -> None:
    """The value is the very object."""
    kept: list[Any] = []

    def test() -> None:
        kept.append(shallow())

    assert observe(test).calls[0].value is kept[0]


def test_exception() -> None:
    """A function that an exception leaves has not returned."""

    def test() -> None:
        with pytest.raises(LookupError):
            failing()

    assert ("failing", False, None) in values(observe(test))


def test_async_test() -> None:
    """A coroutine that an async test awaits is one call, whose value is its own."""

    async def test() -> None:
        await later()

    assert values(observe(test)) == [("later", True, "later")]


def test_coroutine_of_a_sync_test() -> None:
    """What asyncio.run() returns to the test is kept."""

    def test() -> None:
        asyncio.run(later())

    assert ("run", True, "later") in values(observe(test))


def test_decorated_test() -> None:
    """The function inside a decorator is the test."""

    def test() -> None:
        shallow()

    @functools.wraps(test)
    def decorated() -> None:
        test()

    assert ("shallow", True, [1.25]) in values(observe(decorated))


def test_argument() -> None:
    """A function that returns its argument is known."""

    def test() -> None:
        same(STATE)
        shallow()

    assert [call.is_argument for call in observe(test).calls] == [True, False]


def test_global() -> None:
    """A function that returns a global variable is known."""

    def test() -> None:
        state()
        shallow()

    assert [call.is_global for call in observe(test).calls] == [True, False]


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that calls very much is observed in part."""
    monkeypatch.setattr("wove_http_dev.survival.returned.CALLS_KEPT", 3)

    def test() -> None:
        for _ in range(10):
            shallow()

    assert len(observe(test).calls) == 3


def around(weave: ObservedWeave, after: Callable[[], Any], returned: Returned) -> Caller:
    """Run a function that does ``after`` once ``weave`` has ended; return what was observed of
    it."""

    def app() -> str:
        returned.weave_begun(weave, sys._getframe())
        weave.ended = 1.0
        after()
        return "answer"

    def test() -> None:
        app()

    returned._test_ids = {id(test.__code__)}
    with returned.observing():
        test()
    return returned.callers[weave][-1]


def test_function_around_a_weave() -> None:
    """The function from which a weave was reached is known, with its value."""
    returned = Returned(around)
    caller = around(ObservedWeave(0.0), lambda: None, returned)
    assert (caller.returned, caller.value) == (True, "answer")
    assert returned.calls[0].weaves == [caller.weave]


def test_profiler_that_was_there() -> None:
    """Another profiler is called as well, and is there again at the end."""
    seen = []

    def other(frame: Any, event: str, arg: Any) -> None:
        seen.append(frame.f_code.co_name)

    def test() -> None:
        shallow()

    before = sys.getprofile()
    sys.setprofile(other)
    try:
        returned = observe(test)
        assert sys.getprofile() is other
    finally:
        sys.setprofile(before)
    assert "deep" in seen
    assert [call.name for call in returned.calls] == ["shallow"]


def test_restored() -> None:
    """Without another profiler there is none at the end."""
    before = sys.getprofile()
    observe(shallow)
    assert sys.getprofile() is before


def test_no_test() -> None:
    """Without a test's function nothing is observed."""
    before = sys.getprofile()
    with Returned(None).observing():
        assert sys.getprofile() is before
