"""The catalogue of faults, every fault by its class name, and what a fault of a user's own is
written with: the base class, :func:`field`, and the types of its methods.

The faults are imported when one of them is first used: they take a third of the time in which this
package is imported, and most workers have none.
"""

# ruff: noqa: F403 (the names are in the ``__all__`` of each module, where a checker finds them too)

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from wove_http_dev.faults.distributions import DISTRIBUTIONS as DISTRIBUTIONS
from wove_http_dev.faults.distributions import Distribution as Distribution
from wove_http_dev.faults.distributions import Duration as Duration
from wove_http_dev.faults.distributions import Exponential as Exponential
from wove_http_dev.faults.distributions import LogNormal as LogNormal
from wove_http_dev.faults.distributions import Normal as Normal
from wove_http_dev.faults.distributions import Uniform as Uniform
from wove_http_dev.faults.distributions import drawn as drawn
from wove_http_dev.faults.fault import AuthStage as AuthStage
from wove_http_dev.faults.fault import CancelStage as CancelStage
from wove_http_dev.faults.fault import Connection as Connection
from wove_http_dev.faults.fault import EventsStage as EventsStage
from wove_http_dev.faults.fault import Fault as Fault
from wove_http_dev.faults.fault import Recipe as Recipe
from wove_http_dev.faults.fault import ResponseStage as ResponseStage
from wove_http_dev.faults.fault import RunStage as RunStage
from wove_http_dev.faults.fault import Wire as Wire
from wove_http_dev.faults.fault import Worker as Worker
from wove_http_dev.fields import field as field
from wove_http_dev.protocol.authenticator import Verdict as Verdict
from wove_http_dev.protocol.frames import Event as Event
from wove_http_dev.protocol.messages import Reply as Reply
from wove_http_dev.protocol.messages import Request as Request
from wove_http_dev.runs.outcome import Outcome as Outcome

if TYPE_CHECKING:
    from wove_http_dev.faults.auth import *
    from wove_http_dev.faults.catalogue import FAULTS as FAULTS
    from wove_http_dev.faults.connection import *
    from wove_http_dev.faults.events import *
    from wove_http_dev.faults.response import *
    from wove_http_dev.faults.run import *
    from wove_http_dev.faults.wire import *
else:
    _FOR_THIS_MODULE = ("Any", "ModuleType", "TYPE_CHECKING", "annotations")

    def __getattr__(name: str) -> Any:
        from wove_http_dev.faults.catalogue import FAULTS

        names = globals()
        names.update({kind.__name__: kind for kind in FAULTS.values()}, FAULTS=FAULTS)
        names["__all__"] = [
            each
            for each, value in list(names.items())  # another thread may import a module
            if not each.startswith("_") and not isinstance(value, ModuleType)
            if each not in _FOR_THIS_MODULE
        ]
        if name not in names:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return names[name]
