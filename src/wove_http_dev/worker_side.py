"""``WorkerSide``: the part of ``HttpWorker`` that a test uses for the journal, faults, stubs and
gates; starting and stopping is in ``worker.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from wove_http_dev.argument_checks import check_count
from wove_http_dev.client_side import ClientSide
from wove_http_dev.errors import UsageError
from wove_http_dev.faults.fault import Fault, Worker
from wove_http_dev.faults.injections import Injection, Injections, check_together
from wove_http_dev.faults.selector import Selector
from wove_http_dev.options import Options
from wove_http_dev.protocol.credentials import Credentials
from wove_http_dev.runners.choice import upstream_secrets
from wove_http_dev.runs.holds import Gate, Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange, RunLog
from wove_http_dev.runs.stubs import UNSET, Stub, Stubs, make_source
from wove_http_dev.runs.task_names import check_task, tasks_seen
from wove_http_dev.service import host
from wove_http_dev.service.host import HostState, ServiceHost


class WorkerSide(ClientSide):
    """The methods of a worker with which a test reads the journal, injects faults, and stubs or
    holds tasks."""

    _host: ServiceHost

    def __init__(
        self, options: Options, credentials: Credentials, label: str, seed: int, inspected: bool
    ) -> None:
        super().__init__(options, credentials)
        journal = Journal(secrets=[self.secret, *upstream_secrets(options)], inspected=inspected)
        self._state = HostState(
            journal=journal,
            gates=Gates(journal),
            stubs=Stubs(),
            faults=Injections(seed=seed, label=label),
            paths=[options.path],
        )
        self._state.journal.explain = self.report
        self._begun = False
        self._allow_refusals = False
        self._resets = 0
        """How often :meth:`reset` was called."""
        self._marked: list[Injection] = []
        """The injections of the fault of the marker ``wove_http_faults``."""
        self._configured = 0
        """The number of open ``configured()`` blocks."""
        self._urls: set[str] = set()
        """Every URL that has reached this worker."""

    # The journal

    @property
    def exchanges(self) -> list[Exchange]:
        """Every request and failed connection, oldest first, including refused requests."""
        self._host.flush_journal()
        return self._state.journal.exchanges

    @property
    def runs(self) -> RunLog:
        """The accepted runs in order of arrival, without those that only deliver initial values
        (see :attr:`all_runs`); ``runs["name"]`` returns those of a task."""
        self._host.flush_journal()
        return self._state.journal.runs

    @property
    def all_runs(self) -> RunLog:
        """Like :attr:`runs`, and also the runs with which Wove delivers the initial values of a
        weave (``data``, ``weave(x=…)``)."""
        self._host.flush_journal()
        return self._state.journal.all_runs

    @property
    def journal(self) -> Journal:
        """The worker's journal."""
        return self._state.journal

    def report(self, hint: str = "") -> str:
        """Return the text that a failing test shows: failed runs with their tracebacks, open runs
        and why they are open, stubs and faults that matched nothing of what arrived, where Wove's
        environment points, the journal, and the seed if a fault uses it. ``hint`` says what the
        test's exception means; it stands in the place of what "nothing arrived" can mean."""
        from wove_http_dev import strict
        from wove_http_dev.explain import report

        configured = self._configured > 0
        self._state.journal.settle(host.SETTLE_TIME)
        text = report.report(
            self._state,
            title=repr(self),
            hint=hint,
            stack=self._host.stack,
            running=self._host.running,
            environment=self.environment,
            configured=configured,
            unused=() if self._disturbed else strict.unused_answers(self._state),
            where=strict.elsewhere(self.environment, self._urls) if configured else (),
            forked=self.forked_tasks,
        )
        faults = self._state.faults
        if any(injection.draws_by_run for injection in faults.injections):
            text += f"\nrandom faults used --wove-http-seed={faults.seed}"
        return text

    def wait_for(
        self,
        task: str | None = None,
        state: str = "finished",
        count: int = 1,
        timeout: float = 5.0,
    ) -> RunLog:
        """Block until ``count`` runs of ``task`` (name or glob) have reached ``state``, and return
        them.

        ``state`` is ``received``, ``held``, ``running``, ``succeeded``, ``failed``, ``cancelled``,
        ``lost`` (refused, or ended with its worker, before an outcome) or ``finished``. Raises
        :class:`WaitTimeoutError` with the journal after ``timeout`` seconds, and
        :class:`UsageError` for another state.
        """
        return self._state.journal.wait_for_runs(task, state, count, timeout)

    def assert_ran(self, task: str, *, times: int | None = None) -> None:
        """Fail unless ``task`` (name or glob) ran; with ``times``, unless it ran that often.

        Each start of the body counts, and each answer of a stub. The message has the tasks seen
        and the journal. Raises :class:`UsageError` for an argument of another kind.
        """
        if times is not None:
            check_count("times", times, "runs", least=0)
        count = self._ran(task)
        if count if times is None else count == times:
            return
        asked = "" if times is None else f", not {times}"
        text = f"{task!r} ran {_times(count)}{asked}" if count else f"{task!r} did not run"
        self._fail(task, text)

    def assert_not_ran(self, task: str) -> None:
        """Fail if ``task`` (name or glob) ran: its body was started, or a stub answered for it. The
        message has the tasks seen and the journal."""
        count = self._ran(task)
        if count:
            self._fail(task, f"{task!r} ran {_times(count)}, not 0")

    def _ran(self, task: str) -> int:
        check_task(task)
        return sum(run.executions + run.stubbed for run in self.runs[task])

    def _fail(self, task: str, text: str) -> NoReturn:
        __tracebackhide__ = True
        journal = self._state.journal
        seen = tasks_seen(task, [run.task_id for run in journal.runs])
        raise AssertionError(f"{text}; {seen}\n{journal.render()}")

    # Faults, stubs and holds

    @property
    def injections(self) -> list[Injection]:
        """Every injection made since the last :meth:`reset`, in order."""
        self._host.flush_journal()
        return self._state.faults.injections

    @property
    def gates(self) -> list[Gate]:
        """Every gate made with :meth:`hold` since the last :meth:`reset`, in order."""
        return self._state.gates.made

    def inject(
        self,
        *faults: Fault | str,
        task: str | None = None,
        command: str | None = None,
        times: int | None = None,
        after: int = 0,
        probability: float = 1.0,
        seed: int | None = None,
        initial_values: bool = False,
        unused_ok: bool = False,
        **fields: Any,
    ) -> Injection:
        """Put faults in force from now on; as a context manager, until the end of the block.

        A fault is an instance, or the text that the command line takes; ``fields`` are those of a
        single fault given as text, so ``inject("status", code=503)`` is
        ``inject("status code=503")``. ``task`` (name or glob) and ``command`` (``run_task`` or
        ``cancel_task``) select requests; ``after`` lets that many through first; ``times`` limits
        the hits; ``probability`` hits each matching request at random, repeatably with ``seed``;
        ``initial_values`` selects also the requests with which Wove delivers the initial values of
        a weave (``data``, ``weave(x=…)``); ``unused_ok`` lets :meth:`check` pass if nothing is hit.
        Raises :class:`UsageError` for a fault, or a combination, that cannot act on this worker.
        """
        words = {
            "task": task,
            "command": command,
            "times": times,
            "after": after,
            "probability": probability,
            "seed": seed,
            "initial_values": initial_values,
            "unused_ok": unused_ok,
        }
        usable = self._usable(faults, words, fields)
        marked = self.marked_fault is not None and faults == (self.marked_fault,)
        injection = self._state.faults.add(*usable, background=marked)
        if marked:
            self._marked.append(injection)
        return injection

    def _inject_in_background(self, fault: Fault, selector: Selector) -> Injection:
        """Put a fault that no test asked for in force, as ``--wove-http-faults`` does: strict mode
        does not report that it hit nothing. Raises what :meth:`inject` raises."""
        return self._state.faults.add(*self._usable([fault], vars(selector), {}), background=True)

    def _forget_injection(self, injection: Injection) -> None:
        """Remove ``injection``, and leave it out of :attr:`injections`."""
        self._state.faults.forget(injection)

    def _usable(
        self,
        faults: Iterable[Fault | str],
        words: Mapping[str, Any],
        fields: Mapping[str, Any],
    ) -> tuple[tuple[Fault, ...], Selector]:
        from wove_http_dev.faults.text import read_injection

        instances, selector = read_injection(faults, words, fields)
        for fault in instances:
            why = self.why_not(fault)
            if why is not None:
                raise UsageError(f"{fault.name} cannot apply to this worker: {why}")
        check_together(instances, selector)
        return instances, selector

    def _check_options(self) -> None:
        """Raise :class:`UsageError` for faults among the options that :meth:`inject` would
        refuse."""
        for fault in self.options.faults:
            self._usable([fault], {}, {})

    def why_not(self, fault: Fault | str) -> str | None:
        """Return why ``fault`` cannot apply to a worker with these options; ``None`` if it can."""
        if isinstance(fault, str):
            from wove_http_dev.faults.text import parse_fault

            fault, _ = parse_fault(fault)
        options = self.options
        return fault.cannot_apply(
            Worker(options.tls, self.credentials.mode, options.host, options.isolated)
        )

    def stub(
        self,
        task: str,
        *,
        result: Any = UNSET,
        error: Any = UNSET,
        events: Any = UNSET,
        unused_ok: bool = False,
    ) -> Stub:
        """Answer ``task`` (name or glob) without running it, from now on; as a context manager,
        until the end of the block. If several stubs match a task, the newest answers.

        ``result`` is a value, a list of values that are used in order, or a callable that is called
        with the run; ``error`` is an exception or a list of them; ``events`` are event frames
        (dicts), in which missing ids are filled in. ``unused_ok`` lets :meth:`check` pass if no run
        matches. Raises :class:`UsageError` for anything else.
        """
        source = make_source(result=result, error=error, events=events)
        return self._state.stubs.add(task, source, unused_ok=unused_ok)

    def hold(
        self,
        task: str | None = None,
        release_when: int | None = None,
        *,
        unused_ok: bool = False,
    ) -> Gate:
        """Hold the runs of ``task`` (name, glob, or all) before their bodies start, and return the
        gate that releases them.

        ``release_when=n`` releases them when the n-th has arrived. A sync weave needs this, because
        it blocks and cannot release the gate that holds its runs. ``unused_ok`` lets :meth:`check`
        pass if no run matches. Raises :class:`UsageError` for a ``task`` that is not a name or a
        glob, and for a ``release_when`` below 1.
        """
        return self._state.gates.hold(task, release_when, unused_ok=unused_ok)

    def allow_refusals(self) -> None:
        """Let :meth:`check` pass although requests were refused, until :meth:`reset`."""
        self._allow_refusals = True

    def reset(self) -> None:
        """Empty the journal, remove every fault, stub and gate, release stalled requests, and end
        what runs in processes or waits for an upstream service; then inject the faults of the
        options again."""
        self._resets += 1
        self._state.apply_reset(self._state.resets + 1)
        self._state.faults.clear()  # applies the state
        self._state.gates.clear()
        self._state.stubs.clear()
        self._state.journal.clear()
        self._allow_refusals = False
        self._marked.clear()
        self._never_entered.clear()
        self.forked_tasks.clear()
        if self._begun:
            self._inject_options()

    def _inject_options(self) -> None:
        self._begun = True
        for fault in self.options.faults:
            self._state.faults.add(*self._usable([fault], {}, {}), background=True)

    def check(self) -> None:
        """Raise :class:`StrictnessError` if strict mode finds a problem that no fault explains.

        Problems are: the service failed, a request was refused, a client rejected the certificate,
        an injection, a stub or a hold matched nothing (unless it has ``unused_ok=True``), a gate's
        ``arrived()`` was not awaited, an ``assert_contained()`` has no block, or Wove's environment
        does not send to this worker.
        """
        from wove_http_dev import strict

        self._host.flush_journal(settle=True)
        strict.check(
            self._state,
            allow_refusals=self._allow_refusals,
            disturbed=self._disturbed,
            never_entered=self._never_entered,
            environment=self.environment if self._configured else None,
            urls=self._urls,
            report=self.report,
        )

    @property
    def _disturbed(self) -> bool:
        """Whether the fault of the marker ``wove_http_faults`` hit something: what the test would
        have sent afterwards is not known."""
        return any(injection.hits for injection in self._marked)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
