"""A real worker service for Wove's ``http``/``https`` executor, for development and tests.

Names load when they are first asked for (PEP 562), so that the pytest plugin, loaded in every run,
imports nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wove_http_dev.assertions import assert_contained as assert_contained
    from wove_http_dev.errors import NotRunningError as NotRunningError
    from wove_http_dev.errors import PayloadDroppedError as PayloadDroppedError
    from wove_http_dev.errors import PortInUseError as PortInUseError
    from wove_http_dev.errors import RestoreWarning as RestoreWarning
    from wove_http_dev.errors import StrictnessError as StrictnessError
    from wove_http_dev.errors import StuckRunWarning as StuckRunWarning
    from wove_http_dev.errors import UsageError as UsageError
    from wove_http_dev.errors import WaitTimeoutError as WaitTimeoutError
    from wove_http_dev.faults import FAULTS as FAULTS
    from wove_http_dev.faults import Fault as Fault
    from wove_http_dev.faults.auth import RejectAuth as RejectAuth
    from wove_http_dev.faults.events import MissingTerminal as MissingTerminal
    from wove_http_dev.faults.run import SlowResponse as SlowResponse
    from wove_http_dev.tls import CertificateAuthority as CertificateAuthority
    from wove_http_dev.worker import HttpWorker as HttpWorker

_MODULES = {
    "CertificateAuthority": "tls",
    "assert_contained": "assertions",
    "FAULTS": "faults",
    "Fault": "faults",
    "HttpWorker": "worker",
    "MissingTerminal": "faults.events",
    "NotRunningError": "errors",
    "PayloadDroppedError": "errors",
    "PortInUseError": "errors",
    "RejectAuth": "faults.auth",
    "RestoreWarning": "errors",
    "SlowResponse": "faults.run",
    "StrictnessError": "errors",
    "StuckRunWarning": "errors",
    "UsageError": "errors",
    "WaitTimeoutError": "errors",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
