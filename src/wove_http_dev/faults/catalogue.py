"""The catalogue of faults: all faults that are defined in the modules named after the stages.

To add a fault, write its class in the module of its stage and run ``wove-http-dev faults --measure
--update NAME``, which records what Wove does with it. A class whose name begins with an underscore
is a base class.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from wove_http_dev.faults.fault import STAGES, Fault


def _defined_in(stage: str) -> Iterator[type[Fault]]:
    module = importlib.import_module(f"{__package__}.{stage}")
    for name, kind in vars(module).items():  # in order of definition
        if not isinstance(kind, type) or not issubclass(kind, Fault) or name.startswith("_"):
            continue
        if kind.__module__ == module.__name__:
            yield kind


FAULTS: dict[str, type[Fault]] = {
    kind.name: kind for stage in STAGES for kind in _defined_in(stage)
}
"""All faults by name, in the order of the stages."""
