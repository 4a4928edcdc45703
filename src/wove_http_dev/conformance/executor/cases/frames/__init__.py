"""Cases about the command frames that an executor sends and the event frames that it accepts."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import Family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.worker import HttpWorker

family = Family("frames")


def expect_result(check: CaseContext, worker: HttpWorker, value: Any, what: str) -> str:
    """Run a weave of one task that returns ``value``, and return the outcome as text.

    Raises :class:`CaseFailed` if the outcome is anything but ``value``; ``what`` describes the
    situation in the message.
    """
    outcome = check.run_one_weave(worker, value)
    if outcome.kind != "result" or outcome.value != value:
        wanted = f"the result {value!r:.60}"
        check.fail(f"{what}: {outcome}", expected=wanted)
    return str(outcome)
