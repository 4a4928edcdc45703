"""The probe that authentication cases send: a task that reports to the checker when it runs, so
that "refused" can mean that it did not run. It knows no particular way to be refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

AFTERMATH = 0.05
"""Seconds after an answer in which a body that should not run would still be noticed."""
LOADED = 0.15
"""Seconds after an answer in which a pickle that was loaded would have connected."""
REFUSAL = "a refusal (no 2xx status), and the task does not run"
NO_REFUSAL = "though the task did not run: a refusal needs 401 or 403"


@dataclass(frozen=True)
class Probe:
    """A body that may be sent, and the callback that tells whether it ran (if tasks can report)."""

    body: bytes
    callback: Callback | None

    def ran(self, timeout: float = AFTERMATH) -> bool:
        """Whether it ran, as far as can be told."""
        return self.times(timeout) > 0

    def times(self, timeout: float = AFTERMATH, at_least: int = 1) -> int:
        """How often it ran, as far as can be told, after waiting for ``at_least`` times."""
        if self.callback is None:
            return 0
        self.callback.arrived(timeout, at_least)
        return self.callback.count


def probe(check: CaseContext) -> Probe:
    """A new probe."""
    callback = check.callback_if_possible()
    if callback is None:
        return Probe(commands.encode(commands.run_frame(tasks.nothing)), None)
    return Probe(commands.encode(commands.run_frame(tasks.report_back, callback.address)), callback)


def bomb(check: CaseContext, field: str = "callable_pickle") -> tuple[bytes, Callback]:
    """A run_task whose ``field`` reports as soon as it is loaded."""
    callback = check.callback()
    payload = tasks.pickled(tasks.knock_on_load(callback.host, callback.port, callback.token))
    frame = commands.run_frame(tasks.nothing)
    frame[field] = commands.text(payload)
    return commands.encode(frame), callback


def signed(check: CaseContext, **changes: Any) -> tuple[Probe, dict[str, str]]:
    """A new probe, and the credentials for it, made with ``changes``
    (:meth:`ServiceUnderTest.credentials`)."""
    new = probe(check)
    return new, check.service.credentials(new.body, **changes)


def refused(
    check: CaseContext,
    what: str,
    sent: Probe,
    headers: Mapping[str, str],
    *,
    target: str | None = None,
) -> str:
    """POST ``sent`` with ``headers`` and require that it is refused and does not run.

    Returns what was answered. Hanging up without an answer is a refusal too; whether it is a good
    one is for another case.
    """
    try:
        answer = check.post(sent.body, headers, target=target)
    except NoAnswer as exc:
        seen, accepted = str(exc), False
    else:
        seen, accepted = f"HTTP {answer.status}", answer.ok
    if accepted:
        if sent.callback is not None and not sent.ran():
            check.fail(f"{what} was answered {seen}, {NO_REFUSAL}")
        check.fail(f"{what} was accepted: {seen}{', and the task ran' if sent.ran() else ''}")
    if sent.ran():
        check.fail(f"{what} was refused ({seen}), and yet the task ran")
    return seen
