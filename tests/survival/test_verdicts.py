"""The verdict on a run of a test with a fault, from what was observed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from typing import Any, get_args

import pytest

from wove_http_dev.client.observed_weaves import Attempt, ObservedWeave
from wove_http_dev.faults import (
    DuplicateRun,
    Hang,
    LostResponse,
    RefuseConnections,
    Status,
    TaskCancelled,
)
from wove_http_dev.faults.fault import Fault
from wove_http_dev.survival.observation import Executed, Foreign, Observation
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Cell, Verdict, judge
from wove_http_dev.weave_outcome import WeaveOutcome, wove_errors

STATUS = Status()
CLEAN = Observation(runs=[Executed("charge", b"7", 1, (), None)])
WOVE = "2.0.3"


def seen(fault: Fault = STATUS, **fields: Any) -> Observation:
    """What was observed of a run in which ``fault`` hit one request."""
    return Observation(**{"hits": [(fault, 1)], "seconds": 0.5, "journal": "journal", **fields})


def cell(
    observation: Observation,
    error: BaseException | None = None,
    fault: Fault = STATUS,
    clean: Observation = CLEAN,
) -> Cell:
    """The cell of that observation."""
    return judge(fault, observation, clean, error, WOVE)


def weave_with(error: BaseException | None = None, **retries: int) -> ObservedWeave:
    """A weave of the task ``charge``, which ``error`` left."""
    weave = ObservedWeave(0.0, 1.0, names=("charge",), error=error, retries=retries)
    outcome = WeaveOutcome("nothing" if error is not None else "result")
    weave.outcomes["charge"] = outcome
    return weave


def charged(*counts: int, key: str | None = None, faults: tuple[str, ...] = ()) -> list[Executed]:
    """Runs of the task ``charge`` with the same arguments."""
    return [Executed("charge", b"7", count, faults, key) for count in counts]


def test_every_verdict_is_shown() -> None:
    """Each verdict has a form for a person, and the failing ones are in capitals."""
    assert set(SHOWN) == set(get_args(Verdict))
    assert [verdict for verdict in SHOWN if SHOWN[verdict].isupper()] == list(FAILING)


def test_survived() -> None:
    """A test that passes although the fault hit something has survived."""
    assert cell(seen()).verdict == "survived"


def test_handled() -> None:
    """A test that fails has handled the fault; the error is named."""
    found = cell(seen(), wove_errors()[1]("Delivery timeout exceeded\nfor a task"))
    assert (found.verdict, found.detail) == (
        "handled",
        "DeliveryTimeoutError: Delivery timeout exceeded",
    )


def test_cell_is_json() -> None:
    """Everything in a cell can be written as JSON."""
    found = cell(seen(), LookupError("x"))
    assert json.loads(json.dumps(asdict(found))) == asdict(found)
    assert (found.seconds, found.journal) == (0.5, "journal")


@pytest.mark.parametrize("hits", [[], [(STATUS, 0)], [(Status(code=500), 3)]])
def test_hit_nothing(hits: list[tuple[Fault, int]]) -> None:
    """A fault that hit nothing is skipped, whatever the test did; another fault's hits are not
    its own."""
    assert cell(seen(hits=hits), LookupError()).verdict == "skipped"


def test_refused_connections() -> None:
    """A fault that keeps connections away counts none, and hits every task that was sent."""
    weave = weave_with()
    assert cell(seen(RefuseConnections()), fault=RefuseConnections()).verdict == "skipped"
    weave.attempts.append(Attempt("1", "charge", "workers"))
    observation = seen(RefuseConnections(), weaves=[weave])
    assert cell(observation, fault=RefuseConnections()).verdict == "survived"


def test_hung() -> None:
    """A weave that only the watchdog ended hung."""
    found = cell(seen(stuck=True, released=[weave_with()]))
    assert (found.verdict, "'charge'" in found.detail) == ("hung", True)


def test_hung_without_a_weave() -> None:
    """A test that the watchdog ended between its weaves hung as well."""
    found = cell(seen(stuck=True))
    assert (found.verdict, "no weave" in found.detail) == ("hung", True)


def test_escaped() -> None:
    """An exception that is no Exception, leaves the weave and ends the test has escaped."""
    error = asyncio.CancelledError()
    found = cell(seen(weaves=[weave_with(error)]), error)
    assert (found.verdict, "CancelledError left the weave" in found.detail) == ("escaped", True)


def test_turned_into_an_error() -> None:
    """An exception that the application turned into an error of its own has not escaped."""
    error = asyncio.CancelledError()
    assert cell(seen(weaves=[weave_with(error)]), LookupError()).verdict == "handled"


def test_end_of_the_test_by_pytest() -> None:
    """A failure of pytest's own, which is no Exception, has not escaped a weave."""
    observation = seen(weaves=[weave_with(asyncio.CancelledError())])
    assert cell(observation, pytest.fail.Exception("did not raise")).verdict == "handled"


