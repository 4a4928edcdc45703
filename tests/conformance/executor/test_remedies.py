"""How to mend what fails a case of ``check executor``."""

from __future__ import annotations

from tests.conformance.remedies import RemedyTests
from wove_http_dev.conformance.executor.remedies import REMEDIES
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES


class TestRemedies(RemedyTests):
    """The remedies for executors."""

    cases = EXECUTOR_CASES
    remedies = REMEDIES
