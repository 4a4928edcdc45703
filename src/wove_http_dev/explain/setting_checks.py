"""Checks of the settings that decide how long a weave waits for a worker, and how often it asks.

Each returns what is right, or raises :class:`Problem`. The measurements are of wove 2.0.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from string import Formatter
from typing import Any

from wove_http_dev.explain.configuration_checks import SETTINGS
from wove_http_dev.explain.findings import Problem
from wove_http_dev.explain.remote_environment import RemoteEnvironment

_SAID_ELSEWHERE = (
    "delivery_timeout",
    "fork",
    "delivery_heartbeat_seconds",
    "delivery_orphan_policy",
)
"""Settings with a check of their own; the last one Wove reads from the environment of the task."""
LONGEST_TIMEOUT = 1e9
"""Seconds; a socket refuses about ten times as much ("timestamp out of range")."""


def timeout(env: RemoteEnvironment) -> str:
    """The executor gives up a request at some time."""
    given = env.config.get("timeout")
    if given is None:
        advice = 'set "timeout": 30.0 in executor_config'
        if env.definition.get("timeout") is not None:
            advice += " (the timeout beside it is that of a task, and ends the whole weave)"
        raise Problem(f"none: a weave waits for a silent worker for ever; {advice}")
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        raise Problem("timeout must be a number of seconds, such as 30.0") from None
    if isinstance(given, bool) or not 0 < seconds <= LONGEST_TIMEOUT:
        raise Problem(f"timeout must be a number of seconds above 0, not {given!r}")
    return f"{seconds:g} s"


def delivery_timeout(env: RemoteEnvironment) -> str:
    """A limit for the delivery of a task is in force, and longer than that of a request."""
    seconds = env.in_force("delivery_timeout")
    if seconds is None and env.definition.get("delivery_timeout") is not None:
        raise Problem(
            "Wove ignores the environment's delivery_timeout where only the task names the"
            " environment; give it to the task, or to all (then local ones too):"
            " wove.config(delivery_timeout=35.0, environments=…)"
        )
    calls = env.task_calls
    if seconds is None and calls and all("delivery_timeout" in each.options for each in calls):
        return "every task in the source has its own"
    if seconds is None:
        raise Problem(
            "none: a weave waits for ever if an answer does not say how the task ended; set one for"
            " the task, or for all (then local ones too): wove.config(delivery_timeout=35.0,"
            " environments=…)"
        )
    if not _is_positive(seconds):
        raise Problem(f"delivery_timeout must be a number of seconds above 0, not {seconds!r}")
    request = env.config.get("timeout")
    if _is_positive(request) and seconds < request:
        raise Problem(
            f"{seconds:g} s, and timeout is {request:g} s: a weave that has given up a task still"
            " waits for its request; make delivery_timeout the longer one"
        )
    return f"{seconds:g} s"


def settings(env: RemoteEnvironment) -> str:
    """Each setting has a value with which Wove works; it checks few of them itself."""
    for name, (fits, what) in _VALUES.items():
        value = env.in_force(name)
        if not fits(value):
            raise Problem(f"{name} must be {what}, not {value!r}")
    return "their values are ones that Wove can use"


def settings_in_force(env: RemoteEnvironment) -> str:
    """The environment's settings hold for the tasks that name it."""
    if env.is_of_weaves:
        return "the environment's own hold for its weaves"
    ignored = [
        name
        for name in SETTINGS
        if name not in _SAID_ELSEWHERE
        and env.definition.get(name) not in (None, env.defaults.get(name))
    ]
    if ignored:
        raise Problem(
            f"Wove ignores {', '.join(ignored)} of this environment where only the task names it;"
            " give them to the task, to weave(environment=…), or to wove.config for all"
        )
    return "those of wove.config hold"


def heartbeat(env: RemoteEnvironment) -> str:
    """No heartbeat is awaited: with http, all of a task's frames come in one answer at its end."""
    seconds = env.in_force("delivery_heartbeat_seconds")
    places = [] if seconds is None else ["wove.config"]
    if env.definition.get("delivery_heartbeat_seconds") is not None:
        places = ["the environment"]
    places += [
        call.where
        for call in (*env.task_calls, *(c for c in env.calls if not c.is_task and env.is_default))
        if call.options.get("delivery_heartbeat_seconds") is not None
    ]
    if places:
        raise Problem(
            f"delivery_heartbeat_seconds ({', '.join(places)}): over http every task that takes"
            " longer fails, because its heartbeats come with its result; remove it"
        )
    return "none is awaited"


def idempotency_key(env: RemoteEnvironment) -> str:
    """Different tasks do not get the same key."""
    key = env.in_force("delivery_idempotency_key")
    if key is None:
        return "none for all tasks"
    if not callable(key) and "{" not in str(key):
        raise Problem(
            f"delivery_idempotency_key is {env.clean(str(key))!r} for every task, so a worker that"
            " reads it runs only the first; give it to the task"
        )
    if isinstance(key, str) and not _names_arguments(key):
        raise Problem(
            f"{env.clean(key)!r}: braces hold the name of an argument, as in 'report-{{item}}'"
        )
    return "made of the task's arguments"


def _names_arguments(key: str) -> bool:
    """Whether ``str.format_map``, which Wove calls with the arguments, takes ``key``."""
    try:
        names = [name for _, name, _, _ in Formatter().parse(key) if name is not None]
    except ValueError:
        return False
    return all(re.match(r"[^\W\d]", name) for name in names)


def _is_positive(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


_UNSET = (
    (lambda value: value is None),
    "None here (Wove refuses every task that is not mapped if it is set; give it to mapped tasks)",
)
_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_workers": (_or_none(_is_count), "a whole number above 0"),
    "retries": (
        lambda value: value is None or value == 0 or _is_count(value),
        "a whole number, 0 or more",
    ),
    "timeout": (_or_none(_is_positive), "a number of seconds above 0"),
    "workers": _UNSET,
    "limit_per_minute": _UNSET,
    "max_pending": (_or_none(_is_count), "a whole number above 0"),
    "error_mode": (lambda value: value in ("raise", "return"), "'raise' or 'return'"),
    "delivery_cancel_mode": (
        lambda value: value in ("best_effort", "require_ack"),
        "'best_effort' or 'require_ack'",
    ),
    "delivery_heartbeat_seconds": (_or_none(_is_positive), "a number of seconds above 0"),
    "delivery_max_in_flight": (_or_none(_is_count), "a whole number above 0 (else it is no limit)"),
}
