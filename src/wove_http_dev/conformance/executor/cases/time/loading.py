"""Cases about payloads that never finish loading: the timeouts of a run cover the loading of its
answer as well."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import BackgroundWeave, Define
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import MARGIN, CaseContext
from wove_http_dev.conformance.executor.pickles import HeldPickle
from wove_http_dev.conformance.executor.waits import wait_until
from wove_http_dev.protocol import frames
from wove_http_dev.weave_outcome import task_returning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wove.context import WoveContextManager as Weave

SHORT = 0.5
"""Seconds of the timeout that a case checks."""
FACTORS = (1, 4, 16)
"""The factors for that timeout, one after the other until an answer arrives before its end."""
PAYLOADS: Mapping[str, Mapping[str, Any]] = {
    "result_pickle": {"type": "task_result"},
    "exception_pickle": {"type": "task_error", "error": {"kind": "E", "message": "described"}},
    "error_pickle": {"type": "task_error"},
}
"""The fields of the frame with each payload."""


class Limits(NamedTuple):
    """Which timeouts are set: of the executor, and of the task. They are multiples of
    :data:`SHORT`."""

    name: str
    executor: int
    task: int | None
    words: str


EXECUTOR_ONLY = Limits(
    "load-timeout", 1, None, f"the executor's timeout {SHORT:g} s, no delivery_timeout"
)
BOTH = Limits(
    "load-delivery-timeout", 60, 1, f"delivery_timeout {SHORT:g} s, the executor's timeout longer"
)


@contextmanager
def _held_pickles() -> Iterator[dict[str, HeldPickle]]:
    """Yield a value for each payload; to unpickle it takes until the block ends."""
    held = {payload: HeldPickle() for payload in PAYLOADS}
    try:
        yield held
    finally:
        for each in held.values():
            each.released.set()


@family.each(
    {"21": EXECUTOR_ONLY, "22": BOTH},
    sources.TIMEOUTS,
    name="{0.name}",
    scenario="weaves of one task each, whose"
    f" {', '.join(PAYLOADS)} takes for ever to load; {{0.words}}",
    expected=f"an error, and the end of each weave within {SHORT + MARGIN:g} s",
    level="SHOULD",
)
def loading_ended(check: CaseContext, limits: Limits) -> str:
    """The shortest timeout ends the weave although the loading of a payload does not end;
    {0.words}. (SHOULD, because Wove's own executors load payloads in the event loop, where nothing
    can end it.)"""
    for factor in FACTORS:
        with _held_pickles() as held:
            weaves = _weaves(check, held, limits, factor * SHORT)
            within = factor * SHORT + check.seconds(MARGIN)
            wait_until(lambda: all(weave.ended for weave in weaves.values()), within)  # noqa: B023
            endless = [payload for payload, weave in weaves.items() if not weave.ended]
            loading = [payload for payload in endless if held[payload].loading.is_set()]
            begun = all(each.loading.is_set() for each in held.values())
        if endless:
            reason = "its answer is not being loaded yet"
            if loading:
                reason = f"it is still loading its {' or '.join(loading)}, and no timeout ends that"
            check.fail(
                f"{within:g} s after it began a weave had not ended: {reason} ({limits.words})",
                late=True,
            )
        outcomes = {payload: weave.outcome(payload) for payload, weave in weaves.items()}
        for payload, outcome in outcomes.items():
            if outcome.kind == "result":
                check.fail(f"the {payload} was not loaded completely, but the weave has {outcome}")
        if begun:
            break
    return "; ".join(f"{payload}: {outcome}" for payload, outcome in outcomes.items())


def _weaves(
    check: CaseContext, held: Mapping[str, HeldPickle], limits: Limits, short: float
) -> dict[str, BackgroundWeave]:
    """Start a weave for each of the payloads in ``held``; ``short`` is the shortest timeout."""
    worker = check.worker(timeout=limits.executor * short)
    for payload, value in held.items():
        pickled = frames.encode_payload(frames.dumps(value))
        worker.stub(payload, events=[{**PAYLOADS[payload], payload: pickled}])
    delivery_timeout = None if limits.task is None else limits.task * short

    def define(task: str) -> Define:
        def add(w: Weave, environment: str) -> None:
            do = w.do(environment=environment, delivery_timeout=delivery_timeout)
            do(task_returning(None, task))

        return add

    return {payload: check.weave(worker, define(payload)) for payload in held}
