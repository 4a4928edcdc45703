"""``--wove-http-faults``: runs each test that uses a worker once more per fault, and reports which
faults the application survives. The plugin imports this module only if that option is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.text import expand_marker_words, without
from wove_http_dev.pytest_plugin.settings import (
    FAULTS,
    FAULTS_EXCLUDE,
    FAULTS_REPORT,
    FAULTS_STRICT,
    LISTS,
    ini_name,
    is_remote,
    seed,
    values,
)
from wove_http_dev.pytest_plugin.trial import Chosen
from wove_http_dev.pytest_plugin.trials import Trials
from wove_http_dev.survival.matrix import Matrix, counts
from wove_http_dev.survival.report_file import report_path, write_report
from wove_http_dev.survival.summary import LETTERS
from wove_http_dev.survival.terminal import COLOURS, terminal_lines
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Cell

NAME = "wove_http_fault_matrix"
"""The name under which pytest has the plugin."""
WHEN = "wove-http-fault"
"""``when`` of the report of a verdict, beside pytest's own setup, call and teardown."""


def install(config: pytest.Config) -> None:
    """Register the plugin for the option's faults. Raises :class:`pytest.UsageError` for options
    that cannot be used."""
    words = values(config, FAULTS)
    if not words:
        given = next(flag for flag in (*LISTS, FAULTS_STRICT) if config.getoption(flag))
        if given == FAULTS:
            raise pytest.UsageError(f"{FAULTS} has no value; say what to try, as {FAULTS}=all")
        raise pytest.UsageError(f"{given} is used only with {FAULTS}, as {FAULTS}=all")
    if is_remote(config):
        raise pytest.UsageError(
            f"{FAULTS} needs workers that the tests start, not a service that is already running"
            " (--wove-http-url, --wove-http-control)"
        )
    try:
        chosen = _chosen(words, values(config, FAULTS_EXCLUDE))
        reports = [report_path(text, FAULTS_REPORT) for text in values(config, FAULTS_REPORT)]
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from None
    config.pluginmanager.register(FaultMatrix(config, chosen, reports), NAME)


def _chosen(words: list[str], excluded: list[str]) -> list[Chosen]:
    with _named_in_errors(FAULTS):
        faults = expand_marker_words(words)
    with _named_in_errors(FAULTS_EXCLUDE):
        kept = without(faults, excluded)
    if not kept:
        raise UsageError(f"{FAULTS_EXCLUDE} leaves no fault: exclude fewer")
    with _named_in_errors(FAULTS):
        return [Chosen.of(text) for text in dict.fromkeys(map(str, kept))]


@contextmanager
def _named_in_errors(flag: str) -> Iterator[None]:
    """Put ``flag`` before the message of a :class:`UsageError` of the block."""
    try:
        yield
    except UsageError as exc:
        raise UsageError(f"{flag}: {exc}") from None


