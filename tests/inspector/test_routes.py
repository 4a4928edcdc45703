"""The table of routes."""

from __future__ import annotations

import inspect

import pytest

from wove_http_dev.inspector.control import Control
from wove_http_dev.inspector.routes import ROUTES, Route
from wove_http_dev.inspector.schemas import SCHEMAS

ANSWERED_HERE = ("health", "openapi", "events")
"""Operations that are none of ``Control``."""


def test_names_are_unique() -> None:
    """Each operation has a name of its own."""
    names = [route.name for route in ROUTES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.name not in ANSWERED_HERE], ids=lambda route: route.name
)
def test_operation_takes_what_the_route_has(route: Route) -> None:
    """The method of ``Control`` takes the values of the path, the query and the body."""
    fields = SCHEMAS[route.body].get("properties", {}) if route.body else {}
    words = {each.name: None for each in route.parameters} | dict.fromkeys(fields)
    values = [None] * route.path.count("{")
    inspect.signature(getattr(Control, route.name)).bind(None, *values, **words)


def test_every_operation_has_a_route() -> None:
    """No public method of ``Control`` is without a route."""
    public = [name for name, _ in inspect.getmembers(Control, inspect.isfunction) if name[0] != "_"]
    assert set(public) - {route.name for route in ROUTES} == {"close", "in_force"}  # not of the API


def test_only_health_is_open() -> None:
    """Everything but health needs the token."""
    assert [route.path for route in ROUTES if not route.needs_token] == ["/health"]
