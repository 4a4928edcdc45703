"""Runs and exchanges of another process, made from what its control API tells of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from wove_http_dev.errors import NoAnswerError, NotFoundError
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.forwarding import UpstreamLeg
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import FINISHED, Exchange, Run, header_lines, reached

Json = Mapping[str, Any]
Skip = Callable[[str], NoReturn]
_DELIVERY = {"left out": "the control API does not tell it"}
_EXCHANGE_FIELDS = (
    "received",
    "kind",
    "method",
    "target",
    "body_size",
    "run_id",
    "task_id",
    "initial_value",
    "accepted",
    "refusal",
    "code",
    "status",
    "faults",
    "drawn",
    "events",
    "error",
    "internal_error",
)
"""Fields of an exchange that the API tells by the same name."""


class _Live:
    """An attribute of a run that is fetched whenever it is read, until the run is answered."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, run: ControlledRun | None, owner: type) -> Any:
        if run is None:
            return self
        run._fetch()
        return run._live[self._name]

    def __set__(self, run: ControlledRun, value: Any) -> None:
        run._live[self._name] = value


class ControlledRun(Run):
    """A run that the control API tells of. Its values are text: to read ``args``, ``result`` or
    ``error`` calls ``skip``, because no pickle is taken from another process.

    ``read`` returns the record of a run by its id, with texts that a list cuts.
    """

    state: Any = _Live()
    started: Any = _Live()
    finished: Any = _Live()
    answered: Any = _Live()
    executions: Any = _Live()

    def __init__(self, record: Json, *, skip: Skip, read: Callable[[str], Json]) -> None:
        self._live: dict[str, Any] = {}
        numbers = record["exchanges"]
        super().__init__(
            record["run_id"],
            record["task_id"],
            delivery=_DELIVERY,
            initial_value=record["initial_value"],
            args_pickle=b"",
            received=record["received"],
            exchange_number=numbers[0] if numbers else None,
        )
        self._args_pickle = None
        self._skip = skip
        self._read = read
        self._told: Json = record
        self._take(record)

    def _has_reached(self, state: str) -> bool:
        """Whether the run had reached ``state`` when it was fetched last."""
        return reached(state, self._live["state"], self._live["started"])

    def update(self, record: Json) -> bool:
        """Take what the API tells now; return whether it has changed."""
        # Two threads may ask, and take the answers in another order.
        if record == self._told or _progress(record) < _progress(self._told):
            return False
        self._told = record
        self._take(record)
        return True

    def _take(self, record: Json) -> None:
        self.state = state = record["state"]
        self.started, self.finished = record["started"], record["finished"]
        self.answered = record["answered"]
        self.cancel_requested = record["cancel_requested"]
        self.executions, self.stubbed = record["executions"], record["stubbed"]
        self.faults, self.drawn = list(record["faults"]), dict(record["drawn"])
        self.args_text = record["args"]
        self._held_by = tuple(record["held_by"])
        if state in FINISHED and state != "lost":
            self._outcome = _outcome(self._whole(record, "traceback"))

    def _fetch(self) -> None:
        if self._told["answered"] is None:
            self.update(self._whole())

    def _whole(self, record: Json | None = None, name: str = "") -> Json:
        """``record`` with the whole text ``name``, which a list cuts; without ``record``, what the
        API tells now, or told last."""
        if record is None or str(record[name]).endswith("…"):
            with suppress(NotFoundError, NoAnswerError):  # dropped there; or serve has ended
                read = self._read(self.run_id)
                if read["received"] == self.received:  # not a later one with the same id
                    return read
        return self._told if record is None else record

    @property
    def output(self) -> str:
        """What the body has printed and logged, as far as the worker was asked."""
        return str(self._whole(self._told, "output")["output"])

    # No pickle comes from another process.

    @property
    def args(self) -> dict[str, Any]:
        """Skips the test: :attr:`args_text` has the arguments as text."""
        self._skip("run.args is in the process of the worker; run.args_text has it as text")

    @property
    def result(self) -> Any:
        """Skips the test: :attr:`result_text` has the result as text."""
        self._skip("run.result is in the process of the worker; run.result_text has it as text")

    @property
    def error(self) -> BaseException | None:
        """``None`` if the run did not fail. Otherwise it skips the test: :attr:`error_text` has the
        error as text."""
        if self.state != "failed":
            return None
        self._skip(
            "run.error is in the process of the worker; run.error_text, run.error_place and"
            " run.traceback have it as text"
        )


def _progress(record: Json) -> tuple[bool, bool, bool, int]:
    told = (record[name] is not None for name in ("answered", "finished", "started"))
    answered, finished, started = told
    return answered, finished, started, record["executions"]


def _outcome(record: Json) -> Outcome:
    if record["state"] == "cancelled":
        return Outcome("cancelled")
    if record["state"] == "succeeded":
        return Outcome("result", result_text=record["result"])
    kind, _, message = str(record["error"] or "").partition(": ")
    error = {"kind": kind, "message": message, "traceback": record["traceback"]}
    return Outcome("error", error=error, place=record["error_place"])


def update_exchange(exchange: Exchange, record: Json) -> None:
    """Set the fields of ``exchange`` to what the API tells in ``record``."""
    for name in _EXCHANGE_FIELDS:
        setattr(exchange, name, record[name])
    exchange.duration = record["seconds"]
    exchange.frame_type = record["type"]
    exchange.head = header_lines(record["headers"])
    exchange.upstream = [
        UpstreamLeg(**{name: each for name, each in leg.items() if name != "text"})
        for leg in record.get("upstream", ())  # an older serve has none
    ]
    verdict = record["verdict"]
    if verdict is not None:
        passed = tuple(each["text"] for each in verdict["steps"] if each["ok"])
        exchange.verdict = Verdict(
            bool(record["accepted"]),
            record["refusal"],
            passed,
            hint=verdict["hint"] or None,
            status=record["status"] or 401,
            code=verdict["code"],
        )
