"""Cases about unusual payloads: errors of any form, values that are awkward to handle, and pickles
that end the program when they are loaded.

Many answers are sent in one weave, each to a run of its own.
"""

from __future__ import annotations

import asyncio
import reprlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.errors import family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, CaseContext
from wove_http_dev.conformance.executor.pickles import Awkward, RaisesWhenLoaded
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.protocol import frames
from wove_http_dev.weave_outcome import WeaveOutcome, task_returning
from wove_http_dev.worker import HttpWorker

LONG = 10**6
"""The number of characters of a text that is long for an error."""
DESCRIBED = {"kind": "DiskFull", "message": "no space left", "source": "task"}
NOT_A_PICKLE = frames.encode_payload(b"this is no pickle")

ODD: Sequence[Any] = (None, "text", 7, [], ["a", "list"], {})
ODD_ERRORS: Sequence[Mapping[str, Any]] = (
    {},
    *({"error": odd} for odd in ODD),
    *({"error": {"message": odd}} for odd in (None, 7, ["a"], "x" * LONG)),
    {"error": {"kind": ["a"], "message": "m", "traceback": ["line"], "retryable": "maybe"}},
    {"error": {"kind": None, "message": "m", "traceback": "x" * LONG, "source": 3}},
    *({"error_pickle": pickled} for pickled in (None, 7, "", "?", NOT_A_PICKLE)),
)
"""The fields of a task_error, which should have an object as error with texts in it."""


def _pickled(value: Any) -> str:
    return frames.encode_payload(frames.dumps(value))


ODD_EXCEPTIONS: Sequence[Mapping[str, Any]] = tuple(
    {"error": DESCRIBED, "exception_pickle": pickled}
    for pickled in (None, 7, "", "?", NOT_A_PICKLE, _pickled("a text"), _pickled(ValueError))
)
"""The fields of a task_error without a usable exception, whose error object describes the
error."""
ODD_RESULTS: Sequence[Mapping[str, Any]] = tuple(
    {"result_pickle": pickled} for pickled in (None, 7, "", "?", NOT_A_PICKLE, ["a"])
)


async def _outcomes(runs: Sequence[Awaitable[Any]]) -> list[WeaveOutcome]:
    return list(await asyncio.gather(*map(attempt, runs)))


def _answered(
    check: CaseContext, kind: str, answers: Sequence[Mapping[str, Any]]
) -> list[tuple[str, WeaveOutcome]]:
    """Run a task for each of ``answers``, the fields of the frame of type ``kind`` that ends it.
    Return a description of each frame and the outcome of its run. Raises :class:`CaseFailed` if a
    run has no error, or is ended only by its delivery_timeout."""
    worker = check.worker()
    for number, fields in enumerate(answers):
        worker.stub(f"merge:odd_{number}", events=[{"type": kind, **fields}])
    limit = check.seconds(DELIVERY_TIMEOUT)

    async def script(remote: Remote) -> list[WeaveOutcome]:
        count = range(len(answers))
        return await _outcomes([remote(f"odd_{n}", delivery_timeout=limit) for n in count])

    outcomes = check.run_script(worker, script, planned=limit)
    described = [f"a {kind} with {reprlib.repr(dict(fields))}" for fields in answers]
    for what, outcome in zip(described, outcomes, strict=True):
        _expect_own_error(check, outcome, what)
    return list(zip(described, outcomes, strict=True))


def _expect_own_error(check: CaseContext, outcome: WeaveOutcome, what: str) -> None:
    check.expect_error(outcome, what)
    if outcome.timed_out:
        check.fail(f"{what} was sent, and only the delivery_timeout ended the run", late=True)


@family.must(
    "21",
    sources.TASK_ERRORS,
    scenario="runs ended by a task_error whose error is missing or is not an object, whose fields"
    f" are missing, {LONG} characters long or not text, or whose pickle cannot be loaded; and by a"
    " task_result whose pickle cannot be loaded",
    expected="an Exception as the error of each run, at once",
)
def odd_frames(check: CaseContext) -> str:
    """A task_error of any form ends its run with an error, and so does a result that cannot be
    read."""
    answered = _answered(check, "task_error", ODD_ERRORS)
    answered += _answered(check, "task_result", ODD_RESULTS)
    return f"{len(answered)} errors"


@family.should(
    "22",
    sources.TASK_ERRORS,
    scenario="runs ended by a task_error whose exception_pickle is null, a number, empty, not"
    " base64, not a pickle, or the pickle of a text or a class; its error object describes the"
    " error",
    expected="the message of the error object",
)
def odd_exceptions(check: CaseContext) -> str:
    """If a task_error has no usable exception, the error object is used."""
    for what, outcome in _answered(check, "task_error", ODD_EXCEPTIONS):
        if DESCRIBED["message"] not in outcome.text:
            check.fail(f"{what}: the task's real error was lost: its author sees {outcome}")
    return f"{len(ODD_EXCEPTIONS)} errors"


