"""Executors that handle answers wrongly."""

from __future__ import annotations

import contextlib
import json

from wove.environment import (
    _deserialize_network_executor_frame,
)

from tests.conformance.executor.conforming_executor import ConformingExecutor, Frame
from tests.conformance.executor.defects.base import Defect


class MixesRunIds(ConformingExecutor):
    """Gives every answer to the run that was sent last."""

    async def send(self, frame: Frame) -> None:
        if frame["type"] == "run_task":
            self.last = frame["run_id"]
        await super().send(frame)

    def deliver(self, event: Frame) -> None:
        super().deliver({**event, "run_id": self.last})


class DeliversForeignResults(ConformingExecutor):
    """Delivers results for other runs that are in the answer."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        own = super().read(frame, body)
        raw = json.loads(body)["events"]
        foreign = [e for e in raw if e.get("run_id") != frame["run_id"] and "error" not in e]
        return [*(self._terminal(frame, e) for e in foreign if e["type"] == "task_result"), *own]


class ComparesTheTaskOnly(ConformingExecutor):
    """Compares only the part of a run_id before its number."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document, run_id = json.loads(body), frame["run_id"]
        for event in document.get("events", []) if isinstance(document, dict) else []:
            if str(event.get("run_id")).rpartition(":")[0] == run_id.rpartition(":")[0]:
                event["run_id"] = run_id
        return super().read(frame, json.dumps(document).encode())


class IgnoresTheRunIdOfABareFrame(ConformingExecutor):
    """Treats an answer that is a single frame as the run's own, without comparing run_ids."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        if isinstance(document, dict) and "events" not in document:
            document["run_id"] = frame["run_id"]
        return super().read(frame, json.dumps(document).encode())


class StopsTheReceiver(ConformingExecutor):
    """Delivers an event that stops Wove's receiver when a request fails."""

    def failure(self, frame: Frame, exc: Exception) -> list[Frame]:
        return [{"type": "task_error", "run_id": ["not", "hashable"]}]


class UnpicklesForeignErrors(ConformingExecutor):
    """Unpickles exceptions before it compares their run_id."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        for event in document.get("events", []) if isinstance(document, dict) else []:
            if isinstance(event, dict) and event.get("type") == "task_error":
                with contextlib.suppress(Exception):
                    _deserialize_network_executor_frame(event, reason="a test's defect")
        return super().read(frame, body)


class ReadsLatin1(ConformingExecutor):
    """Decodes an answer as latin-1."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        return super().read(frame, body.decode("latin-1").encode("utf-8"))


class _Rewrites(ConformingExecutor):
    """A base class for executors that change the events of an answer before they read them."""

    def read(self, frame: Frame, body: bytes) -> list[Frame]:
        document = json.loads(body)
        if isinstance(document, dict) and isinstance(document.get("events"), list):
            document["events"] = self.rewrite(frame, document["events"])
        return super().read(frame, json.dumps(document).encode())

    def rewrite(self, frame: Frame, events: list[Frame]) -> list[Frame]:
        raise NotImplementedError


class PrefersResults(_Rewrites):
    """Takes a result for the outcome, although the run has failed before."""

    def rewrite(self, frame: Frame, events: list[Frame]) -> list[Frame]:
        return sorted(events, key=lambda event: event.get("type") != "task_result")


class PrefersCancellations(_Rewrites):
    """Takes a task_cancelled for the outcome, wherever it is in the answer."""

    def rewrite(self, frame: Frame, events: list[Frame]) -> list[Frame]:
        return sorted(events, key=lambda event: event.get("type") != "task_cancelled")


class ReadsBackwards(_Rewrites):
    """Takes the last terminal frame for the outcome."""

    def rewrite(self, frame: Frame, events: list[Frame]) -> list[Frame]:
        return events[::-1]


class _Likens(_Rewrites):
    """A base class for executors that take other run_ids for that of the run."""

    def rewrite(self, frame: Frame, events: list[Frame]) -> list[Frame]:
        run_id = frame["run_id"]
        return [{**e, "run_id": run_id} if self.like(e["run_id"], run_id) else e for e in events]

    def like(self, seen: str, run_id: str) -> bool:
        raise NotImplementedError


class IgnoresLetterCase(_Likens):
    """Compares run_ids without their letter case."""

    def like(self, seen: str, run_id: str) -> bool:
        return isinstance(seen, str) and seen.lower() == run_id.lower()


class StripsRunIds(_Likens):
    """Compares run_ids without the blanks around them."""

    def like(self, seen: str, run_id: str) -> bool:
        return isinstance(seen, str) and seen.strip() == run_id


class ComparesTheNumberOnly(_Likens):
    """Compares run_ids without the name of the task."""

    def like(self, seen: str, run_id: str) -> bool:
        return seen == run_id.rpartition(":")[2]


DEFECTS = (
    Defect(PrefersResults, "frames.36", "a task_error and then a task_result has .*of the second"),
    Defect(PrefersCancellations, "frames.36", "a task_result and then a task_cancelled has"),
    Defect(ReadsBackwards, "frames.36", "a task_result and then a task_result has .*of the seco"),
    Defect(IgnoresLetterCase, "frames.37", "with its run_id in capitals was believed"),
    Defect(StripsRunIds, "frames.37", "with its run_id with a blank before it was believed"),
    Defect(ComparesTheNumberOnly, "frames.37", "run_id without the name of its task was believed"),
    Defect(MixesRunIds, "routing.09", "given to another run"),
    Defect(DeliversForeignResults, "routing.03", "took its result: runs were mixed up"),
    Defect(DeliversForeignResults, "security.19", "was loaded"),
    Defect(ComparesTheTaskOnly, "routing.11", "runs were mixed up"),
    Defect(IgnoresTheRunIdOfABareFrame, "routing.12", "runs were mixed up"),
    Defect(StopsTheReceiver, "routing.06", "a run that waited for its own answer ended with"),
    Defect(UnpicklesForeignErrors, "security.19", "for a run that does not exist was loaded"),
    Defect(ReadsLatin1, "frames.17", "came in raw UTF-8, but its author sees .*Ã"),
)
