"""A real worker service for Wove's ``http``/``https`` executor, for development and tests.

Names are imported when they are first used (PEP 562), so that the pytest plugin, which is loaded
in every run, imports nothing heavy. Type checkers read ``__init__.pyi``: imports for them alone, in
this file, would still be loaded in each of these runs.
"""

from __future__ import annotations

import importlib
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Here: it takes a tenth of the time of a worker's import.
        from importlib.metadata import version

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