class FaultMatrix:
    """The plugin of one session, or of one worker of pytest-xdist, which tries its tests and sends
    the verdicts to the controller as reports."""

    def __init__(self, config: pytest.Config, chosen: list[Chosen], reports: list[Path]) -> None:
        self._strict = bool(
            config.getoption(FAULTS_STRICT) or config.getini(ini_name(FAULTS_STRICT))
        )
        self._reports = reports
        self._collects = not hasattr(config, "workerinput")
        self._trials = Trials(chosen)
        self._inactive = any(
            config.getoption(option, False) for option in ("setuponly", "setupshow", "setupplan")
        )
        self._config = config
        # An ini option is there for each run, also of tests that have nothing to do with a worker.
        self._asked = bool(config.getoption(FAULTS)) and not (
            self._inactive or config.getoption("collectonly")
        )
        self._problems: list[str] = []
        self._written: list[Path] = []
        self.matrix = Matrix([each.text for each in chosen], seed=seed(config))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Run a test as pytest does, and then with each fault."""
        if self._inactive:
            return None
        if item.get_closest_marker("wove_http_faults") is not None:
            _send(item, not_tried="has faults of its own (marker wove_http_faults)")
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self._trials.run(item, nextitem, lambda **words: _send(item, **words))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Free what the last run with a fault left."""
        self._trials.collect_garbage()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a verdict to the matrix. The report of a part of a test (pytest's subtests) in a run
        with a fault is not shown: that run has a verdict."""
        if report.when != WHEN:
            if self._trials.faulted:
                report.outcome = "passed"
                report.wove_http_hidden = True  # type: ignore[attr-defined]
            return
        if not self._collects:
            return
        content: dict[str, Any] = report.wove_http
        if "not_tried" in content:
            self.matrix.skip_test(report.nodeid, content["not_tried"])
            return
        cell = Cell(**content["cell"])
        self.matrix.add(report.nodeid, content["fault"], cell)
        if cell.verdict in self._failing:
            self._run_again(report.nodeid)

    @property
    def _failing(self) -> tuple[str, ...]:
        return (*FAILING, "handled") if self._strict else FAILING

    def _run_again(self, nodeid: str) -> None:
        """Make ``--lf`` and ``--ff`` treat the test as failed."""
        plugin = self._config.pluginmanager.get_plugin("lfplugin")
        if plugin is not None and isinstance(getattr(plugin, "lastfailed", None), dict):
            plugin.lastfailed[nodeid] = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> Any:
        """Show a verdict as a letter, or with ``-v`` as a line."""
        if getattr(report, "wove_http_hidden", False):
            return "", "", ""
        content = getattr(report, "wove_http", None)
        if content is None:
            return None
        if "cell" not in content:
            return "", "", ""
        verdict = content["cell"]["verdict"]
        colour = "red" if verdict in self._failing else COLOURS.get(verdict, "yellow")
        category = "" if verdict == "skipped" else SHOWN[verdict]
        return category, LETTERS[verdict], (f"{content['fault']}: {SHOWN[verdict]}", {colour: True})

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the reports; fail a session that has failing verdicts and no other failure."""
        if not self._collects:
            return
        for path in self._reports:
            self._write(path)
        passed = exitstatus == pytest.ExitCode.OK
        if passed and (self.matrix.exit_failing(strict=self._strict) or self._problems):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the matrix."""
        if not self._collects or not (self._asked or self.matrix.tests or self._problems):
            return
        writer = terminalreporter._tw
        terminalreporter.section("wove http faults")
        encoding = getattr(getattr(writer, "_file", None), "encoding", None) or "utf-8"
        width = terminalreporter.config.get_terminal_writer().fullwidth
        for line in terminal_lines(self.matrix, width, paint=writer.markup, encoding=encoding):
            terminalreporter.write_line(line)
        handled = counts(self.matrix.entries())["handled"]
        if self._strict and handled:
            terminalreporter.write_line(
                f"{handled} handled: failures, by {FAULTS_STRICT}; the reports say how each ended",
                red=True,
            )
        for problem in self._problems:
            terminalreporter.write_line(problem, red=True)
        for path in self._written:
            terminalreporter.write_line(f"report: {path}")

    def _write(self, path: Path) -> None:
        """Write a report, or note what went wrong."""
        try:
            write_report(self.matrix, path)
        except UsageError as exc:
            self._problems.append(f"{FAULTS_REPORT}: {exc}")
        else:
            self._written.append(path)


def _send(item: pytest.Item, **content: Any) -> None:
    """Report a verdict, or why there is none, as the report of a test: of all that a worker of
    pytest-xdist can send, this alone arrives at once. The nodeid is the test's own."""
    cell = content.get("cell")
    if isinstance(cell, Cell):
        content["cell"] = {name: _sendable(value) for name, value in asdict(cell).items()}
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="passed",
        longrepr=None,
        when=WHEN,  # type: ignore[arg-type]
        wove_http=content,
    )
    item.ihook.pytest_runtest_logreport(report=report)


def _sendable(value: Any) -> Any:
    """Return text without lone surrogates, at which pytest-xdist ends the session."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
