"""Frame cases about all answers of the check, whichever case sent the request. They send nothing,
and run last."""

from __future__ import annotations

from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.answer_rules import Rule
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.context import CaseContext

ALL = "nothing; the answers to the command frames of all cases before this one are judged"


def judged(check: CaseContext, rule: Rule) -> str:
    """Fail the case if answers of the check broke ``rule``; otherwise return how many were
    judged."""
    log = check.session.answers
    broken = log.broken(rule)
    if broken is not None:
        first = " (the first ones)" if broken.count > len(broken.described) else ""
        check.fail(f"{broken.count} of {log.judged} answers{first}: {'; '.join(broken.described)}")
    return f"{log.judged} answers"


@frames.must(
    "17",
    f"{sources.PROTOCOL}; {sources.EXECUTOR}",
    scenario=ALL,
    expected="JSON in one of the three shapes that Wove reads, without Content-Encoding; the answer"
    " to a cancel_task may be empty",
    alone=True,
)
def every_answer_is_readable(check: CaseContext) -> str:
    """Each 2xx answer to a command is event frames in JSON, for every kind of task, outcome and
    size."""
    return judged(check, "readable")


@frames.must(
    "18",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: frames are delivered by run_id",
    scenario=ALL,
    expected="the run_id and the task_id of the command, unchanged, in every event frame",
    alone=True,
)
def every_answer_has_its_ids(check: CaseContext) -> str:
    """Each event frame of each answer has the ids of its own command, for every kind of task and
    outcome."""
    return judged(check, "ids")


@frames.must(
    "19",
    f"{sources.CONTRACT}; {sources.EVENTS}",
    scenario=ALL,
    expected="frame types that Wove knows, task_started at most once, and exactly one terminal"
    " frame, which is the last one; at most one terminal frame in the answer to a cancel_task",
    alone=True,
)
def every_answer_has_one_outcome(check: CaseContext) -> str:
    """Each 2xx answer to a run_task has exactly one terminal frame, at the end, and only frames of
    known types."""
    return judged(check, "frames")


@frames.should(
    "26",
    sources.CWE_LEAK,
    scenario="nothing; the answers to the requests of all cases before this one are judged",
    expected="no traceback in an answer with an error status; one in a task_error is the task's",
    alone=True,
)
def no_traceback_in_an_error_status(check: CaseContext) -> str:
    """An error of the service itself does not show its code and its paths."""
    return judged(check, "traceback")
