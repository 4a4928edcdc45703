"""The options of a worker as a type."""

from __future__ import annotations

import dataclasses
import typing

from wove_http_dev.options import Options
from wove_http_dev.worker_options import WorkerOptions


def test_they_are_the_options() -> None:
    """``WorkerOptions`` has the names and types of the fields of ``Options``."""
    hints = typing.get_type_hints(Options)
    declared = {each.name: hints[each.name] for each in dataclasses.fields(Options)}
    assert typing.get_type_hints(WorkerOptions) == declared
