"""The speed table. Every figure is a median with its minimum and maximum, and a ratio against a
peer measured in the same run, round by round, so that a machine's drift cancels out.

    python -m tests.benchmarks [--rounds N] [--seconds S] [--against REVISION] [NAME …]
"""

from __future__ import annotations

import argparse
import gc
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers
from wove import weave

from tests.benchmarks import peers
from tests.benchmarks.page import measure_page
from tests.benchmarks.revision import measure_revision
from tests.benchmarks.runners import measure_dask, measure_processes, measure_upstream
from tests.benchmarks.slow_clients import measure_slow_clients
from tests.benchmarks.watched_memory import measure_watched_memory
from wove_http_dev import HttpWorker
from wove_http_dev.protocol.authenticator import Authenticator
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.protocol.messages import Request
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import server_context

SECRET = "s" * 43


def spread(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    """``median (min-max) unit``."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle * scale:.2f} ({low * scale:.2f}-{high * scale:.2f}) {unit}"


def row(what: str, reach: str, ratio: str, *details: str) -> None:
    """Print one row of the table."""
    print(f"\n{what}\n  reach: {reach}\n  now:   {ratio}", flush=True)
    for detail in details:
        print(f"         {detail}", flush=True)


def one_weave(environment: str) -> float:
    """Return the seconds that a weave of one task takes."""
    start = time.perf_counter()
    with weave() as w:

        @w.do(environment=environment)
        def t() -> int:
            return 42

    assert w.result.t == 42
    return time.perf_counter() - start


def mapped_weave(environment: str, n: int = 200) -> float:
    """Return the tasks per second of a mapped weave of ``n`` tasks."""
    start = time.perf_counter()
    with weave() as w:

        @w.do(range(n), environment=environment)
        def t(item: int) -> int:
            return 42

    assert len(w.result.t) == n
    return n / (time.perf_counter() - start)


def against_peers(
    measure: Callable[[str], float], *, tls: bool, rounds: int, repeat: int
) -> dict[str, list[float]]:
    """Run ``measure`` on the worker and on each peer in turn, ``rounds`` times; return the figures
    of all rounds."""
    figures: dict[str, list[float]] = {}
    with ExitStack() as stack:
        ca = stack.enter_context(CertificateAuthority())

        def context() -> Any:
            return server_context(ca.issue("localhost", "127.0.0.1")) if tls else None

        names = {}
        worker = stack.enter_context(HttpWorker(ca=ca, tls=tls, secret=SECRET))
        stack.enter_context(worker.configured())
        names["worker"] = worker.environment
        for label, peer in (
            ("floor", peers.bare_loop),
            ("stdlib", peers.stdlib_server),
            ("pytest-httpserver", peers.httpserver),
        ):
            port = stack.enter_context(peer(context()))
            names[label] = stack.enter_context(peers.reached(port, tls=tls, ca=ca))
        for name in names.values():
            measure(name)
        for _ in range(rounds):
            for label, name in names.items():
                once = statistics.median(measure(name) for _ in range(repeat))
                figures.setdefault(label, []).append(once)
    return figures


def ratios(figures: dict[str, list[float]], base: str) -> dict[str, list[float]]:
    """Each figure divided by that of ``base`` in the same round."""
    return {
        label: [value / unit for value, unit in zip(values, figures[base], strict=True)]
        for label, values in figures.items()
        if label != base
    }


def bench_latency(rounds: int) -> None:
    figures = against_peers(one_weave, tls=True, rounds=rounds, repeat=15)
    by = ratios(figures, "floor")
    row(
        "one-task weave over in-process https, p50",
        "<= 1.05 x the floor",
        spread(by["worker"], "x the floor"),
        *(f"{label}: {spread(values, 'x the floor')}" for label, values in by.items()),
        *(f"{label}: {spread(values, 'ms', 1000)}" for label, values in figures.items()),
    )


def bench_throughput(rounds: int) -> None:
    for tls, reach in ((True, 0.90), (False, 0.82)):
        figures = against_peers(mapped_weave, tls=tls, rounds=rounds, repeat=1)
        by = ratios(figures, "floor")
        row(
            f"mapped weave of 200 tasks over {'https' if tls else 'http'}, tasks/s",
            f">= {reach:.2f} x the floor",
            spread(by["worker"], "x the floor"),
            *(f"{label}: {spread(values, 'x the floor')}" for label, values in by.items()),
            *(f"{label}: {spread(values, 'tasks/s')}" for label, values in figures.items()),
        )


def bench_start_stop(rounds: int) -> None:
    from pytest_httpserver import HTTPServer

    HttpWorker().start().stop()  # imports
    starts, stops, peer_starts, peer_stops = [], [], [], []
    for _ in range(rounds * 2):
        begin = time.perf_counter()
        with CertificateAuthority() as ca:
            worker = HttpWorker(ca=ca).start()
            urllib_get(worker.url, ca)
            starts.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            worker.stop()
            stops.append(time.perf_counter() - begin)
    for _ in range(max(2, rounds // 2)):
        begin = time.perf_counter()
        with CertificateAuthority() as ca:
            context = server_context(ca.issue("localhost"))
            server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context)
            server.start()
            urllib_get(f"https://localhost:{server.port}/", ca)
            peer_starts.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            server.stop()
            peer_stops.append(time.perf_counter() - begin)
    ratio = statistics.median(starts) / statistics.median(peer_starts)
    row(
        "start to first answer, https, new CA included; stop",
        "<= 8 ms; <= 5 ms",
        f"{spread(starts, 'ms', 1000)}; {spread(stops, 'ms', 1000)}",
        f"{ratio:.2f} x pytest-httpserver's start",
        f"pytest-httpserver: {spread(peer_starts, 'ms', 1000)}; {spread(peer_stops, 'ms', 1000)}",
    )


def urllib_get(url: str, ca: CertificateAuthority) -> None:
    """Send one request and read its answer."""
    handler = urllib.request.HTTPSHandler(context=ca.client_context())
    direct = urllib.request.build_opener(handler, urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=10).close()
    except urllib.error.HTTPError as exc:
        exc.close()


def run_pytest(directory: Path, *arguments: str) -> float:
    """Return the seconds of processor time that a pytest run in ``directory`` takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def bench_plugin(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "test_empty.py").write_text("def test_nothing():\n    pass\n")
        run_pytest(directory)
        pairs = [
            (run_pytest(directory), run_pytest(directory, "-p", "no:wove_http_dev"))
            for _ in range(rounds * 2)
        ]
    extra = statistics.median(w - wo for w, wo in pairs)
    row(
        "plugin loaded, unused",
        "<= 2 ms on top of pytest",
        f"{extra * 1000:+.1f} ms of {spread([wo for _, wo in pairs], 'ms', 1000)}",
        f"{statistics.median(w / wo for w, wo in pairs):.3f} x pytest without it",
    )


FIXTURE_TESTS = """
import pytest

@pytest.mark.parametrize("n", range(300))
def test_{name}(n{fixture}):
    pass
"""


def bench_fixture(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        used, unused = Path(name, "used"), Path(name, "unused")
        for directory, fixture in ((used, ", wove_http_worker"), (unused, "")):
            directory.mkdir()
            (directory / "test_it.py").write_text(FIXTURE_TESTS.format(name="x", fixture=fixture))
            (directory / "conftest.py").write_text("import wove_http_dev.worker, wove\n")
        pairs = [(run_pytest(used), run_pytest(unused)) for _ in range(rounds)]
    each = [(with_ - without) / 300 for with_, without in pairs]
    row(
        "fixture per test (listener, configuration, trust, restore)",
        "<= 1 ms",
        spread(each, "ms of processor time", 1000),
        f"a test with it: {statistics.median(w / wo for w, wo in pairs):.2f} x one without",
    )


def bench_nonces(rounds: int) -> None:
    from wove.security import NetworkExecutorSecurity

    body = b"x" * 800
    client = NetworkExecutorSecurity(mode="signed", secret=SECRET)

    def request() -> Request:
        headers = client.headers_for(transport="http", target="/t", body=body)
        return Request("POST", "/t", Headers(headers.items()), body)

    def filled(n: int) -> Authenticator:
        authenticator = Authenticator(credentials("signed", secret=SECRET))
        now = time.time()
        for i in range(n):
            authenticator._nonces.remember(f"nonce-{i}", now)
        return authenticator

    def once(verify: Callable[[Request], Any], n: int = 200) -> float:
        requests = [request() for _ in range(n)]
        begin = time.perf_counter()
        for each in requests:
            verify(each)
        return (time.perf_counter() - begin) / n

    empty, full = filled(0), filled(100_000)
    theirs = NetworkExecutorSecurity(mode="signed", secret=SECRET)
    theirs._seen_nonces = {f"nonce-{i}": time.time() for i in range(100_000)}

    def upstream(each: Request) -> None:
        theirs.verify_headers(headers=dict(each.headers), transport="http", target="/t", body=body)

    pairs = [(once(full.verify), once(empty.verify)) for _ in range(rounds * 3)]
    peer = once(upstream, 20)
    row(
        "verify with 100k remembered nonces",
        "<= 1.2 x verify with none",
        spread([f / e for f, e in pairs], "x verify with none"),
        f"{spread([f for f, _ in pairs], 'us', 1e6)}; Wove's own: {peer * 1e6:.0f} us",
    )


def bench_memory(rounds: int) -> None:
    from wove_http_dev.service.host import InProcessHost
    from wove_http_dev.worker import HttpWorker

    worker = HttpWorker(secret=SECRET)
    host = worker._host
    assert isinstance(host, InProcessHost)
    command = _signed_command()
    sizes = []
    for _ in range(11):
        for _ in range(10_000):
            answer = host.pipeline.handle(next(command))
            answer.done()
        gc.collect()
        sizes.append(_resident())
    growth = (sizes[-1] - sizes[3]) / 2**20
    row(
        "100k exchanges, resident memory",
        "flat",
        f"{growth:+.1f} MiB from 40k to 110k exchanges",
        f"MiB after each 10k: {', '.join(f'{size / 2**20:.0f}' for size in sizes)}",
        "(of which up to 250k nonces of 16 bytes are kept for their 600 s)",
    )
    worker.stop()


def _signed_command() -> Any:
    from wove.security import NetworkExecutorSecurity

    body = b'{"type":"cancel_task","run_id":"t:0","task_id":"t"}'
    client = NetworkExecutorSecurity(mode="signed", secret=SECRET)
    while True:
        headers = client.headers_for(transport="http", target="/wove/tasks", body=body)
        yield Request("POST", "/wove/tasks", Headers(headers.items()), body)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def bench_slow_clients(rounds: int) -> None:
    measure_slow_clients()


BENCHMARKS = {
    "latency": bench_latency,
    "throughput": bench_throughput,
    "start": bench_start_stop,
    "plugin": bench_plugin,
    "fixture": bench_fixture,
    "nonces": bench_nonces,
    "memory": bench_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of each condition of page (default: 60)"
    )
    parser.add_argument(
        "--against", default="HEAD~1", metavar="REVISION", help="of revision (default: HEAD~1)"
    )
    by_name_only: dict[str, Callable[[int], None]] = {  # minutes long, or without a peer
        "slow-clients": bench_slow_clients,
        "page": lambda _: measure_page(arguments.seconds),
        "processes": measure_processes,
        "dask": measure_dask,
        "upstream": measure_upstream,
        "revision": lambda rounds: measure_revision(arguments.against, rounds),
        "watched-memory": lambda _: measure_watched_memory(),
    }
    every = {**BENCHMARKS, **by_name_only}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(every)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(every):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(every)}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request, from the peer
    print(f"CPython {sys.version.split()[0]}; medians (min-max)")
    for name in arguments.names or BENCHMARKS:
        every[name](arguments.rounds)


if __name__ == "__main__":
    main()