def test_escaped_is_expected_where_wove_cannot_contain_it() -> None:
    """The same is expected of a fault that Wove itself cannot contain, with the reason."""
    error, fault = asyncio.CancelledError(), TaskCancelled()
    found = cell(seen(fault, weaves=[weave_with(error)]), error, fault)
    assert found.verdict == "expected"
    assert "it cancels the weave itself" in found.detail


def test_survived_though_wove_cannot_contain_it() -> None:
    """An application that handles what Wove cannot contain has survived."""
    observation = seen(TaskCancelled(), weaves=[weave_with(asyncio.CancelledError())])
    assert cell(observation, fault=TaskCancelled()).verdict == "survived"


def test_ran_twice() -> None:
    """A task that ran more often than without a fault ran twice; the number is told."""
    found = cell(seen(runs=charged(1, 1)))
    assert (found.verdict, "'charge' ran 2 times" in found.detail) == ("ran-twice", True)


def test_what_was_asked_for() -> None:
    """The sentence about a task that ran twice tells how often it might have run."""
    found = cell(seen(runs=charged(1, 1)))
    assert found.customer == "'charge' was done 2 times, at most 1 asked for"


@pytest.mark.parametrize(
    ("runs", "retries"),
    [
        (charged(1), 0),
        (charged(1, 0, 0), 0),
        (charged(1, 1), 1),
        (charged(1, 1, 1), 2),
        (charged(1, 1, key="order-7"), 0),
    ],
)
def test_ran_as_often_as_it_may(runs: list[Executed], retries: int) -> None:
    """Retries of Wove and repetitions with an idempotency key are no failure."""
    assert cell(seen(runs=runs, weaves=[weave_with(charge=retries)])).verdict == "survived"


def test_ran_more_often_than_the_retries() -> None:
    """Retries of Wove that are repeated by hand are too many."""
    observation = seen(runs=charged(1, 1, 1), weaves=[weave_with(charge=1)])
    assert cell(observation).verdict == "ran-twice"


def test_twice_with_one_command() -> None:
    """A body that ran twice for one command ran twice, with an idempotency key as well."""
    assert cell(seen(runs=charged(2, key="order-7"))).verdict == "ran-twice"


def test_other_arguments() -> None:
    """A task that runs once with each of two arguments did not run twice."""
    runs = [Executed("charge", args, 1, (), None) for args in (b"8", b"9")]
    assert cell(seen(runs=runs)).verdict == "survived"


def test_equal_items() -> None:
    """Equal items of a mapped task run as often as without a fault, also if they are others."""
    clean = Observation(runs=charged(1, 1))
    runs = [Executed("charge", b"8", 1, (), None) for _ in range(2)]
    assert cell(seen(runs=runs), clean=clean).verdict == "survived"


