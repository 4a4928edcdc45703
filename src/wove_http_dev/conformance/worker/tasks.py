"""The task functions that the cases send, and the code that pickles them by value.

The tasks run on the worker, which does not have this package; so they import only the standard
library, inside the function. A pickled function loads only on the same Python major.minor version,
which Wove requires as well. The functions that report take ``callbacks.Callback.address`` as
arguments.
"""

from __future__ import annotations

import builtins
import pickletools
import types
from collections.abc import Callable
from typing import Any

import cloudpickle

MODULE = "wove_conformance_task"
"""A module name that cannot be imported, so that cloudpickle sends the function by value."""


def by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of ``function`` that cloudpickle pickles by value, not by its import path.

    The copy has no closure, and no globals but the built-ins.
    """
    assert isinstance(function, types.FunctionType)
    scope = {"__name__": MODULE, "__builtins__": builtins}
    copy = types.FunctionType(
        function.__code__, scope, function.__name__, function.__defaults__, None
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__module__ = MODULE
    copy.__qualname__ = function.__name__
    return copy


def pickled(value: Any) -> bytes:
    """Pickle ``value`` the way Wove does; a function of this module is pickled by value."""
    if isinstance(value, types.FunctionType) and value.__module__ == __name__:
        value = by_value(value)
    return bytes(cloudpickle.dumps(value))


def name_in(payload: bytes) -> str:
    """The name of the function in the pickle bytes ``payload``, or an empty string.

    Only this module's functions, ``dict`` and ``eval`` are recognised. Nothing is unpickled.
    """
    known = {
        *(name for name, value in globals().items() if isinstance(value, types.FunctionType)),
        *("dict", "eval"),
    }
    try:
        for _, argument, _ in pickletools.genops(payload):
            if isinstance(argument, str) and argument in known:
                return argument.strip("_")
    except ValueError:
        pass
    return ""


class OnLoad:
    """An object whose pickle evaluates ``expression`` (Python source) when it is loaded."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return eval, (self.expression,)


def report_on_load(host: str, port: int, token: str) -> OnLoad:
    """An object whose pickle reports to the checker when it is loaded."""
    connected = f"__import__('socket').create_connection(({host!r}, {port!r}), 3)"
    return OnLoad(f"(lambda s: (s.sendall({token.encode()!r}), s.close()))({connected})")


# Tasks that return values


def echo(value: Any) -> Any:
    """Return the argument."""
    return value


async def echo_async(value: Any) -> Any:
    """Return the argument after one turn of the event loop."""
    import asyncio

    await asyncio.sleep(0)
    return value


def echo_later(value: Any) -> Any:
    """Return a coroutine from a plain function; it returns the argument."""

    async def later() -> Any:
        return value

    return later()


async def _called(self: object, value: Any) -> Any:
    return value


def async_object() -> Any:
    """Return an object whose ``__call__`` is a coroutine function; its class is pickled by
    value."""
    return type("AsyncObject", (), {"__call__": by_value(_called), "__module__": MODULE})()


def arguments_received(first: Any, second: Any = "default", *, third: Any, **rest: Any) -> Any:
    """Return the arguments that arrived, by parameter name."""
    return {"first": first, "second": second, "third": third, "rest": rest}


def names_received(**named: Any) -> Any:
    """Return the argument names that arrived."""
    return sorted(named)


def prints() -> str:
    """Print to standard output and standard error."""
    import sys

    print("conformance: a task printed this")
    print("conformance: and this", file=sys.stderr)
    return "printed"


def nothing() -> None:
    """Return ``None``."""


def mixed_values() -> Any:
    """Return values that JSON cannot represent or distinguish."""
    return {"tuple": (1, (2,)), "set": {1, 2}, "bytes": b"\x00\xff", 7: None, "big": 2**80}


def once_more(items: Any) -> str:
    """Append to ``items``; return a text that is new each time, with the number of items
    received."""
    import uuid

    count = len(items)
    items.append("added")
    return f"{uuid.uuid4().hex}:{count}"


def large(size: int) -> bytes:
    """Return ``size`` bytes."""
    return bytes(size)


def function_by_value() -> Any:
    """Return a function that cannot be imported."""
    return lambda: "called"


def instance_by_value() -> Any:
    """Return an instance of a class that cannot be imported."""

    class Made:
        pass

    return Made()


def resources() -> dict[str, int]:
    """Return the numbers of threads and open files of the worker process."""
    import gc
    import os
    import threading

    gc.collect()  # objects that the collector can free are not leaks
    counts = {"threads": threading.active_count()}
    if os.path.isdir("/proc/self/fd"):
        counts["open files"] = len(os.listdir("/proc/self/fd"))
    return counts


