"""What a task costs: ``python -m tests.benchmarks tasks``.

A weave of one task, and a mapped one, over https and http, through the worker in this process and
through four peers in this process: the floor, which answers canned bytes; the honest floor, which
does what any worker must; the handler of the standard library; pytest-httpserver. All of them are
up at once, and a round asks each of them once, in an order that is drawn. The processor time is
that of the whole process, client included: Wove's own work is most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.benchmarks import peers
from tests.benchmarks.compare_process import MAPPED_TASKS, mapped, one_task
from tests.benchmarks.figures import Figure, Table, clocked, in_turn
from wove_http_dev import HttpWorker
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import server_context

FLOOR, HONEST = "canned floor", "honest floor"
PEERS = {
    FLOOR: peers.bare_loop,
    HONEST: peers.honest_loop,
    "stdlib handler": peers.stdlib_server,
    "pytest-httpserver": peers.httpserver,
}
ONE_TASK_ROUNDS = 150
MAPPED_ROUNDS = 15
GOALS = {"one task": "<= 1.05 x the honest floor", "mapped": "<= 1.06 x the honest floor"}


def measure_tasks(table: Table, share: float = 1.0) -> None:
    """Add what a task costs to ``table``. ``share`` multiplies the number of rounds."""
    kinds: tuple[tuple[str, Callable[[str], object], int, int], ...] = (
        ("one task", one_task, ONE_TASK_ROUNDS, 1),
        ("mapped", mapped, MAPPED_ROUNDS, MAPPED_TASKS),
    )
    for tls in (True, False):
        with subjects(tls=tls) as environments:
            for kind, run, rounds, tasks in kinds:
                measured = {
                    label: partial(clocked, partial(run, environment), tasks)
                    for label, environment in environments.items()
                }
                found = in_turn(measured, max(3, round(rounds * share)))
                for clock, samples in found.items():
                    what = f"{kind} over {'https' if tls else 'http'}, {clock} time"
                    goal = GOALS[kind] if clock == "processor" else ""
                    table.add(Figure(what, "ms a task", samples, HONEST, goal))


@contextmanager
def subjects(*, tls: bool) -> Iterator[dict[str, str]]:
    """Start the worker and the peers in this process; yield the environments that send to them, by
    label."""
    with ExitStack() as stack:
        ca = stack.enter_context(CertificateAuthority())
        worker = stack.enter_context(HttpWorker(ca=ca, tls=tls, secret=peers.SECRET))
        stack.enter_context(worker.configured())
        environments = {"worker": worker.environment}
        for label, peer in PEERS.items():
            context = server_context(ca.issue("localhost", "127.0.0.1")) if tls else None
            port = stack.enter_context(peer(context))
            environments[label] = stack.enter_context(peers.reached(port, tls=tls, ca=ca))
        yield environments
