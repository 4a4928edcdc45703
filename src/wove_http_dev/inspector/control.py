"""``Control``: the operations of the control API on a worker. They take and return JSON values; in
place of a list that may be long, there is an iterator over its entries."""

from __future__ import annotations

import functools
import importlib.metadata
import math
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from wove_http_dev.errors import ConflictError, NotFoundError, UsageError, WaitTimeoutError
from wove_http_dev.exception_text import TRACEBACK_LIMIT
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.injections import Injection
from wove_http_dev.inspector import shapes
from wove_http_dev.inspector.connect import Instructions, instructions
from wove_http_dev.inspector.numbers import Numbers, numbered
from wove_http_dev.inspector.pytest_text import pytest_text
from wove_http_dev.inspector.replay import Replays
from wove_http_dev.inspector.shapes import Json
from wove_http_dev.inspector.stub_error import exception_of
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import FINISHED, STATES, Exchange, Run
from wove_http_dev.runs.stubs import Stub
from wove_http_dev.runs.task_names import matches_task
from wove_http_dev.spelling import did_you_mean
from wove_http_dev.worker import HttpWorker

KEPT_HOLDS = 100
"""Released holds that are listed; older ones are forgotten when another is made."""
REPLAY_WAIT = 5.0
"""Seconds that :meth:`Control.replay` waits until the worker has accepted the new run."""
T = TypeVar("T")


