"""The OpenAPI 3.1 document of the control API, made from the table of its routes."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from wove_http_dev.inspector.routes import REFUSALS, ROUTES, WRITE_REFUSALS, Route
from wove_http_dev.inspector.schemas import INTEGER, SCHEMAS, TEXT, ref

_ABOUT = (
    "Shows what a worker of `wove-http-dev serve` received, and changes what it does. The token is"
    " in the state directory of serve, and in the address that it prints."
)


def document(
    routes: Iterable[Route] = ROUTES, *, cookie_name: str = "wove_http_dev_8444"
) -> dict[str, Any]:
    """Return the document that describes ``routes``. ``cookie_name`` is the cookie in which a
    browser has the token."""
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of wove-http-dev",
            "version": importlib.metadata.version("wove-http-dev"),
            "description": _ABOUT,
        },
        "paths": paths,
        "security": [{"token": []}, {"cookie": []}],
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": _responses(route),
    }
    parameters = [*_path_parameters(route), *_query_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        required = "required" in SCHEMAS[route.body]
        operation["requestBody"] = {"required": required, "content": _json(route.body)}
    if not route.needs_token:
        operation["security"] = []
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {**TEXT, "minLength": 1} if name == "run_id" else INTEGER,
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": each.name, "in": "query", "description": each.doc, "schema": each.schema}
        for each in route.parameters
    ]


def _responses(route: Route) -> dict[str, Any]:
    done: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        done["content"] = _json(route.answer)
    elif route.status != HTTPStatus.NO_CONTENT:
        done["content"] = {route.media: {"schema": TEXT}}
    refusals = {
        **REFUSALS,
        **(WRITE_REFUSALS if route.method != "GET" else {}),
        **route.refusals,
    }
    return {
        str(route.status): done,
        **{
            str(status): {"description": when, "content": _json("error")}
            for status, when in sorted(refusals.items())
        },
    }


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": ref(name)}}
