"""The WSGI application of the control API and the page: from a request to an operation of
``Control``, and its result to JSON."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from itertools import islice
from typing import Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule
from werkzeug.wrappers import Request, Response

from wove_http_dev.errors import (
    ConflictError,
    NotFoundError,
    ServiceError,
    UsageError,
    WoveHttpDevError,
)
from wove_http_dev.inspector.access import SECURITY_HEADERS, Access, AccessError
from wove_http_dev.inspector.bodies import BODY_LIMIT, read_body, read_query
from wove_http_dev.inspector.control import Control
from wove_http_dev.inspector.openapi import document
from wove_http_dev.inspector.pages import page_files
from wove_http_dev.inspector.routes import PREFIX, ROUTES, Route
from wove_http_dev.printable import print_traceback
from wove_http_dev.spelling import did_you_mean

ENTRIES = 50
"""Entries of a list that are written as JSON at once."""
_SEE = f"GET {PREFIX}/openapi.json describes the API"
_STATUS: tuple[tuple[type[WoveHttpDevError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (UsageError, 400),
    (WoveHttpDevError, 409),
)
"""The status of each error, the first that fits. An error of no class above (the worker does not
run, the journal dropped a payload) is one of its present state."""
Events = Callable[..., Iterator[bytes]]
"""Returns the stream of events after the ``Last-Event-ID``, for the words of the query."""


class _Segment(BaseConverter):
    """A value in a path. A run's id is any text that the client chose, so it may have slashes:
    ``%2F`` in the target."""

    def to_python(self, value: str) -> str:
        return value.replace("%2F", "/").replace("%25", "%")


@cache  # werkzeug compiles a function for each rule, which takes 8 ms
def _url_map(pages: tuple[str, ...]) -> Map:
    """Return the map from a path to its route, or to ``page`` for the paths ``pages``."""
    rules = [_rule(route) for route in ROUTES]
    rules += [Rule(path, endpoint="page", methods=["GET"]) for path in pages]
    return Map(
        rules,
        converters={"default": _Segment},
        strict_slashes=True,
        merge_slashes=False,
        redirect_defaults=False,
    )


def _path(request: Request) -> str:
    """Return the decoded path of the request, in which ``%2F`` and ``%25`` are left as they are:
    they are characters of a value, not of the path."""
    target: str = request.environ.get("REQUEST_URI", request.path).partition("?")[0]
    if "://" in target and not target.startswith("/"):  # RFC 9112, 3.2.2: an absolute target
        target = f"/{target.partition('://')[2].partition('/')[2]}"
    for escape, kept in (("%25", "%2525"), ("%2F", "%252F"), ("%2f", "%252F")):
        target = target.replace(escape, kept)
    data = urllib.parse.unquote_to_bytes(target)
    try:
        return data.decode("utf-8", "surrogatepass")  # an id may have lone surrogates
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


class Api:
    """Answers requests with the operations of ``control``, after the checks of ``access``.

    ``events`` makes the answer of ``GET events``; it raises :class:`ServiceError` if there are too
    many streams.
    """

    def __init__(self, control: Control, access: Access, events: Events) -> None:
        self._control = control
        self._access = access
        self._events = events
        self._files = page_files()
        self._routes = {route.name: route for route in ROUTES}
        self._map = _url_map(("/", *self._files))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = Request(environ)
        # One more: werkzeug ends a chunked body there, and says nothing.
        request.max_content_length = BODY_LIMIT + 1
        response = self._safely(request)
        response.headers.extend(SECURITY_HEADERS)
        return response(environ, start_response)

    def _safely(self, request: Request) -> Response:
        try:
            return self._respond(request)
        except AccessError as exc:
            if _path(request) == "/" and "text/html" in request.headers.get("Accept", ""):
                return Response(f"{exc}: {exc.hint}\n", exc.status, mimetype="text/plain")
            return _error(exc.status, str(exc), exc.hint)
        except MethodNotAllowed as exc:
            allowed = ", ".join(sorted(exc.valid_methods or ()))
            response = _error(405, f"{request.method} cannot be used here", f"use {allowed}")
            response.headers["Allow"] = allowed
            return response
        except RequestEntityTooLarge:
            return _error(413, "the body is too large", f"send at most {BODY_LIMIT} bytes")
        except HTTPException as exc:
            return _error(exc.code or 400, exc.description or exc.name, _SEE)
        except ServiceError as exc:
            return _error(exc.status, *_split(str(exc)))
        except WoveHttpDevError as exc:
            status = next(status for kind, status in _STATUS if isinstance(exc, kind))
            return _error(status, *_split(str(exc)))
        except Exception:
            print_traceback()
            return _error(500, "the control API has a bug", "the terminal of serve shows where")

    def _respond(self, request: Request) -> Response:
        self._access.check_source(request)
        path = _path(request)
        if path == "/" and request.method in ("GET", "HEAD"):
            cookie = self._access.entry(request)
            if cookie is not None:  # the next address is without the token
                return Response(status=303, headers={"Location": "/", "Set-Cookie": cookie})
        adapter = self._map.bind("")
        route = self._open_route(adapter, path, request.method)
        if route is None:
            self._access.check_token(request)
        endpoint, values = self._match(adapter, path, request.method)
        if request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": endpoint})
        if endpoint == "page":
            file = self._files.get(path)
            if file is None:
                raise NotFoundError(f"there is no page; {_SEE}")
            return Response(file.content, content_type=file.content_type)
        self._access.check_write(request)
        return self._operate(self._routes[endpoint], request, values)

    def _open_route(self, adapter: MapAdapter, path: str, method: str) -> Route | None:
        """Return the route of the request if it needs no token."""
        try:
            endpoint, _ = adapter.match(path, method)
        except HTTPException:
            return None
        route = self._routes.get(endpoint)
        return route if route is not None and not route.needs_token else None

    def _match(self, adapter: MapAdapter, path: str, method: str) -> tuple[str, Mapping[str, Any]]:
        """Return the name of the route and the values in ``path``; for ``OPTIONS``, in place of the
        name, the methods that the path allows. Raises :class:`NotFoundError`, or werkzeug's
        ``MethodNotAllowed``."""
        allowed = sorted(adapter.allowed_methods(path))
        if not allowed:
            known = [route.path for route in ROUTES if "{" not in route.path]
            raise NotFoundError(f"there is no {path!r}; {_near(path, known)}")
        if method == "OPTIONS":
            return ", ".join([*allowed, "OPTIONS"]), {}
        return adapter.match(path, method)

    def _operate(self, route: Route, request: Request, values: Mapping[str, Any]) -> Response:
        words = read_query(route, request)
        if route.body is not None:
            words |= read_body(route.body, request)
        if route.name == "health":
            return _json({"status": "ok"})
        if route.name == "openapi":
            return _json(document(cookie_name=self._access.cookie_name))
        if route.name == "events":
            return self._stream(request, words)
        result = getattr(self._control, route.name)(*values.values(), **words)
        return Response(status=204) if result is None else _json(result, route.status)

    def _stream(self, request: Request, words: Mapping[str, Any]) -> Response:
        if request.method == "HEAD":
            return Response(content_type="text/event-stream")
        stream = self._events(request.headers.get("Last-Event-ID"), **words)
        return Response(stream, content_type="text/event-stream", direct_passthrough=True)


def _rule(route: Route) -> Rule:
    path = route.path.replace("{", "<").replace("}", ">")
    return Rule(path, endpoint=route.name, methods=[route.method])


def _near(path: str, known: list[str]) -> str:
    whole = f"{PREFIX}{path}"
    return did_you_mean(path, known, f"did you mean {whole!r}?" if whole in known else _SEE)


def _split(message: str) -> tuple[str, str]:
    """Return what a message says is wrong, and what it says to do."""
    problem, _, advice = message.partition("; ")
    return problem, advice


def _json(value: Any, status: int = HTTPStatus.OK) -> Response:
    parts = json_parts(value)
    if isinstance(value, dict) and any(isinstance(each, Iterator) for each in value.values()):
        # A full journal: several megabytes. The whole in memory, for each client at once, is more
        # than all else that is remembered; and glibc keeps what was freed of blocks of that size in
        # each of its arenas, of which a thread uses any (mallopt(3), M_MMAP_THRESHOLD).
        return Response(parts, status, content_type="application/json")
    return Response(b"".join(parts), status, content_type="application/json")


def json_parts(value: Any) -> Iterator[bytes]:
    """Yield ``value`` as JSON in ASCII: a text of a task may have lone surrogates, which UTF-8
    cannot write.

    A list in an object, or an iterator in place of one, is written in parts of :data:`ENTRIES`
    entries. ``json.dumps`` keeps the interpreter's lock until it ends: for a full journal that is
    long enough for tasks to be late.
    """
    parts = _object_parts(value) if isinstance(value, dict) else [_dumps(value)]
    return (part.encode("ascii") for part in parts)


def _object_parts(value: dict[str, Any]) -> Iterator[str]:
    before = "{"
    for name, each in value.items():
        yield f"{before}{_dumps(name)}: "
        if isinstance(each, (list, Iterator)):
            yield from _list_parts(iter(each))
        else:
            yield _dumps(each)
        before = ", "
    yield "}" if value else "{}"


def _list_parts(entries: Iterator[Any]) -> Iterator[str]:
    before = "["
    while part := list(islice(entries, ENTRIES)):
        yield f"{before}{_dumps(part)[1:-1]}"
        before = ", "
    yield "[]" if before == "[" else "]"


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _error(status: int, error: str, hint: str) -> Response:
    return _json({"error": error, "hint": hint}, status)
