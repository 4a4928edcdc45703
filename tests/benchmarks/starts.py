"""What a start costs, and what the plugin costs a test: ``python -m tests.benchmarks starts``.

Each figure of processor time is that of processes of their own, children included.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pytest_httpserver import HTTPServer

from tests.benchmarks.compare_process import one_task
from tests.benchmarks.figures import Figure, Samples, Table, in_turn
from tests.benchmarks.instructions import instructions
from wove_http_dev import HttpWorker
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.tls_contexts import server_context

ROUNDS = 15
ISOLATED_WEAVES = 20
FIXTURE_TESTS = 300
COUNTS = 2
"""Rounds in which instructions are counted: they hardly differ, and take fifty times as long."""
FIRST_WEAVE = """
from wove import weave
from wove_http_dev import HttpWorker
with HttpWorker() as worker, worker.configured():
    with weave() as w:
        @w.do(environment=worker.environment)
        def t():
            return 42
    assert w.result.t == 42
"""
IMPORT_WOVE = "import wove, wove.environment, wove.security, cloudpickle"
PROGRAMS = {
    "nothing": "pass",
    "import HttpWorker": "from wove_http_dev import HttpWorker",
    "import Wove": IMPORT_WOVE,
    "import both": f"{IMPORT_WOVE}; from wove_http_dev import HttpWorker",
    "first https weave": FIRST_WEAVE,
}
EMPTY_SUITE = """
def test_it():
    pass
"""
FIXTURE_SUITE = """
import pytest

def test_first(wove_http_worker):
    pass

@pytest.mark.parametrize("n", range({tests}))
def test_it(n{fixture}):
    pass
"""
"""Its first test has what a session pays once: certificates, and modules that are imported when
they are used (more of them where pyfakefs is installed)."""


def measure_starts(table: Table, share: float = 1.0) -> None:
    """Add what starts cost to ``table``. ``share`` multiplies the number of rounds."""
    # Else each process would compile this package, which pip does once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds = max(3, round(ROUNDS * share))
    _processes(table, rounds)
    _worker(table, rounds)
    _isolated(table, rounds)
    _plugin(table, rounds)


# A process


def _processes(table: Table, rounds: int) -> None:
    measured = {
        label: partial(_run, [sys.executable, "-c", program], Path.cwd())
        for label, program in PROGRAMS.items()
    }
    samples = in_turn(measured, rounds)["processor"]
    goal = "import HttpWorker <= 120 ms above nothing; first https weave <= 200 ms above Wove"
    table.add(Figure("a fresh process, processor time", "ms", samples, "nothing", goal, above=True))


def _run(command: list[str], directory: Path) -> Mapping[str, float]:
    """Run ``command`` and return the milliseconds of processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {(done.stdout + done.stderr).decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return {"processor": used * 1000}


# A worker


def _worker(table: Table, rounds: int) -> None:
    found = in_turn({"worker": _start_worker, "pytest-httpserver": _start_httpserver}, rounds)
    for what, goal in (
        ("start to the first answer, new CA included", "<= 8 ms"),
        ("stop", "<= 5 ms"),
    ):
        name = what.split()[0]
        table.add(Figure(f"https, {what}, wall time", "ms", found[name], "pytest-httpserver", goal))


def _start_worker() -> dict[str, float]:
    begun = time.perf_counter()
    with CertificateAuthority() as ca:
        worker = HttpWorker(ca=ca).start()
        _get(worker.url, ca)
        return {"start": _since(begun), "stop": _duration(worker.stop)}


def _start_httpserver() -> dict[str, float]:
    begun = time.perf_counter()
    with CertificateAuthority() as ca:
        context = server_context(ca.issue("localhost"))
        server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context)
        server.start()
        _get(f"https://localhost:{server.port}/", ca)
        return {"start": _since(begun), "stop": _duration(server.stop)}


def _get(url: str, ca: CertificateAuthority) -> None:
    handler = urllib.request.HTTPSHandler(context=ca.client_context())
    direct = urllib.request.build_opener(handler, urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=10).close()
    except urllib.error.HTTPError as exc:
        exc.close()


def _isolated(table: Table, rounds: int) -> None:
    with CertificateAuthority() as ca:
        starts = in_turn({"isolated": partial(_start_isolated, ca)}, rounds)["start"]
        what = "start of an isolated worker, wall time"
        table.add(Figure(what, "s", starts, "isolated", "<= 0.25 s"))
        with (
            HttpWorker(ca=ca) as inside,
            HttpWorker(ca=ca, isolated=True, environment="isolated") as outside,
            inside.configured(),
            outside.configured(),
        ):
            found = in_turn(
                {
                    label: partial(_weaves, worker.environment)
                    for label, worker in (("in-process", inside), ("isolated", outside))
                },
                rounds,
            )
        what = "a weave of one task, wall time"
        table.add(Figure(what, "ms", found["wall"], "in-process", "isolated <= 1.15 x in-process"))


def _start_isolated(ca: CertificateAuthority) -> dict[str, float]:
    begun = time.perf_counter()
    with HttpWorker(ca=ca, isolated=True):
        return {"start": _since(begun) / 1000}


def _weaves(environment: str) -> dict[str, float]:
    def weaves() -> None:
        for _ in range(ISOLATED_WEAVES):
            one_task(environment)

    return {"wall": _duration(weaves) / ISOLATED_WEAVES}


# The plugin


def _plugin(table: Table, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        empty = _suite(root / "empty", EMPTY_SUITE)
        without = [*command, "-p", "no:wove_http_dev"]
        both = {"plugin": (command, empty), "no plugin": (without, empty)}
        found = in_turn({label: partial(_run, *run) for label, run in both.items()}, rounds)
        what, goal = "pytest with one empty test", "plugin <= 2 ms above"
        _add(table, f"{what}, processor time", found["processor"], "no plugin", goal)
        if shutil.which("valgrind") is not None:
            counted = {label: partial(instructions, *run) for label, run in both.items()}
            samples = in_turn(counted, COUNTS)["instructions"]
            processor = statistics.median(found["processor"]["no plugin"])
            rate = statistics.median(samples["no plugin"]) / processor
            scaled = {label: [count / rate for count in each] for label, each in samples.items()}
            what = f"{what}, instructions at {rate / 1e6:.1f} million a ms"
            _add(table, what, scaled, "no plugin", goal)
        suites = {
            label: _suite(root / label, FIXTURE_SUITE.format(tests=FIXTURE_TESTS, fixture=fixture))
            for label, fixture in (("no fixture", ""), ("wove_http_worker", ", wove_http_worker"))
        }
        each = {label: partial(_each_test, command, suite) for label, suite in suites.items()}
        found = in_turn(each, max(3, rounds // 3))
        what, goal = "a test, CA reused, processor time", "wove_http_worker <= 1 ms above"
        _add(table, what, found["processor"], "no fixture", goal)


def _suite(directory: Path, text: str) -> Path:
    """Write a test module into a new directory, and return that."""
    directory.mkdir()
    (directory / "test_it.py").write_text(text)
    return directory


def _add(table: Table, what: str, samples: Samples, base: str, goal: str) -> None:
    table.add(Figure(what, "ms", samples, base, goal, above=True))


def _each_test(command: list[str], directory: Path) -> dict[str, float]:
    return {"processor": _run(command, directory)["processor"] / FIXTURE_TESTS}


def _duration(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return _since(begun)


def _since(begun: float) -> float:
    """Return the milliseconds since ``begun``."""
    return (time.perf_counter() - begun) * 1000
