"""The catalogue of faults, their base class, and every fault by its class name."""

# ruff: noqa: F403 (a type checker finds every class in the modules that define them)

from __future__ import annotations

from typing import TYPE_CHECKING

from wove_http_dev.faults.catalogue import FAULTS
from wove_http_dev.faults.fault import Fault

if TYPE_CHECKING:
    from wove_http_dev.faults.auth import *
    from wove_http_dev.faults.connection import *
    from wove_http_dev.faults.events import *
    from wove_http_dev.faults.response import *
    from wove_http_dev.faults.run import *
    from wove_http_dev.faults.wire import *

globals().update({kind.__name__: kind for kind in FAULTS.values()})

__all__ = ["FAULTS", "Fault", *(kind.__name__ for kind in FAULTS.values())]
