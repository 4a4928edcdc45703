"""Runs a test with a fault, as the plugin does, and returns the verdict; without pytest."""

from __future__ import annotations

import importlib.metadata
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Injection
from wove_http_dev.faults.text import parse_fault
from wove_http_dev.survival.observation import Observation, Observer
from wove_http_dev.survival.verdicts import Cell, judge
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

LONG = {"timeout": 30.0, "delivery_timeout": 60.0}
SHORT = {"timeout": 0.05, "delivery_timeout": 0.1}
"""For faults of which the client learns only when its own time limit ends."""
WOVE = importlib.metadata.version("wove")
Check = Callable[[], object]


def parsed(text: str) -> Fault:
    """The fault that ``text`` describes."""
    return parse_fault(text)[0]


def options_of(fault: Fault) -> dict[str, Any]:
    """Options of a worker on which the fault can act and is noticed soon."""
    return {**(SHORT if fault.stalls else LONG), **type(fault).worker_options()}


class Tried:
    """One run of ``test``: its observation, and the error that ended it."""

    def __init__(
        self,
        ca: CertificateAuthority,
        test: Check,
        *,
        fault: Fault | None = None,
        clean: Observation | None = None,
        watchdog: Callable[[HttpWorker], object] | None = None,
        **options: Any,
    ) -> None:
        self.error: BaseException | None = None
        self.injection: Injection | None = None
        with Observer(clean, function=test) as observer, ExitStack() as stack:
            worker = stack.enter_context(HttpWorker(ca=ca, **{**LONG, **options}))
            stack.enter_context(worker.configured())
            observer.watch(worker)
            if fault is not None:
                self.injection = worker.inject(fault)
            if watchdog is not None:
                self._start_watchdog(observer, worker, watchdog, stack)
            try:
                test()
            except BaseException as exc:
                self.error = exc
            if self.injection is not None:
                self.injection.remove()
            observer.settle()
        self.observation = observer.observation

    def _start_watchdog(
        self,
        observer: Observer,
        worker: HttpWorker,
        stuck: Callable[[HttpWorker], object],
        stack: ExitStack,
    ) -> None:
        injection = self.injection
        assert injection is not None

        def watch() -> None:
            stuck(worker)
            observer.watchdog_fired()
            injection.remove()

        thread = threading.Thread(target=watch)
        thread.start()
        stack.callback(thread.join)


def cell_of(
    ca: CertificateAuthority, test: Check, text: str, clean: Observation | None = None, **words: Any
) -> Cell:
    """The verdict on ``test`` with the fault ``text``, after a clean run of it."""
    fault = parsed(text)
    if clean is None:
        first = Tried(ca, test, **type(fault).worker_options())
        assert first.error is None
        clean = first.observation
    run = Tried(ca, test, fault=fault, clean=clean, **{**options_of(fault), **words})
    return judge(fault, run.observation, clean, run.error, WOVE)
