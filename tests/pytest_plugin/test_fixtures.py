"""The plugin's fixtures in separate test runs: workers, options, strict mode, and what is
restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pytest_plugin.helpers import (
    FAULTED,
    PASSING,
    REFUSED,
    run,
    run_apart,
    run_directory_apart,
)
from tests.shared import shared
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.worker import HttpWorker

NONE_KEPT = """
import gc

@pytest.mark.parametrize("n", range(10))
def test_it(wove_http_worker, n):
    weave_one()
    gc.collect()
    names = [type(each).__name__ for each in gc.get_objects()]
    assert (names.count("HttpWorker"), names.count("Journal")) == (1, 1)
"""

ISOLATED = """
import in_root, in_src

def root():
    return in_root.answer()

def src():
    return in_src.answer()

@pytest.mark.wove_http(isolated=True)
@pytest.mark.parametrize("task", [root, src])
def test_it(wove_http_worker, task):
    with weave() as w:
        w.do(environment="workers")(task)
    assert w.result.final == 42
"""


@pytest.fixture(scope="module")
def lines_apart(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a test run in another process prints."""

    def make(directory: Path) -> list[str]:
        (directory / "src").mkdir(exist_ok=True)
        for path in ("in_root.py", "src/in_src.py"):
            (directory / path).write_text("def answer():\n    return 42\n", encoding="utf-8")
        modules = {"test_fixture": PASSING, "test_none_kept": NONE_KEPT, "test_isolated": ISOLATED}
        return run_directory_apart(directory, modules, "-rA", ini="pythonpath = src\n")

    return shared(tmp_path_factory, "apart", make)


def test_fixture(lines_apart: list[str]) -> None:
    """The installed package provides the fixture, and a weave to ``workers`` is served."""
    assert "PASSED test_fixture.py::test_it" in lines_apart


def test_no_worker_is_kept(lines_apart: list[str]) -> None:
    """After many tests there is one worker in memory, that of the test that runs."""
    expected = {f"PASSED test_none_kept.py::test_it[{n}]" for n in range(10)}
    assert expected - {*lines_apart} == set()


@pytest.mark.parametrize("place", ["root", "src"])
def test_an_isolated_worker_imports_what_the_test_imports(
    lines_apart: list[str], place: str
) -> None:
    """The child process imports the test's module, and those of the root directory and of the ini
    option ``pythonpath``."""
    assert f"PASSED test_isolated.py::test_it[{place}]" in lines_apart


def test_one_ca_for_the_session(pytester: pytest.Pytester) -> None:
    """The certificate authority is made once for a session."""
    source = """
seen = set()

@pytest.mark.parametrize("n", range(3))
def test_it(wove_http_worker, wove_http_ca, n):
    seen.update((wove_http_worker.ca_file, wove_http_ca.cert_file))
    assert len(seen) == 1
"""
    run(pytester, source).assert_outcomes(passed=3)


def test_factory_names(pytester: pytest.Pytester) -> None:
    """Workers of the factory are ``workers``, ``workers-2``, … unless named."""
    source = """
def test_it(wove_http_worker_factory):
    made = [wove_http_worker_factory(**o) for o in ({}, {}, {"environment": "billing"}, {})]
    assert [w.environment for w in made] == ["workers", "workers-2", "billing", "workers-3"]
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_factory_beside_the_fixture(pytester: pytest.Pytester) -> None:
    """The factory can be used with the fixture's worker; both are configured."""
    source = """
def test_it(wove_http_worker, wove_http_worker_factory):
    second = wove_http_worker_factory()
    assert (weave_one("workers"), weave_one(second.environment)) == (42, 42)
    assert (len(wove_http_worker.runs), len(second.runs)) == (1, 1)
"""
    run(pytester, source).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "fact"),
    [
        ("tls=False", 'worker.url.startswith("http://")'),
        ('security="bearer"', 'worker.credentials.mode == "bearer"'),
        ('path="/a/b"', 'worker.url.endswith("/a/b")'),
        ('environment="billing"', 'weave_one("billing") == 42'),
        ('secret="given"', 'worker.secret == "given"'),
        ("isolated=True", "weave_one() == 42"),
    ],
)
def test_marker(pytester: pytest.Pytester, marker: str, fact: str) -> None:
    """The marker sets options of the worker."""
    source = f"""
@pytest.mark.wove_http({marker})
def test_it(wove_http_worker):
    worker = wove_http_worker
    assert {fact}
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_nearer_marker_wins(pytester: pytest.Pytester) -> None:
    """For each option the function's marker overrides the module's."""
    source = """
