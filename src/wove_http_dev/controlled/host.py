"""``ControlledHost``: the tests' side of a worker service that a ``serve`` of another process runs.

As with an isolated worker, journal, gates, stubs and injections of this process are what tests see.
What changes here is sent to the control API, and what happens there is fetched from it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from wove_http_dev.controlled.answers import JsonAnswer
from wove_http_dev.controlled.records import ControlledRun, Json, Skip, update_exchange
from wove_http_dev.errors import NoAnswerError, NotFoundError, ServeRestartedError, UsageError
from wove_http_dev.faults.injections import Injection
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import Exchange
from wove_http_dev.runs.stubs import Stub
from wove_http_dev.service.host import HostState
from wove_http_dev.service.port import Port

NEWEST = 100
"""Runs among which the one that was received last is looked for: they are in order of arrival."""
_ELSEWHERE = "a request at the second origin, of which the control API tells no more"
T = TypeVar("T")


class ControlledHost:
    """Keeps ``state`` and the worker of ``client`` alike, from :meth:`begin` to :meth:`stop`.

    Methods block for some requests on loopback, and raise :class:`UsageError` for what the API
    refuses, :class:`NoAnswerError` if it does not answer, and :class:`ServeRestartedError` if
    another ``serve`` answers than at the beginning.
    """

    def __init__(self, client: ControlClient, state: HostState, skip: Skip) -> None:
        self._client = client
        self._state = state
        self._skip = skip
        self._lock = threading.RLock()
        self._open = False
        self._injections: dict[Injection, int] = {}
        self._stubs: dict[Stub, int] = {}
        self._gates: dict[Gate, int] = {}
        self._asked: list[Callable[[], None]] = []
        """Each removes what was asked for, if Ctrl-C came before the answer had said its id."""
        self._runs: dict[tuple[str, float], ControlledRun] = {}
        """By id and time, because a client may send an id again."""
        self._exchanges: dict[int, Exchange] = {}
        self._begun = -math.inf
        """When the newest run was received that is not of the test."""
        self._runs_after: str | None = None
        """The id of the last run that, with all before it, will not change any more."""
        self._exchanges_after = 0
        self._started = math.nan
        """When the ``serve`` was started."""

    # As a ServiceHost

    @property
    def running(self) -> bool:
        """Whether the worker service is running."""
        with suppress(NoAnswerError):
            return bool(self._client.worker()["running"])
        return False

    def start(self, port: Port) -> None:
        """Raises :class:`NotImplementedError`: the other process starts its service."""
        raise NotImplementedError

    def crash(self) -> None:
        """Raises :class:`NotImplementedError`: the other process has the service."""
        raise NotImplementedError

    def stack(self, run_id: str) -> str:
        """Return where the body of the run is at this moment, as the lines of a traceback; empty if
        it does not run, or cannot be asked."""
        with suppress(UsageError):
            return self._client.run(run_id)["stack"] or "" if self._open else ""
        return ""

    def begin(self) -> None:
        """Count what arrives from now on, and nothing that arrived before."""
        with self._lock:
            self._started = self._client.worker()["started"]
            # By the clock of the worker: that of this process may be another, or a test's.
            newest = self._client.runs(limit=NEWEST, initial_values=True)
            self._begun = max((run["received"] for run in newest), default=-math.inf)
            self._runs_after = newest[-1]["run_id"] if newest else None
            last = self._client.exchanges(limit=1)
            self._exchanges_after = last[-1]["number"] if last else 0
            self._runs.clear()
            self._exchanges.clear()
            self._open = True

    def stop(self) -> list[str]:
        """Remove from the worker what :meth:`apply_state` has put there. It may be called again
        after an interruption."""
        with self._lock:
            self._open = False
            failures: list[UsageError] = []
            with suppress(NoAnswerError):
                if self._is_restarted():  # these ids may be those of others now
                    return []
            for remove in self._removals():
                try:
                    remove()
                except NoAnswerError:  # serve has ended, and with it all that is to be removed
                    break
                except UsageError as exc:
                    failures.append(exc)
        if failures:
            raise failures[0]
        return []

    def _removals(self) -> list[Callable[[], None]]:
        return [
            *self._asked,
            *(partial(self._remove_injection, each) for each in list(self._injections)),
            *(partial(self._remove_stub, each) for each in list(self._stubs)),
            *(gate.release for gate in list(self._gates)),
        ]

    def _is_restarted(self) -> bool:
        return bool(self._client.worker()["started"] != self._started)

    def _check_restarted(self) -> None:
        if self._is_restarted():
            raise ServeRestartedError(
                f"the serve at {self._client.url} was restarted during the test: it has forgotten"
                " what had arrived, and the test's faults, holds and stubs; run the test again"
            )

    # From here to the worker

    def apply_state(self) -> None:
        """Put the injections, stubs and gates of this process in force, and no others that were
        made here. Blocks until they are."""
        with self._lock:
            if not self._open:
                return
            self._check_restarted()
            state = self._state
            faults, stubs = state.faults.active, state.stubs.active
            for injection in [each for each in self._injections if each not in faults]:
                self._remove_injection(injection)
            for stub in [each for each in self._stubs if each not in stubs]:
                self._remove_stub(stub)
            self._make(self._injections, faults, self._client.injections, self._inject)
            self._make(self._stubs, stubs, self._client.stubs, self._stub)
            gates = state.gates.made
            self._make(self._gates, gates, self._client.holds, self._hold)
            for gate in [each for each in self._gates if each not in gates]:
                del self._gates[gate]  # released already

    def _make(
        self,
        known: dict[T, int],
        wanted: Iterable[T],
        made: Callable[[], Sequence[Json]],
        make: Callable[[T], Json],
    ) -> None:
        for each in [each for each in wanted if each not in known]:
            newest = max((there["id"] for there in made()), default=0)
            self._asked.append(partial(self._remove_unknown, each, newest, made))
            try:
                known[each] = make(each)["id"]
            except BaseException as exc:
                self._forget(each)
                if isinstance(exc, UsageError):  # refused
                    self._asked.pop()
                raise
            self._asked.pop()

    def _forget(self, each: object) -> None:
        if isinstance(each, Injection):
            self._state.faults.forget(each)
        elif isinstance(each, Stub):
            self._state.stubs.forget(each)
        elif isinstance(each, Gate):
            self._state.gates.forget(each)

    def _remove_unknown(
        self, each: object, newest: int, made: Callable[[], Sequence[Json]]
    ) -> None:
        """Remove what is like ``each``, and was made after the one with the id ``newest``."""
        known = {*self._injections.values(), *self._stubs.values(), *self._gates.values()}
        for there in made():
            if there["id"] <= newest or there["id"] in known:
                continue
            if isinstance(each, Injection) and there["faults"] == list(map(str, each.faults)):
                self._client.remove_injection(there["id"])
            elif isinstance(each, Stub) and there["task"] == each.task:
                self._client.remove_stub(there["id"])
            elif isinstance(each, Gate) and there["task"] == each.task:
                self._client.release(there["id"])

    def _inject(self, injection: Injection) -> dict[str, Any]:
        selector = injection.selector
        return self._client.inject(
            *(str(fault) for fault in injection.faults),
            task=selector.task,
            command=selector.command,
            times=selector.times,
            after=selector.after or None,
            probability=selector.probability if selector.probability < 1 else None,
            seed=injection.seed if injection.draws_by_run else injection.selector.seed,
            initial_values=selector.initial_values or None,
        )

    def _stub(self, stub: Stub) -> dict[str, Any]:
        assert isinstance(stub.source, JsonAnswer)
        return self._client.stub(stub.task, **stub.source.words)

    def _hold(self, gate: Gate) -> dict[str, Any]:
        made = self._client.hold(gate.task, gate.release_when)
        gate.on_release = lambda: self._released(gate)
        return made

    def _released(self, gate: Gate) -> None:
        with self._lock:
            number = self._gates.get(gate)
            if number is not None:
                with suppress(NotFoundError):  # reset on the page
                    self._client.release(number)

    def _remove_injection(self, injection: Injection) -> None:
        self._account_injections()  # its last counts
        with suppress(NotFoundError):
            self._client.remove_injection(self._injections[injection])
        del self._injections[injection]

    def _remove_stub(self, stub: Stub) -> None:
        self._account_stubs()
        with suppress(NotFoundError):
            self._client.remove_stub(self._stubs[stub])
        del self._stubs[stub]

    # From the worker to here

    def flush_journal(self, *, settle: bool = False) -> None:
        """Fetch what has arrived. Blocks until the journal has all that clients were answered."""
        with self._lock:
            if not self._open:
                return
            self._check_restarted()
            holds = self._client.holds() if self._gates else []
            self._fetch_runs()
            self._fetch_exchanges()
            self._account_gates({each["id"]: each for each in holds})
            self._account_injections()
            self._account_stubs()
        self._state.journal.notify()

    def _fetch_runs(self) -> None:
        journal, settled = self._state.journal, True
        for record in self._later_runs():
            if record["received"] <= self._begun:
                continue
            run = self._runs.get((record["run_id"], record["received"]))
            if run is None:
                run = ControlledRun(record, skip=self._skip, read=self._client.run)
                self._runs[run.run_id, run.received] = run
                journal.adopt_run(run)
            elif run.update(record):
                journal.update_run(run)
            settled = settled and self._is_settled(record)
            if settled:
                self._runs_after = run.run_id

    def _later_runs(self) -> list[dict[str, Any]]:
        with suppress(NotFoundError):  # reset on the page, or dropped
            return self._client.runs(after=self._runs_after, initial_values=True)
        self._runs_after = None
        return self._client.runs(initial_values=True)

    def _is_settled(self, record: Json) -> bool:
        """Whether a run has ended, and its client will not get any more of its answer."""
        if record["finished"] is None:
            return False
        exchanges = [self._exchanges.get(number) for number in record["exchanges"]]
        return bool(exchanges) and all(each and each.duration is not None for each in exchanges)

    def _fetch_exchanges(self) -> None:
        closed = True
        for record in self._client.exchanges(after=self._exchanges_after):
            number = record["number"]
            exchange = self._exchanges.get(number)
            if exchange is None:
                exchange = self._exchanges[number] = Exchange(number, record["received"])
            update_exchange(exchange, record)
            self._state.journal.adopt_exchange(exchange)
            closed = closed and exchange.duration is not None
            if closed:
                self._exchanges_after = number

    def _account_gates(self, holds: Mapping[int, Json]) -> None:
        if not holds:
            return
        known = {run.run_id: run for run in self._runs.values()}
        for gate, number in self._gates.items():
            if number in holds:
                found = holds[number]
                runs = [known[each] for each in found["runs"] if each in known]
                gate.account(count=found["arrived"], runs=runs, released=found["released"])

    def account(self) -> None:
        """Fetch what the injections and stubs have counted."""
        with self._lock:
            if self._open:
                self._account_injections()
                self._account_stubs()

    def _account_injections(self) -> None:
        if not self._injections:
            return
        found = {each["id"]: each for each in self._client.injections()}
        for injection, number in self._injections.items():
            if number in found:
                counts = found[number]
                injection.account(seen=counts["seen"], hits=counts["hits"])
                for _ in range(len(injection.redirected), counts["redirected"]):
                    injection.record_redirected(Exchange(0, 0.0, error=_ELSEWHERE))

    def _account_stubs(self) -> None:
        if not self._stubs:
            return
        matched = {each["id"] for each in self._client.stubs() if each["matched"]}
        for stub, number in self._stubs.items():
            if number in matched:
                stub.note_match()
