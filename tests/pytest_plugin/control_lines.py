"""Tests of a few lines, which one test run has all of, against a ``serve`` that its control API
steers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.pytest_plugin.helpers import run_directory_apart
from tests.pytest_plugin.served import controllable

TASKS = """
def weave_two():
    with weave(n=21) as w:
        @w.do(environment="workers")
        def double(n):
            print("doubling")
            return n * 2
        @w.do(environment="workers")
        def broken():
            raise ValueError("too large")
    return w
"""
WORKS = (
    "weave_one()\nassert [run.task_id for run in worker.runs] == ['answer']",
    "weave_one()\nassert worker.runs['answer'].last.result_text == '42'",
    "weave_one()\nassert worker.runs.last.state == 'succeeded'",
    "weave_one()\nworker.assert_ran('answer', times=1)",
    "worker.assert_not_ran('answer')",
    "weave_one()\nassert worker.exchanges[-1].accepted",
    "weave_one()\nassert worker.exchanges[-1].verdict.steps",
    "weave_one()\nassert worker.journal.exchanges[-1].status == 200",
    "weave_one()\nworker.wait_for('ans*', 'succeeded')",
    "weave_one()\nassert 'answer' in worker.report()",
    "weave_one()\nworker.check()",
    "weave_one()\nworker.reset()\nassert len(worker.runs) == 0",
    "assert worker.running",
    "worker.inject('status', code=503, times=1)\n"
    "with pytest.raises(Exception): weave_one()\nassert weave_one() == 42",
    "injection = worker.inject('slow-response delay=0.01')\nweave_one()\n"
    "assert injection.hits == injection.seen == 1 and worker.injections == [injection]",
    "with worker.inject('reject-auth', unused_ok=True): pass\nassert weave_one() == 42",
    "with worker.inject('reject-auth', 'slow-response delay=0', unused_ok=True) as it:\n"
    "    with pytest.raises(Exception): weave_one()\nassert it.hits == 1",
    "worker.stub('answer', result={'a': [1, None]})\nassert weave_one() == {'a': [1, None]}",
    "worker.stub('ans*', error=KeyError('gone'))\n"
    "with pytest.raises(KeyError, match='gone'): weave_one()",
    "with worker.stub('answer', result=1): assert weave_one() == 1\nassert weave_one() == 42",
    "gate = worker.hold('answer', release_when=1)\nweave_one()\nassert gate.released",
    "assert worker.gates == []\ngate = worker.hold(unused_ok=True)\nassert worker.gates == [gate]",
    "assert worker.why_not('hang') is None",
)
"""Lines of tests that pass as they do with a worker of this process."""
SKIPS = (
    ("weave_one(); worker.runs.last.args", "run.args_text has it as text"),
    ("weave_one(); worker.runs.last.result", "run.result_text has it as text"),
    ("worker.crash()", "worker.crash needs a worker of this process"),
    ("worker.start()", "worker.start needs a worker of this process"),
    ("worker.stop()", "worker.stop needs a worker of this process"),
    ("worker.impersonate('https://a/')", "worker.impersonate needs a worker of this process"),
    ("worker.inject('crash-before-run')", "would end the worker of others"),
    ("worker.stub('answer', result=lambda run: 1)", "result= travels as JSON"),
    ("worker.stub('answer', result=(1, 2))", "result= travels as JSON"),
    ("worker.stub('answer', result=[1, 2])", "in order, needs a worker of this process"),
    ("worker.stub('answer', events=[])", "events= needs a worker of this process"),
    ("worker.stub('answer', error=OSError(2, 'x'))", "Error('…') works"),
)
"""Lines of tests that need a worker of this process, and the reason with which they skip."""
FAILS = (
    ("worker.inject('empty-body')", "*inject('empty-body') at * never fired*"),
    ("weave_one()\nworker.stub('answr', result=1)", "*did you mean 'answer'?*"),
    ("refused(worker)", "*a request was refused and no fault explains it*"),
    ("worker.wait_for('answer', timeout=0)", "*no run of 'answer' finished within 0 s*"),
    ("weave_one(); worker.assert_ran('answer', times=2)", "*'answer' ran once, not 2*"),
)
"""Lines of tests that fail, and a line of the report."""
RECORDS = """
import json, pathlib
kept = {}

def pytest_runtest_logreport(report):
    kept.setdefault(report.nodeid.partition("::")[2], []).append(
        [report.when, report.outcome, report.longreprtext]
    )

def pytest_sessionfinish():
    pathlib.Path("reports.json").write_text(json.dumps(kept))
"""
Reports = dict[str, list[list[str]]]
"""When, outcome and text of the reports of each test."""


def run_all(directory: Path) -> Reports:
    """Run a test for each of the lines above in one test run, against a ``serve`` of its own."""
    bodies = (*WORKS, *(body for body, _ in (*SKIPS, *FAILS)))
    source = TASKS
    for number, body in enumerate(bodies):
        lines = "\n    ".join(["worker = wove_http_worker", *body.splitlines()])
        source += f"\ndef test_{number}(wove_http_worker):\n    {lines}\n"
    with controllable(directory) as control:
        modules = {"test_lines": source, "conftest": RECORDS}
        run_directory_apart(directory, modules, *control.arguments)
    reports: Reports = json.loads((directory / "reports.json").read_text())
    return {body: reports[f"test_{number}"] for number, body in enumerate(bodies)}
