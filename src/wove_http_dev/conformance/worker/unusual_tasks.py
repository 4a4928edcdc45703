"""Task functions that fail, return or load in unusual ways. Like those of ``tasks``, they are
pickled by value, import only the standard library, and harm nothing for longer than they run."""

from __future__ import annotations

from typing import Any


async def call_async(function: Any, arguments: Any) -> Any:
    """Call ``function`` with the keyword arguments ``arguments`` from a coroutine, and return what
    it returns."""
    return function(**arguments)


def call(function: Any, **arguments: Any) -> Any:
    """Call ``function`` with the other arguments from a plain function, and return what it returns,
    perhaps a coroutine."""
    return function(**arguments)


# Tasks that report to the checker, and wait until it releases them


def wait(host: str, port: int, token: str, value: Any = None) -> Any:
    """Be connected to the checker until it releases this call, at most 60 s, and return ``value``.
    The checker must not ping it."""
    import socket

    with socket.create_connection((host, port), 60) as sock:
        sock.sendall(token.encode())
        sock.recv(1)
    return value


def result_that_waits(host: str, port: int, token: str) -> Any:
    """Return an object whose pickling is connected to the checker until the checker releases it, at
    most 60 s. The checker must not ping it. The pickle loads as ``token``."""

    class Waits:
        def __reduce__(self) -> Any:
            import socket

            with socket.create_connection((host, port), 60) as sock:
                sock.sendall(token.encode())
                sock.recv(1)
            return str, (token,)

    return Waits()


async def hold_and_swallow(host: str, port: int, token: str, raises: str = "") -> str:
    """Be connected to the checker until it releases this call. If this coroutine is cancelled,
    raise the built-in exception ``raises`` instead, or return ``token`` if that is empty."""
    import asyncio
    import builtins
    import socket

    loop = asyncio.get_running_loop()
    with socket.create_connection((host, port), 5) as sock:
        sock.setblocking(False)
        try:
            await loop.sock_sendall(sock, token.encode())
            await asyncio.wait_for(loop.sock_recv(sock, 1), 60)
        except asyncio.CancelledError:
            if raises:
                raise getattr(builtins, raises)("conformance: instead of ending") from None
    return token


def print_and_wait(host: str, port: int, token: str, length: int) -> str:
    """Print the first ``length`` characters of ``token``, wait until the checker releases this
    call, at most 60 s, and print them again. The checker must not ping it."""
    import socket

    print("conformance:", token[:length])
    with socket.create_connection((host, port), 60) as sock:
        sock.sendall(token.encode())
        sock.recv(1)
    print("conformance:", token[:length])
    return "printed"


# Tasks that use what they share with the service


