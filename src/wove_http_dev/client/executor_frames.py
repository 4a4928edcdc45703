"""Reports the command frames that Wove's http executor sends from this process, and the event
frames that it hands to Wove, in the order in which Wove gets them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import UsageError

_lock = threading.RLock()
_listeners: list[FrameListener] = []
_installed: dict[str, tuple[Any, Any]] = {}
"""The methods that were there and those that replace them, by name."""


class FrameListener:
    """What is called for the frames; every method does nothing.

    The methods are called in the event loop of the weave. ``executor`` is Wove's executor, one per
    weave and environment.
    """

    def sent(self, executor: Any, frame: Mapping[str, Any]) -> None:
        """Called before a command frame is sent."""

    def received(self, executor: Any, frame: Mapping[str, Any]) -> None:
        """Called before Wove gets an event frame: the worker's, or that of a transport error."""

    def stopped(self, executor: Any) -> None:
        """Called when the weave has ended, before it waits for the threads of its requests."""


@contextmanager
def heard(listener: FrameListener) -> Iterator[None]:
    """Call the methods of ``listener`` until the block ends. A method of Wove's that other code has
    replaced meanwhile is kept. Raises :class:`UsageError` if Wove's executor has no such methods.
    """
    from wove.environment import HttpEnvironmentExecutor as Executor

    def restore() -> None:
        with _lock:
            if listener in _listeners:
                _listeners.remove(listener)
            while _installed and not _listeners:
                name, (original, replacement) = next(iter(_installed.items()))
                if vars(Executor).get(name) is replacement:
                    setattr(Executor, name, original)
                del _installed[name]

    with restored_by(restore):
        with _lock:
            if not _installed:
                _install(Executor)
            _listeners.append(listener)
        yield


def sends_to(executor: Any, urls: Iterable[str]) -> bool:
    """Whether ``executor`` sends to one of ``urls``, whatever the query."""
    url = getattr(executor, "_url", None)  # of HttpEnvironmentExecutor, 2.0.0 to 2.0.3
    return url is None or url.partition("?")[0] in {each.partition("?")[0] for each in urls}


def delivers_initial_value(frame: Mapping[str, Any]) -> bool:
    """Whether a command delivers an initial value of a weave (``data``, ``weave(x=…)``), which is a
    lambda of Wove's own. (``protocol.frames.is_initial_value()`` finds it in the pickle.)"""
    code = getattr(frame.get("callable"), "__code__", None)
    if code is None or code.co_name != "<lambda>":
        return False
    return str(code.co_filename).replace("\\", "/").endswith("wove/context.py")


def _install(executor: type) -> None:
    # Of wove.environment.EnvironmentExecutor, 2.0.0 to 2.0.3.
    replacements = {"send": _send, "recv": _recv, "stop": _stop}
    missing = [name for name in replacements if name not in vars(executor)]
    if missing:
        raise UsageError(f"the http executor of this Wove has no method {missing[0]}()")
    for name, make in replacements.items():
        original = vars(executor)[name]
        _installed[name] = original, make(original)
        setattr(executor, name, _installed[name][1])


def _each(call: Callable[[FrameListener], None]) -> None:
    for listener in list(_listeners):
        call(listener)


def _send(original: Callable[..., Any]) -> Callable[..., Any]:
    async def send(self: Any, frame: dict[str, Any]) -> None:
        _each(lambda listener: listener.sent(self, frame))
        await original(self, frame)

    return send


def _recv(original: Callable[..., Any]) -> Callable[..., Any]:
    async def recv(self: Any) -> Any:
        frame = await original(self)
        _each(lambda listener: listener.received(self, frame))
        return frame

    return recv


def _stop(original: Callable[..., Any]) -> Callable[..., Any]:
    async def stop(self: Any) -> None:
        _each(lambda listener: listener.stopped(self))
        await original(self)

    return stop