pytestmark = pytest.mark.wove_http(tls=False, path="/module")

@pytest.mark.wove_http(path="/function")
def test_it(wove_http_worker):
    assert wove_http_worker.url.startswith("http://")
    assert wove_http_worker.url.endswith("/function")
"""
    run(pytester, source).assert_outcomes(passed=1)


OPTIONS = """
import pytest

@pytest.fixture(scope="session")
def wove_http_options():
    return {"tls": False, "path": "/project"}
"""


def test_project_options(pytester: pytest.Pytester) -> None:
    """A project's conftest changes the defaults."""
    pytester.makeconftest(OPTIONS)
    source = """
def test_it(wove_http_worker):
    assert wove_http_worker.url == f"http://localhost:{wove_http_worker.port}/project"
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_marker_goes_before_project_options(pytester: pytest.Pytester) -> None:
    """The marker overrides the project's options."""
    pytester.makeconftest(OPTIONS)
    source = """
@pytest.mark.wove_http(tls=True)
def test_it(wove_http_worker):
    assert wove_http_worker.url == f"https://localhost:{wove_http_worker.port}/project"
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_factory_takes_project_options(pytester: pytest.Pytester) -> None:
    """The project's options apply to the factory's workers too."""
    pytester.makeconftest(OPTIONS)
    source = """
def test_it(wove_http_worker_factory):
    assert wove_http_worker_factory().url.endswith("/project")
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_strict(pytester: pytest.Pytester) -> None:
    """A test whose body passed fails at its teardown when a request was refused."""
    run(pytester, REFUSED).assert_outcomes(passed=1, errors=1)


def test_strict_shows_the_journal(pytester: pytest.Pytester) -> None:
    """The failure's message has the refusal and the journal."""
    run(pytester, REFUSED).stdout.fnmatch_lines(
        ["*a request was refused and no fault explains it*", "journal: 1 exchange(s)"]
    )


@pytest.mark.parametrize(
    "source",
    [
        REFUSED.replace("def test_it", "@pytest.mark.wove_http(strict=False)\ndef test_it"),
        REFUSED + "    wove_http_worker.allow_refusals()\n",
    ],
    ids=["option", "allow_refusals"],
)
def test_opting_out(pytester: pytest.Pytester, source: str) -> None:
    """The ways to opt out that the message names work."""
    run(pytester, source).assert_outcomes(passed=1)


def test_failed_body_is_enough(pytester: pytest.Pytester) -> None:
    """A test that failed already does not also fail for strict mode."""
    source = REFUSED + "    assert False\n"
    run(pytester, source).assert_outcomes(failed=1)


def test_skipped_body_is_not_checked(pytester: pytest.Pytester) -> None:
    """Strict mode does not check a test that was skipped."""
    source = REFUSED + "    pytest.skip('on second thought')\n"
    run(pytester, source).assert_outcomes(skipped=1)


def test_strictness_of_every_worker(pytester: pytest.Pytester) -> None:
    """Each of several workers is checked."""
    source = """
def test_it(wove_http_worker, wove_http_worker_factory):
    refused(wove_http_worker_factory())
"""
    run(pytester, source).assert_outcomes(passed=1, errors=1)


def test_strictness_after_a_fault_that_never_fired(pytester: pytest.Pytester) -> None:
    """A fault with ``times`` that hit nothing fails the test."""
    source = """
@pytest.mark.wove_http(faults=["slow-response times=1 task=typo"])
def test_it(wove_http_worker):
    weave_one()
"""
    run(pytester, source).stdout.fnmatch_lines(["*never fired; tasks seen: answer"])


def test_faults_marker_skips(pytester: pytest.Pytester) -> None:
    """A fault that cannot apply to the options skips with the reason."""
    source = "pytestmark = pytest.mark.wove_http(tls=False)\n" + FAULTED.format(
        words="'self-signed'"
    )
    run(pytester, source, "-rs").stdout.fnmatch_lines(["*self-signed cannot apply: *"])


RESTORED = """
import copy, os, socket, urllib.request

def state():
    from wove.runtime import runtime
    return [
        runtime.default_environment,
        copy.deepcopy(runtime.environments),
        dict(runtime.global_defaults),
        {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        urllib.request._opener,
        socket.getaddrinfo,
    ]

def pytest_sessionstart(session):
    session.config.before = state()

def pytest_unconfigure(config):
    print("RESTORED", [one == two for one, two in zip(config.before, state())])
"""


