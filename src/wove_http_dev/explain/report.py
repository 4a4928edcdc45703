"""The text that a failing test shows for a worker: what went wrong first, the journal last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from wove_http_dev.call_site import at
from wove_http_dev.client import wove_config
from wove_http_dev.cut_text import cut_middle
from wove_http_dev.exception_text import TRACEBACK_LIMIT
from wove_http_dev.printable import printable
from wove_http_dev.protocol.frames import TERMINAL_TYPES
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import FINISHED, Run
from wove_http_dev.service.host import HostState

SHOWN = 5
"""Failed runs, and open ones, that are described; the journal has the others as well."""
_MESSAGE_LIMIT = 300
"""Characters of the message of a failed run."""
_TEXT_LIMIT = 6000
"""Characters of one traceback or stack."""


def report(
    state: HostState,
    *,
    title: str,
    hint: str,
    stack: Callable[[str], str],
    running: bool,
    environment: str,
    configured: bool,
    unused: Iterable[str],
    where: Iterable[str],
    forked: Sequence[str],
) -> str:
    """Return what a person needs to know about a worker whose test failed.

    ``hint`` says what the exception that ended the test means; empty if that is not known.
    ``stack`` returns where the body of a run is at this moment. ``running`` is whether the worker
    runs now, ``configured`` whether it was ever put into Wove's configuration. ``unused`` says
    which stubs and injections matched nothing of what arrived. ``where`` says that Wove's
    ``environment`` does not send to the worker, and is empty if it does. ``forked`` are the tasks
    of forked weaves.
    """
    journal = state.journal
    where = list(where)
    known = [hint] if hint else where
    parts = [
        [title],
        [hint] if hint else [],
        _failed(journal),
        _open(state, stack),
        _unanswered(journal),
        _refused(journal),
        _redirected(state),
        unused,
        where,
        [] if running else _ended(state, configured),
        [] if known else _nothing_arrived(state, running, environment, configured, forked),
        [journal.render()],
    ]
    return "\n".join(chain.from_iterable(parts))


def _failed(journal: Journal) -> list[str]:
    """Describe the newest failed runs; those that failed alike once."""
    failed = [run for run in journal.all_runs if run.state == "failed"]
    alike: dict[tuple[str, str], list[Run]] = {}
    for run in reversed(failed):
        alike.setdefault((run.task_id, run.traceback or ""), []).append(run)
    lines = []
    for (_, traceback), runs in list(alike.items())[:SHOWN]:
        others = len(runs) - 1
        more = f" (and {others} more run{'s' * (others > 1)})" if others else ""
        message = printable(journal.redaction.clean(runs[0].error_text or "", _MESSAGE_LIMIT))
        lines.append(f"{_named(runs[0])} failed{more}: {message}")
        lines += _indented(journal, traceback)
    return [*lines, *_rest(len(alike) - SHOWN, "failed tasks")]


def _open(state: HostState, stack: Callable[[str], str]) -> list[str]:
    """Describe the runs that have not ended, each with the reason."""
    runs = [run for run in state.journal.all_runs if run.state not in FINISHED]
    lines = []
    for run in runs[:SHOWN]:
        lines += _why_open(state, run, stack)
    return [*lines, *_rest(len(runs) - SHOWN, "open runs")]


def _why_open(state: HostState, run: Run, stack: Callable[[str], str]) -> list[str]:
    gates = state.gates.holding(run.task_id) if run.state == "held" else []
    if gates:
        by = printable(at(gates[0].call, gates[0].place))
        return [f"{_named(run)} is held by {by}: {gates[0].advice}"]
    body = _indented(state.journal, stack(run.run_id))
    if run.state == "held" and not body:  # released in this moment
        return []
    if run.state == "running":
        return [f"{_named(run)} is running; its body is here:" if body else _running(run), *body]
    if run.faults and not body:
        return [f"{_named(run)} is stalled by the fault {run.faults_text}"]
    return [f"{_named(run)} has not started{':' if body else ''}", *body]


def _running(run: Run) -> str:
    by = f" (fault: {run.faults_text})" if run.faults else ""
    return f"{_named(run)} is running{by}"


def _unanswered(journal: Journal) -> list[str]:
    """Describe the runs that have ended and whose client does not know."""
    lines = []
    for exchange in journal.exchanges:
        if exchange.frame_type != "run_task" or not exchange.accepted or exchange.run_id is None:
            continue
        name = _name(exchange.task_id or "", exchange.run_id)
        if exchange.duration is None and exchange.status is not None:
            by = f", because of the fault {exchange.faults_text}" if exchange.faults else ""
            lines.append(f"{name} has ended, but its answer is still being written{by}")
        elif exchange.status == 200 and not set(TERMINAL_TYPES) & set(exchange.events):
            by = f" (fault: {exchange.faults_text})" if exchange.faults else ""
            lines.append(f"{name} was answered without a terminal frame{by}")
    return [*lines[:SHOWN], *_rest(len(lines) - SHOWN, "such runs")]


def _refused(journal: Journal) -> list[str]:
    """Say what to do about refused requests, where their lines in the journal do not."""
    for exchange in journal.violations:
        if exchange.code == "signature-mismatch" and not exchange.faults:
            name = _name(exchange.task_id or "a request", exchange.run_id or "")
            return [
                f"{name} was refused, because the client signs with another secret than this"
                " worker's: configure the environment with worker.environment_definition, or give"
                " the worker the client's secret: @pytest.mark.wove_http(secret=...)"
            ]
    return []


def _redirected(state: HostState) -> list[str]:
    """Describe the answers that came from another server."""
    lines = []
    for injection in state.faults.injections:
        if injection.redirected:
            faults = ", ".join(fault.name for fault in injection.faults)
            lines.append(
                f"the fault {faults} led the client to another server, whose answer Wove took for"
                " this worker's: Wove follows redirects. assert_contained() fails on such an answer"
            )
    return lines


def _ended(state: HostState, configured: bool) -> list[str]:
    """Say that a worker to which something was sent does not run any more, and what ended it."""
    if not configured or not state.journal.exchanges:
        return []
    crashed = [
        fault.name
        for injection in state.faults.injections
        for fault in injection.faults
        if fault.crashes and injection.hits
    ]
    by = f": the fault {crashed[-1]} ended it" if crashed else ""
    return [f"the worker is not running{by}; start() starts it, and so does reset()"]


def _nothing_arrived(
    state: HostState, running: bool, environment: str, configured: bool, forked: Sequence[str]
) -> list[str]:
    if state.journal.exchanges:
        return []
    if configured and not running:
        return ["nothing arrived: the worker is not running; start() starts it"]
    if away := [name for each in state.faults.injections for name in each.keeping_away]:
        return [f"nothing arrived: the fault {', '.join(away)} keeps requests from arriving"]
    if state.journal.forgotten:
        return ["nothing arrived since reset()"]
    if forked:
        names = ", ".join(dict.fromkeys(forked))
        return [
            f"nothing arrived: weave(fork=True) ran {printable(names[:200])} in a child process,"
            " which has no configuration of Wove; use background=True alone"
        ]
    if not configured:
        return [
            "nothing arrived: Wove's configuration does not name this worker; use"
            " `with worker.configured():`, or the fixture wove_http_worker"
        ]
    lines = [
        "nothing arrived. A task is sent to this worker only if it names the environment:"
        f" @w.do(environment={environment!r})"
    ]
    default = wove_config.default_environment()
    if default != environment:
        lines.append(
            f"(without environment= it runs in Wove's default environment, now {default!r};"
            " a task is not sent either if its weave ended before its turn)"
        )
    return lines


def _rest(count: int, what: str) -> list[str]:
    return [f"and {count} more {what}"] if count > 0 else []


def _named(run: Run) -> str:
    return _name(run.task_id, run.run_id)


def _name(task_id: str, run_id: str) -> str:
    return printable(f"{task_id[:200]} {run_id.rpartition(':')[2][:8]}")


def _indented(journal: Journal, text: str) -> list[str]:
    lines = cut_middle(journal.redaction.clean(text, TRACEBACK_LIMIT), _TEXT_LIMIT).splitlines()
    return [f"    {printable(line)}" for line in lines]
