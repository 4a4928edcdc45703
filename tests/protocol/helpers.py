"""Requests for the tests of authentication."""

from __future__ import annotations

from werkzeug.datastructures import Headers

from wove_http_dev.protocol.messages import Request

SECRET = "correct-horse-battery-staple"
TARGET = "/wove/tasks"
BODY = b'{"type": "run_task"}'


def json_request(**headers: str | None) -> Request:
    """A JSON request to a local host. A header given as ``None`` is left out."""
    fields: dict[str, str | None] = {
        "Host": "localhost:8080",
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    kept = [(name, value) for name, value in fields.items() if value is not None]
    return Request("POST", TARGET, Headers(kept), BODY)
