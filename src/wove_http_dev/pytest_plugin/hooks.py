"""The plugin's hooks: command line options, markers, one test per fault, and the report section."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from wove_http_dev.pytest_plugin.settings import (
    FAULTS,
    FAULTS_STRICT,
    LISTS,
    REMOTE_OPTIONS,
    add_options,
    is_remote,
    seed,
    values,
)
from wove_http_dev.pytest_plugin.stash import PASSED, WORKERS, is_faulted

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide

MARKERS = {
    "wove_http": (
        "wove_http(**options): options of the wove_http_worker of this test, and of the workers of"
        " wove_http_worker_factory (see the README)"
    ),
    "wove_http_faults": (
        'wove_http_faults("all", names, families or faults, exclude=[...]): run the test once per'
        " fault, which is in force on its wove_http_worker"
    ),
}
"""The plugin's markers, each with the line that ``pytest --markers`` shows."""
ADDED_FIXTURES = "wove_http_dev.pytest_plugin.added_fixtures"
"""The module of the fixtures that a test does not request itself."""
_CONFIGURING = ("wove_http_worker", "wove_http_session_worker")
"""The fixtures that point Wove's environment at a worker."""
REMOTE = "wove_http_dev.pytest_plugin.remote"
SIDE_LIMIT = 300
"""Characters that are shown of each side of a comparison with a secret."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--wove-http-…`` options and their ini options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; raise :class:`pytest.UsageError` for options that cannot be used."""
    for line in MARKERS.values():
        config.addinivalue_line("markers", line)
    seed(config)  # raises if it is no number
    if any(config.getoption(flag) for flag in REMOTE_OPTIONS) or is_remote(config):
        from wove_http_dev.pytest_plugin.remote import check_remote

        check_remote(config)
        _register(config.pluginmanager, REMOTE)  # for its line of the header
    if any(config.getoption(flag) for flag in (*LISTS, FAULTS_STRICT)) or values(config, FAULTS):
        from wove_http_dev.pytest_plugin.fault_matrix import install

        install(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked ``wove_http_faults`` once per fault."""
    if metafunc.definition.get_closest_marker("wove_http_faults") is not None:
        from wove_http_dev.pytest_plugin.markers import run_once_per_fault

        run_once_per_fault(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse markers that are misspelt or have no effect. Import what a test with a worker needs
    before its fixtures are set up, and keep the worker's files real under pyfakefs. Add the
    plugin's own fixtures that the test needs."""
    _refuse_misspelt_markers(item)
    if item.get_closest_marker("wove_http_faults") is not None:
        from wove_http_dev.pytest_plugin.markers import why_without_faults

        if (why := why_without_faults(item)) is not None:
            pytest.fail(why, pytrace=False)
    names = getattr(item, "fixturenames", None)
    if names is None:  # an item of another kind: it has no fixtures
        return
    if any(name.startswith("wove_http_") for name in names):
        from wove_http_dev.pytest_plugin.fake_files import keep_files_real

        keep_files_real()
    session = "wove_http_session_worker" in names
    first = ["_wove_http_session_test"] if session else []
    if "wove_http_adopt" in names:
        first.append("_wove_http_adopting")
    markers = item.iter_markers() if session else item.own_markers
    marked = any(marker.name == "wove_http" for marker in markers)
    last = ["_wove_http_marker_check"] if marked else []
    if first or last:
        _register(item.config.pluginmanager, ADDED_FIXTURES)
        # A list of its own: the tests of a parametrized function share theirs.
        item.fixturenames = [*first, *names, *last]  # type: ignore[attr-defined]


def _register(manager: pytest.PytestPluginManager, name: str) -> None:
    """Register a module, once. A module that pytester has forgotten is imported again: it is
    still an attribute of its package, so that ``from … import`` would find the old one."""
    if not manager.has_plugin(name):
        manager.register(importlib.import_module(name), name)


def _refuse_misspelt_markers(item: pytest.Item) -> None:
    """Fail a test with a marker that is almost one of the plugin's: it could pass without the
    options, or the faults, that it asks for."""
    for marker in item.iter_markers():
        if marker.name.startswith("wove") and marker.name not in MARKERS:
            from wove_http_dev.pytest_plugin.markers import why_misspelt

            why = why_misspelt(item, marker.name, MARKERS)
            if why is not None:
                pytest.fail(why, pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Store whether the test's body passed, for the fixtures; add each worker's report to a
    failure."""
    exc = _exception_of(item, call)
    if exc is not None:
        _advise_about_scope(exc)
    sections = []
    if exc is not None and not is_faulted(item) and _concerns(item, exc):
        sections = _sections(item, exc)
        if not item.config.getoption("fulltrace", False):  # not there with -p no:terminal
            from wove_http_dev.pytest_plugin.short_traceback import shorten_traceback

            shorten_traceback(exc)
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.when == "call":
        item.stash[PASSED] = report.passed
    if report.failed:
        report.sections += [("wove http worker", section) for section in sections]


def _exception_of(item: pytest.Item, call: pytest.CallInfo[None]) -> BaseException | None:
    """Return what ended this phase of the test; ``None`` if nothing did."""
    # A unittest.TestCase keeps its exceptions from pytest, which puts the first into ``call`` only
    # after the beginning of this hook (_pytest/unittest.py, pytest_runtest_makereport).
    kept = getattr(item, "_excinfo", None) or [call.excinfo]
    return None if kept[0] is None else kept[0].value


def _concerns(item: pytest.Item, exc: BaseException) -> bool:
    """Whether a test has a worker, or its exception may be about one. (Other tests import nothing
    of the package.)"""
    ours = str(type(exc).__module__).startswith("wove_http_dev")  # a user's may be no string
    return WORKERS in item.stash or ours or type(exc) is NameError


def _sections(item: pytest.Item, exc: BaseException) -> list[str]:
    """Return what a person needs to know about a test that ``exc`` ended."""
    if isinstance(exc, pytest.skip.Exception):
        return []
    from wove_http_dev.errors import UsageError
    from wove_http_dev.explain.hints import hint
    from wove_http_dev.printable import printable
    from wove_http_dev.pytest_plugin.markers import place

    workers = item.stash.get(WORKERS, [])
    if isinstance(exc, UsageError):  # its message says all, whatever the worker saw
        return []
    names = getattr(item, "fixturenames", ())
    requested = next((name for name in _CONFIGURING if name in names), "")
    advice = hint(exc, workers, requested, replaced=_is_replaced(item, requested))
    if not workers:
        return [advice] if advice else []
    message = _message_of(exc)
    if message.startswith(f"{place(item)}: "):  # a mistake with a marker: its message says all
        return []
    # Strict mode and waits that timed out show the report in their message.
    unseen = [worker for worker in workers if repr(worker) not in message]
    # pytest-xdist cannot send a lone surrogate and ends the whole session at one.
    return [printable(_report(worker, advice), keep="\n") for worker in unseen]


def _is_replaced(item: pytest.Item, fixture: str) -> bool:
    """Whether the test gets a fixture of the project's own in place of this plugin's."""
    used = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(
        not str(getattr(each.func, "__module__", "")).startswith("wove_http_dev.")
        for each in used.get(fixture, ())[-1:]
    )


def _report(worker: ClientSide, advice: str) -> str:
    try:
        return worker.report(advice)
    except Exception as exc:  # the test may have replaced what it needs; pytest would end here
        from wove_http_dev.exception_text import message_of

        return f"{worker!r}\nits report failed: {type(exc).__name__}: {message_of(exc)}"


def _advise_about_scope(exc: BaseException) -> None:
    """Add to pytest's ScopeMismatch what to use for a worker in a fixture of a wider scope."""
    if not isinstance(exc, pytest.fail.Exception):
        return
    text = exc.msg or ""
    per_test = "wove_http_worker", "wove_http_worker_factory"
    if not text.startswith("ScopeMismatch: ") or not any(
        f"function scoped fixture {name} " in text for name in per_test
    ):
        return
    if "wove_http_session_worker" not in text:  # one exception may be raised for many tests
        exc.msg = (
            f"{text}\n{per_test[0]} is a worker for one test. In a fixture of a wider scope use"
            " wove_http_session_worker: one worker for the session, which is reset after each test."
        )


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
    from wove_http_dev.cut_text import cut_end
    from wove_http_dev.secret import replace_secrets

    try:
        text = replace_secrets(repr(side), secrets)
    except Exception:  # a user's own __repr__
        text = object.__repr__(side)
    return cut_end(text, SIDE_LIMIT)
