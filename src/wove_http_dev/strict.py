"""Strict mode: fails a test when the worker saw refusals or errors that no injected fault explains,
when a hold, a stub or a fault matched nothing, when ``arrived()`` or ``assert_contained()`` checked
nothing, or when the environment was redirected."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterable, Sequence

from wove_http_dev.call_site import at
from wove_http_dev.client import wove_config
from wove_http_dev.errors import StrictnessError
from wove_http_dev.faults.injections import Injection
from wove_http_dev.hosts import Host
from wove_http_dev.runs.records import shortened_line
from wove_http_dev.runs.task_names import matches_task, tasks_seen
from wove_http_dev.secret import shown_url
from wove_http_dev.service.host import HostState

SHOWN = 20
"""Violations of one kind that the message lists."""


def check(
    state: HostState,
    *,
    allow_refusals: bool,
    disturbed: bool,
    never_entered: Sequence[str],
    environment: str | None,
    urls: Iterable[str],
    report: Callable[[], str],
) -> None:
    """Raise :class:`StrictnessError` if there are violations. The message lists them and contains
    ``report()``.

    ``never_entered`` are calls of ``assert_contained()`` without a block. Wove's environment
    ``environment`` must send to one of ``urls``; ``None`` means that no environment is configured.
    ``disturbed``: a test that runs once per fault was hit by it, so what it would have sent
    afterwards is not known.
    """
    refusals = [] if allow_refusals else _refused(state)
    unused = [] if disturbed else _unused(state)
    violations = [*_first(_failed(state)), *_first(refusals), *_first(unused)]
    violations += _first([*_never_awaited(state), *map(_without_block, never_entered)])
    if environment is not None:
        violations += elsewhere(environment, urls)
    if not violations:
        return
    listed = "\n".join(f"- {violation}" for violation in violations)
    ways = "strict=False as an option"
    if unused:
        ways += ", or unused_ok=True on a hold, stub or injection that need not match"
    if refusals:
        ways += ", or worker.allow_refusals() in a test that expects refusals"
    known = "\n".join(line for line in report().splitlines() if line not in violations)
    raise StrictnessError(f"strict mode:\n{listed}\n{known}\n(to opt out: {ways})")


def _first(violations: list[str]) -> list[str]:
    more = len(violations) - SHOWN
    return [*violations[:SHOWN], *([f"and {more} more of this kind"] if more > 0 else [])]


def _failed(state: HostState) -> list[str]:
    return [
        f"the worker service itself failed: {exchange.line()}"
        for exchange in state.journal.violations
        if exchange.internal_error
    ]


def _refused(state: HostState) -> list[str]:
    lines = []
    for exchange in state.journal.violations:
        if not exchange.internal_error:
            what = "a request was refused"
            if exchange.certificate_rejected:
                what = "a client rejected the worker's certificate"
            elif exchange.upstream_failed:
                what = "upstream failed"
            lines.append(f"{what} and no fault explains it: {exchange.line()}")
    return lines


def unused_answers(state: HostState) -> list[str]:
    """Return a line for each stub and injection that matched none of the requests that arrived; an
    empty list if nothing arrived.

    Holds are left out: a wait for a run at one says itself that none arrived.
    """
    return _first(_unused_answers(state)) if state.journal.exchanges else []


def _unused(state: HostState) -> list[str]:
    """Return a line for each hold, stub and injection that matched nothing, without those that a
    refused connection or another fault can have kept from it."""
    if not (state.gates.made or state.stubs.made or state.faults.injections):
        return []
    if _are_kept_away(state):
        return []
    seen, stopped = _task_names(state)
    lines = [
        f"no run matched {at(gate.call, gate.place)}; {tasks_seen(gate.task, seen)}"
        for gate in state.gates.made
        if not (gate.matched or gate.unused_ok or _any_is(gate.task, [*seen, *stopped]))
    ]
    return [*map(shortened_line, lines), *_unused_answers(state)]


def _unused_answers(state: HostState) -> list[str]:
    if _are_kept_away(state):
        return []
    seen, stopped = _task_names(state)
    lines = [
        f"no run matched {at(stub.call, stub.place)}; {tasks_seen(stub.task, seen)}"
        for stub in state.stubs.made
        if not (stub.matched or stub.unused_ok or _any_is(stub.task, stopped))
    ]
    lines += [_unused_fault(each, seen) for each in state.faults.injections if _is_unused(each)]
    return [shortened_line(line) for line in lines]


def _task_names(state: HostState) -> tuple[list[str], list[str | None]]:
    """Return the tasks of the runs that were let in, and those of requests that were refused or
    hit by a fault."""
    seen = [run.task_id for run in state.journal.runs]
    return seen, [e.task_id for e in state.journal.exchanges if e.faults or not e.accepted]


def _are_kept_away(state: HostState) -> bool:
    """Whether a fault may keep requests from arriving."""
    return any(injection.keeping_away for injection in state.faults.injections)


def _any_is(task: str | None, names: Iterable[str | None]) -> bool:
    return any(matches_task(task, name) for name in names if name is not None)


def _is_unused(injection: Injection) -> bool:
    """Whether ``injection`` hit nothing and should have.

    It is not known of a fault that closes the listening socket, and chance may let every request
    through. An option or a marker may be for a whole module or project, with tests that send
    nothing: their faults are reported only if they select requests, and something arrived that was
    not selected.
    """
    selector = injection.selector
    if injection.hits or selector.unused_ok or any(fault.listener for fault in injection.faults):
        return False
    if selector.probability < 1.0 and injection.seen > selector.after:
        return False
    return not injection.background or (selector.selects and bool(injection.missed))


def _unused_fault(injection: Injection, seen: list[str]) -> str:
    call, task = at(injection.call, injection.place), injection.selector.task
    if task is not None and seen and not _any_is(task, seen):
        return f"{call} never fired; {tasks_seen(task, seen)}"
    why = "; ".join(dict.fromkeys(injection.missed[-3:])) or "nothing arrived"
    return f"{call} never fired: {why}"


def _never_awaited(state: HostState) -> list[str]:
    return [
        shortened_line(
            f"{at(f'{gate.call}.arrived()', place)} was never awaited, so nothing waited for a run:"
            " await it"
        )
        for gate in state.gates.made
        for place in gate.never_awaited
    ]


def _without_block(call: str) -> str:
    return f"{call} has no block, so it checked nothing: write with assert_contained(worker): …"


def elsewhere(environment: str, urls: Iterable[str]) -> list[str]:
    """Return, as a list of one text, where Wove's ``environment`` sends to instead of ``urls``; an
    empty list if it sends to one of them."""
    url = wove_config.url_of(environment)
    # The worker accepts any query, so URLs are compared without it.
    known = {each.partition("?")[0] for each in urls}
    if url is not None and url.partition("?")[0] in known:
        return []
    now = "and at no other http service" if url is None else f"but at {shown_url(url)!r}"
    offer = ""
    if url and not Host(urllib.parse.urlsplit(url).hostname or "").is_loopback:
        offer = f", or use impersonate={shown_url(url)!r}, which makes that URL reach this worker"
    return [
        f"environment {environment!r} no longer points at this worker, {now}: wove.config() was"
        " called after the worker was configured, perhaps by an import of the application; import"
        f" it at the top of the test module{offer}"
    ]
