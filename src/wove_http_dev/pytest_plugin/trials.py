"""Runs one test without a fault and then once per fault, each time with fresh fixtures."""

from __future__ import annotations

import gc
import importlib.metadata
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from functools import partial
from typing import Any

import pytest
from _pytest.runner import call_and_report  # as pytest-rerunfailures does

from wove_http_dev.errors import StuckRunWarning
from wove_http_dev.exception_text import is_users, message_of
from wove_http_dev.pytest_plugin.stash import PASSED, RUN, WORKERS
from wove_http_dev.pytest_plugin.trial import Chosen, Clean, Trial
from wove_http_dev.pytest_plugin.watchdog import Interruption, RunStuckError
from wove_http_dev.survival.observation import Observer
from wove_http_dev.survival.verdicts import Cell, judge

AGAIN = 8
"""How much longer the time limits are when a fault that stalls is tried again, because no request
came as far as the fault in the first ones."""
Send = Callable[..., None]


class Trials:
    """Runs tests with the faults ``chosen``."""

    def __init__(self, chosen: list[Chosen]) -> None:
        self._chosen = chosen
        self._wove = importlib.metadata.version("wove")
        self.faulted = False
        """Whether a run with a fault is in progress."""
        self._last = False

    def run(self, item: pytest.Item, nextitem: pytest.Item | None, send: Send) -> None:
        """Run a test as pytest does, and then with each fault. ``send`` gets each verdict as soon
        as there is one.

        Fixtures of a wider scope than a function are kept for the runs with faults.
        """
        test = _Test(item)
        clean = self._run_clean(test)
        if not isinstance(clean, Clean):
            if clean:
                send(not_tried=clean)
            call_and_report(item, "teardown", nextitem=_next(item, nextitem))
            test.forget()
            return
        # As if another test of the same class or module followed.
        _, report = _phase(item, "teardown", (KeyboardInterrupt,), nextitem=copy(item))
        try:
            if report.failed:
                send(not_tried="fails without a fault, at teardown")
            else:
                self._try_all(test, clean, send)
        finally:
            test.forget()
            late = _tear_down_wider(item, nextitem)
            item.ihook.pytest_runtest_logreport(report=late if late.failed else report)
            if late.failed and report.failed:
                item.ihook.pytest_runtest_logreport(report=report)

    def _run_clean(self, test: _Test) -> Clean | str:
        """Run the test's setup and body; report them as pytest does. Returns what was seen, or why
        it is not tried with faults: an empty text if it uses no worker."""
        item = test.item
        observer = Observer(function=test.function, fixtures=test.fixtures)
        trial = Trial(observer)
        with test.running(trial), observer:
            reports = [call_and_report(item, "setup")]
            if reports[0].passed:
                reports.append(call_and_report(item, "call"))
            requests, was_reset = trial.requests, trial.was_reset
        if not trial.workers:
            return ""
        if any(report.failed for report in reports):
            return "fails without a fault"
        if not reports[-1].passed:
            return "is skipped, or expected to fail, without a fault"
        if was_reset:
            return "resets its worker, which removes every fault"
        if not requests:
            return "sends nothing to a worker"
        return Clean(observer.observation, reports[-1].duration, requests, trial.workers)

    def _try_all(self, test: _Test, clean: Clean, send: Send) -> None:
        # A time limit of pytest-timeout is one for a single run; here a watchdog ends each.
        cancel_timer = getattr(test.item.config.hook, "pytest_timeout_cancel_timer", None)
        if cancel_timer is not None:
            cancel_timer(item=test.item)
        with Interruption() as interruption:
            for number, chosen in enumerate(self._chosen, 1):
                self._last = number == len(self._chosen)
                reasons = [worker.why_not(chosen.fault) for worker in clean.workers]
                if None not in reasons:
                    cell = Cell("skipped", f"cannot apply: {reasons[0]}", 0.0)
                else:
                    cell = self._try(test, chosen, clean, interruption)
                send(fault=chosen.text, cell=cell)

    def _try(self, test: _Test, chosen: Chosen, clean: Clean, interruption: Interruption) -> Cell:
        """Return the verdict on the test with one fault."""
        try:
            cell, hits = self._run_faulted(test, chosen, clean, interruption)
            if chosen.fault.stalls and not hits:
                cell, _ = self._run_faulted(test, chosen, clean, interruption, longer=AGAIN)
        except pytest.exit.Exception:
            raise
        except Exception as exc:  # the other verdicts must not be lost
            what = f"{type(exc).__name__}: {message_of(exc)}"
            cell = Cell("skipped", f"could not be tried: {what}", 0.0)
        if interruption.by_user:
            raise KeyboardInterrupt
        return cell

    def _run_faulted(
        self,
        test: _Test,
        chosen: Chosen,
        clean: Clean,
        interruption: Interruption,
        *,
        longer: int = 1,
    ) -> tuple[Cell, int]:
        """Run the test with one fault. Returns the verdict and the number of requests hit."""
        item = test.item
        observer = Observer(clean.observation, function=test.function, fixtures=test.fixtures)
        trial = Trial(observer, chosen)
        error: BaseException | None = None
        with test.running(trial), self._quietly(test):
            try:
                with observer:
                    with (
                        suppress(RunStuckError),
                        trial.in_force(clean, interruption, longer=longer),
                    ):
                        error, report = _phase(item, "setup")
                        if report.passed:
                            error, _ = _phase(item, "call")
                    hits = trial.hits
                    trial.end()
            finally:
                late, _ = _phase(item, "teardown", nextitem=copy(item))
                trial.clean_up()
        error = error or late
        if isinstance(error, pytest.skip.Exception):
            return Cell("skipped", f"the test skipped itself: {error}", 0.0), hits
        verdict = judge(chosen.fault, observer.observation, clean.observation, error, self._wove)
        return verdict, hits

    @contextmanager
    def _quietly(self, test: _Test) -> Iterator[None]:
        """Keep the output and the warnings of a run with a fault out of pytest's report: what a
        fault causes is a verdict."""
        option = test.item.config.option
        style = getattr(option, "tbstyle", "auto")
        self.faulted = True
        try:
            option.tbstyle = "native"  # it is not shown, and pytest's own style takes long to make
            with warnings.catch_warnings(record=True):
                for category in _OF_FAULTS:
                    warnings.simplefilter("ignore", category)
                yield
        finally:
            option.tbstyle = style
            self.faulted = False

    def collect_garbage(self) -> None:
        """Free what faults left, after a test's last run: pytest would report it for the next
        test."""
        if self.faulted and self._last:
            gc.collect()


