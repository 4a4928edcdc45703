"""Requests and frames for the tests of the protocol."""

from __future__ import annotations

from typing import Any

from wove.environment import _dump_network_executor_message

from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request

SECRET = "correct-horse-battery-staple"
TARGET = "/wove/tasks"
BODY = b'{"type": "run_task"}'
INITIAL_VALUE_NAME = "WoveContextManager.__init__.<locals>.<lambda>"
"""The qualified name of the lambdas with which Wove delivers the initial values of a weave."""


def json_request(**headers: str | None) -> Request:
    """A JSON request to a local host. A header given as ``None`` is left out."""
    fields: dict[str, str | None] = {
        "Host": "localhost:8080",
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    kept = [(name, value) for name, value in fields.items() if value is not None]
    return Request("POST", TARGET, Headers(kept), BODY)


def double(x: int) -> int:
    """A task."""
    return 2 * x


def wove_frame(**fields: Any) -> bytes:
    """``fields`` serialized as Wove's network executor does it."""
    frame: bytes = _dump_network_executor_message(fields, reason="tests")
    return frame


def wove_run(**changes: Any) -> bytes:
    """The ``run_task`` frame that Wove's executor sends for ``double(x=4)``."""
    frame = {
        "type": "run_task",
        "run_id": "run-1",
        "task_id": "double",
        "callable": double,
        "args": {"x": 4},
        "delivery": {"delivery_timeout": 2.5},
    }
    return wove_frame(**{**frame, **changes})


def wove_cancel(**changes: Any) -> bytes:
    """The ``cancel_task`` frame that Wove's executor sends."""
    frame = {
        "type": "cancel_task",
        "run_id": "run-1",
        "task_id": "double",
        "delivery_cancel_mode": "require_ack",
        "delivery_orphan_policy": "detach",
    }
    return wove_frame(**{**frame, **changes})
