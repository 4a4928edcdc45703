"""Sends urllib's requests for a worker through an opener that trusts only the worker's CA and uses
no proxy. All other requests use the previous opener.

On Python 3.12 and newer urllib's default opener keeps the TLS context and the proxies of its first
use, and before 3.12 it builds a context with the system's CAs for each request (27 ms); so neither
``SSL_CERT_FILE`` nor a proxy variable would be enough. Redirects work as in urllib.
"""

from __future__ import annotations

import ssl
import threading
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.errors import RestoreWarning

Origin = tuple[str, int]
_lock = threading.RLock()


class _Dispatcher(urllib.request.OpenerDirector):
    """Replaces ``urllib.request._opener`` while requests are routed to a worker."""

    def __init__(self, previous: Any) -> None:
        super().__init__()
        self.previous = previous
        self.routes: dict[Origin, list[urllib.request.OpenerDirector]] = {}
        self._default: Any = None

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


class _Route(urllib.request.OpenerDirector):
    """The opener for one origin; a redirect to another origin goes back to the dispatcher."""

    def __init__(self, dispatcher: _Dispatcher, origin: Origin, context: ssl.SSLContext) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._route = origin
        # The handlers of build_opener() except the one for proxies. They are made here because
        # openers cannot share a handler: add_handler changes its parent.
        for handler in (
            urllib.request.UnknownHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=context),
        ):
            self.add_handler(handler)

    def open(self, fullurl: Any, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        url = fullurl if isinstance(fullurl, str) else fullurl.full_url
        if _origin(url) != self._route:
            return self._dispatcher.open(fullurl, data, *args, **kwargs)
        return super().open(fullurl, data, *args, **kwargs)


def _origin(url: str) -> Origin | None:
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.hostname or "", port)


@contextmanager
def route_requests(url: str, context: ssl.SSLContext) -> Iterator[None]:
    """Until the block ends, urllib's requests for the origin of ``url`` use the TLS context
    ``context`` and no proxy.

    ``urllib.request._opener`` is restored at the end. An opener that other code has installed in
    between is kept, with a :class:`RestoreWarning`.
    """
    origin = _origin(url)
    if origin is None:
        raise ValueError(f"{url!r} has no origin")
    dispatcher: _Dispatcher | None = None
    route: _Route | None = None
    try:
        with _lock:
            current = getattr(urllib.request, "_opener", None)
            dispatcher = current if isinstance(current, _Dispatcher) else _Dispatcher(current)
            route = _Route(dispatcher, origin, context)
            dispatcher.routes.setdefault(origin, []).append(route)
            urllib.request._opener = dispatcher  # type: ignore[attr-defined]  # no public getter
        yield
    finally:
        # Without a call of its own that Ctrl-C could come before.
        with _lock:
            if dispatcher is not None and route is not None:
                stack = dispatcher.routes.get(origin, [])
                if route in stack:
                    stack.remove(route)
                if not stack:
                    dispatcher.routes.pop(origin, None)
                current = getattr(urllib.request, "_opener", None)
                if not dispatcher.routes and current is dispatcher:
                    urllib.request._opener = dispatcher.previous  # type: ignore[attr-defined,union-attr]
                elif not dispatcher.routes:
                    _warn_replaced(current)
                route.close()


def _warn_replaced(current: object) -> None:
    warnings.warn(
        f"urllib.request.install_opener() was called with {current!r} while a worker was"
        " configured; it is left in place, and the opener from before is not restored",
        RestoreWarning,
        stacklevel=4,
    )