_OF_FAULTS: list[type[Warning]] = [
    StuckRunWarning,
    ResourceWarning,
    pytest.PytestUnraisableExceptionWarning,
    pytest.PytestUnhandledThreadExceptionWarning,
]
"""Warnings of which a fault may be the cause."""


class _Test:
    """A test that can be run again."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.function = getattr(item, "function", None)
        self.fixtures = list(_own_fixtures(item))
        self._names = getattr(item, "fixturenames", None)
        self._fresh = True

    @contextmanager
    def running(self, trial: Trial) -> Iterator[None]:
        """Make the test ready to run. A run with a fault leaves its captured output and properties
        as they were."""
        item: Any = self.item
        if not self._fresh:
            self._renew()
        self._fresh = False
        item.stash[RUN] = trial
        sections, properties = list(item._report_sections), list(item.user_properties)
        try:
            yield
        finally:
            if trial.faulted:
                item._report_sections[:], item.user_properties[:] = sections, properties

    def _renew(self) -> None:
        """Give the test fresh fixtures and, in a class, a fresh instance."""
        item: Any = self.item
        item.stash[PASSED] = False
        item.stash[WORKERS] = []
        if self._names is not None:
            item.fixturenames = self._names  # the plugin's hook puts some before and after it
        if isinstance(item.parent, pytest.Class):
            for name in ("_instance", "_obj"):
                item.__dict__.pop(name, None)
        item.__dict__.pop("_excinfo", None)  # of a unittest.TestCase
        if hasattr(item, "_initrequest"):
            item._initrequest()
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            with suppress(AttributeError):  # they keep a failed run's objects alive
                delattr(sys, name)

    def forget(self) -> None:
        """Free what the runs needed, as pytest does after a test."""
        item: Any = self.item
        del item.stash[RUN]
        if hasattr(item, "_request"):
            item._request = False
            item.funcargs = None


def _own_fixtures(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    """Yield the functions of the user's fixtures that are set up for this test alone, and so in
    each of its runs."""
    used = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    for definitions in used.values():
        for each in definitions:
            code = getattr(each.func, "__code__", None)
            if each.scope == "function" and code is not None and is_users(code.co_filename):
                yield each.func


def _phase(
    item: pytest.Item,
    when: Any,
    reraise: tuple[type[BaseException], ...] = (),
    **words: Any,
) -> tuple[BaseException | None, pytest.TestReport]:
    """Run one phase of a test without reporting it. Returns what ended it, and its report."""
    hook = getattr(item.ihook, f"pytest_runtest_{when}")
    return _called(item, when, partial(hook, item=item, **words), reraise)


def _called(
    item: pytest.Item,
    when: Any,
    function: Callable[[], object],
    reraise: tuple[type[BaseException], ...],
) -> tuple[BaseException | None, pytest.TestReport]:
    reraise = (pytest.exit.Exception, *reraise)
    call = pytest.CallInfo.from_call(function, when=when, reraise=reraise)
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    if call.excinfo is not None:
        return call.excinfo.value, report
    return (AssertionError(report.longreprtext) if report.failed else None), report


def _tear_down_wider(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.TestReport:
    """Tear down the fixtures of a wider scope that the next test does not need, which has not
    happened while the test was run again."""
    capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
    state: Any = item.session._setupstate

    def tear_down() -> None:
        with nullcontext() if capture is None else capture.item_capture("teardown", item):
            state.teardown_exact(_next(item, nextitem))

    return _called(item, "teardown", tear_down, (KeyboardInterrupt,))[1]


def _next(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.Item | None:
    """Return the test that is run next; ``None`` if the session ends before (``-x``)."""
    ends = item.session.shouldfail or item.session.shouldstop
    return None if ends else nextitem
