"""The plugin's hooks: command line options, markers, one test per fault, and the report section."""

from __future__ import annotations

from typing import Any

import pytest

from wove_http_dev.pytest_plugin.stash import PASSED, WORKERS

SIDE_LIMIT = 300
"""Characters that are shown of each side of a comparison with a secret."""
REMOTE_OPTIONS = (
    "--wove-http-url",
    "--wove-http-secret-env",
    "--wove-http-secret-file",
    "--wove-http-bearer-env",
    "--wove-http-bearer-file",
    "--wove-http-ca-file",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--wove-http-…`` options."""
    group = parser.getgroup("wove-http", "Wove http/https worker")
    group.addoption(
        "--wove-http-url",
        metavar="URL",
        help="run the tests against the worker service at URL instead of starting workers",
    )
    for kind, what in (("secret", "signing secret"), ("bearer", "bearer token")):
        group.addoption(
            f"--wove-http-{kind}-env",
            metavar="NAME",
            help=f"environment variable that holds that service's {what}",
        )
        group.addoption(
            f"--wove-http-{kind}-file",
            metavar="FILE",
            help=f"file that holds nothing but that service's {what}",
        )
    group.addoption(
        "--wove-http-ca-file", metavar="FILE", help="CA certificate of that service, PEM"
    )
    group.addoption(
        "--wove-http-seed",
        metavar="N",
        type=int,
        default=0,
        help="seed of the random decisions of faults with probability= (default: 0)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; raise :class:`pytest.UsageError` for options that cannot be used."""
    config.addinivalue_line(
        "markers",
        "wove_http(**options): options of the wove_http_worker of this test (see the README)",
    )
    config.addinivalue_line(
        "markers",
        'wove_http_faults("all" | names or families): run the test once per fault, which is in'
        " force on its wove_http_worker",
    )
    if any(map(config.getoption, REMOTE_OPTIONS)):
        from wove_http_dev.pytest_plugin.remote import check_remote

        check_remote(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked ``wove_http_faults`` once per fault."""
    markers = list(metafunc.definition.iter_markers("wove_http_faults"))
    if not markers:
        return
    from wove_http_dev.errors import UsageError
    from wove_http_dev.faults.text import expand_marker_words

    try:
        if any(marker.kwargs for marker in markers):
            raise UsageError('it takes no keywords; say "all", names, or families')
        if not {"wove_http_worker", "wove_http_fault"} & set(metafunc.fixturenames):
            raise UsageError("the test must use wove_http_worker, where the fault is injected")
        faults = expand_marker_words(marker.args for marker in markers)
    except UsageError as exc:
        _, line, name = metafunc.definition.location  # pytest itself names the file only
        place = name if line is None else f"{name} (line {line + 1})"
        message = f"{place}: wove_http_faults: {exc}"
        raise pytest.Collector.CollectError(message) from None
    if "wove_http_fault" not in metafunc.fixturenames:
        metafunc.fixturenames.append("wove_http_fault")
    metafunc.parametrize("wove_http_fault", faults, ids=map(str, faults))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Import what a test with a worker needs before its fixtures are set up, and keep the worker's
    files real under pyfakefs."""
    if any(name.startswith("wove_http_") for name in getattr(item, "fixturenames", ())):
        from wove_http_dev.pytest_plugin.fake_files import keep_files_real

        keep_files_real()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Store whether the test's body passed, for the fixtures; add each worker's report to a
    failure."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.when == "call":
        item.stash[PASSED] = report.passed
    if report.failed and call.excinfo is not None:
        from wove_http_dev.printable import printable

        message = _message_of(call.excinfo.value)
        for worker in item.stash.get(WORKERS, []):
            if repr(worker) in message:  # strict mode and waits that timed out show the report
                continue
            # pytest-xdist cannot send a lone surrogate and ends the whole session at one.
            section = printable(worker.report(), keep="\n")
            report.sections.append(("wove http worker", section))


def _message_of(exc: BaseException) -> str:
    from wove_http_dev.errors import StrictnessError, WaitTimeoutError

    ours = (StrictnessError, WaitTimeoutError, pytest.fail.Exception)  # a user's __str__ may raise
    return str(exc) if isinstance(exc, ours) else ""


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain a failed comparison with a secret, or with a dataclass that has one, without showing
    it: pytest itself compares texts character by character, whatever their ``repr`` is."""
    from wove_http_dev.secret import secrets_in

    secrets = [*secrets_in(left), *secrets_in(right)]
    if not secrets:
        return None
    return [f"{_shown(left, secrets)} {op} {_shown(right, secrets)}"]


def _shown(side: object, secrets: list[str]) -> str:
    from wove_http_dev.secret import replace_secrets

    try:
        text = replace_secrets(repr(side), secrets)
    except Exception:  # a user's own __repr__
        text = object.__repr__(side)
    return text if len(text) <= SIDE_LIMIT else text[:SIDE_LIMIT] + "…"
