"""Finds answers that an application gave although the task behind them gave no result: data of an
earlier run, and success after a cancellation."""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Set
from operator import attrgetter
from types import CodeType
from typing import Any, NamedTuple, TypeVar

from wove_http_dev.client.observed_weaves import ObservedWeave
from wove_http_dev.exception_text import is_users
from wove_http_dev.survival.hidden import handles_alike, hiding_handler
from wove_http_dev.survival.identity import attributes_of, has_identity, parts, same_value
from wove_http_dev.survival.observation import Delivered, Observation
from wove_http_dev.survival.returned import Call, Caller

_T = TypeVar("_T")
_IMMUTABLE = (str, bytes, int, float, complex, tuple, frozenset, enum.Enum)


def failed_tasks(call: Call) -> set[str]:
    """Return the names of the tasks that gave no result in any weave of ``call``."""
    outcomes = [
        (name, outcome) for weave in call.weaves for name, outcome in weave.outcomes.items()
    ]
    given = {name for name, outcome in outcomes if outcome.kind == "result"}
    return {name for name, _ in outcomes} - given


class Finding(NamedTuple):
    """One thing that an application, or Wove, did wrong."""

    detail: str
    """What was seen, with the names of functions and tasks."""
    customer: str
    """What a customer of the application would have seen."""


def stale_answers(observation: Observation) -> Iterator[Finding]:
    """Yield the calls by the test that returned data of an earlier run, although a task failed."""
    for call in observation.calls:
        failed = failed_tasks(call) if call.returned else set()
        if not failed:
            continue
        customer = f"{call.name}() answers with old data as if it were new"
        task = _old_part(call, failed, observation)
        if task is not None:
            yield Finding(
                f"{call.name}() returned a result that {task!r} gave in an earlier run; now"
                f" {task!r} gave none",
                customer,
            )
        elif any(
            _is_old(call, each, observation) for each in _earlier_answers(call, failed, observation)
        ):
            names = ", ".join(sorted(map(repr, failed)))
            yield Finding(
                f"{call.name}() returned the very object that it returned in an earlier run, though"
                f" {names} gave no result",
                customer,
            )


def _old_part(call: Call, failed: set[str], observation: Observation) -> str | None:
    """Return the name of the failed task whose result of an earlier run is in the value of
    ``call``; ``None`` if there is none."""
    if call.is_argument:  # as ``return self``: what it holds is no answer
        return None
    for each in parts(call.value, attributes=not call.is_global):
        old = observation.history.delivered.get(id(each))
        if old is None or old.value is not each or id(each) in observation.delivered:
            continue
        if old.task in failed and not _is_namesake(old, call, observation):
            return old.task
    return None


def _is_namesake(old: Delivered, call: Call, observation: Observation) -> bool:
    """Whether ``old`` is a result of another task with the name of the one that failed in
    ``call``."""
    sent = {each for weave in call.weaves for each in weave.sent.get(old.task, ())}
    return _is_other(old.task, sent, old.sent, observation)


def _is_other(
    task: str, sent: Set[bytes], before: Collection[bytes], observation: Observation
) -> bool:
    """Whether ``sent`` are other calls of ``task`` than those ``before``: they have other code or
    arguments, and gave a result in some run. (Calls that never did may be the same ones with a new
    argument, such as the time.)"""
    known = observation.history.sent.get(task, set())
    return bool(sent) and sent <= known and sent.isdisjoint(before)


def _earlier_answers(call: Call, failed: set[str], observation: Observation) -> list[Call]:
    """Return the calls of the same function in earlier runs of the test, in which the ``failed``
    tasks gave a result: what it returns whenever they fail is a default, and no old data."""
    answers = observation.history.answers.get(call.code, ())
    return [
        each
        for each in answers
        if each not in observation.calls and failed.isdisjoint(failed_tasks(each))
    ]


def _is_old(call: Call, earlier: Call, observation: Observation) -> bool:
    """Whether ``call`` returned the very object that ``earlier``, a call in an earlier run, did."""
    return (
        call.value is earlier.value
        and not call.is_argument
        and not _is_constant(call.value, call.code)
        and _as_far(call.weaves, earlier.weaves, observation)
    )


def _as_far(
    weaves: list[ObservedWeave], clean: list[ObservedWeave], observation: Observation
) -> bool:
    """Whether each weave that ran in ``clean`` before the first one that is broken in ``weaves``
    ran now as well. Where one did not, the application answered from a cache of its own, whatever
    failed."""
    broken = next((weave for weave in weaves if _is_broken(weave)), None)
    others = [weave.names for weave in weaves if weave is not broken]
    for weave in clean:
        if broken is not None and _is_like(broken, weave, observation):
            return True
        if weave.names not in others:
            return False
    return True


def _is_like(weave: ObservedWeave, earlier: ObservedWeave, observation: Observation) -> bool:
    """Whether ``weave`` has the tasks of ``earlier``, and the calls that failed in it are, as far
    as is known, the same."""
    return weave.names == earlier.names and not any(
        _is_other(task, sent, earlier.sent.get(task, ()), observation)
        for task, sent in weave.sent.items()
        if task in weave.outcomes and weave.outcomes[task].kind != "result"
    )


def _is_broken(weave: ObservedWeave) -> bool:
    return any(outcome.kind != "result" for outcome in weave.outcomes.values())