IMPERSONATING = """
@pytest.mark.wove_http(impersonate="https://workers.internal/wove/tasks")
def test_it(wove_http_worker):
    import wove
    assert weave_one() == 42
    wove.config(max_workers=3, default_environment="workers")
"""


@pytest.mark.parametrize(
    "end",
    ["", "    assert False\n", "    raise KeyboardInterrupt\n", "    refused(wove_http_worker)\n"],
    ids=["passed", "failed", "interrupted", "strict"],
)
def test_state_is_restored(pytester: pytest.Pytester, end: str) -> None:
    """After a test the process is restored, however the test ended."""
    pytester.makeconftest(RESTORED)
    run_it = run_apart if "KeyboardInterrupt" in end else run
    result = run_it(pytester, IMPERSONATING + end, "-s")
    result.stdout.fnmatch_lines([f"*RESTORED {[True] * 6}".replace("[", "?").replace("]", "?")])


def test_wider_scope(pytester: pytest.Pytester) -> None:
    """A fixture of a wider scope may make a worker by itself."""
    source = """
from wove_http_dev import HttpWorker

@pytest.fixture(scope="module")
def worker():
    with HttpWorker() as worker, worker.configured():
        yield worker

@pytest.mark.parametrize("n", range(2))
def test_it(worker, n):
    assert weave_one() == 42
    assert len(worker.runs) == n + 1
"""
    run(pytester, source).assert_outcomes(passed=2)


def test_ca_files_are_deleted(pytester: pytest.Pytester, tmp_path: Path) -> None:
    """A session leaves no files of its CA."""
    note = tmp_path / "note"
    source = f"""
from pathlib import Path

def test_it(wove_http_ca):
    Path({str(note)!r}).write_text(wove_http_ca.bundle_file)
"""
    run(pytester, source)
    assert not Path(note.read_text()).exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "@pytest.mark.wove_http_faults('hang')\ndef test_it(): pass",
            "*must use wove_http_worker*",
        ),
        (FAULTED.format(words="3"), "*test_it (line [0-9]*): wove_http_faults: *not 3*"),
        (
            FAULTED.format(words="fault='auth'"),
            "*wove_http_faults: it takes no keywords but *",
        ),
        ("def test_it(wove_http_fault): pass", "*wove_http_fault needs the marker*"),
        (
            "@pytest.mark.wove_http(secure=True)\n" + PASSING.strip(),
            "*the marker wove_http: unknown option 'secure'; *",
        ),
        (
            "@pytest.fixture(scope='session')\ndef wove_http_options(): pass\n" + PASSING,
            "*wove_http_options: it must return a dict of options, not None*",
        ),
    ],
)
def test_a_mistake_is_one_error(pytester: pytest.Pytester, source: str, message: str) -> None:
    """A mistake is one short error that names it once, without the plugin's traceback."""
    result = run(pytester, source)
    assert result.parseoutcomes().keys() & {"error", "errors"}
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*pytest_plugin*.py:*: *Error")
    result.stdout.no_fnmatch_line("*During handling*")


def test_faults_for_a_worker_of_ones_own(pytester: pytest.Pytester) -> None:
    """A test can get the fault and inject it into a worker that it made."""
    source = """
@pytest.mark.wove_http_faults("reject-auth")
def test_it(wove_http_worker_factory, wove_http_fault):
    worker = wove_http_worker_factory()
    worker.inject(wove_http_fault)
    with pytest.raises(Exception, match="401"):
        weave_one()
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_factory_takes_what_the_class_takes(pytester: pytest.Pytester) -> None:
    """The factory accepts label= and seed=, as HttpWorker() does."""
    source = """
def test_it(wove_http_worker_factory):
    worker = wove_http_worker_factory(seed=7, label="mine")
    worker.inject("extra-heartbeats", probability=0.5)
    assert "--wove-http-seed=7" in worker.report()
    weave_one()
"""
    run(pytester, source).assert_outcomes(passed=1)


@pytest.mark.wove_http(tls=False)
def test_marker_sets_the_factorys_defaults(wove_http_worker_factory: WorkerFactory) -> None:
    """The marker's options are the defaults of the factory's workers."""
    assert wove_http_worker_factory().url.startswith("http://")


# Traps of Wove's


FORKED = """
def test_it(wove_http_worker, monkeypatch):
    import os, types, wove.context
    monkeypatch.setattr(
        wove.context, "subprocess", types.SimpleNamespace(Popen=lambda words: os.remove(words[-1]))
    )
    for _ in range(2):
        with weave(fork=True, background=True) as w:
            @w.do(environment="workers")
            def render(): ...
