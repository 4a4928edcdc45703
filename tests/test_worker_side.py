"""Faults, waiting and ``reset()`` through the methods of a worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from wove.environment import EnvironmentExecutionError

from tests.support import TIMEOUT, answer, run_frame, signed_request, weave_one
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.faults import SlowResponse
from wove_http_dev.worker import HttpWorker

# Waiting


def in_thread(pool: ThreadPoolExecutor, function: Callable[..., Any] = answer) -> Any:
    return pool.submit(weave_one, function)


def test_wait_for(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """``wait_for()`` returns the runs that reached the state."""
    in_thread(pool)
    assert wove_http_worker.wait_for("answer", "succeeded").last.result == 42


def test_wait_for_times_out(wove_http_worker: HttpWorker) -> None:
    """``wait_for()`` raises after its timeout, with the journal in the message."""
    weave_one(answer)
    with pytest.raises(WaitTimeoutError, match="run_task answer"):
        wove_http_worker.wait_for("answer", "failed", timeout=0.01)


def test_wait_for_counts(wove_http_worker: HttpWorker) -> None:
    """One run does not satisfy ``count=2``."""
    weave_one(answer)
    with pytest.raises(WaitTimeoutError, match="2 run"):
        wove_http_worker.wait_for("answer", count=2, timeout=0.01)


def test_wait_for_an_unknown_state(worker: HttpWorker) -> None:
    """An unknown state is a usage error, raised at once."""
    with pytest.raises(UsageError, match="finished"):
        worker.wait_for(state="done")


@pytest.mark.parametrize(
    "words", [{"count": 0}, {"count": "2"}, {"timeout": -1}, {"timeout": "x"}, {"task": 3}]
)
def test_invalid_wait_for_is_a_usage_error(worker: HttpWorker, words: dict[str, Any]) -> None:
    """Invalid arguments of ``wait_for()`` are a usage error."""
    with pytest.raises(UsageError):
        worker.wait_for(**words)


# What ran


def message_of(call: Callable[[], object]) -> str:
    """The first line of the AssertionError that ``call`` raises; the journal follows it."""
    with pytest.raises(AssertionError) as caught:
        call()
    text, journal, *_ = str(caught.value).split("\n")
    assert journal.startswith("journal: ")
    return text


def test_a_task_ran(wove_http_worker: HttpWorker) -> None:
    """A task that ran twice satisfies ``assert_ran()`` and ``times=2``, by name or glob."""
    weave_one(answer)
    weave_one(answer)
    wove_http_worker.assert_ran("answer")
    wove_http_worker.assert_ran("ans*", times=2)


def test_a_stubbed_task_ran(wove_http_worker: HttpWorker) -> None:
    """A stub's answer counts like a run of the body."""
    wove_http_worker.stub("answer", result=1)
    weave_one(answer)
    wove_http_worker.assert_ran("answer", times=1)


@pytest.mark.wove_http(isolated=True)
def test_a_stubbed_task_of_an_isolated_worker_ran(wove_http_worker: HttpWorker) -> None:
    """A stub's answer in a child process counts too."""
    wove_http_worker.stub("answer", result=1)
    weave_one(answer)
    wove_http_worker.assert_ran("answer", times=1)