class Control:
    """What can be seen of ``worker`` and done to it. Thread-safe.

    Injections, holds and stubs have numbers as ids, which are not used again. ``page_url`` is where
    the page is served, ``connect`` how an application connects. Methods raise
    :class:`UsageError` for an argument that cannot be used, :class:`NotFoundError` for what does
    not exist, and :class:`ConflictError` for what cannot be done now.
    """

    def __init__(
        self,
        worker: HttpWorker,
        *,
        page_url: str | None = None,
        connect: Instructions | None = None,
    ) -> None:
        self._worker = worker
        self._state = worker._state
        self._page_url = page_url
        self._connect = connect
        self._started = time.time()
        self._injections = Numbers[Injection]("injection")
        self._holds = Numbers[Gate]("hold")
        self._stubs = Numbers[Stub]("stub")
        self._answers: WeakKeyDictionary[Stub, Json] = WeakKeyDictionary()
        self._replays = Replays(worker)
        self.on_change: Callable[[], None] = lambda: None
        """Called after an injection, a hold or a stub was made, removed or released."""
        self.on_reset: Callable[[], None] = lambda: None
        """Called after the worker was reset."""

    def close(self) -> None:
        """End the requests of replays that are still open. Blocks until their threads have
        ended."""
        self._replays.close()

    # The worker

    def worker(self) -> Json:
        """Return where the worker is, and how an application connects to it."""
        worker = self._worker
        connect = self._connect or instructions(worker, None)
        return {
            "url": worker.url,
            "page_url": self._page_url,
            "environment": worker.environment,
            "security": worker.credentials.mode,
            "version": _version("wove-http-dev"),
            "wove": _version("wove"),
            "python": platform.python_version(),
            "started": self._started,
            "running": worker.running,
            "ca_file": worker.ca_file if worker.options.tls else None,
            "runner": worker._runner.place,
            "options": {**shapes.options_json(worker.options), "port": worker.port},
            "snippet": connect.snippet,
            "exports": list(connect.exports),
            "doctor": connect.doctor,
        }

    def reset(self) -> Json:
        """Empty the journal, remove every fault, stub and hold, then inject the faults of the
        options again."""
        self._worker.reset()
        self.on_reset()
        return {"reset": True}

    def in_force(self) -> dict[object, str]:
        """Return the injections, holds and stubs that act on requests now, each with the call that
        makes it."""
        state = self._state
        acting: list[Injection | Gate | Stub] = [*state.faults.active, *state.stubs.active]
        acting += [gate for gate in state.gates.made if not gate.released]
        return {each: each.call for each in acting}

    def faults(self) -> Json:
        """Return the catalogue of faults."""
        return {
            "faults": [
                shapes.fault_json(kind, self._worker.why_not(name)) for name, kind in FAULTS.items()
            ]
        }

    # Runs

    def runs(
        self,
        task: str | None = None,
        state: str | None = None,
        after: str | None = None,
        initial_values: bool = False,
        limit: int | None = None,
    ) -> Json:
        """Return the runs of ``task`` (name or glob) that are in ``state``, oldest first.

        ``after`` is the id of a run, or a time in seconds since the epoch: only later ones are
        returned. ``limit`` returns the newest so many.
        """
        if state is not None and state not in STATES:
            raise UsageError(f"unknown state {state!r}; {did_you_mean(state, STATES)}")
        all_runs: Sequence[Run] = self._worker.all_runs
        if after is not None:
            all_runs = self._later(all_runs, after)
        found = [
            run
            for run in all_runs
            if (initial_values or not run.initial_value)
            and matches_task(task, run.task_id)
            and (state is None or run.state == state or (state == "finished" and _ended(run)))
        ]
        numbers = self._exchange_numbers()
        return {
            "runs": (shapes.run_json(run, numbers[run.run_id]) for run in _newest(found, limit))
        }

    def run(self, run_id: str) -> Json:
        """Return one run in full."""
        run = self._find_run(run_id)
        shown = shapes.run_json(run, self._exchange_numbers()[run.run_id], whole=True)
        key = run.delivery.get("delivery_idempotency_key")
        return {
            **shown,
            "delivery_key": None if key is None else self._state.journal.redaction.clean(str(key)),
            "stack": self._stack(run),
            "upstream": self._forwarded(run),
            "pytest": self._pytest(run),
        }

    def _forwarded(self, run: Run) -> list[Json]:
        exchanges = self._state.journal.exchanges
        return [
            shapes.leg_json(leg)
            for exchange in exchanges
            if exchange.number == run.exchange_number
            for leg in exchange.upstream
        ]

    def _stack(self, run: Run) -> str | None:
        """Return where the body of ``run`` is at this moment, or for what it waits; ``None`` if
        that is not known."""
        if run.state not in ("received", "running"):
            return None
        stack = self._worker._host.stack(run.run_id)
        return self._state.journal.redaction.clean(stack, TRACEBACK_LIMIT) or None

    def _pytest(self, run: Run) -> str | None:
        """Return the source of a test in which the worker answers as in ``run``; ``None`` unless
        the run has a result or an error."""
        if run.state not in ("succeeded", "failed"):
            return None
        texts = {
            fault.name: str(fault)
            for injection in self._state.faults.injections
            for fault in injection.faults
        }
        return pytest_text(
            run.task_id,
            args=run.args_text,
            result=run.result_text,
            error=run.error_text,
            faults=[_with_drawn(texts.get(name, name), run.drawn) for name in run.faults],
        )

    def replay(self, run_id: str) -> Json:
        """Send the run's command frame to the worker again, as a client does, with a new run id.

        Blocks until the worker has accepted the new run, or refused it, for at most
        :data:`REPLAY_WAIT` seconds; ``run`` is ``None`` if it did not accept it.
        """
        run = self._find_run(run_id)
        if not shapes.replayable(run):
            raise ConflictError(
                f"run {run_id} cannot be replayed: the journal has no longer, or never had, what"
                " the client sent; send the task again from the application"
            )
        sent = self._replays.send(run)
        journal = self._state.journal

        def arrived() -> bool:
            return any(each.run_id == sent.run_id for each in journal.all_runs)

        with suppress(WaitTimeoutError):
            journal.wait(lambda: sent.ended or arrived(), REPLAY_WAIT, "the replay")
        self._worker.all_runs  # noqa: B018  # waits until the journal is complete
        return {"id": sent.run_id, "run": self.run(sent.run_id) if arrived() else None}

    @staticmethod
    def _later(runs: Sequence[Run], after: str) -> Sequence[Run]:
        for index, run in enumerate(runs):
            if shapes.cut(run.run_id, shapes.NAME_LIMIT) == after:
                return runs[index + 1 :]
        try:
            time_ = float(after)
        except ValueError:
            raise NotFoundError(
                f"after: no run {after!r}; give the id of a run in the journal, or seconds since"
                " the epoch"
            ) from None
        if not math.isfinite(time_):
            raise UsageError("after: the time is not finite; give seconds since the epoch")
        return [run for run in runs if run.received > time_]

    def _find_run(self, run_id: str) -> Run:
        runs = self._worker.all_runs
        for run in reversed(runs):
            if shapes.cut(run.run_id, shapes.NAME_LIMIT) == run_id:
                return run
        recent = [run.run_id for run in runs[-100:]]
        advice = did_you_mean(run_id, recent, "GET /api/v1/runs lists those in the journal")
        raise NotFoundError(f"no run {run_id!r}; {advice}")

    def _exchange_numbers(self) -> Mapping[str, list[int]]:
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for exchange in self._state.journal.exchanges:
            if exchange.run_id is not None:
                numbers[exchange.run_id].append(exchange.number)
        return numbers

    # Exchanges

    def exchanges(
        self, after: int | None = None, problems: bool = False, limit: int | None = None
    ) -> Json:
        """Return every request and failed connection, oldest first. ``after`` is a number: only
        later ones are returned. With ``problems``, only those that were refused or failed.
        ``limit`` returns the newest so many."""
        found = [
            each
            for each in self._worker.exchanges
            if (after is None or each.number > after) and (not problems or shapes.is_problem(each))
        ]
        return {"exchanges": map(shapes.exchange_json, _newest(found, limit))}

    def exchange(self, number: str) -> Json:
        """Return one exchange."""
        exchanges = self._worker.exchanges
        found = numbered(number, ((each.number, each) for each in exchanges))
        if found is None:
            raise NotFoundError(f"no exchange {number!r}; {_between(exchanges)}")
        return shapes.exchange_json(found)

    # Injections

    def injections(self) -> Json:
        """Return the faults that are or were in force and were not removed."""
        active = self._state.faults.active
        return {
            "injections": [
                shapes.injection_json(number, each, each in active)
                for number, each in self._injections.of(self._state.faults.injections)
            ]
        }

    def inject(self, fault: str | None = None, faults: Sequence[str] = (), **words: Any) -> Json:
        """Put ``fault``, text such as ``slow-response delay=2``, or several ``faults`` that act
        together, in force. ``words`` select the requests, as those of ``HttpWorker.inject``."""
        texts = [*([] if fault is None else [fault]), *faults]
        if not texts or (fault is not None and faults):
            raise UsageError("give fault, as in 'slow-response delay=2', or a list faults")
        given = {name: value for name, value in words.items() if value is not None}
        injection = self._worker.inject(*texts, unused_ok=True, **given)
        number = self._injections.number(injection)
        self.on_change()
        return shapes.injection_json(number, injection, injection in self._state.faults.active)

    def remove_injection(self, number: str) -> None:
        """Remove the injection ``number``, and release the requests that it stalls."""
        made = self._state.faults.injections
        self._state.faults.forget(self._injections.find(number, made))
        self.on_change()

    # Holds

    def holds(self, newest: int | None = None) -> Json:
        """Return the holds, also the newest of those that were released, with the ids of all their
        runs, or of the ``newest`` so many of each."""
        gates = self._holds.of(self._state.gates.made)
        return {"holds": [shapes.hold_json(number, gate, newest) for number, gate in gates]}

    def hold(self, task: str | None = None, release_when: int | None = None) -> Json:
        """Hold the runs of ``task`` (name, glob, or all) before their bodies start."""
        released = [gate for gate in self._state.gates.made if gate.released]
        for old in released[:-KEPT_HOLDS]:
            self._state.gates.forget(old)
        gate = self._worker.hold(task, release_when, unused_ok=True)
        self.on_change()
        return shapes.hold_json(self._holds.number(gate), gate)

    def release(self, number: str) -> Json:
        """Release the runs that the hold ``number`` holds, and hold no further ones."""
        gate = self._holds.find(number, self._state.gates.made)
        gate.release()
        self.on_change()
        return shapes.hold_json(self._holds.number(gate), gate)

    # Stubs

    def stubs(self) -> Json:
        """Return the stubs in force."""
        stubs = self._stubs.of(self._state.stubs.active)
        return {"stubs": [self._stub_json(number, stub) for number, stub in stubs]}

    def stub(self, task: str, **answer: Any) -> Json:
        """Answer ``task`` (name or glob) without running it: with ``result``, a JSON value, or with
        ``error``, an object of ``type`` (the name of a built-in exception, or ``module.Class``) and
        ``message``."""
        if len(answer) != 1:
            raise UsageError("a stub takes exactly one of result and error")
        if "error" in answer:
            stub = self._worker.stub(task, error=exception_of(**answer["error"]), unused_ok=True)
        else:
            result = answer["result"]
            # A list as it is would be the results of several runs.
            value = (lambda run: result) if isinstance(result, list) else result
            stub = self._worker.stub(task, result=value, unused_ok=True)
        self._answers[stub] = answer
        self.on_change()
        return self._stub_json(self._stubs.number(stub), stub)

    def remove_stub(self, number: str) -> None:
        """Remove the stub ``number``: the task runs again, or an older stub answers it."""
        self._state.stubs.forget(self._stubs.find(number, self._state.stubs.active))
        self.on_change()

    def _stub_json(self, number: int, stub: Stub) -> Json:
        return shapes.stub_json(number, stub, self._answers.get(stub, {"result": None}))


def _newest(found: list[T], limit: int | None) -> list[T]:
    if limit is None:
        return found
    if limit < 1:
        raise UsageError("limit must be 1 or more")
    return found[-limit:]


_version = functools.cache(importlib.metadata.version)  # it reads a file


def _ended(run: Run) -> bool:
    return run.state in FINISHED


def _between(exchanges: Sequence[Exchange]) -> str:
    if not exchanges:
        return "the journal is empty"
    return f"the journal has {exchanges[0].number} to {exchanges[-1].number}"


def _with_drawn(fault: str, drawn: Mapping[str, Sequence[float]]) -> str:
    """Return the text ``fault`` with the numbers that were drawn in place of distributions."""
    for text, numbers in drawn.items():
        name, _, word = text.partition(" ")
        if len(numbers) == 1 and fault.partition(" ")[0] == name:
            number = f"{word.partition('=')[0]}={numbers[0]!r}"
            fault = fault.replace(word, number) if word in fault else f"{fault} {number}"
    return fault