def print_much(size: int) -> str:
    """Print ``size`` characters in lines to standard output, as many in one call, and then as many
    again to standard error in both ways."""
    import sys

    line = "conformance: a task prints very much ".ljust(1023, ".")
    for stream in (sys.stdout, sys.stderr):
        for _ in range(size // 1024):
            print(line, file=stream)
        print(line.ljust(size - 1, "."), file=stream)
    return "printed"


def print_bytes() -> str:
    """Write bytes that are not UTF-8 to standard output, as a text stream's bytes and to its
    descriptor, and as surrogates to standard error."""
    import os
    import stat
    import sys
    from contextlib import suppress

    data = b"conformance: \xff\xfe\n"
    binary = getattr(sys.stdout, "buffer", None)
    if binary is not None:
        sys.stdout.flush()
        binary.write(data)
        binary.flush()
    with suppress(UnicodeEncodeError):  # a stream may refuse them
        print(data.decode("utf-8", "surrogateescape"), end="", file=sys.stderr)
    with suppress(OSError):
        if not stat.S_ISSOCK(os.fstat(1).st_mode):  # a service may have closed its own output
            os.write(1, data)
    return "printed"


def replace_output() -> str:
    """Replace standard output by a stream that is closed, and restore it; close it first if it is
    not the process's own."""
    import io
    import sys

    before = sys.stdout
    if before is not sys.__stdout__ and isinstance(before, io.StringIO):
        before.close()
    sys.stdout = io.StringIO()
    sys.stdout.close()
    sys.stdout = before
    return "replaced"


def use_asyncio() -> str:
    """Run a coroutine with ``asyncio.run()``, which leaves this thread without an event loop."""
    import asyncio

    async def inner() -> str:
        await asyncio.sleep(0)
        return "ran"

    return asyncio.run(inner())


def leave_thread(host: str, port: int, token: str) -> str:
    """Start a daemon thread that is connected to the checker until the checker releases it, at most
    60 s, and return meanwhile. The checker must not ping it."""
    import socket
    import threading

    sock = socket.create_connection((host, port), 60)
    sock.sendall(token.encode())

    def waits() -> None:
        with sock:
            sock.recv(1)

    threading.Thread(target=waits, daemon=True).start()
    return "left"


async def leave_task() -> str:
    """Start an asyncio task that waits for a minute, and return meanwhile."""
    import asyncio

    task = asyncio.get_running_loop().create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    return "left" if not task.done() else "done"


def stay_elsewhere(host: str, port: int, token: str) -> str:
    """Change the working directory to the root until the checker releases this call, at most 60 s.
    The checker must not ping it."""
    import os
    import socket

    before = os.getcwd()
    with socket.create_connection((host, port), 60) as sock:
        os.chdir("/")
        try:
            sock.sendall(token.encode())
            sock.recv(1)
        finally:
            os.chdir(before)
    return "back"


def processor_time() -> tuple[int, float]:
    """Return the id of the process that runs this, and the processor time that it has used, in
    seconds."""
    import os
    import time

    return os.getpid(), time.process_time()


# Tasks that raise unusual exceptions


def fail_cancelled() -> None:
    """Raise CancelledError, from a plain function."""
    import asyncio

    raise asyncio.CancelledError("conformance: raised without a cancel_task")


async def cancel_own_task() -> None:
    """Cancel the asyncio task that runs this coroutine, and wait for the effect."""
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


def fail_with_text_that_exits() -> None:
    """Raise an exception whose ``__str__`` raises SystemExit."""

    class Exits(Exception):
        def __str__(self) -> str:
            raise SystemExit(3)

    raise Exits


def fail_with_text_that_is_none() -> None:
    """Raise an exception whose ``__str__`` and ``__repr__`` return no text."""

    class Silent(Exception):
        def __str__(self) -> Any:
            return None

        def __repr__(self) -> Any:
            return None

    raise Silent


def fail_without_repr() -> None:
    """Raise an exception whose ``__repr__`` raises."""

    class Shapeless(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("conformance: no repr")

    raise Shapeless("conformance: raised on purpose")


def fail_without_arguments() -> None:
    """Raise an exception that has no arguments, and so an empty message."""
    raise ValueError


def fail_with_objects() -> None:
    """Raise an exception whose arguments are bytes, a set and an object, and no text."""
    raise ValueError(b"\xff", {1}, object())


def fail_false() -> None:
    """Raise an exception whose truth value is false."""

    class Empty(Exception):
        def __len__(self) -> int:
            return 0

    raise Empty("conformance: raised on purpose")


def fail_incomparable() -> None:
    """Raise an exception that can be neither compared nor hashed."""

    class Incomparable(Exception):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("conformance: not to be compared")

    raise Incomparable("conformance: raised on purpose")


def fail_in_a_circle() -> None:
    """Raise an exception that is its own cause."""
    first, second = ValueError("conformance: raised on purpose"), KeyError("conformance: before")
    first.__cause__, second.__cause__ = second, first
    raise first


def fail_deeply() -> None:
    """Call itself until Python raises RecursionError."""

    def deeper() -> None:
        deeper()

    deeper()


def fail_in_surrogates() -> None:
    """Raise an exception whose message UTF-8 cannot write: it has a lone surrogate, as file names
    that are not UTF-8 have."""
    raise ValueError("conformance: no such file: \udcff.txt")


def fail_at_length(size: int) -> None:
    """Raise an exception whose message has ``size`` characters."""
    raise ValueError("conformance: " + "x" * size)


def exception_that_loads_as(name: str) -> None:
    """Raise an ordinary exception whose pickle loads as the built-in exception ``name``."""
    import builtins

    class Disguised(Exception):
        def __reduce__(self) -> Any:
            return getattr(builtins, name), ("conformance: loaded on purpose",)

    raise Disguised("conformance: raised on purpose")


def exception_that_exits_on_load() -> None:
    """Raise an exception that can be pickled, but whose pickle calls ``sys.exit`` when it is
    loaded."""
    import sys

    class Exits(Exception):
        def __reduce__(self) -> Any:
            return sys.exit, (3,)

    raise Exits("conformance: this error does not load")


def exception_whose_pickling_raises(name: str) -> None:
    """Raise an exception whose pickling raises the built-in exception ``name``."""
    import builtins

    class Refuses(Exception):
        def __reduce__(self) -> Any:
            raise getattr(builtins, name)("conformance: not this one")

    raise Refuses("conformance: this error holds a lock")


# Tasks that return unusual values


def result_whose_pickling_raises(name: str) -> Any:
    """Return an object whose pickling raises the built-in exception ``name``, or asyncio's
    CancelledError."""
    import asyncio
    import builtins

    class Refuses:
        def __reduce__(self) -> Any:
            raise getattr(builtins, name, asyncio.CancelledError)("conformance: not this one")

    return Refuses()


def deep_result() -> Any:
    """Return a list that is nested too deeply to be pickled."""
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


def generator() -> Any:
    """Return a generator, which cannot be pickled."""
    return (number for number in range(3))


def async_generator() -> Any:
    """Return an asynchronous generator, which cannot be pickled."""

    async def numbers() -> Any:
        yield 1

    return numbers()


def prickly_result() -> Any:
    """Return an object that can be pickled, and that raises if it is compared, shown, hashed or
    asked for its truth value or length, as arrays and data frames partly do."""

    def refuse(*_: object) -> Any:
        raise RuntimeError("conformance: a result is only to be pickled")

    names = ("__eq__", "__ne__", "__lt__", "__bool__", "__len__", "__repr__", "__str__", "__iter__")
    more = ("__hash__", "__format__", "__contains__", "__getitem__")
    made = type("Prickly", (), dict.fromkeys((*names, *more), refuse))
    return made()
