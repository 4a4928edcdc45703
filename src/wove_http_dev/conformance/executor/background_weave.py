"""Runs weaves in threads of their own, so that a weave that hangs fails its case instead of
blocking the checker."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from wove_http_dev.client import wove_config
from wove_http_dev.conformance.executor.placed_outcome import placed
from wove_http_dev.conformance.executor.time_limits import note_passed, note_timeout
from wove_http_dev.weave_outcome import WeaveOutcome, read_outcome, task_returning

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

Define = Callable[["Weave", str], None]
"""``define(w, environment)`` adds tasks to the weave ``w``. Tasks given this ``environment`` run on
the worker."""

Remote = Callable[..., Awaitable[Any]]
"""``remote(name, value, **options)`` runs a task called ``name`` on the worker; it returns
``value``. ``options`` are Wove's, e.g. ``delivery_timeout``. Instead of a name and a value, it
accepts a function to run."""

Script = Callable[[Remote], Awaitable[Any]]
"""A coroutine function that a case runs in the event loop of a weave. It calls ``remote``, its
argument, to start runs on the worker."""


class BackgroundWeave:
    """Runs one weave in a thread. Wove knows ``definition`` as the environment called
    ``environment``, and ``define`` adds the tasks.

    The weave has ended when its event loop has closed and the threads of the loop's default pool
    have ended, as at the end of a ``with weave()`` block.
    """

    def __init__(
        self, environment: str, definition: Mapping[str, Any], define: Define, **options: Any
    ) -> None:
        self.raised: BaseException | None = None
        """The exception that ended the weave, or ``None``."""
        self.seconds = 0.0
        """How long the weave took; 0 until it has ended."""
        self._environment = environment
        self._definition = definition
        self._define = define
        self._options = options
        self._weave: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._ended = threading.Event()
        self._began = time.monotonic()
        run = partial(contextvars.copy_context().run, self._run)
        threading.Thread(target=run, name="conformance-weave", daemon=True).start()

    def _run(self) -> None:
        try:
            with wove_config.configured(self._environment, self._definition, None):
                asyncio.run(self._main())
        except BaseException as exc:  # SystemExit as well: the case judges it
            self.raised = exc
        finally:
            self.seconds = time.monotonic() - self._began
            self._ended.set()

    async def _main(self) -> None:
        from wove import weave

        self._loop = asyncio.get_running_loop()
        # By default asyncio prints exceptions that nothing retrieved, in the middle of a report.
        self._loop.set_exception_handler(lambda *_: None)
        self._task = asyncio.current_task()
        async with weave(**self._options) as w:
            self._weave = w
            self._define(w, self._environment)

    @property
    def ended(self) -> bool:
        """Whether the weave has ended."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for the weave to end; return whether it has ended."""
        ended = self._ended.wait(seconds)
        if not ended:
            note_passed()
        return ended

    def outcome(self, task: str = "task") -> WeaveOutcome:
        """Return the result or the error of ``task``. The weave must have ended."""
        if self.raised is not None:
            outcome = WeaveOutcome("raised", error=self.raised, seconds=self.seconds)
        else:
            outcome = read_outcome(self._weave.result, task, self.seconds)
        note_timeout(outcome.error)
        return placed(outcome)

    def cancel(self, seconds: float) -> bool:
        """Cancel the weave and wait at most ``seconds`` for it to end; return whether it has
        ended. That is no time limit of the case, which may go on at once."""
        loop, task = self._loop, self._task
        if not self.ended and loop is not None and task is not None:
            with suppress(RuntimeError):  # the loop was closed: the weave is ending
                loop.call_soon_threadsafe(task.cancel)
        return self._ended.wait(seconds)


class ScriptedWeave:
    """Runs the coroutine function ``script`` as the only local task of a weave, in the weave's
    event loop.

    ``on_run`` is called with the name and the options of each run that ``script`` starts.
    """

    def __init__(
        self,
        environment: str,
        definition: Mapping[str, Any],
        script: Script,
        on_run: Callable[[str, Mapping[str, Any]], None] = lambda name, options: None,
    ) -> None:
        self.value: Any = None
        """What ``script`` returned."""
        self.error: BaseException | None = None
        """The exception that ``script`` raised, or ``None``."""
        self._script = script
        self._on_run = on_run
        self._done = threading.Event()
        self.weave = BackgroundWeave(environment, definition, self._define)

    def _define(self, w: Weave, environment: str) -> None:
        from wove import merge

        def remote(task: str | Callable[[], Any], value: Any = None, **options: Any) -> Any:
            function = task_returning(value, task) if isinstance(task, str) else task
            self._on_run(function.__name__, options)
            return merge(function, environment=environment, **options)

        @w.do
        async def script() -> None:
            try:
                self.value = await self._script(remote)
            except BaseException as exc:  # the case reads it, in another thread
                self.error = exc
                if isinstance(exc, asyncio.CancelledError):
                    raise
            finally:
                self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds`` until the script or the whole weave has ended; return whether
        either has."""
        ends = time.monotonic() + seconds
        while not self._done.wait(0.01):
            if self.weave.ended:
                return True
            if time.monotonic() > ends:
                note_passed()
                return False
        return True
