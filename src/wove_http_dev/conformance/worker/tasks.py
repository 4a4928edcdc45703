"""The task functions that the cases send.

They run on the worker, which does not have this package: ``pickles`` sends them with their code, so
they import only the standard library, inside the function. The functions that report to the checker
take ``callbacks.Callback.address`` as arguments.
"""

from __future__ import annotations

from typing import Any

# Tasks that return values


def echo(value: Any) -> Any:
    """Return ``value``."""
    return value


async def echo_async(value: Any) -> Any:
    """Return ``value`` after one turn of the event loop."""
    import asyncio

    await asyncio.sleep(0)
    return value


def echo_later(value: Any) -> Any:
    """Return a coroutine, though this is a plain function; the coroutine returns ``value``."""

    async def later() -> Any:
        return value

    return later()


async def called(self: object, value: Any) -> Any:
    """Return ``value``; the ``__call__`` of what ``pickles.async_object`` returns."""
    return value


def arguments_received(first: Any, second: Any = "default", *, third: Any, **rest: Any) -> Any:
    """Return the arguments that this call got, by parameter name."""
    return {"first": first, "second": second, "third": third, "rest": rest}


async def arguments_received_async(
    first: Any, second: Any = "default", *, third: Any, **rest: Any
) -> Any:
    """Return the arguments that this call got, by parameter name."""
    return {"first": first, "second": second, "third": third, "rest": rest}


def names_received(**named: Any) -> Any:
    """Return the names of the arguments that this call got."""
    return sorted(named)


async def names_received_async(**named: Any) -> Any:
    """Return the names of the arguments that this call got."""
    return sorted(named)


def prints() -> str:
    """Print to standard output and standard error, and return a text."""
    import sys

    print("conformance: a task printed this")
    print("conformance: and this", file=sys.stderr)
    return "printed"


async def prints_async() -> str:
    """Print to standard output and standard error, and return a text."""
    import sys

    print("conformance: a task printed this")
    print("conformance: and this", file=sys.stderr)
    return "printed"


def nothing() -> None:
    """Return ``None``."""


async def nothing_async() -> None:
    """Return ``None``."""


def process() -> int:
    """Return the id of the process that runs the task."""
    import os

    return os.getpid()


def mixed_values() -> Any:
    """Return values of types that JSON lacks, or that JSON would turn into other types."""
    return {"tuple": (1, (2,)), "set": {1, 2}, "bytes": b"\x00\xff", 7: None, "big": 2**80}


def once_more(items: Any) -> str:
    """Append an item to ``items``. Return a text that is different each time and says how many
    items had arrived."""
    import uuid

    count = len(items)
    items.append("added")
    return f"{uuid.uuid4().hex}:{count}"


async def once_more_async(items: Any) -> str:
    """Append an item to ``items``. Return a text that is different each time and says how many
    items had arrived."""
    import uuid

    count = len(items)
    items.append("added")
    return f"{uuid.uuid4().hex}:{count}"


def large(size: int) -> bytes:
    """Return ``size`` bytes."""
    return bytes(size)


async def large_async(size: int) -> bytes:
    """Return ``size`` bytes."""
    return bytes(size)


def checksum(value: bytes) -> tuple[int, int]:
    """Return the length and a checksum of ``value``."""
    import zlib

    return len(value), zlib.crc32(value)


def function_by_value() -> Any:
    """Return a function that cannot be imported."""
    return lambda: "called"


async def function_by_value_async() -> Any:
    """Return a function that cannot be imported."""
    return lambda: "called"


def instance_by_value() -> Any:
    """Return an instance of a class that cannot be imported."""

    class Made:
        pass

    return Made()


def resources(collect: bool) -> dict[str, int]:
    """Return how many threads and open files the worker process has. ``collect`` says to collect
    garbage before."""
    import gc
    import os
    import threading

    if collect:
        gc.collect()  # objects that the collector can free are not leaks
    counts = {"threads": threading.active_count()}
    if os.path.isdir("/proc/self/fd"):
        counts["open files"] = len(os.listdir("/proc/self/fd"))
    return counts


# Tasks that fail


FAILURE = ("conformance: the task failed on purpose",)
"""The arguments of the exception that :func:`fail` raises."""


def fail() -> None:
    """Raise an ordinary exception."""
    raise ValueError("conformance: the task failed on purpose")


def fail_in_letters() -> None:
    """Raise an exception whose message has non-ASCII letters."""
    raise ValueError("conformance: größe \N{CJK UNIFIED IDEOGRAPH-6F22}")


def fail_with(name: str) -> None:
    """Raise the built-in exception that is called ``name``."""
    import builtins

    raise getattr(builtins, name)("conformance: raised on purpose")


async def fail_with_async(name: str) -> None:
    """Raise the built-in exception that is called ``name``, from a coroutine."""
    import builtins

    raise getattr(builtins, name)("conformance: raised on purpose")


def fail_without_text() -> None:
    """Raise an exception whose ``__str__`` raises."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("conformance: no text")

    raise Mute


def unpicklable_result() -> Any:
    """Return an object that cannot be pickled."""
    import threading

    return threading.Lock()


def unpicklable_exception() -> None:
    """Raise an exception that cannot be pickled."""
    import threading

    raise RuntimeError("conformance: this error holds a lock", threading.Lock())


def exception_that_does_not_load() -> None:
    """Raise an exception that can be pickled, but whose pickle raises TypeError when it is
    loaded."""

    class Unloadable(Exception):
        def __reduce__(self) -> Any:
            return UnicodeDecodeError, ()

    raise Unloadable("conformance: this error does not load")


async def cancel_itself() -> None:
    """Raise CancelledError, although no cancel_task was sent."""
    import asyncio

    raise asyncio.CancelledError("conformance: raised without a cancel_task")


# Tasks that report to the checker


def report_back(host: str, port: int, token: str) -> str:
    """Report to the checker once, and return a text."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    return "reported"


async def report_back_async(host: str, port: int, token: str) -> str:
    """Report to the checker once, and return a text."""
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
    """Report to the checker once, and raise ConnectionError; some workers retry after that
    exception."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    raise ConnectionError("conformance: the task failed on purpose")


async def report_and_fail_async(host: str, port: int, token: str) -> None:
    """Report to the checker once, and raise ValueError, from a coroutine."""
    import socket

    with socket.create_connection((host, port), 5) as sock:
        sock.sendall(token.encode())
    raise ValueError("conformance: the task failed on purpose")


def hold(host: str, port: int, token: str) -> str:
    """Connect to the checker and answer its pings until the checker releases this call or
    disconnects, at most 60 s. Return ``token``."""
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
    """Do what :func:`hold` does, as a coroutine; it ends when it is cancelled."""
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
    """Do what :func:`hold_async` does, but ignore a cancellation and run on until the checker
    releases this call."""
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
