"""Makes ``socket.getaddrinfo`` resolve one (host, port) to a worker's address.

Every other look-up is passed to the original function. If other code has replaced ``getaddrinfo``
in between, its replacement stays and a warning says so.
"""

from __future__ import annotations

import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import RestoreWarning

_lock = threading.RLock()


class _Lookup:
    """Replaces ``socket.getaddrinfo`` while a host is resolved to a worker."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self.mapped: dict[tuple[str, int], list[tuple[str, int]]] = {}

    def __call__(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        with _lock:
            stack = self.mapped.get(_key(host, port) or ("", -1))
            target = stack[-1] if stack else None
        if target is not None:
            host, port = target
        return self.original(host, port, *args, **kwargs)


def _key(host: Any, port: Any) -> tuple[str, int] | None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        return (name.lower(), int(port))
    except (AttributeError, TypeError, ValueError):  # None, or a service name such as "https"
        return None


@contextmanager
def resolve_to(host: str, port: int, target: tuple[str, int]) -> Iterator[None]:
    """Make ``getaddrinfo(host, port)`` in this process resolve to ``target``, an (address, port),
    until the block ends."""
    key = (host.lower(), port)
    mine = (target[0], target[1])  # an object of its own
    lookup: _Lookup | None = None
    patched = False

    def restore() -> None:
        nonlocal patched
        with _lock:
            if lookup is None:
                return
            stack = lookup.mapped.get(key, [])
            stack[:] = [each for each in stack if each is not mine]
            if not stack:
                lookup.mapped.pop(key, None)
            if not lookup.mapped and socket.getaddrinfo is lookup:
                socket.getaddrinfo = lookup.original
            elif not lookup.mapped and patched:
                patched = False
                _warn_replaced(socket.getaddrinfo)
            patched = False

    with restored_by(restore):
        with _lock:
            current: Any = socket.getaddrinfo
            lookup = current if isinstance(current, _Lookup) else _Lookup(current)
            lookup.mapped.setdefault(key, []).append(mine)
            socket.getaddrinfo = lookup
            patched = True
        yield


def _warn_replaced(current: object) -> None:
    warnings.warn(
        f"socket.getaddrinfo was replaced by {current!r} while a worker was impersonating a host;"
        " it is left in place",
        RestoreWarning,
        stacklevel=7,  # the with statement of the caller
    )
