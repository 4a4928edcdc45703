"""Faults that write an answer of a case's own."""

from __future__ import annotations

import json

from tests.conformance.executor.conforming_executor import ConformingExecutor
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.raw_answers import (
    Forms,
    RawAnswer,
    RewrittenAnswer,
    as_utf_8,
)
from wove_http_dev.conformance.executor.waits import wait_until
from wove_http_dev.faults.fault import Wire


def test_text_stays_as_it_is() -> None:
    """JSON for an answer is UTF-8 without escapes."""
    assert as_utf_8({"task": "größe"}) == '{"task": "größe"}'.encode()


def test_a_fault_is_named_by_its_words() -> None:
    """A report names the answer by its words."""
    assert str(RewrittenAnswer("in chunks", as_utf_8)) == "answer in chunks"


def test_bytes_are_written_as_they_are(check: CaseContext) -> None:
    """The answer to a run is what ``write`` writes."""
    worker = check.worker(tls=False)

    def write(wire: Wire) -> None:
        wire.send(wire.head.replace(b" 200 ", b" 299 ") + wire.body)

    injection = worker.inject(RawAnswer("of 299", write))
    outcome = check.run_one_weave(worker, 7)
    assert (outcome.value, injection.hits) == (7, 1)


def test_an_answer_is_rewritten(check: CaseContext) -> None:
    """Body, status and headers of an answer can be others."""
    worker = check.worker(tls=False)
    seen = []

    class Keeps(ConformingExecutor):
        def _answer(self, response):  # type: ignore[no-untyped-def]
            seen.append((response.status, response.getheader("X-A"), response.read()))
            raise ValueError("seen")

    definition = {**check.definition(worker, {}), "executor": Keeps()}
    worker.inject(RewrittenAnswer("", lambda document: b"[]", 203, (("X-A", "1"),)))
    check.run_one_weave(worker, definition=definition)
    assert seen == [(203, "1", b"[]")]


def test_an_answer_without_a_body_is_rewritten(check: CaseContext) -> None:
    """The document of an answer without a body is None."""
    worker, documents = check.worker(tls=False), []

    def rewrite(document: object) -> bytes:
        documents.append(document)
        return json.dumps([]).encode()

    worker.hold("task")
    worker.inject(RewrittenAnswer("to a cancel_task", rewrite), command="cancel_task")
    check.run_one_weave(worker, delivery_timeout=0.3, retries=1)
    wait_until(lambda: bool(documents), check.seconds(PATIENCE))
    assert set(documents) == {None}


def test_all_forms_in_words() -> None:
    """The forms of one kind are listed by their words."""
    forms = tuple(RawAnswer(words, print) for words in ("in one piece", "in two"))
    assert Forms("pieces", "in pieces", forms).listed == "in one piece; in two"
