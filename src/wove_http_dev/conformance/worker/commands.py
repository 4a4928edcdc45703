"""Command frames, written out field by field as wove 2.0 sends them.

Source: Wove's page on the http executor, "Executor Protocol".
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from wove_http_dev.conformance.worker.tasks import pickled

TASK_ID = "conformance_task"


def new_run_id() -> str:
    """A run id as Wove makes them: the task's name and a UUID."""
    return f"{TASK_ID}:{uuid.uuid4().hex}"


def text(payload: bytes) -> str:
    """Pickle bytes as a ``*_pickle`` field holds them."""
    return base64.b64encode(payload).decode("ascii")


def run_frame(
    function: Any, args: Any = None, *, run_id: str = "", task_id: str = TASK_ID
) -> dict[str, Any]:
    """A ``run_task`` frame. ``function`` and ``args`` are pickled unless they are bytes already."""
    payload = function if isinstance(function, bytes) else pickled(function)
    arguments = args if isinstance(args, bytes) else pickled({} if args is None else args)
    return {
        "type": "run_task",
        "run_id": run_id or new_run_id(),
        "task_id": task_id,
        "delivery": {
            "delivery_cancel_mode": "best_effort",
            "delivery_orphan_policy": "cancel",
        },
        "callable_pickle": text(payload),
        "args_pickle": text(arguments),
    }


def cancel_frame(run_id: str, mode: str = "best_effort") -> dict[str, Any]:
    """A ``cancel_task`` frame; ``mode`` is ``best_effort`` or ``require_ack``."""
    return {
        "type": "cancel_task",
        "run_id": run_id,
        "task_id": TASK_ID,
        "delivery_cancel_mode": mode,
        "delivery_orphan_policy": "cancel",
    }


def encode(frame: Any) -> bytes:
    """A frame as the body of a POST."""
    return json.dumps(frame, separators=(",", ":")).encode("utf-8")
