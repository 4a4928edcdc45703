"""``Selector``: chooses the requests that the faults of an ``inject()`` hit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.fields import check_fields, field
from wove_http_dev.protocol.claim import Claim
from wove_http_dev.runs.task_names import check_task, matches_task

COMMANDS = ("run_task", "cancel_task")


CLAIM_LIMIT = 200
"""Characters of a name in a body that a reason shows at most."""


def _shortened(text: str) -> str:
    return text[:CLAIM_LIMIT]


@dataclass(frozen=True)
class Selector:
    """Selects requests of ``task`` (name or glob) and ``command``. The first ``after`` of them are
    let through, then at most ``times`` are hit, each with ``probability``. Requests that only
    deliver an initial value of a weave (``data``, ``weave(x=…)``), which Wove sends as tasks, are
    selected only with ``initial_values=True``. ``unused_ok`` selects nothing: it tells strict mode
    that none need be hit."""

    task: str | None = field(None, "name or glob of the tasks to hit", metavar="GLOB")
    command: str | None = field(
        None,
        "command frames to hit: run_task or cancel_task (none: those of the fault)",
        choices=COMMANDS,
    )
    times: int | None = field(None, "number of requests to hit at most (none: all)", least=1)
    after: int = field(0, "number of requests to let through first")
    probability: float = field(1.0, "probability that a request is hit", most=1.0)
    seed: int | None = field(
        None,
        "seed of probability and distributions (none: that of the test session)",
        least=-math.inf,
        metavar="SEED",
    )
    initial_values: bool = field(False, "hit Wove's own initial values too")
    unused_ok: bool = field(False, "strict mode accepts that nothing is hit")

    def __post_init__(self) -> None:
        if self.task is not None:
            check_task(self.task)
        check_fields(self)

    def mismatch(
        self,
        claim: Claim | None,
        faults: Sequence[Fault],
        clean: Callable[[str], str] = _shortened,
    ) -> str | None:
        """Return why ``faults`` do not hit the request whose unverified body is ``claim``; ``None``
        if they do. A connection has no body (``claim`` is ``None``) and always matches.

        ``clean`` makes text of the body, which nobody has authenticated, fit to be shown.
        """
        if claim is None:
            return None
        command = self.command or _common_command(faults)
        if command is not None and claim.type != command:
            return f"{_kind(claim, clean)} is not {command}"
        task = claim.task_id and clean(claim.task_id)
        if not matches_task(self.task, claim.task_id):
            return f"task {task!r} does not match {self.task!r}"
        if claim.initial_value and not self.initial_values:
            return f"{task!r} is one of Wove's own initial values"
        return None

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are not the default, as keywords of ``inject()``."""
        default = Selector()
        return {word: v for word, v in vars(self).items() if v != getattr(default, word)}

    @property
    def selects(self) -> bool:
        """Whether some requests are not hit because of this selector."""
        return self != Selector(unused_ok=self.unused_ok)

    def check_suits(self, faults: Sequence[Fault]) -> None:
        """Raise :class:`UsageError` if the selector could never select anything for one of
        ``faults``."""
        for fault in faults:
            if fault.listener and self.selects:
                raise UsageError(
                    f"{fault.name} is on while it is injected: nothing selects it; use"
                    " inject(...).remove(), or inject(...) as a context manager"
                )
            if fault.stage == "connection" and (self.task or self.command):
                raise UsageError(
                    f"{fault.name} acts before a request is read: task= and"
                    " command= cannot select it"
                )
            if self.command is not None and not fault.acts_on(self.command):
                raise UsageError(
                    f"{fault.name} does nothing to a {self.command}: leave command= out"
                )


def _kind(claim: Claim, clean: Callable[[str], str]) -> str:
    if not claim.type:
        return "a body that is not a frame"
    return claim.type if claim.type in COMMANDS else f"a frame of type {clean(claim.type)!r}"


def _common_command(faults: Sequence[Fault]) -> str | None:
    commands = {fault.command for fault in faults if fault.command is not None}
    return commands.pop() if len(commands) == 1 else None
