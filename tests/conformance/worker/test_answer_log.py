"""The log of everything that was wrong with the answers of a check."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.answer_log import AnswerLog, CaseAnswers
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.wire import HttpResponse

SERVICE = ServiceUnderTest("http://127.0.0.1:1/x")
JSON = (("Content-Type", "application/json"),)


@pytest.fixture
def log() -> AnswerLog:
    """A log without answers."""
    return AnswerLog()


@pytest.fixture
def case(log: AnswerLog) -> CaseAnswers:
    """The answers of the case run.01."""
    case = CaseAnswers(log, SERVICE)
    case.sender = "run.01"
    return case


def request(run_id: str) -> bytes:
    """Return a run_task request."""
    frame = commands.run_frame(tasks.nothing, run_id=run_id)
    return SERVICE.request(commands.encode(frame), {})


def answer(*events: Any) -> HttpResponse:
    """Return an answer with ``events``."""
    return HttpResponse(200, JSON, json.dumps(list(events)).encode())


def test_an_answer_is_judged_when_its_case_has_ended(log: AnswerLog, case: CaseAnswers) -> None:
    """Judging takes no time of a case."""
    case.note_sent("c", request("r"))
    case.note_answer("c", answer())
    before = log.judged
    case.judge()
    assert (before, log.judged) == (0, 1)


def test_a_broken_rule_names_the_case_and_the_request(log: AnswerLog, case: CaseAnswers) -> None:
    """The description has the id of the case and the request that got the answer."""
    case.note_sent("c", request("r"))
    case.note_answer("c", answer())
    case.judge()
    broken = log.broken("readable")
    assert broken is not None
    assert broken.described[0].startswith("run.01, POST run_task (nothing, run r): the answer has")


def test_a_request_may_be_sent_in_pieces(log: AnswerLog, case: CaseAnswers) -> None:
    """An answer belongs to everything that was sent on its connection since the one before."""
    for connection in ("c", "d"):
        case.note_sent(connection, request("r")[:40])
    case.note_sent("c", request("r")[40:])
    case.note_answer("c", answer())
    case.judge()
    assert log.broken("readable") is not None


def test_the_next_request_of_a_connection_is_a_new_one(log: AnswerLog, case: CaseAnswers) -> None:
    """The second answer on a connection belongs to the second request only."""
    for run_id in ("r", "s"):
        case.note_sent("c", request(run_id))
        case.note_answer("c", answer())
    case.judge()
    broken = log.broken("readable")
    assert broken is not None
    assert "run s" in broken.described[1]


def test_an_answer_after_the_end_of_its_case_is_judged_too(
    log: AnswerLog, case: CaseAnswers
) -> None:
    """A background thread may get its answer after the end of the case."""
    case.note_sent("c", request("r"))
    case.judge()
    case.note_answer("c", answer())
    assert log.judged == 1


def test_only_the_first_answers_are_described(log: AnswerLog, case: CaseAnswers) -> None:
    """All are counted, and three are described."""
    for number in range(5):
        case.note_sent("c", request(f"r{number}"))
        case.note_answer("c", answer())
    case.judge()
    broken = log.broken("readable")
    assert broken is not None
    assert (broken.count, len(broken.described)) == (5, 3)


def test_a_run_id_that_was_sent_twice_may_have_no_outcome(
    log: AnswerLog, case: CaseAnswers
) -> None:
    """It does not matter which of the two answers comes first."""
    for _ in range(2):
        case.note_sent("c", request("r"))
        case.note_answer("c", answer())
    case.judge()
    assert (log.judged, log.broken("readable")) == (2, None)


def test_good_answers_break_no_rule(log: AnswerLog, case: CaseAnswers) -> None:
    """A rule that was not broken has no entry."""
    case.note_sent("c", request("r"))
    case.note_answer(
        "c", answer({"type": "task_result", "run_id": "r", "task_id": commands.TASK_ID})
    )
    case.judge()
    assert log.broken("frames") is None
