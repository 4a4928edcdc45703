"""Builds the command frames that Wove 2.0 sends.

Source: Wove's page on the http executor, "Executor Protocol".
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from wove_http_dev.conformance.worker.pickles import pickled

TASK_ID = "conformance_task"
LONG = 2**20
"""Bytes of the shortest body of which :func:`outline` leaves something out."""
SEEN = 65536
"""How many characters of a payload, a multiple of four (base64), are searched for the name of its
function."""


def new_run_id() -> str:
    """Return a new run id in Wove's form: the task's name, a colon and a UUID."""
    return f"{TASK_ID}:{uuid.uuid4().hex}"


def text(payload: bytes) -> str:
    """Return ``payload``, the bytes of a pickle, as base64 text for a ``*_pickle`` field."""
    return base64.b64encode(payload).decode("ascii")


def run_frame(
    function: Any, args: Any = None, *, run_id: str = "", task_id: str = TASK_ID
) -> dict[str, Any]:
    """Return a ``run_task`` frame for a call of ``function`` with ``args``. Either may also be
    given as the bytes of its pickle."""
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
    """Return a ``cancel_task`` frame; ``mode`` is ``best_effort`` or ``require_ack``."""
    return {
        "type": "cancel_task",
        "run_id": run_id,
        "task_id": TASK_ID,
        "delivery_cancel_mode": mode,
        "delivery_orphan_policy": "cancel",
    }


def encode(frame: Any) -> bytes:
    """Return ``frame`` as bytes of JSON, the body of a POST."""
    return json.dumps(frame, separators=(",", ":")).encode("utf-8")


def outline(body: bytes) -> bytes:
    """Return ``body``; if it is long and made by :func:`encode`, with only the beginning of its
    ``args_pickle`` and without blanks before its last brace, because to parse an argument of 13 MiB
    takes 40 ms."""
    if len(body) < LONG:
        return body
    last = len(body) - 1
    end = max(body.rfind(b'"'), body.rfind(b"}", 0, last)) + 1
    if body.endswith(b" }") and body.startswith(b" " * (last - end), end):  # faster than rstrip()
        return outline(body[:end] + b"}")
    name = b'"args_pickle":"'
    begins = body.find(name)
    cut = begins + len(name) + SEEN
    ends = body.find(b'"', begins + len(name))
    return body[:cut] + body[ends:] if begins >= 0 and cut < ends else body
