"""A weave in a thread of its own, so that one that hangs is a finding and not the checker's end.

It runs what a case defines and tells what came of it, from outside. It judges nothing, and knows
no worker: the environment's definition is the caller's.
"""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wove_http_dev.client import wove_config

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

Define = Callable[["Weave", str], None]
"""Defines the tasks of a weave ``w``, those for the worker with ``environment=`` the name."""

Remote = Callable[..., Awaitable[Any]]
"""``remote(name, value, **options)``: run a task of that name, which returns ``value``, on the
worker; its options are Wove's, e.g. ``delivery_timeout``. ``remote(function, **options)`` too."""

Script = Callable[[Remote], Awaitable[Any]]
"""What runs in the event loop of a weave, with runs on the worker as it likes."""


@dataclass(frozen=True)
class Told:
    """What a weave says of one of its tasks."""

    kind: Literal["result", "error", "raised", "nothing"]
    """``raised``: out of the weave itself; ``nothing``: neither a result nor an error."""
    value: Any = None
    error: BaseException | None = None

    @property
    def payload(self) -> Mapping[str, Any]:
        """The payload of Wove's normalized error; empty for any other."""
        payload = getattr(self.error, "payload", None)
        return payload if isinstance(payload, Mapping) else {}

    @property
    def text(self) -> str:
        """The error in words, its payload's text included."""
        said = [str(self.error), *(str(v) for k, v in self.payload.items() if k != "traceback")]
        return "\n".join(said)

    @property
    def everything(self) -> str:
        """What an author's log may hold of the error: its notes and what it came from as well."""
        if self.error is None:
            return ""
        chain = "".join(traceback.format_exception(self.error))
        return f"{self.error!r} {self.error} {dict(self.payload)!r} {chain}"

    def __str__(self) -> str:
        if self.kind == "result":
            return f"the result {self.value!r:.200}"
        if self.kind == "nothing":
            return "neither a result nor an error"
        where = " out of the weave" if self.kind == "raised" else ""
        return f"{type(self.error).__name__}{where}: {str(self.error)[:300]}"


def function(name: str, value: Any) -> Callable[[], Any]:
    """A task called ``name`` that returns ``value``; it travels by value."""

    def body() -> Any:
        return value

    body.__name__ = name
    return body


class Weaving:
    """One weave under way. ``definition`` is that of the environment ``environment``.

    It ends when ``with weave()`` would: with the event loop and the threads of its default pool.
    """

    def __init__(
        self, environment: str, definition: Mapping[str, Any], define: Define, **options: Any
    ) -> None:
        self.raised: BaseException | None = None
        """What left the weave."""
        self.seconds = 0.0
        self._environment = environment
        self._definition = definition
        self._define = define
        self._options = options
        self._weave: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._ended = threading.Event()
        self._began = time.monotonic()
        threading.Thread(target=self._run, name="conformance-weave", daemon=True).start()

    def _run(self) -> None:
        try:
            with wove_config.configured(self._environment, self._definition, None):
                asyncio.run(self._main())
        except BaseException as exc:  # SystemExit as well: what leaves a weave is what we are after
            self.raised = exc
        finally:
            self.seconds = time.monotonic() - self._began
            self._ended.set()

    async def _main(self) -> None:
        from wove import weave

        self._loop = asyncio.get_running_loop()
        # An executor's forgotten exceptions are not for the reader of the report.
        self._loop.set_exception_handler(lambda *_: None)
        self._task = asyncio.current_task()
        async with weave(**self._options) as w:
            self._weave = w
            self._define(w, self._environment)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came within ``seconds``."""
        return self._ended.wait(seconds)

    def told(self, task: str = "task") -> Told:
        """What the weave says of ``task``, as its author reads it."""
        if self.raised is not None:
            return Told("raised", error=self.raised)
        try:
            return Told("result", self._weave.result[task])
        except KeyError:  # no case has a task that raises one
            return Told("nothing")
        except BaseException as exc:
            return Told("error", error=exc)

    @property
    def timings(self) -> Mapping[str, float]:
        """The tasks that have ended so far, and how long they took, in seconds."""
        return dict(self._weave.result.timings) if self._weave is not None else {}

    def abandon(self, seconds: float) -> bool:
        """Cancel it; whether it ended within ``seconds``."""
        loop, task = self._loop, self._task
        if not self.ended and loop is not None and task is not None:
            with suppress(RuntimeError):  # closed: it is just ending
                loop.call_soon_threadsafe(task.cancel)
        return self.wait(seconds)


class Scripted:
    """A weave whose one local task runs ``script`` in its event loop."""

    def __init__(self, environment: str, definition: Mapping[str, Any], script: Script) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self._script = script
        self._done = threading.Event()
        self.weaving = Weaving(environment, definition, self._define)

    def _define(self, w: Weave, environment: str) -> None:
        from wove import merge

        def remote(what: str | Callable[[], Any], value: Any = None, **options: Any) -> Any:
            task = function(what, value) if isinstance(what, str) else what
            return merge(task, environment=environment, **options)

        @w.do
        async def script() -> None:
            try:
                self.value = await self._script(remote)
            except BaseException as exc:  # told to the case, which runs in another thread
                self.error = exc
                if isinstance(exc, asyncio.CancelledError):
                    raise
            finally:
                self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the script, or of a weave that did not come to it."""
        ends = time.monotonic() + seconds
        while not self._done.wait(0.01):
            if self.weaving.ended:
                return True
            if time.monotonic() > ends:
                return False
        return True
