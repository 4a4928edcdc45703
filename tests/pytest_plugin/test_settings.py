"""Command line options of the plugin, and ini options with the same meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pytest_plugin.helpers import INI, PASSING, run
from wove_http_dev.worker import HttpWorker

SEED = """
@pytest.mark.wove_http(faults=["status probability=0.5"], strict=False)
def test_it(wove_http_worker):
    assert wove_http_worker.report().endswith("--wove-http-seed={}")
"""


@pytest.fixture
def ini(pytester: pytest.Pytester, worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> str:
    """An ini file, in use, that leads to ``worker``; its ``ca.pem`` is beside the ini file."""
    pytester.path.joinpath("ca.pem").write_bytes(Path(worker.ca_file).read_bytes())
    monkeypatch.setenv("THE_SECRET", worker.secret)
    text = (
        f"{INI}wove_http_url = {worker.url}\n"
        "wove_http_secret_env = THE_SECRET\nwove_http_ca_file = ca.pem\n"
    )
    pytester.makeini(text)
    return text


def test_service_of_the_ini_file(pytester: pytest.Pytester, ini: str, worker: HttpWorker) -> None:
    """The ini options name the service, its CA beside the ini file, and the variable of its
    secret."""
    run(pytester, PASSING).assert_outcomes(passed=1)
    worker.assert_ran("answer", times=1)


def test_the_header_names_the_service(
    pytester: pytest.Pytester, ini: str, worker: HttpWorker
) -> None:
    """The first lines of the session say which service the tests use."""
    line = f"wove-http: the worker service at {worker.url} (--wove-http-url)"
    assert line in run(pytester, PASSING).outlines


def test_no_header_without_a_service(pytester: pytest.Pytester) -> None:
    """Without ``--wove-http-url`` the session's first lines have nothing about this plugin."""
    assert "wove-http:" not in run(pytester, PASSING).stdout.str()


def test_the_header_shows_no_secret(pytester: pytest.Pytester) -> None:
    """A query of the URL, which may be a credential, is not shown."""
    result = run(pytester, PASSING, "--wove-http-url=http://localhost:1/?token=hunter2")
    assert (
        "wove-http: the worker service at http://localhost:1/ (--wove-http-url)" in result.outlines
    )
    assert "hunter2" not in result.stdout.str()


def test_a_flag_for_credentials_replaces_those_of_the_ini_file(
    pytester: pytest.Pytester, ini: str, worker: HttpWorker
) -> None:
    """``--wove-http-secret-file`` is used in place of the ini option ``wove_http_secret_env``."""
    pytester.makeini(ini.replace("THE_SECRET", "NOT_SET"))
    pytester.path.joinpath("kept").write_text(worker.secret)
    run(pytester, PASSING, "--wove-http-secret-file=kept").assert_outcomes(passed=1)


def test_credentials_of_the_ini_file_without_a_url(pytester: pytest.Pytester) -> None:
    """An ini file may name the secret of a service that only some sessions use."""
    pytester.makeini(f"{INI}wove_http_secret_env = NOT_SET\n")
    run(pytester, PASSING).assert_outcomes(passed=1)


def test_seed_of_the_ini_file(pytester: pytest.Pytester) -> None:
    """The ini option gives the seed of random faults."""
    pytester.makeini(f"{INI}wove_http_seed = 7\n")
    run(pytester, SEED.format(7)).assert_outcomes(passed=1)


def test_a_flag_replaces_the_ini_option(pytester: pytest.Pytester) -> None:
    """A flag counts before the ini option of the same name, also with the default's value."""
    pytester.makeini(f"{INI}wove_http_seed = 7\n")
    run(pytester, SEED.format(0), "--wove-http-seed=0").assert_outcomes(passed=1)


def test_a_seed_that_is_no_number(pytester: pytest.Pytester) -> None:
    """A wrong seed in the ini file is one line."""
    pytester.makeini(f"{INI}wove_http_seed = x\n")
    result = run(pytester, PASSING)
    assert "ERROR: ini option wove_http_seed takes a whole number, not 'x'" in result.errlines


def test_no_ini_option_holds_a_secret(pytester: pytest.Pytester) -> None:
    """A secret itself cannot be in an ini file."""
    pytester.makeini(f"{INI}wove_http_secret = hunter2\n")
    result = run(pytester, PASSING, "--strict-config")
    result.stderr.fnmatch_lines(["*Unknown config option: wove_http_secret*"])
