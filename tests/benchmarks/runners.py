"""What another place for the bodies of tasks gains, and costs: ``python -m tests.benchmarks
processes``, ``dask`` and ``upstream``.

``processes``: a CPU-bound mapped weave of 8 tasks on ``serve --runner processes --workers 2``,
against ``serve``. ``dask``: the same weave on ``serve --runner dask`` with 1, 2 and 4 workers.
``upstream``: a weave of one task through a worker that stands before a reference
worker, against the reference worker itself. Each round measures both, one after the other.
"""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

from wove import weave

from tests.benchmarks.served import PATIENCE, reached, serving
from tests.conformance.worker import references
from tests.support import free_port
from tests.worker_process import RemoteAddress
from wove_http_dev.conformance.service_process import ServiceCommand
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.weave_outcome import run_one_weave

TASKS = 8
TASK_SECONDS = 0.25
"""Seconds of processor time of a task: so long that what surrounds it does not count."""
WORKERS = 2
DASK_WORKERS = (1, 2, 4)
ONE_TASK_WEAVES = 30
"""Weaves of one task in a round, each followed by one of the other service."""


# processes


def measure_processes(rounds: int) -> None:
    """Print how much faster a CPU-bound mapped weave is in processes."""
    turns = _turns_of(TASK_SECONDS)
    with ExitStack() as stack:
        cores = stack.enter_context(
            ProcessPoolExecutor(WORKERS, mp_context=get_context("forkserver"))
        )
        list(cores.map(_count, [1] * WORKERS))
        threads = stack.enter_context(reached(stack.enter_context(serving())))
        arguments = ("--runner", "processes", "--workers", str(WORKERS))
        processes = stack.enter_context(reached(stack.enter_context(serving(*arguments))))
        measured: dict[str, Callable[[], object]] = {
            "threads": lambda: _cpu_bound_weave(threads, turns),
            "processes": lambda: _cpu_bound_weave(processes, turns),
            "one core": lambda: [_count(turns) for _ in range(TASKS)],
            "cores": lambda: list(cores.map(_count, [turns] * TASKS)),
        }
        for each in ("threads", "processes"):
            measured[each]()
        figures: dict[str, list[float]] = {label: [] for label in measured}
        for _ in range(rounds):
            for label, run in measured.items():
                figures[label].append(_seconds(run))
    print(
        f"\na CPU-bound mapped weave of {TASKS} tasks of {TASK_SECONDS} s, processes with"
        f" {WORKERS} workers against threads\n"
        f"  goal: >= 1.7 x as fast; {_load()}\n"
        f"  now:   {_spread(_ratios(figures['threads'], figures['processes']), 'x')}\n"
        f"         the same without any service, {WORKERS} processes against one:"
        f" {_spread(_ratios(figures['one core'], figures['cores']), 'x')}"
    )
    for label, values in figures.items():
        print(f"         {label}: {_spread(values, 's')}", flush=True)


# dask


def measure_dask(rounds: int) -> None:
    """Print how much faster a CPU-bound mapped weave is on a local Dask cluster, and what a weave
    of one task costs there."""
    turns = _turns_of(TASK_SECONDS)
    with ExitStack() as stack:
        environments = {"threads": stack.enter_context(reached(stack.enter_context(serving())))}
        for workers in DASK_WORKERS:
            served = serving("--runner", "dask", "--workers", str(workers))
            label = f"dask, {workers}"
            environments[label] = stack.enter_context(reached(stack.enter_context(served)))
        figures: dict[str, list[float]] = {label: [] for label in environments}
        single: dict[str, list[float]] = {label: [] for label in environments}
        for environment in environments.values():
            _cpu_bound_weave(environment, turns)
        for _ in range(rounds):
            for label, environment in environments.items():
                figures[label].append(_seconds(partial(_cpu_bound_weave, environment, turns)))
                weaves = [run_one_weave(42, environment).seconds for _ in range(10)]
                single[label].append(statistics.median(weaves))
    print(
        f"\na CPU-bound mapped weave of {TASKS} tasks of {TASK_SECONDS} s, a local Dask cluster"
        f" against threads\n  {_load()}"
    )
    for label, values in figures.items():
        ratio = _spread(_ratios(figures["threads"], values), "x as fast")
        one = _spread(single[label], "ms", 1000)
        print(f"  {label}: {ratio}; {_spread(values, 's')}; a weave of one task {one}", flush=True)


def _turns_of(seconds: float) -> int:
    turns = 1_000_000
    return int(turns * seconds / min(_seconds(lambda: _count(turns)) for _ in range(5)))


def _count(turns: int) -> int:
    total = 0
    for number in range(turns):
        total += number
    return total


def _cpu_bound_weave(environment: str, turns: int) -> None:
    with weave() as w:

        @w.do(range(TASKS), environment=environment)
        def count(item: int) -> int:
            total = 0
            for number in range(turns):
                total += number
            return total

    assert len(w.result.count) == TASKS


# upstream


def measure_upstream(rounds: int) -> None:
    """Print what one more service between client and worker costs a weave of one task."""
    with ExitStack() as stack:
        direct, through = stack.enter_context(_before_a_reference_worker())
        figures: dict[str, list[float]] = {"direct": [], "through": []}
        for environment in (direct, through):
            run_one_weave(42, environment).result()
        for _ in range(rounds):
            times: dict[str, list[float]] = {"direct": [], "through": []}
            for _ in range(ONE_TASK_WEAVES):
                for label, environment in (("direct", direct), ("through", through)):
                    outcome = run_one_weave(42, environment)
                    assert outcome.result() == 42
                    times[label].append(outcome.seconds)
            for label, values in times.items():
                figures[label].append(statistics.median(values))
    print(
        "\na weave of one task through serve --upstream, against the reference worker itself, p50\n"
        f"  goal: <= 1.35 x; {_load()}\n"
        f"  now:   {_spread(_ratios(figures['through'], figures['direct']), 'x')}"
    )
    for label, values in figures.items():
        print(f"         {label}: {_spread(values, 'ms', 1000)}", flush=True)


@contextmanager
def _before_a_reference_worker() -> Iterator[tuple[str, str]]:
    """Yield two Wove environments: one that sends to ``examples/worker_stdlib.py``, and one that
    sends to a ``serve`` in front of it. All of it is https and signed."""
    secret = secrets.token_urlsafe(32)
    port = free_port()
    with ExitStack() as stack:
        ca = stack.enter_context(CertificateAuthority())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate, key = references.certificate(ca, directory)
        command = references.command("stdlib", port, "--cert", certificate, "--key", key)
        stack.enter_context(mock.patch.dict(os.environ, WOVE_WORKER_SECRET=secret))
        stack.enter_context(ServiceCommand(command, "localhost", port))
        url = f"https://localhost:{port}/wove/tasks"
        address = {"url": url, "port": port, "ca_file": ca.cert_file}
        direct = stack.enter_context(RemoteAddress(address, secret, "signed").configured(PATIENCE))
        arguments = ["--upstream", url, "--upstream-ca-file", ca.cert_file]
        arguments += ["--upstream-security", "env:WOVE_WORKER_SECRET"]
        served = stack.enter_context(serving(*arguments))
        yield direct, stack.enter_context(reached(served))


# Figures


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _ratios(values: Sequence[float], units: Sequence[float]) -> list[float]:
    return [value / unit for value, unit in zip(values, units, strict=True)]


def _spread(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle * scale:.2f} ({low * scale:.2f}-{high * scale:.2f}) {unit}"


def _load() -> str:
    return f"the load of the machine is {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