# Tasks that fail


FAILURE = ("conformance: the task failed on purpose",)
"""The arguments of the exception raised by :func:`fail`."""


def fail() -> None:
    """Raise an ordinary exception."""
    raise ValueError("conformance: the task failed on purpose")


def fail_in_letters() -> None:
    """Raise an exception whose message has non-ASCII letters."""
    raise ValueError("conformance: größe \N{CJK UNIFIED IDEOGRAPH-6F22}")


def fail_with(name: str) -> None:
    """Raise the built-in exception called ``name``."""
    import builtins

    raise getattr(builtins, name)("conformance: raised on purpose")


async def fail_with_async(name: str) -> None:
    """Raise the built-in exception called ``name`` in a coroutine."""
    import builtins

    raise getattr(builtins, name)("conformance: raised on purpose")


def fail_without_text() -> None:
    """Raise an exception whose ``__str__`` raises."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("conformance: no text")

    raise Mute


def result_that_refuses() -> Any:
    """Return an object whose pickling raises ValueError."""

    class Refuses:
        def __reduce__(self) -> Any:
            raise ValueError("conformance: not this one")

    return Refuses()


def exception_that_refuses() -> None:
    """Raise an exception whose pickling raises ValueError."""

    class RefusesToo(Exception):
        def __reduce__(self) -> Any:
            raise ValueError("conformance: not this one")

    raise RefusesToo("conformance: this error holds a lock")


def unpicklable_result() -> Any:
    """Return an object that cannot be pickled."""
    import threading

    return threading.Lock()


def unpicklable_exception() -> None:
    """Raise an exception that cannot be pickled."""
    import threading

    raise RuntimeError("conformance: this error holds a lock", threading.Lock())


def exception_that_does_not_load() -> None:
    """Raise an exception that can be pickled, to bytes whose loading raises TypeError."""

    class Unloadable(Exception):
        def __reduce__(self) -> Any:
            return UnicodeDecodeError, ()

    raise Unloadable("conformance: this error does not load")


async def cancel_itself() -> None:
    """Raise CancelledError without a cancel_task."""
    import asyncio

    raise asyncio.CancelledError("conformance: raised without a cancel_task")


# Tasks that report to the checker


def report_back(host: str, port: int, token: str) -> str:
    """Report to the checker once, and return."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    return "reported"


def report_and_fail(host: str, port: int, token: str) -> None:
    """Report to the checker once, and raise ValueError."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    raise ValueError("conformance: the task failed on purpose")


def report_and_lose_connection(host: str, port: int, token: str) -> None:
    """Report to the checker once, and raise ConnectionError, after which some workers retry."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    raise ConnectionError("conformance: the task failed on purpose")


async def report_and_fail_async(host: str, port: int, token: str) -> None:
    """Report to the checker once, and raise ValueError, in a coroutine."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    raise ValueError("conformance: the task failed on purpose")


def hold(host: str, port: int, token: str) -> str:
    """Connect to the checker and answer its pings until released (at most 60 s, or until the
    checker disconnects)."""
    import socket
    import time

    ends = time.monotonic() + 60
    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
        sock.settimeout(0.05)
        while time.monotonic() < ends:
            try:
                data = sock.recv(1)
            except TimeoutError:
                continue
            if data != b"p":
                break
            sock.sendall(data)
    return token


async def hold_async(host: str, port: int, token: str) -> str:
    """Like :func:`hold`, as a coroutine that ends when it is cancelled."""
    import asyncio
    import socket

    loop = asyncio.get_running_loop()
    with socket.create_connection((host, port), 5) as sock:
        sock.setblocking(False)
        await loop.sock_sendall(sock, token.encode())
        while await asyncio.wait_for(loop.sock_recv(sock, 1), 60) == b"p":
            await loop.sock_sendall(sock, b"p")
    return token


async def hold_stubborn(host: str, port: int, token: str) -> str:
    """Like :func:`hold_async`, but keeps running after it was cancelled, until it is released."""
    import asyncio
    import socket
    import time

    loop = asyncio.get_running_loop()
    ends = time.monotonic() + 60
    with socket.create_connection((host, port), 5) as sock:
        sock.setblocking(False)
        await loop.sock_sendall(sock, token.encode())
        while time.monotonic() < ends:
            try:
                data = await loop.sock_recv(sock, 1)
                if data != b"p":
                    break
                await loop.sock_sendall(sock, data)
            except asyncio.CancelledError:
                continue
    return token
