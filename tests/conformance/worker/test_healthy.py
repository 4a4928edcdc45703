"""Services without defects pass every case: the package's own service, in every mode and answer
shape, and the reference workers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.paces import PACES, SHORT_SILENCE
from tests.conformance.parts import JOBS, parts
from tests.conformance.worker import references
from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.defects.run import SmallBodies
from tests.conformance.worker.plain_worker import SECRET, Event, Frame, Handler, PlainWorker, Run
from tests.support import MakeWorker, free_port
from wove_http_dev.cli.main import main
from wove_http_dev.conformance.case import SKIPPED
from wove_http_dev.conformance.runner import select
from wove_http_dev.conformance.worker import context
from wove_http_dev.conformance.worker.suite import FAMILIES, WORKER_CASES
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

OF_A_FORM = ("auth", "run", "frames", "errors", "cancel", "transport.0[1389]")
"""The cases about credentials or about answers, whose forms differ."""
BEFORE_THE_BODY = ("limits.0[23]", "limits.1[1-5]")
"""The limits of requests, which a service has over plain http as well."""
OF_ANY_FORM = ("cancel.06", "cancel.07", "run.08", "run.19")
"""Those of them that take long, because of time limits or many MiB, which do not depend on it."""
ONE = "stdlib"
"""The reference worker that runs the cases whose subject is the same in all of them."""
CHECKS = [
    (ONE, "https", ("transport",)),
    (ONE, "https", ("limits",)),
    (ONE, "http", ("run", "frames", "errors", "concurrency")),
    (ONE, "http", ("auth", "cancel", "limits.06")),
    *(
        (name, scheme, families)
        for name in references.NEEDS
        if name != ONE
        for scheme, families in (
            ("https", ("transport",)),
            ("http", ("run", "frames", "errors", "concurrency")),
            ("http", ("auth", "cancel", "limits")),
        )
    ),
]
"""The checks of the reference workers, in parts, so that no test takes long. Over https: how
requests arrive, and of the worker whose TLS is code of its own also how it deals with clients that
cut connections or use them up. Over plain http, for half of the processor time: the rest."""
BY_CONNECTIONS = ("transport", "limits", "cancel", "concurrency", "run.0[78]", "run.19")
"""The cases about connections: many at once, cut off, or with large values, which the package's
service has to pass over https. The others ask what it makes of bytes that have been read, which
are the same over plain http, where they take half of the processor time."""
VERIFICATION = ("auth.24", "auth.32", "limits.06")
"""The cases about how long a verification remembers, whether it has all of a large body (the cases
``run`` send those to every server), and what it costs. All reference workers verify with
``worker_core``, so that they are run with ``ONE``, over plain http."""
OVER_TLS = select(WORKER_CASES, BY_CONNECTIONS, VERIFICATION)
ANY_SCHEME = [case for case in WORKER_CASES if case not in OVER_TLS]


def credentials(worker: HttpWorker) -> dict[str, Any]:
    """Return the credentials that a check of ``worker`` needs."""
    mode = worker.credentials.mode
    return {
        "secret": str(worker.secret) if mode == "signed" else None,
        "bearer": str(worker.secret) if mode == "bearer" else None,
        "key": worker.credentials.key,
        "ca_file": worker.ca_file if worker.options.tls else None,
    }


@pytest.mark.parametrize("ids", parts(OVER_TLS, 2), ids=lambda ids: f"{ids[0]}-and-others")
def test_the_service_of_this_package_passes(worker: HttpWorker, ids: list[str]) -> None:
    """The package's service passes with https and signed requests, including SHOULDs."""
    assert failures(check(worker.url, *ids, jobs=JOBS, **credentials(worker))) == []


@pytest.mark.parametrize("ids", parts(ANY_SCHEME, 2), ids=lambda ids: f"{ids[0]}-and-others")
def test_the_service_of_this_package_passes_over_http(
    make_worker: MakeWorker, ids: list[str]
) -> None:
    """The package's service passes all other cases with signed requests, including SHOULDs."""
    worker = make_worker(tls=False)
    assert failures(check(worker.url, *ids, jobs=JOBS, **credentials(worker))) == []


@pytest.mark.parametrize(
    ("options", "families"),
    [
        ({"security": "bearer", "response_shape": "list"}, OF_A_FORM),
        ({"security": "none", "response_shape": "frame"}, OF_A_FORM),
        ({"key": "team-a", "path": "/other%20path"}, ("auth", "transport", *BEFORE_THE_BODY)),
    ],
    ids=["bearer-list", "none-frame", "key-path"],
)
def test_the_service_of_this_package_passes_in_other_forms(
    make_worker: MakeWorker, options: dict[str, Any], families: tuple[str, ...]
) -> None:
    """The package's service passes with other credentials, answer shapes and plain http, and the
    families about its key, its path and requests with others of these."""
    worker = make_worker(tls=False, **options)
    results = check(worker.url, *families, exclude=OF_ANY_FORM, jobs=JOBS, **credentials(worker))
    assert failures(results) == []