def test_a_held_task_did_not_run(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A run that is held has not run."""
    with wove_http_worker.hold("answer") as gate:
        in_thread(pool)
        gate.wait_arrived()
        wove_http_worker.assert_not_ran("answer")


def test_a_misspelt_task_did_not_run(wove_http_worker: HttpWorker) -> None:
    """The message names the tasks seen and the nearest of them."""
    weave_one(answer)
    text = "'anwser' did not run; tasks seen: answer; did you mean 'answer'?"
    assert message_of(lambda: wove_http_worker.assert_ran("anwser")) == text


def test_nothing_ran(wove_http_worker: HttpWorker) -> None:
    """The message says that nothing has arrived."""
    text = "'answer' did not run; no run has arrived"
    assert message_of(lambda: wove_http_worker.assert_ran("answer")) == text


def test_a_task_ran_too_seldom(wove_http_worker: HttpWorker) -> None:
    """The message has both numbers."""
    weave_one(answer)
    text = "'answer' ran once, not 2; tasks seen: answer"
    assert message_of(lambda: wove_http_worker.assert_ran("answer", times=2)) == text


def test_a_task_ran_that_should_not(wove_http_worker: HttpWorker) -> None:
    """``assert_not_ran()`` says how often it ran."""
    weave_one(answer)
    weave_one(answer)
    text = "'answer' ran 2 times, not 0; tasks seen: answer"
    assert message_of(lambda: wove_http_worker.assert_not_ran("answer")) == text


@pytest.mark.parametrize("words", [{"task": ""}, {"task": 3}, {"task": "a", "times": -1}])
def test_invalid_assert_ran_is_a_usage_error(worker: HttpWorker, words: dict[str, Any]) -> None:
    """Invalid arguments of ``assert_ran()`` are a usage error."""
    with pytest.raises(UsageError):
        worker.assert_ran(**words)


# Faults


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda worker: worker.inject("slow-response", dely=2),
            "fault slow-response has no field 'dely'; did you mean 'delay'?",
        ),
        (
            lambda worker: worker.inject("slow-response dely=2"),
            "fault slow-response has no field 'dely'; did you mean 'delay'?",
        ),
        (
            lambda worker: worker.inject("slow-respnse", delay=2),
            "unknown fault 'slow-respnse'; did you mean 'slow-response'?",
        ),
        (
            lambda worker: worker.inject("slow-response", tmes=2),
            "fault slow-response has no field 'tmes'; did you mean 'times'?",
        ),
        (
            lambda worker: worker.inject(SlowResponse(), delay=2),
            "inject() cannot use delay=; a fault's field goes with one fault that is given by name",
        ),
        (
            lambda worker: worker.inject("slow-response", delay="soon"),
            "slow-response: delay takes a number of seconds, 0 or more, or a distribution such as"
            " 0.1..0.5, not 'soon'",
        ),
    ],
)
def test_message_of_a_wrong_injection(
    worker: HttpWorker, call: Callable[[HttpWorker], object], message: str
) -> None:
    """The whole message of a misspelt fault, field or selector word."""
    with pytest.raises(UsageError) as caught:
        call(worker)
    assert str(caught.value) == message


def test_three_forms_of_a_fault(worker: HttpWorker) -> None:
    """A field as a keyword, as text and of an instance is the same."""
    forms = [
        worker.inject("slow-response", delay=2),
        worker.inject("slow-response delay=2"),
        worker.inject(SlowResponse(delay=2)),
    ]
    assert [injection.faults for injection in forms] == [(SlowResponse(delay=2),)] * 3


def test_inject_by_string(wove_http_worker: HttpWorker) -> None:
    """A fault may be given as a text with fields and selector words."""
    injection = wove_http_worker.inject("reject-auth status=403 task=answer times=1")
    with pytest.raises(Exception, match="403"):
        weave_one(answer)
    assert injection.hits == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no-such-fault", "unknown fault"),
        ("reject-auht", "did you mean 'reject-auth'"),
        ("slow-response dealy=1", "did you mean 'delay'"),
        ("slow-response delay=soon", "takes a number"),
        ("slow-response delay=-1", "0 or more"),
        ("slow-response delay=nan", "finite"),
        ("slow-response times=0", "1 or more"),
        ("slow-response 'unclosed", "quote"),
        ("slow-response command=run", "run_task or cancel_task"),
        ("", "empty"),
        (7, "instance or a string"),
    ],
)
def test_invalid_injection_is_a_usage_error(worker: HttpWorker, fault: Any, message: str) -> None:
    """``inject()`` raises at once for an invalid fault."""
    with pytest.raises(UsageError, match=message):
        worker.inject(fault)


def test_inject_nothing(worker: HttpWorker) -> None:
    """``inject()`` without a fault is a usage error."""
    with pytest.raises(UsageError):
        worker.inject()


def test_selector_word_given_twice_is_a_usage_error(worker: HttpWorker) -> None:
    """A selector word may be in the fault's text or a keyword of ``inject()``, not both."""
    with pytest.raises(UsageError, match="given twice"):
        worker.inject("status times=1", times=2)


def test_repr_of_an_injection(worker: HttpWorker) -> None:
    """An injection's repr has its faults, which requests it selects, and how many it hit."""
    injection = worker.inject("status", task="render", times=1)
    assert repr(injection) == "<Injection status task=render times=1; 0 hit(s)>"


def test_a_seed_of_its_own_decides_alone(worker: HttpWorker) -> None:
    """The same ``seed=`` makes the same decisions, regardless of earlier injections."""

    def drawn() -> list[int]:
        with worker.inject("status", probability=0.5, seed=1):
            return [signed_request(worker, run_frame(answer)).status for _ in range(12)]

    first = drawn()
    worker.inject("slow-body", task="other")
    assert drawn() == first
    assert set(first) == {200, 503}


def test_a_seed_of_its_own_is_not_the_runs(worker: HttpWorker) -> None:
    """The report mentions ``--wove-http-seed`` only if it would change a decision."""
    worker.inject("status", probability=0.5, seed=1)
    assert "--wove-http-seed" not in worker.report()


@pytest.mark.wove_http(faults=["status times=1"], strict=False)
def test_faults_of_the_options_are_used_up_once(wove_http_worker: HttpWorker) -> None:
    """``stop()`` and ``start()`` do not renew the ``times`` of faults from the options."""
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    wove_http_worker.stop()
    wove_http_worker.start()
    assert weave_one(answer) == 42


@pytest.mark.wove_http(faults=["status times=1"], strict=False)
def test_reset_renews_the_faults_of_the_options(wove_http_worker: HttpWorker) -> None:
    """``reset()`` puts the faults of the options in force again."""
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)
    wove_http_worker.reset()
    with pytest.raises(EnvironmentExecutionError):
        weave_one(answer)


# Reset


def test_reset_forgets_the_journal(wove_http_worker: HttpWorker) -> None:
    """After ``reset()`` the journal is empty."""
    weave_one(answer)
    wove_http_worker.reset()
    assert (wove_http_worker.exchanges, len(wove_http_worker.runs)) == ([], 0)


def test_reset_removes_faults(wove_http_worker: HttpWorker) -> None:
    """After ``reset()`` no fault is in force."""
    wove_http_worker.inject("reject-auth")
    wove_http_worker.reset()
    assert weave_one(answer) == 42


def test_reset_removes_stubs(wove_http_worker: HttpWorker) -> None:
    """After ``reset()`` no stub answers."""
    wove_http_worker.stub("answer", result=0)
    wove_http_worker.reset()
    assert weave_one(answer) == 42


def test_reset_opens_gates(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """``reset()`` releases held runs."""
    gate = wove_http_worker.hold()
    result = in_thread(pool)
    gate.wait_arrived()
    wove_http_worker.reset()
    assert result.result(TIMEOUT) == 42


def test_fields_as_keywords(wove_http_worker: HttpWorker) -> None:
    """``inject()`` takes a fault's fields as keywords: the client gets the status that they say."""
    wove_http_worker.inject("status", code=507)
    with pytest.raises(EnvironmentExecutionError, match="507"):
        weave_one()
