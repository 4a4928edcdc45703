"""A real worker service for Wove's ``http``/``https`` executor, for development and tests.

Names are imported when they are first used (PEP 562), so that the pytest plugin, which is loaded
in every run, imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wove_http_dev import strategies as strategies
    from wove_http_dev.assertions import Contained as Contained
    from wove_http_dev.assertions import assert_contained as assert_contained
    from wove_http_dev.errors import NotRunningError as NotRunningError
    from wove_http_dev.errors import PayloadDroppedError as PayloadDroppedError
    from wove_http_dev.errors import PortInUseError as PortInUseError
    from wove_http_dev.errors import RestoreWarning as RestoreWarning
    from wove_http_dev.errors import StrictnessError as StrictnessError
    from wove_http_dev.errors import StuckRunWarning as StuckRunWarning
    from wove_http_dev.errors import UsageError as UsageError
    from wove_http_dev.errors import WaitTimeoutError as WaitTimeoutError
    from wove_http_dev.errors import WoveHttpDevError as WoveHttpDevError
    from wove_http_dev.errors import WoveTrapWarning as WoveTrapWarning
    from wove_http_dev.faults import FAULTS as FAULTS
    from wove_http_dev.faults import Fault as Fault
    from wove_http_dev.faults.auth import RejectAuth as RejectAuth
    from wove_http_dev.faults.events import MissingTerminal as MissingTerminal
    from wove_http_dev.faults.injections import Injection as Injection
    from wove_http_dev.faults.run import SlowResponse as SlowResponse
    from wove_http_dev.options import Options as Options
    from wove_http_dev.orders.order import Order as Order
    from wove_http_dev.protocol.authenticator import Step as Step
    from wove_http_dev.protocol.authenticator import Verdict as Verdict
    from wove_http_dev.pytest_plugin.fixtures import WorkerFactory as WorkerFactory
    from wove_http_dev.runs.holds import Gate as Gate
    from wove_http_dev.runs.journal import Journal as Journal
    from wove_http_dev.runs.records import Exchange as Exchange
    from wove_http_dev.runs.records import Run as Run
    from wove_http_dev.runs.records import RunLog as RunLog
    from wove_http_dev.runs.stubs import Stub as Stub
    from wove_http_dev.schedule import Schedule as Schedule
    from wove_http_dev.service.limits import Limits as Limits
    from wove_http_dev.tls import CertificateAuthority as CertificateAuthority
    from wove_http_dev.worker import HttpWorker as HttpWorker
    from wove_http_dev.worker_options import WorkerOptions as WorkerOptions

    __version__: str

_MODULES = {
    "CertificateAuthority": "tls",
    "Contained": "assertions",
    "Exchange": "runs.records",
    "FAULTS": "faults",
    "Fault": "faults",
    "Gate": "runs.holds",
    "HttpWorker": "worker",
    "Injection": "faults.injections",
    "Journal": "runs.journal",
    "Limits": "service.limits",
    "MissingTerminal": "faults.events",
    "NotRunningError": "errors",
    "Options": "options",
    "Order": "orders.order",
    "PayloadDroppedError": "errors",
    "PortInUseError": "errors",
    "RejectAuth": "faults.auth",
    "RestoreWarning": "errors",
    "Run": "runs.records",
    "RunLog": "runs.records",
    "Schedule": "schedule",
    "SlowResponse": "faults.run",
    "Step": "protocol.authenticator",
    "StrictnessError": "errors",
    "Stub": "runs.stubs",
    "StuckRunWarning": "errors",
    "UsageError": "errors",
    "Verdict": "protocol.authenticator",
    "WaitTimeoutError": "errors",
    "WorkerFactory": "pytest_plugin.fixtures",
    "WorkerOptions": "worker_options",
    "WoveHttpDevError": "errors",
    "WoveTrapWarning": "errors",
    "assert_contained": "assertions",
}

__all__ = [*_MODULES, "__version__"]

if not TYPE_CHECKING:  # a checker would take any name for one of this package

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import (
                version,
            )  # a tenth of the time that a worker's import takes

            value = version("wove-http-dev")
        elif name in _MODULES:
            value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        elif name == "strategies":  # not in __all__: it needs Hypothesis
            value = importlib.import_module(f"{__name__}.strategies")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
