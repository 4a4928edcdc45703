"""Tests against a service that another process runs (``--wove-http-url``)."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import FAULTED, PASSING, REFUSED, run, run_apart
from tests.support import MakeWorker
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def remote(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pytest options that lead to ``worker``, a service in this process."""
    monkeypatch.setenv("THE_SECRET", worker.secret)
    return [
        f"--wove-http-url={worker.url}",
        "--wove-http-secret-env=THE_SECRET",
        f"--wove-http-ca-file={worker.ca_file}",
    ]


def test_remote(pytester: pytest.Pytester, remote: list[str], worker: HttpWorker) -> None:
    """A test that passes with a local worker passes against the service at a URL, which receives
    its runs."""
    run_apart(pytester, PASSING, *remote).assert_outcomes(passed=1)
    assert [run.task_id for run in worker.runs] == ["answer"]


def test_remote_bearer(
    pytester: pytest.Pytester, make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bearer token is taken from the variable that the option names."""
    worker = make_worker(tls=False, security="bearer")
    monkeypatch.setenv("THE_TOKEN", worker.secret)
    arguments = [f"--wove-http-url={worker.url}", "--wove-http-bearer-env=THE_TOKEN"]
    run(pytester, PASSING, *arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize(("kind", "security"), [("secret", "signed"), ("bearer", "bearer")])
def test_remote_secret_file(
    pytester: pytest.Pytester, make_worker: MakeWorker, kind: str, security: str
) -> None:
    """A secret, or a bearer token, is taken from the file that the option names."""
    worker = make_worker(tls=False, security=security)
    (pytester.path / "kept").write_text(worker.secret)
    arguments = [f"--wove-http-url={worker.url}", f"--wove-http-{kind}-file=kept"]
    run(pytester, PASSING, *arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("use", "member"),
    [
        ("wove_http_worker.inject('reject-auth')", "inject"),
        ("wove_http_worker.stub('answer', result=1)", "stub"),
        ("wove_http_worker.hold()", "hold"),
        ("wove_http_worker.wait_for('answer')", "wait_for"),
        ("wove_http_worker.runs", "runs"),
        ("wove_http_worker.exchanges", "exchanges"),
        ("wove_http_worker.reset()", "reset"),
    ],
)
def test_remote_member_skips(
    pytester: pytest.Pytester, remote: list[str], use: str, member: str
) -> None:
    """A member that only a local worker has skips the test with the reason."""
    source = f"def test_it(wove_http_worker):\n    {use}\n"
    result = run(pytester, source, "-rs", *remote)
    result.stdout.fnmatch_lines([f"SKIPPED*worker.{member} needs a worker of this process*"])


@pytest.mark.parametrize(
    "member",
    ["url", "port", "ca_file", "secret", "environment", "environment_definition", "client_env"],
)
def test_remote_member_works(pytester: pytest.Pytester, remote: list[str], member: str) -> None:
    """The members that a client needs work for a remote worker."""
    source = f"def test_it(wove_http_worker):\n    assert wove_http_worker.{member}\n"
    run(pytester, source, *remote).assert_outcomes(passed=1)


def test_remote_is_not_strict(pytester: pytest.Pytester, remote: list[str]) -> None:
    """Refusals by the remote service do not fail a test."""
    run(pytester, REFUSED, *remote).assert_outcomes(passed=1)


def test_remote_faults_skip(pytester: pytest.Pytester, remote: list[str]) -> None:
    """A faults marker skips the test."""
    source = FAULTED.format(words="'reject-auth', 'empty-body'")
    run(pytester, source, *remote).assert_outcomes(skipped=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--wove-http-url=ftp://x"], "*takes an http or https URL*"),
        (
            ["--wove-http-secret-env=PATH"],
            "*--wove-http-secret-env is used only with --wove-http-url or --wove-http-control",
        ),
        (
            ["--wove-http-url=http://x", "--wove-http-secret-env=NOT_SET_ANYWHERE"],
            "*environment variable NOT_SET_ANYWHERE is not set*",
        ),
        (
            [
                "--wove-http-url=http://x",
                "--wove-http-secret-env=PATH",
                "--wove-http-bearer-env=PATH",
            ],
            "*not both*",
        ),
        (
            ["--wove-http-url=https://x", "--wove-http-ca-file=/no/such/file"],
            "ERROR: --wove-http-ca-file: cannot read /no/such/file (No such file or directory)",
        ),
        (
            ["--wove-http-url=https://x", f"--wove-http-ca-file={__file__}"],
            f"ERROR: --wove-http-ca-file {__file__} holds no certificate in PEM",
        ),
    ],
)
def test_remote_usage(pytester: pytest.Pytester, arguments: list[str], message: str) -> None:
    """Invalid options are one error before any test, which names the option."""
    result = run(pytester, PASSING, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_remote_faults_skip_by_name(pytester: pytest.Pytester, remote: list[str]) -> None:
    """The skip's reason names the fault."""
    result = run(pytester, FAULTED.format(words="'empty-body'"), "-rs", *remote)
    result.stdout.fnmatch_lines(["*the fault empty-body needs a worker of this process*"])


def test_remote_skips_other_credentials(pytester: pytest.Pytester, remote: list[str]) -> None:
    """A test about bearer tokens is skipped if the service uses signatures."""
    source = "@pytest.mark.wove_http(security='bearer')\n" + PASSING.strip()
    result = run(pytester, source, "-rs", *remote)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*security='bearer' needs a worker of this process*"])
