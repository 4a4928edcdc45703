"""How to mend what fails a case of ``check worker``."""

from __future__ import annotations

from tests.conformance.remedies import RemedyTests
from wove_http_dev.conformance.worker.remedies import REMEDIES
from wove_http_dev.conformance.worker.suite import WORKER_CASES


class TestRemedies(RemedyTests):
    """The remedies for worker services."""

    cases = WORKER_CASES
    remedies = REMEDIES
