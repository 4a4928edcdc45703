"""Reading the query and the body of a request."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from wove_http_dev.errors import UsageError
from wove_http_dev.inspector import bodies
from wove_http_dev.inspector.routes import ROUTES

RUNS = next(route for route in ROUTES if route.name == "runs")


def request(**words: Any) -> Request:
    return Request(EnvironBuilder(**words).get_environ())


@pytest.mark.parametrize("data", [b"", b" \n", b"{}"])
def test_no_body(data: bytes) -> None:
    """A body that says nothing is an empty object."""
    assert bodies.read_body("nothing", request(method="POST", data=data)) == {}


def test_body() -> None:
    """A body that fits is returned."""
    data = b'{"task": "a", "release_when": 2}'
    assert bodies.read_body("new_hold", request(method="POST", data=data)) == {
        "task": "a",
        "release_when": 2,
    }


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("new_hold", b"[", "the body is not JSON"),
        ("new_hold", b"[]", "the body is not a JSON object; send one"),
        ("new_hold", b'{"tsk": 1}', "unknown field 'tsk'; did you mean 'task'?"),
        ("new_hold", b'{"task": 1}', "task takes string or null, not 1"),
        ("new_hold", b'{"release_when": true}', "release_when takes integer or null, not true"),
        ("new_stub", b"{}", "the body has no task; give it"),
        ("new_stub", b'{"task": "a", "error": {}}', "error has no type; give it"),
        ("new_injection", b'{"faults": [1]}', "an entry of faults takes string, not 1"),
        ("nothing", b'{"a": 1}', "unknown field 'a'; leave it out"),
        ("new_stub", b'{"task": "a", "result": Infinity}', "Infinity is no JSON"),
        ("new_stub", b'{"task": "a", "result": [-1e400]}', "a number is too large"),
    ],
)
def test_wrong_body(name: str, data: bytes, message: str) -> None:
    """A body that does not fit is an error that says what to do."""
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        bodies.read_body(name, request(method="POST", data=data))


@pytest.mark.parametrize("levels", [bodies.DEPTH_LIMIT, 5_000, 100_000])
def test_depth(levels: int) -> None:
    """What is nested too deeply is refused, before it is copied or pickled."""
    data = b'{"task": "a", "result": ' + b"[" * levels + b"]" * levels + b"}"
    with pytest.raises(UsageError, match="nested too deeply"):
        bodies.read_body("new_stub", request(method="POST", data=data))


def test_allowed_depth() -> None:
    """What is nested less deeply is taken."""
    levels = bodies.DEPTH_LIMIT - 2
    data = b'{"task": "a", "result": ' + b"[" * levels + b"]" * levels + b"}"
    assert bodies.read_body("new_stub", request(method="POST", data=data))["task"] == "a"


def test_query() -> None:
    """Parameters have the types of their schemas."""
    query = "task=a*&initial_values=true&limit=3&after=1.5"
    assert bodies.read_query(RUNS, request(query_string=query)) == {
        "task": "a*",
        "initial_values": True,
        "limit": 3,
        "after": "1.5",
    }
