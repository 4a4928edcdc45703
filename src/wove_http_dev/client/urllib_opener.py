"""Sends urllib's requests for a worker through an opener that trusts only the worker's CA and uses
no proxy. All other requests use the previous opener.

On Python 3.12 and newer urllib's default opener keeps the TLS context and the proxies of its first
use, and before 3.12 it builds a context with the system's CAs for each request (27 ms); so neither
``SSL_CERT_FILE`` nor a proxy variable would be enough. Redirects work as in urllib.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import RestoreWarning

Origin = tuple[str, int]
_lock = threading.RLock()


class _Dispatcher(urllib.request.OpenerDirector):
    """Replaces ``urllib.request._opener`` while requests are routed to a worker."""

    def __init__(self, previous: Any) -> None:
        super().__init__()
        self.previous = previous
        self.routes: dict[Origin, list[_Route]] = {}
        self._default: Any = None
        self.install_opener = urllib.request.install_opener
        """What was there; :meth:`replace_previous` stands in for it."""

    def replace_previous(self, opener: Any) -> None:
        """Use ``opener`` from now on for the requests that go to no worker, and for all once this
        object is no longer in use."""
        with _lock:
            self.previous = opener

    def open(self, fullurl: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        with _lock:
            stack = self.routes.get(_origin(url) or ("", 0))
            opener = stack[-1] if stack else self._fallback()
        return opener.open(fullurl, data, *args, **kwargs)

    def _fallback(self) -> Any:
        if self.previous is not None:
            return self.previous
        if self._default is None:  # built on first use, like urlopen's own
            self._default = urllib.request.build_opener()
        return self._default


# VCR replaces the classes of http.client by its own while a cassette is in use, and would replay
# the answer to an earlier run, for which no weave waits. A worker's requests must reach the worker.
_Connection: Any = getattr(http.client.HTTPConnection, "_baseclass", http.client.HTTPConnection)


class _TlsConnection(_Connection):  # type: ignore[misc]  # the base class is not a literal one
    """Like ``http.client.HTTPSConnection``, which does not work while other code has replaced the
    class of that name."""

    default_port = http.client.HTTPS_PORT

    def __init__(self, host: str, *, trusted: ssl.SSLContext, **options: Any) -> None:
        super().__init__(host, **options)
        self._trusted = trusted

    def connect(self) -> None:
        super().connect()
        plain: socket.socket = self.sock
        self.sock: Any = self._trusted.wrap_socket(plain, server_hostname=self.host)


class _Handler(urllib.request.AbstractHTTPHandler):
    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def http_open(self, req: urllib.request.Request) -> Any:
        return self._open(_Connection, req)

    def https_open(self, req: urllib.request.Request) -> Any:
        return self._open(_TlsConnection, req, trusted=_route.get().context)

    def _open(self, connection: Any, req: urllib.request.Request, **options: Any) -> Any:
        # The handler is older than a debuglevel that the application sets.
        self.set_http_debuglevel(http.client.HTTPConnection.debuglevel)
        return self.do_open(connection, req, **options)


class _Opener(urllib.request.OpenerDirector):
    """Opens the requests of the route that :data:`_route` names; a redirect to another origin goes
    back to the dispatcher.

    There is one for all routes: urllib looks at every method of each handler that is added, which
    takes as long as a fifth of a worker's start.
    """

    def __init__(self) -> None:
        super().__init__()
        # The handlers of build_opener() except the one for proxies.
        for handler in (
            urllib.request.UnknownHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            _Handler(),
        ):
            self.add_handler(handler)

    def open(self, fullurl: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        route = _route.get()
        if _origin(url) != route.origin:
            return route.dispatcher.open(fullurl, data, *args, **kwargs)
        return super().open(fullurl, data, *args, **kwargs)


_opener = _Opener()


class _Route:
    """The way to one origin, with the TLS context that is trusted there."""

    def __init__(self, dispatcher: _Dispatcher, origin: Origin, context: ssl.SSLContext) -> None:
        self.dispatcher = dispatcher
        self.origin = origin
        self.context = context

    def open(self, fullurl: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        token = _route.set(self)
        try:
            return _opener.open(fullurl, data, *args, **kwargs)
        finally:
            _route.reset(token)


_route: ContextVar[_Route] = ContextVar("_route")
"""The route of the request that is being opened."""


def _origin(url: str) -> Origin | None:
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.hostname or "", port)


def installed_opener() -> urllib.request.OpenerDirector | None:
    """Return the opener that the application has installed; this module's passes requests on to
    it."""
    with _lock:
        current = getattr(urllib.request, "_opener", None)
        return current.previous if isinstance(current, _Dispatcher) else current


@contextmanager
def route_requests(url: str, context: ssl.SSLContext) -> Iterator[None]:
    """Send urllib's requests for the origin of ``url`` with the TLS context ``context`` and without
    a proxy, until the block ends.

    An opener that an application installs meanwhile gets all other requests, and stays at the end;
    else ``urllib.request._opener`` is restored. One that replaced this module's without
    ``urllib.request.install_opener()`` is kept, with a :class:`RestoreWarning`.
    """
    origin = _origin(url)
    if origin is None:
        raise ValueError(f"{url!r} has no origin")
    dispatcher: _Dispatcher | None = None
    route: _Route | None = None
    patched = False

    def restore() -> None:
        nonlocal patched
        with _lock:
            if dispatcher is None or route is None:
                return
            stack = dispatcher.routes.get(origin, [])
            if route in stack:
                stack.remove(route)
            if not stack:
                dispatcher.routes.pop(origin, None)
            mine = urllib.request.install_opener == dispatcher.replace_previous
            if not dispatcher.routes and mine:
                urllib.request.install_opener = dispatcher.install_opener
            current = getattr(urllib.request, "_opener", None)
            if not dispatcher.routes and current is dispatcher:
                urllib.request._opener = dispatcher.previous  # type: ignore[attr-defined,union-attr]
            elif not dispatcher.routes and patched:
                patched = False
                _warn_replaced(current)
            patched = False

    with restored_by(restore):
        with _lock:
            current = getattr(urllib.request, "_opener", None)
            dispatcher = current if isinstance(current, _Dispatcher) else _Dispatcher(current)
            route = _Route(dispatcher, origin, context)
            dispatcher.routes.setdefault(origin, []).append(route)
            urllib.request._opener = dispatcher  # type: ignore[attr-defined]  # no public getter
            if current is not dispatcher:
                urllib.request.install_opener = dispatcher.replace_previous
            patched = True
        yield


def _warn_replaced(current: object) -> None:
    warnings.warn(
        f"urllib's opener was replaced by {current!r} while a worker was configured; it is left in"
        " place, and the opener from before is not restored. Call it as"
        " urllib.request.install_opener(), or before the worker is configured",
        RestoreWarning,
        stacklevel=7,  # the with statement of the caller
    )
