"""The context of a case."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.context import CaseContext, Session
from wove_http_dev.conformance.executor.waits import wait_until_async
from wove_http_dev.weave_outcome import WeaveOutcome

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave


def test_one_weave(check: CaseContext) -> None:
    """run_one_weave() runs a task that returns the given value."""
    assert check.run_one_weave(check.worker(), (1, 2)).value == (1, 2)


def test_a_weave_that_does_not_end_fails_the_case(check: CaseContext) -> None:
    """A weave that does not end in time raises CaseFailed, with the words for what it was."""
    worker = check.worker()
    worker.hold("task")
    limit = re.escape(f"{check.seconds(0.1):.1f}")
    with pytest.raises(CaseFailed, match=rf"the held weave had not ended {limit} s after"):
        check.run_one_weave(worker, within=0.1, what="the held weave")


def test_a_wait_that_ran_out_is_known_to_the_case(check: CaseContext) -> None:
    """A case in which a wait ran out is late, also if the wait was in the weave's loop."""

    async def script(remote: Remote) -> None:
        await wait_until_async(lambda: False, 0.0)

    check.run_script(check.worker(), script)
    assert check.late


def test_a_run_that_timed_out_is_known_to_the_case(check: CaseContext) -> None:
    """A case in which a run ended by a timeout is late."""
    worker = check.worker()
    worker.hold("task")
    check.run_one_weave(worker, delivery_timeout=0.05)
    assert check.late


def test_a_weave_that_the_case_cancels_is_no_time_limit(check: CaseContext) -> None:
    """A case that cancels a weave, and does not wait for its end, is not late."""
    worker = check.worker()
    worker.hold("task")

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def task() -> None:
            pass

    check.weave(worker, define).cancel(0.0)
    assert not check.late


def test_a_case_in_time(check: CaseContext) -> None:
    """A case whose runs end by themselves is not late."""
    check.run_one_weave(check.worker())
    assert not check.late


def test_two_cases_at_a_time_have_their_own_environments(session: Session) -> None:
    """Environments of cases that run at the same time have different names."""
    assert session.next_name() != session.next_name()


def test_the_hook_for_threads_is_restored_once(session: Session) -> None:
    """Of cases that overlap the first may end first: the hook is restored after the last."""
    before = threading.excepthook
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(session.case())
        second.enter_context(session.case())
        first.close()
        between = threading.excepthook
    assert (between is before, threading.excepthook is before) == (False, True)


def test_a_busy_machine_has_more_time(session: Session) -> None:
    """The limits of a case are multiplied by the slowdown at its start."""
    session.slowdown = lambda: 3.0
    with session.case() as check:
        assert check.seconds(0.5) == 1.5


def test_settings_replace_entries_of_the_configuration(check: CaseContext) -> None:
    """Settings replace entries of executor_config; the other entries are kept."""
    worker = check.worker()
    config = check.definition(worker, {"timeout": 3.0})["executor_config"]
    assert (config["timeout"], config["url"]) == (3.0, worker.url)


def test_a_factory_that_ends_the_program_fails_the_case(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factory that raises SystemExit fails the case instead of ending the check."""
    monkeypatch.setattr(session, "subject", type("Subject", (), {"make": staticmethod(exit)}))
    with session.case() as check, pytest.raises(CaseFailed, match="SystemExit"):
        check.definition(check.worker(), {})


def test_what_a_script_raises_is_raised(check: CaseContext) -> None:
    """An exception of a script is raised by run_script(), so a case can fail in its script."""

    async def script(remote: Remote) -> None:
        check.fail("in the script")

    with pytest.raises(CaseFailed, match="in the script"):
        check.run_script(check.worker(), script)


def test_a_script_that_does_not_end_fails_the_case(check: CaseContext) -> None:
    """A script that does not end within its time limit raises CaseFailed."""

    async def script(remote: Remote) -> None:
        await asyncio.sleep(30)

    with pytest.raises(CaseFailed, match="the weave hangs"):
        check.run_script(check.worker(), script, within=0.1)


def test_a_case_ends_its_weaves(session: Session) -> None:
    """close() ends weaves that still wait for a worker."""
    with session.case() as check:
        worker = check.worker()
        worker.hold("task")

        def define(w: Weave, environment: str) -> None:
            @w.do(environment=environment)
            def task() -> None:
                pass

        weave = check.weave(worker, define)
    assert (weave.ended, worker.running, session.stuck) == (True, False, 0)


def test_an_exception_of_a_thread_belongs_to_its_case(session: Session) -> None:
    """``uncaught`` has only the exceptions of threads that ended during the case."""

    def body() -> None:
        raise ValueError("boom")

    with session.case() as first:
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        seen = first.uncaught
    with session.case() as second:
        assert (seen, second.uncaught) == (["ValueError: boom"], [])


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (WeaveOutcome("result", 1), "swallowed, the weave has the result 1"),
        (WeaveOutcome("nothing"), "swallowed, the task has no result and no error"),
        (WeaveOutcome("raised", error=ValueError("boom")), "and the task itself has no error"),
    ],
)
def test_an_expected_error_that_is_missing(
    check: CaseContext, outcome: WeaveOutcome, words: str
) -> None:
    """expect_error() fails for any outcome but an error, and names the outcome."""
    with pytest.raises(CaseFailed, match=words):
        check.expect_error(outcome, "after a failure")


def test_an_expected_error(check: CaseContext) -> None:
    """expect_error() returns an outcome that is an error."""
    outcome = WeaveOutcome("error", error=ValueError())
    assert check.expect_error(outcome, "after a failure") is outcome