def _is_constant(value: Any, code: CodeType) -> bool:
    """Whether ``value`` is a constant in the source of ``code``, or one made of such constants."""
    if any(value is each for each in code.co_consts):
        return True
    if isinstance(value, dict):
        return all(_is_constant(each, code) for each in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_constant(each, code) for each in value)
    return not has_identity(value) and any(
        type(each) is type(value) and each == value for each in code.co_consts
    )


def trusted_cancellations(observation: Observation, clean: Observation) -> Iterator[Finding]:
    """Yield the answers that an application gave as if a cancelled task had run: the same as
    without a fault, although nothing was computed in place of the task's result."""
    calls = _numbered(clean.calls, attrgetter("code"))
    for key, call in _numbered(observation.calls, attrgetter("code")).items():
        answered = key in calls and call.returned and calls[key].returned
        if not answered or not _same_answer(call.value, calls[key].value):
            continue
        failed = failed_tasks(call)
        before = _numbered(calls[key].weaves, attrgetter("names"))
        for number, weave in _numbered(call.weaves, attrgetter("names")).items():
            caller = swallower(observation, weave)
            if caller is None or not isinstance(weave.escaped, asyncio.CancelledError):
                continue
            if handles_alike(caller.code, caller.namespace, caller.line, weave.escaped):
                continue  # a task that may fail in any way: its answer does not trust this one
            other = _counterpart(caller, before.get(number), clean)
            if failed >= set(weave.outcomes) and other and _ignores_result(caller, other):
                yield Finding(
                    f"{call.name}() gave the same answer as without a fault, though"
                    f" {_cancelled(weave)} was cancelled and gave no result",
                    f"{call.name}() reports success although {_cancelled(weave)} was cancelled",
                )


def hidden_exceptions(observation: Observation) -> Iterator[Finding]:
    """Yield the exceptions that must end the program, and that the application caught and hid."""
    for weave in observation.weaves:
        error, caller = weave.escaped, swallower(observation, weave)
        if error is None or caller is None:
            continue
        name = type(error).__name__
        handler = hiding_handler(caller.code, caller.namespace, caller.line, error)
        left = f"a {name} left the weave of {_cancelled(weave)}"
        if handler is not None:
            yield Finding(
                f"{left}, and {handler} hides it, as it would hide KeyboardInterrupt and"
                " SystemExit",
                f"the application goes on after a {name}: Ctrl-C and a shutdown would not end it",
            )
        elif isinstance(error, (SystemExit, KeyboardInterrupt)):
            yield Finding(
                f"{left}, and the application hides it",
                f"the application goes on after a {name}, which must end it",
            )


def swallower(observation: Observation, weave: ObservedWeave) -> Caller | None:
    """Return the function that returned although an exception left ``weave``; ``None`` if it left
    all functions, or if that is not known."""
    if weave.error is None:
        return None
    for caller in observation.callers.get(weave, ()):
        # asyncio's functions return, and raise the exception of a task later.
        if caller.returned and is_users(caller.code.co_filename):
            return caller
    return None


def _cancelled(weave: ObservedWeave) -> str:
    names = [name for name, outcome in weave.outcomes.items() if outcome.kind != "result"]
    return ", ".join(map(repr, names or weave.names))


def _counterpart(caller: Caller, weave: ObservedWeave | None, clean: Observation) -> Caller | None:
    """Return what ``caller`` did without a fault, around the same weave."""
    if weave is None:
        return None
    callers = clean.callers.get(weave, ())
    return next((each for each in callers if each.code is caller.code and each.returned), None)


def _ignores_result(caller: Caller, clean: Caller) -> bool:
    """Whether ``caller`` returned the same as in ``clean``, the run without a fault, and nothing in
    that depends on the task's result or was computed in its place."""
    if caller.computed or not same_value(caller.value, clean.value):
        return False
    given = [part for each in clean.weave.attempts for part in _texts(each.value)]
    return _is_independent(caller.value, caller, given)


def _is_independent(value: Any, caller: Caller, given: list[str]) -> bool:
    """Whether nothing in ``value`` depends on a result whose texts and numbers are ``given``: it is
    made of constants and variables of ``caller``, and of texts that contain none of ``given``."""
    if value is None or _is_constant(value, caller.code):
        return True
    if isinstance(value, dict):
        return all(_is_independent(each, caller, given) for each in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_independent(each, caller, given) for each in value)
    if isinstance(value, str):
        return not any(text in value for text in given)
    if any(value is each for each in caller.variables):
        return True
    attributes = attributes_of(value)
    return bool(attributes) and all(_is_independent(each, caller, given) for each in attributes)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in ``value``, as they may stand in a text."""
    for each in parts(value, shared=True):
        if isinstance(each, (str, int, float)) and str(each):
            yield str(each)


def _same_answer(value: Any, clean: Any) -> bool:
    """Whether the test got the same answer as in the run without a fault. False for one mutable
    object that both runs returned: it does not show what was in it then."""
    if value is clean and not isinstance(value, _IMMUTABLE):
        return False
    return value is not None and same_value(value, clean)


def _numbered(items: Iterable[_T], key: Callable[[_T], Any]) -> dict[tuple[Any, int], _T]:
    """Return each item by its key, and by how many items with that key come before it: so it has
    the place of its counterpart in another run."""
    count: Counter[Any] = Counter()
    numbered = {}
    for item in items:
        numbered[key(item), count[key(item)]] = item
        count[key(item)] += 1
    return numbered
