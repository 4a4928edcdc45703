"""Whether a check has left a weave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.executor.checks import environments, left_open
from tests.support import TIMEOUT
from wove_http_dev.conformance.executor.context import CaseContext

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave


def test_a_weave_that_has_not_ended_is_named(check: CaseContext) -> None:
    """The environment of an open weave is found."""
    before, worker = environments(), check.worker()
    gate = worker.hold("task")

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def task() -> None:
            pass

    check.weave(worker, define)
    gate.wait_arrived()
    assert left_open(before, 0.0) == {"conformance-1"}


def test_a_weave_that_has_ended_is_not_named(check: CaseContext) -> None:
    """The environment of a weave that has ended is gone."""
    before = environments()
    check.run_one_weave(check.worker())
    assert left_open(before, TIMEOUT) == set()