"""

SLOW = """
def test_it(wove_http_worker):
    with weave() as w:
        @w.do(environment="workers", delivery_heartbeat_seconds=60)
        def render(): ...
    wove_http_worker.runs.last.finished += 61  # as if the task had taken that long
"""

REPEATED = """
def test_it(wove_http_worker):
    wove_http_worker.inject("lost-response", times=1)
    with weave() as w:
        @w.do(environment="workers", retries=1, delivery_idempotency_key="report-7")
        def render(): ...
    assert w.result.render is None
"""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (FORKED, "*WoveTrapWarning: a weave with fork=True has the task 'render'*"),
        (SLOW, "*WoveTrapWarning: the task 'render' took longer than its *=60,*"),
        (REPEATED, "*WoveTrapWarning: the task 'render' ran 2 times for *'report-7'*"),
    ],
    ids=["fork", "heartbeat", "idempotency-key"],
)
def test_trap(pytester: pytest.Pytester, source: str, words: str) -> None:
    """A trap of Wove's is one warning, with the test's own file."""
    result = run(pytester, source, "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*test_trap.py:*", words])


def test_trap_as_an_error(pytester: pytest.Pytester) -> None:
    """A project that makes warnings errors sees it at the teardown, without a traceback."""
    result = run(pytester, REPEATED, "-W", "error::wove_http_dev.WoveTrapWarning")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines_random(["the task 'render' ran 2 times for .*"])


# What was of no use


UNUSED = """
import asyncio

def test_it(wove_http_worker):
    {use}
    with weave() as w:
        @w.do(environment="workers")
        def convert(): ...
        @w.do(environment="workers")
        def store(): ...
"""


@pytest.mark.parametrize(
    ("use", "line"),
    [
        (
            'wove_http_worker.hold("covnert")',
            "no run matched hold('covnert') at test_unused.py:6; tasks seen: *;"
            " did you mean 'convert'[?]",
        ),
        (
            'wove_http_worker.stub("covnert", result=1)',
            "no run matched stub('covnert') at test_unused.py:6; tasks seen: *;"
            " did you mean 'convert'[?]",
        ),
        (
            'wove_http_worker.inject("hang", task="covnert")',
            "inject('hang', task='covnert') at test_unused.py:6 never fired; tasks seen: *;"
            " did you mean 'convert'[?]",
        ),
        (
            'wove_http_worker.hold("convert", release_when=1).arrived()',
            "hold('convert').arrived() at test_unused.py:6 was never awaited, so nothing waited for"
            " a run: await it",
        ),
    ],
    ids=["hold", "stub", "inject", "arrived"],
)
def test_unused(pytester: pytest.Pytester, use: str, line: str) -> None:
    """A test that passed although a line of it did nothing fails at its teardown: which line, and
    what was meant; then the report, and how to opt out."""
    result = run(pytester, UNUSED.format(use=use), "-W", "default")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_it*",
            "strict mode:",
            f"- {line}",
            "<HttpWorker 'workers' https://*>",
            "journal: 2 exchange(s)",
            "  #1 run_task * -> 200 task_started+task_result * ms",
            "  #2 run_task * -> 200 task_started+task_result * ms",
            "(to opt out: strict=False as an option*)",
        ],
        consecutive=False,
    )


def paragraph(result: pytest.RunResult, heading: str) -> list[str]:
    """The lines below ``heading``, up to the next heading."""
    lines = result.outlines
    start = next(number for number, line in enumerate(lines) if heading in line) + 1
    return [line for line in lines[start : start + 20] if line]


def test_a_port_in_use(pytester: pytest.Pytester, worker: HttpWorker) -> None:
    """A port in use is one line with the place of the test."""
    source = f"""
@pytest.mark.wove_http(port={worker.port})
def test_it(wove_http_worker):
    pass
"""
    shown = paragraph(run(pytester, source), "ERROR at setup of test_it")
    assert shown[0].startswith(f"test_it (line 3): wove_http_worker: port {worker.port} ")
    assert shown[1].startswith("====")


def test_wrong_option_of_the_factory(pytester: pytest.Pytester) -> None:
    """A wrong option of ``factory()`` shows the line of the test, and no line of this package."""
    source = """
def test_it(wove_http_worker_factory):
    wove_http_worker_factory(timout=1)
"""
    shown = paragraph(run(pytester, source, "--tb=short"), "_ test_it _")
    assert shown[:3] == [
        "test_wrong_option_of_the_factory.py:4: in test_it",
        "    wove_http_worker_factory(timout=1)",
        "E   wove_http_dev.errors.UsageError: unknown option 'timout'; did you mean 'timeout'?",
    ]