EXITS: Sequence[BaseException] = (SystemExit(3), KeyboardInterrupt("loaded"), GeneratorExit("g"))
"""What ends a program or a generator. None of them is an ``Exception``."""


def _exiting(worker: HttpWorker) -> dict[str, str]:
    """Answer runs with pickles that raise each of :data:`EXITS` when they are loaded, and with
    errors that are one of them. Return a description for each task."""
    described = {}
    for exc in EXITS:
        name, text = type(exc).__name__, _pickled(RaisesWhenLoaded(exc))
        events: Mapping[str, Mapping[str, Any]] = {
            f"result_{name}": {"type": "task_result", "result_pickle": text},
            f"error_{name}": {
                "type": "task_error",
                "error": DESCRIBED,
                "exception_pickle": text,
            },
            f"task_{name}": {
                "type": "task_error",
                "error": DESCRIBED,
                "exception_pickle": _pickled(exc),
            },
        }
        words = (
            f"a result that raises {name} when it is loaded",
            f"an exception that raises {name} when it is loaded",
            f"a task that failed with {name}",
        )
        for (task, event), what in zip(events.items(), words, strict=True):
            worker.stub(f"merge:{task}", events=[dict(event)])
            described[task] = what
    return described


@family.should(
    "23",
    f"{sources.EXECUTOR}; {sources.UNCAUGHT}",
    scenario="runs whose results and exceptions raise "
    f"{', '.join(type(exc).__name__ for exc in EXITS)} when they are loaded, and runs that failed"
    " with them; another run at the same time",
    expected="an Exception as the error of each run, at once; the other run has its result",
)
def exits_when_loaded(check: CaseContext) -> str:
    """A payload that would end the program when it is loaded becomes an error of its run. (SHOULD,
    because what a task returns is the author's own, and Wove's runtime raises such exceptions.)"""
    worker = check.worker()
    described = _exiting(worker)
    gate = worker.hold("merge:beside")
    limit = check.seconds(DELIVERY_TIMEOUT)

    async def script(remote: Remote) -> WeaveOutcome:
        beside = asyncio.ensure_future(attempt(remote("beside", "beside")))
        for task, what in described.items():
            try:
                outcome = await attempt(remote(task, delivery_timeout=limit))
            except BaseException as exc:
                check.fail(f"{what}: {type(exc).__name__} ended the weave")
            _expect_own_error(check, outcome, what)
        gate.release()
        return await beside

    beside = check.run_script(worker, script, planned=limit)
    if beside.value != "beside":
        check.fail(f"payloads raised when they were loaded, and another run ended with {beside}")
    return f"{len(described)} errors"


AWKWARD: Sequence[Any] = (
    None,
    False,
    0,
    "",
    b"\xff\x00",
    [],
    {"type": "task_error", "run_id": "x", "error": {"message": "not an error"}},
    {"events": []},
    {1: {2, 3}},
    ValueError("a result, not an error"),
    float("inf"),
    "\ud800 \x00 \N{SNOWMAN}",
)
"""Results that are easily taken for none, for an error or for a frame."""


@family.must(
    "24",
    sources.PROTOCOL,
    scenario="tasks, sync and async, that return None, False, 0, '', [], bytes, dicts that look"
    " like a frame or an answer, an exception, text with a lone surrogate, and an object that"
    " cannot be hashed, compared, shown or tested for truth",
    expected="these results",
)
def awkward_results(check: CaseContext) -> str:
    """A result arrives as it is, whatever it is."""
    worker = check.worker()

    async def script(remote: Remote) -> tuple[list[WeaveOutcome], list[WeaveOutcome]]:
        plain = [
            remote(_task(value, f"returns_{number}", coroutine=number % 2 == 0))
            for number, value in enumerate(AWKWARD)
        ]
        objects = [remote(_task(Awkward(), f"object_{n}", coroutine=n == 1)) for n in range(2)]
        return await _outcomes(plain), await _outcomes(objects)

    outcomes, objects = check.run_script(worker, script)
    for expected, outcome in zip(AWKWARD, outcomes, strict=True):
        if outcome.kind != "result" or repr(outcome.value) != repr(expected):
            what = f"a task returned {expected!r}, and its outcome is {outcome}"
            check.fail(what)
    for outcome in objects:
        if outcome.kind != "result" or type(outcome.value) is not Awkward:
            check.fail(f"a task returned an object that raises when it is used: {outcome.kind}")
    return f"{len(outcomes) + len(objects)} results"


def _task(value: Any, name: str, *, coroutine: bool) -> Callable[[], Any]:
    """Return a task called ``name`` that returns ``value``; ``coroutine`` makes it async."""

    async def run() -> Any:
        return value

    if not coroutine:
        return task_returning(value, name)
    run.__name__ = name
    return run
