"""Checks of arguments: numbers of things, seconds to wait, and objects of a type."""

from __future__ import annotations

from typing import Any

from wove_http_dev.errors import UsageError


def check_count(name: str, value: Any, of: str, *, least: int = 1) -> None:
    """Raise :class:`UsageError` unless ``value``, the argument ``name``, is a whole number, and at
    least ``least``. ``of`` says what it counts, for the message."""
    if type(value) is not int or value < least:  # a bool is an int, and is refused
        raise UsageError(f"{name} must be a number of {of}, {least} or more, not {value!r}")


def check_seconds(name: str, value: Any) -> None:
    """Raise :class:`UsageError` unless ``value``, the argument ``name``, is a number of seconds, 0
    or more; infinity is one."""
    if type(value) not in (int, float) or not value >= 0:  # NaN is not
        raise UsageError(f"{name} must be a number of seconds, 0 or more, not {value!r}")


def check_type(name: str, right: bool, takes: str, value: Any) -> None:
    """Raise :class:`UsageError` unless ``value``, the argument ``name``, is ``right``. ``takes``
    says what to write; the message has the type of ``value`` only, which may be a secret."""
    if not right:
        raise UsageError(f"{name} takes {takes}, not {type(value).__name__}")
