"""Values as the control API answers them, for tests of ``ctl``."""

from __future__ import annotations

from typing import Any


def run_of(**words: Any) -> dict[str, Any]:
    """A run that has succeeded, with ``words`` in place of some of its values."""
    return {
        "run_id": "wove:convert:3f2a9c1e77",
        "task_id": "convert",
        "state": "succeeded",
        "args": "n=3",
        "result": "6",
        "error": None,
        "error_place": None,
        "traceback": None,
        "executions": 1,
        "faults": [],
        "faults_text": "",
        "drawn": {},
        "received": 1000.0,
        "started": 1000.5,
        "finished": 1001.0,
        "answered": None,
        "seconds": 0.0123,
        "output": "",
        "held_by": [],
        "initial_value": False,
        "stubbed": False,
        "cancel_requested": False,
        "replayable": True,
        "exchanges": [7],
        **words,
    }


FAILED: dict[str, Any] = {
    "state": "failed",
    "result": None,
    "error": "ValueError: no",
    "error_place": "app.py:3 in f",
}
"""Words for a run that has failed."""


def exchange_of(**words: Any) -> dict[str, Any]:
    """A request that has ended."""
    return {
        "number": 7,
        "kind": "request",
        "received": 1000.0,
        "seconds": 0.001,
        "method": "POST",
        "target": "/wove/tasks",
        "run_id": None,
        "task_id": None,
        "status": 401,
        "events": [],
        "faults": [],
        "faults_text": "",
        "drawn": {},
        "hint": "",
        "refusal": "",
        "error": "",
        "internal_error": False,
        **words,
    }


def injection_of(**words: Any) -> dict[str, Any]:
    """An injection in force."""
    return {
        "id": 1,
        "fault": "status code=503",
        "task": None,
        "command": None,
        "times": None,
        "after": 0,
        "probability": 1.0,
        "seed": None,
        "hits": 0,
        "active": True,
        **words,
    }


def hold_of(**words: Any) -> dict[str, Any]:
    """A hold at which no run has arrived."""
    return {"id": 1, "task": "convert", "arrived": 0, "released": False, **words}