@pytest.mark.parametrize(
    ("name", "scheme", "families"),
    CHECKS,
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_a_reference_worker_passes(
    name: str,
    scheme: str,
    families: tuple[str, ...],
    tmp_path: Path,
    wove_http_ca: CertificateAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command line starts a reference worker, checks it with --strict, and stops it."""
    for module in references.NEEDS[name]:
        pytest.importorskip(module)
    monkeypatch.setattr(context, "SILENCE", SHORT_SILENCE)
    monkeypatch.setenv("WOVE_WORKER_SECRET", "the secret of a reference worker")
    port, report = free_port(), tmp_path / "report.json"
    words = ["check", "worker", f"{scheme}://localhost:{port}/wove/tasks", "--strict"]
    words += ["--secret-env", "WOVE_WORKER_SECRET"]
    tls: tuple[object, ...] = ()
    if scheme == "https":
        cert, key = references.certificate(wove_http_ca, tmp_path)
        tls = ("--cert", cert, "--key", key)
        words += ["--ca-file", wove_http_ca.cert_file]
    words += ["--cmd", references.command(name, port, *tls)]
    for family in families:
        words += ["--run", family]
    if name != ONE or scheme == "https":
        words += [word for case in VERIFICATION for word in ("--exclude", case)]
    status = main([*words, "--json", str(report)])
    cases = json.loads(report.read_text())["cases"]
    wrong = [(c["id"], c["actual"]) for c in cases if c["status"] not in ("passed", "skipped")]
    assert (status, wrong) == (0, [])


@pytest.mark.parametrize("name", references.NEEDS)
def test_the_checks_of_a_reference_worker_have_every_family(name: str) -> None:
    """The checks of a reference worker have each family once, and ``ONE`` the rest of one."""
    checked = [family for each, _, families in CHECKS if each == name for family in families]
    rest = ["limits.06"] if name == ONE else []
    assert sorted(checked) == sorted([*(family.name for family in FAMILIES), *rest])


class HasTwoHandsForTasks(PlainWorker):
    """Runs two tasks at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = threading.Semaphore(2)

    def run(self, frame: Frame) -> list[Event]:
        with self.hands:
            return super().run(frame)


def test_a_worker_that_runs_two_tasks_at_a_time_passes_each_must() -> None:
    """Tasks may wait for their turn: only a SHOULD, ``many-at-once``, asks for more than two at
    once."""
    with HasTwoHandsForTasks() as worker:
        results = check(
            worker.url, "cancel.*", "concurrency.*", exclude=["many-at-once"], secret=SECRET
        )
    assert failures(results) == []


class RunsEightAtOnce(PlainWorker):
    """Answers 503 while eight tasks run."""

    def answer_run(self, handler: Handler, frame: Frame) -> None:
        if len(self.runs) < 8:
            super().answer_run(handler, frame)
        else:
            self.write(handler, 503, {"error": "no place is free"})


def test_a_worker_with_a_lower_limit_is_not_accused_by_a_must() -> None:
    """Values of a MiB are no MUST for a service that limits requests to less."""
    with SmallBodies() as worker:
        (result,) = check(worker.url, "run.07", secret=SECRET)
    assert result.status == SKIPPED


def test_a_worker_that_turns_runs_away_mixes_nothing_up() -> None:
    """A run that was refused with 503 does not count as mixed up."""
    with RunsEightAtOnce() as worker:
        results = check(worker.url, "never-mixed-up", secret=SECRET)
    assert failures(results) == []


class StartsTenTasks(PlainWorker):
    """Never starts more than ten tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.over = iter(range(10)), threading.Event()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        super().__exit__()

    def call(self, run: Run) -> Any:
        if next(self.left, None) is None:
            self.over.wait(60)
        return super().call(run)


def test_a_worker_that_is_too_slow_mixes_nothing_up() -> None:
    """Tasks that did not start in time are not mixed up: the case says that it could not tell. The
    ten that start are given more time until they do."""
    for pace in PACES:
        with StartsTenTasks() as worker:
            results = check(worker.url, "never-mixed-up", secret=SECRET, slowdown=pace)
        said = [result.actual for result in results if result.case.name == "never-mixed-up"]
        if re.fullmatch(r"\d+ of 40 runs were not answered in time to tell", said[0]):
            return
    pytest.fail(f"the case did not say so: {said}")


class TurnsRunsAway(PlainWorker):
    """Runs one task at a time, and answers 503 to the others."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Lock()

    def answer_run(self, handler: Handler, frame: Frame) -> None:
        if not self.free.acquire(blocking=False):
            self.write(handler, 503, {"error": "try again later"})
            return
        try:
            super().answer_run(handler, frame)
        finally:
            self.free.release()


def test_a_worker_that_turns_runs_away_is_asked_alone() -> None:
    """What fails beside other cases because the service is too busy is run again alone."""
    with TurnsRunsAway() as worker:
        globs = ["frames.0[1-7]", "run.0[1-7]"]
        results = check(worker.url, *globs, jobs=JOBS, again=True, secret=SECRET)
    assert failures(results) == []


@pytest.mark.parametrize("name", references.NEEDS)
def test_a_reference_worker_without_a_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable for the secret a reference worker ends with a line that names it."""
    monkeypatch.delenv("WOVE_WORKER_SECRET", raising=False)
    for module in references.NEEDS[name]:
        pytest.importorskip(module)
    script = str(references.EXAMPLES / f"worker_{name}.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert re.fullmatch(r".*'WOVE_WORKER_SECRET' is not set\.\n", done.stderr)


@pytest.mark.parametrize("name", [*(f"worker_{name}" for name in references.NEEDS), "worker_core"])
def test_a_reference_worker_is_short(name: str) -> None:
    """A reference worker has at most 120 lines, because people read it before they copy it."""
    text = (references.EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 120
