"""The handler that hides an exception which must end a program is found."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wove_http_dev.survival.hidden import handles_alike, hiding_handler

HANDLED = (ValueError, asyncio.CancelledError)


def cancel() -> None:
    """Raise what a cancelled task raises."""
    raise asyncio.CancelledError


def by_name() -> None:
    """Catch every exception by name."""
    try:
        cancel()
    except BaseException:
        return


def bare() -> None:
    """Catch every exception."""
    try:
        cancel()
    except:  # noqa: E722
        return


def after_others() -> None:
    """Catch every exception that no other handler catches."""
    try:
        cancel()
    except (ValueError, LookupError):
        return
    except BaseException:
        return


def around() -> None:
    """Catch every exception of an inner statement that catches others."""
    try:
        try:
            cancel()
        except Exception:
            return
    except BaseException:
        return


def returning_at_last() -> str:
    """Return whatever was raised."""
    try:
        cancel()
    finally:
        return "done"  # noqa: B012


def suppressing() -> None:
    """Suppress every exception."""
    with contextlib.suppress(BaseException):
        cancel()


def suppressing_one() -> None:
    """Suppress a cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        cancel()


def suppressing_one_inside() -> None:
    """Suppress a cancellation, and catch every other exception."""
    try:
        with contextlib.suppress(asyncio.CancelledError):
            cancel()
    except BaseException:
        return


def specific() -> None:
    """Catch a cancellation first."""
    try:
        cancel()
    except asyncio.CancelledError:
        return
    except BaseException:
        return


def constant() -> None:
    """Catch a cancellation among others."""
    try:
        cancel()
    except HANDLED:
        return


def either() -> None:
    """Catch a cancellation as any other failure."""
    try:
        cancel()
    except (Exception, asyncio.CancelledError):
        return


def raising() -> None:
    """Catch every exception, and raise those that must end the program."""
    try:
        cancel()
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt):
            raise
        return


def computed() -> None:
    """Catch what a function says."""
    try:
        cancel()
    except tuple([BaseException]):  # noqa: C409
        return


def line_of(function: Callable[[], object]) -> int:
    """The line of ``function`` that raises a cancellation."""
    lines: list[int] = []

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code is cancel.__code__:
            lines.append(frame.f_back.f_lineno)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return lines[0]


def place(function: Callable[[], object]) -> str | None:
    """The handler of ``function`` that hides a cancellation."""
    line = line_of(function)
    return hiding_handler(function.__code__, function.__globals__, line, asyncio.CancelledError())


@pytest.mark.parametrize(
    "function", [by_name, bare, after_others, around, suppressing, returning_at_last]
)
def test_handler_that_hides(function: Callable[[], object]) -> None:
    """A handler of every exception that raises none hides it; its line is told."""
    found = place(function)
    assert found is not None
    line = int(found.rpartition(":")[2])
    first = function.__code__.co_firstlineno
    assert first < line < first + 12


@pytest.mark.parametrize(
    "function", [suppressing_one, suppressing_one_inside, specific, constant, raising, computed]
)
def test_handler_that_does_not_hide(function: Callable[[], None]) -> None:
    """A handler of the cancellation itself, one that raises, and one that is not understood, do
    not."""
    assert place(function) is None


@pytest.mark.parametrize(
    ("function", "alike"),
    [(either, True), (by_name, True), (constant, False), (suppressing_one_inside, False)],
)
def test_handler_of_every_failure(function: Callable[[], object], alike: bool) -> None:
    """A handler that takes every ``Exception`` beside a cancellation treats them alike."""
    line = line_of(function)
    told = handles_alike(function.__code__, function.__globals__, line, asyncio.CancelledError())
    assert told is alike


def test_source_that_is_not_there() -> None:
    """Of code without a source nothing is told."""
    code = compile("def f():\n    pass\n", "<nowhere>", "exec")
    assert hiding_handler(code, {}, 1, asyncio.CancelledError()) is None
