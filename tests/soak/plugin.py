"""The hooks with which ``leaks`` takes the figures of a pytest process."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support import process_state
from tests.worker_process import process_figures

_BY_PYTEST = ("PYTEST_CURRENT_TEST",)
_record: dict[str, Any] = {"tests": 0, "memory": []}


def _state() -> dict[str, Any]:
    state = process_state()
    variables = {n: v for n, v in state.pop("environ").items() if n not in _BY_PYTEST}
    return {
        **process_figures(),
        "names of threads": sorted(thread.name for thread in threading.enumerate()),
        "files": sorted(str(file) for file in Path(tempfile.gettempdir()).rglob("*")),
        "variables": variables,
        "settings": {name: repr(value) for name, value in state.items()},
    }


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    """Take the first figures, before any fixture."""
    _record["before"] = _state()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """Take the memory at each tenth."""
    _record["tests"] += 1
    if _record["tests"] % max(1, int(os.environ["SOAK_TESTS"]) // 10) == 0:
        _record["memory"].append(process_figures()["resident"])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Take the last figures, after every fixture."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "main")
    _record["after"] = _state()
    path = Path(os.environ["SOAK_FIGURES"], f"{name}.json")
    path.write_text(json.dumps(_record))
