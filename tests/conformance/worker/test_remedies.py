"""How to mend what fails a case of ``check worker``."""

from __future__ import annotations

import re

from tests.conformance.remedies import missing_examples, unused_globs
from wove_http_dev.conformance.worker.remedies import REMEDIES
from wove_http_dev.conformance.worker.suite import WORKER_CASES


def test_every_case_has_a_remedy() -> None:
    assert [case.id for case in WORKER_CASES if case.remedy is None] == []


def test_every_remedy_is_for_a_case() -> None:
    """Every glob of the table matches a case."""
    assert unused_globs(WORKER_CASES, REMEDIES) == []


def test_every_example_exists() -> None:
    """Every remedy names a function of a file of this repository, as it is named there now."""
    assert missing_examples(REMEDIES) == []


def test_a_remedy_is_one_sentence() -> None:
    texts = [remedy.how for _, remedy in REMEDIES]
    assert [
        text for text in texts if not text.endswith(".") or re.search(r"[a-z]\. [A-Z]", text)
    ] == []
