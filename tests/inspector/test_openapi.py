"""The OpenAPI document: valid, and true of every answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inspector.calls import API, Calls
from tests.support import answer, run_frame, signed_request
from wove_http_dev.inspector.openapi import document
from wove_http_dev.inspector.routes import ROUTES
from wove_http_dev.inspector.schemas import SCHEMAS


def test_valid() -> None:
    """The document is OpenAPI 3.1."""
    pytest.importorskip("openapi_spec_validator").validate(document())


def test_paths() -> None:
    """Each route is described."""
    paths = document()["paths"]
    described = {(method.upper(), path) for path in paths for method in paths[path]}
    assert described == {(route.method, route.path) for route in ROUTES}


def test_served(api: Calls) -> None:
    """The API serves the document, with the name of its own cookie."""
    found = api.get("/openapi.json")
    assert found == document(cookie_name=f"wove_http_dev_{api.port}")


def test_every_schema_is_used() -> None:
    """No schema is left over."""
    text = str(document()["paths"]) + str(SCHEMAS)
    assert [name for name in SCHEMAS if f"/{name}'" not in text] == []


def check(document: Any, name: str) -> None:
    """Fail unless ``document`` fits the schema ``name``."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    "route",
    [r for r in ROUTES if r.method == "GET" and "{" not in r.path and r.answer],
    ids=lambda route: route.path,
)
def test_answers_fit(api: Calls, route: Any) -> None:
    """What a worker in use answers fits the schema of the operation."""
    signed_request(api.worker, run_frame(answer, run_id="a"))
    signed_request(api.worker, run_frame(len, {"obj": 1}, run_id="b"))
    api.post("/injections", {"fault": "status", "task": "a"})
    api.post("/holds", {})
    api.post("/stubs", {"task": "a", "result": 1})
    api.post("/stubs", {"task": "a", "error": {"type": "ValueError"}})
    path = route.path.removeprefix(API)
    found = api.send("GET", path).document if route.path == "/health" else api.get(path)
    check(found, route.answer)


@pytest.mark.parametrize("run_id", ["a", "b"])
def test_run_fits(api: Calls, run_id: str) -> None:
    """One run fits its schema, whether it failed or not."""
    signed_request(api.worker, run_frame(answer, run_id="a"))
    signed_request(api.worker, run_frame(len, {"obj": 1}, run_id="b"))
    check(api.get(f"/runs/{run_id}"), "run")


def test_error_fits(api: Calls) -> None:
    """An error fits its schema."""
    check(api.call("GET", "/runs/none").document, "error")
