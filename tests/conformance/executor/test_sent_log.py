"""The record of what a case did, shown in reports as ``sent``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import TIMEOUT
from wove_http_dev.conformance.case import MUST, Case
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.context import CaseContext, Session
from wove_http_dev.conformance.executor.sent_log import STEP_LIMIT, STEPS_LIMIT, SentLog
from wove_http_dev.conformance.perform import perform

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave


def test_the_options_of_a_worker(check: CaseContext) -> None:
    """The options that a case gives a worker are recorded."""
    check.worker(security="bearer")
    assert check.sent == "worker security=bearer"


def test_a_number_is_rounded() -> None:
    """Seconds that were multiplied are recorded with the digits that say something."""
    log = SentLog()
    log.add("task", {"delivery_timeout": 3 * 1.4, "timeout": 10.0})
    assert log.text() == "task delivery_timeout=4.2 timeout=10.0"


def test_a_fault_with_its_selection(check: CaseContext) -> None:
    """A fault is recorded with its selector words."""
    check.worker().inject("status code=500", times=2)
    assert "fault status code=500 times=2" in check.sent


def test_a_fault_that_was_removed(check: CaseContext) -> None:
    """A fault that was removed again is still recorded."""
    with check.worker().inject("hang"):
        pass
    assert "fault hang" in check.sent


def test_a_stub(check: CaseContext) -> None:
    """A stub is recorded with its answer."""
    check.worker().stub("task", error=ValueError("boom"))
    assert "stub task error=ValueError('boom')" in check.sent


def test_a_hold(check: CaseContext) -> None:
    """A hold is recorded with the task that it holds."""
    check.worker().hold("task")
    assert "hold task" in check.sent


def test_the_settings_of_an_executor(check: CaseContext) -> None:
    """Settings that replace entries of executor_config are recorded."""
    check.definition(check.worker(), {"insecure": True})
    assert "executor_config insecure=True" in check.sent


def test_the_options_of_a_task(check: CaseContext) -> None:
    """The options of a task are recorded, without the environment."""
    check.run_one_weave(check.worker(), retries=1)
    assert "task task retries=1 delivery_timeout=" in check.sent


def test_the_options_of_a_mapped_task(check: CaseContext) -> None:
    """Options are recorded for every weave that a case defines."""

    def define(w: Weave, environment: str) -> None:
        @w.do([1, 2], environment=environment, delivery_timeout=3.0)
        def doubled(item: int) -> int:
            return item * 2

    check.weave(check.worker(), define).wait(TIMEOUT)
    assert "task doubled delivery_timeout=3.0" in check.sent


def test_the_runs_of_a_script(check: CaseContext) -> None:
    """Equal runs of a script are counted."""

    async def script(remote: Remote) -> None:
        await remote("one", 1, retries=1)
        await remote("one", 1, retries=1)

    check.run_script(check.worker(), script)
    assert "2 x run one retries=1" in check.sent


def test_the_answers_of_the_workers(check: CaseContext) -> None:
    """Answers are recorded with their status and event frames."""
    check.run_one_weave(check.worker())
    assert check.sent.endswith("answered: run_task -> 200 task_started+task_result")


def test_a_secret_is_hidden(check: CaseContext) -> None:
    """A secret that a case puts into a configuration is hidden."""
    worker = check.worker()
    check.definition(worker, {"security": {"type": "signed", "secret": str(worker.secret)}})
    assert (str(worker.secret) in check.sent, "<secret>" in check.sent) == (False, True)


@pytest.mark.parametrize("before", [0, 20, 30, 70])
@pytest.mark.parametrize(
    "wrap", [str, lambda text: {"body": text}, str.encode], ids=["text", "dict", "bytes"]
)
def test_no_part_of_a_secret_is_shown(
    check: CaseContext, before: int, wrap: Callable[[str], Any]
) -> None:
    """A secret is hidden before a long value is shortened, wherever in the value it is."""
    worker = check.worker()
    secret = str(worker.secret)
    check.definition(worker, {"note": wrap("." * before + secret + "." * 100)})
    parts = [secret[at : at + 6] for at in range(len(secret) - 5)]
    assert [part for part in parts if part in check.sent] == []


@dataclasses.dataclass
class Settings:
    """A value whose repr escapes its text."""

    text: str


@pytest.mark.parametrize("wrap", [str, str.encode, Settings, ValueError])
def test_a_secret_is_hidden_where_it_is_escaped(
    check: CaseContext, wrap: Callable[[str], Any]
) -> None:
    """A secret is hidden as well where a repr escapes it."""
    worker = check.worker(secret='back\\slash and it\'s "quoted"')
    check.definition(worker, {"note": wrap(str(worker.secret))})
    assert [word for word in ("slash", "quoted") if word in check.sent] == []


def test_the_secret_that_a_case_gives_a_worker_is_hidden(check: CaseContext) -> None:
    """The options of a worker are recorded with its secret hidden."""
    secret = "-".join(["0123456789"] * 12)
    check.worker(secret=secret)
    assert "0123456789" not in check.sent


def test_the_number_of_steps_is_bounded() -> None:
    """Only the first steps are shown; the others are counted."""
    log = SentLog()
    for number in range(STEPS_LIMIT + 3):
        log.add(f"step {number}")
    assert log.text().endswith("; 3 more")


def test_the_length_of_a_step_is_bounded() -> None:
    """The text of a step with a large value is cut."""
    log = SentLog()
    log.add("stub", {"result": ["x" * 1000] * 1000})
    assert len(log.text()) <= STEP_LIMIT


def test_a_result_says_what_was_sent(session: Session) -> None:
    """The result of a failed case has its record too."""

    def body(check: CaseContext) -> str:
        check.worker(security="bearer")
        check.fail("as planned")

    case = Case("made-up", "01", "case", MUST, "a test", "it fails", "nothing", "nothing", body)
    assert perform(case, session.case).sent == "worker security=bearer"