def test_run_that_a_fault_stalled() -> None:
    """The body of a run that waits for the end of a fault counts for nothing: nobody knows when it
    runs."""
    observation = seen(Hang(), runs=charged(1, 1, faults=("hang",)))
    assert cell(observation, fault=Hang()).verdict == "survived"
    observation = seen(LostResponse(), runs=charged(1, 1, faults=("lost-response",)))
    assert cell(observation, fault=LostResponse()).verdict == "ran-twice"


def test_foreign_result() -> None:
    """A result that is not the task's own is wrong, and the reason is told."""
    found = cell(seen(foreign=[Foreign("charge", "its run gave another value")]))
    assert (found.verdict, "its run gave another value" in found.detail) == ("wrong", True)


def test_worst_first() -> None:
    """Of several failing verdicts the worst counts."""
    error = asyncio.CancelledError()
    observation = seen(runs=charged(1, 1), weaves=[weave_with(error)])
    assert cell(observation).verdict == "ran-twice"
    assert cell(observation, error).verdict == "escaped"
    foreign = replace(observation, foreign=[Foreign("charge", "")])
    assert cell(foreign, error).verdict == "wrong"


def test_hung_before_all_others() -> None:
    """A run that the watchdog ended hung, whatever followed: it cancels what does not end."""
    error = asyncio.CancelledError()
    observation = seen(stuck=True, weaves=[weave_with(error)], foreign=[Foreign("charge", "")])
    assert cell(observation, error).verdict == "hung"


def test_error_that_wove_cannot_prevent() -> None:
    """An error of a weave that is none of Wove's own is expected where Wove cannot contain it."""
    weave, error = weave_with(), TypeError("unhashable")
    weave.outcomes["charge"] = WeaveOutcome("error", error=error)
    fault = TaskCancelled()
    assert cell(seen(fault, weaves=[weave]), error, fault).verdict == "expected"
    assert cell(seen(fault, weaves=[weave]), LookupError(), fault).verdict == "handled"


@pytest.mark.parametrize("verdict", FAILING)
def test_customer(verdict: Verdict) -> None:
    """A failing verdict says what a customer would have seen, and others do not."""
    error = asyncio.CancelledError()
    observations = {
        "wrong": seen(foreign=[Foreign("charge", "")]),
        "escaped": seen(weaves=[weave_with(error)]),
        "hung": seen(stuck=True),
        "ran-twice": seen(runs=charged(1, 1)),
    }
    found = cell(observations[verdict], error if verdict == "escaped" else None)
    assert found.verdict == verdict
    assert found.customer
    assert cell(seen()).customer == ""


def test_detail_is_one_line() -> None:
    """The reason is one line that can be shown."""
    found = cell(seen(), LookupError("\n\x1b[31m one\ntwo" + "x" * 10_000))
    assert "\n" not in found.detail
    assert "\x1b" not in found.detail
    assert len(found.detail) < 500


def test_sent_twice_is_the_applications() -> None:
    """What the application sent twice ran twice, though Wove cannot contain the fault; what the
    fault executed twice is expected of one that Wove cannot contain."""
    fault = DuplicateRun()
    assert cell(seen(fault, runs=charged(1, 1)), fault=fault).verdict == "ran-twice"
    assert cell(seen(fault, runs=charged(2)), fault=fault).verdict == "expected"


def test_fault_of_the_tests_own() -> None:
    """What a fault of the test's own does without the other fault is no failure: a result that is
    not the task's, and a task that it kept from running."""
    weaves = [weave_with(), weave_with()]
    for number, weave in enumerate(weaves):
        weave.attempts.append(Attempt(str(number), "charge", "workers"))
    foreign = [Foreign("charge", "its run gave another value")]
    clean = Observation(runs=charged(0, 1), weaves=weaves, foreign=foreign)
    assert cell(seen(runs=charged(1, 1), foreign=foreign), clean=clean).verdict == "survived"
    assert cell(seen(runs=charged(1, 1, 1)), clean=clean).verdict == "ran-twice"
