"""``Execution``: one execution of a task's body, which can be waited for and cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from wove_http_dev.errors import NoThreadError
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.stack import stack_of_task, stack_of_thread

if TYPE_CHECKING:
    import asyncio


class Execution:
    """One execution of a task's body.

    ``outcome`` is set when it is known; ``ended`` is true when the body has ended, which is later
    than that if the body was abandoned. ``kills`` is that of the runner: whether a cancel ends the
    body.
    """

    def __init__(self, name: str, *, kills: bool = False) -> None:
        self.name = name
        self.kills = kills
        self.ended = False
        self.outcome: Outcome | None = None
        self.cancel_requested = False
        self.abandoned = False
        self.left_running = False
        """Whether the body may still run where this process does not see it. Then ``ended`` is
        never set."""
        self.uncount: Callable[[], None] = lambda: None
        """Called by a runner whose body never began: takes it back from ``Run.executions``, and
        from ``Run.abandoned``, if a cancel came before the runner could withdraw it."""
        self.where = ""
        """Where the body runs, or for what it waits, if that is not a thread of this process:
        ``in process 4711``."""
        self.forwarded = False
        """Whether the task was forwarded to an upstream service, which also cancels it."""
        self.replaced = False
        """Whether a cancel came before the body ended, and another thread serves the request on."""
        self._replace: Callable[[], None] | None = None
        self._begun = False
        self._lock = threading.Lock()
        self._changed: threading.Condition | None = None
        """Made by the first thread that waits: for most executions, none does."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._thread: int | None = None
        self._on_cancel: list[Callable[[], None]] = []
        self._withdraw: Callable[[], bool] | None = None

    def begin(self) -> bool:
        """Mark the body as begun, unless the execution was cancelled before. Returns whether the
        body may start."""
        with self._lock:
            self._begun = self.outcome is None and not self.cancel_requested
            self._thread = threading.get_ident()
            return self._begun

    def runs_here(self) -> None:
        """Note that the body runs in the calling thread, for :meth:`stack`."""
        with self._lock:
            self._thread = threading.get_ident()
            self.where = ""

    def settle(self, outcome: Outcome) -> bool:
        """Set the outcome if there is none yet. Returns whether it was set."""
        with self._lock:
            if self.outcome is not None:
                return False
            self.outcome = outcome
            self._replace = None
            self._notify()
            return True

    def replace_on_cancel(self, replace: Callable[[], None]) -> None:
        """Call ``replace`` if a cancel sets the outcome before the body, which runs in the thread
        that serves its request, has ended. ``replace`` lets another thread go on with that, or
        raises :class:`NoThreadError`: then the request is answered when the body has ended."""
        with self._lock:
            if self.outcome is None:
                self._replace = replace

    def wait(self, timeout: float | None = None) -> Outcome | None:
        """Block until there is an outcome and return it; ``None`` if there is none after
        ``timeout`` seconds."""
        self._wait_until(lambda: self.outcome is not None, timeout)
        return self.outcome

    def end(self) -> None:
        """Note that the body has ended."""
        with self._lock:
            self.ended = True
            self._notify()

    def wait_for_end(self, timeout: float) -> bool:
        """Block until the body has ended, for at most ``timeout`` seconds; return whether it
        has."""
        return self._wait_until(lambda: self.ended, timeout)

    def _wait_until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        with self._lock:
            if self._changed is None:
                self._changed = threading.Condition(self._lock)
            return self._changed.wait_for(condition, timeout)

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.notify_all()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the execution is cancelled, or now if it already was."""
        with self._lock:
            if not self.cancel_requested:
                self._on_cancel.append(callback)
                return
        callback()

    def mark_forwarded(self, on_cancel: Callable[[], None]) -> bool:
        """Mark the task as forwarded, unless the execution was cancelled before. Returns whether it
        may be forwarded; then ``on_cancel`` is called if the service stops."""
        with self._lock:
            self.forwarded = not self.cancel_requested
            if self.forwarded:
                self._on_cancel.append(on_cancel)
            return self.forwarded

    def keep_from_forwarding(self) -> bool:
        """Mark the execution as cancelled, unless its task was forwarded and upstream has to cancel
        it. Returns whether it was marked."""
        with self._lock:
            if not self.forwarded:
                self.cancel_requested = True
            return not self.forwarded

    def on_withdraw(self, withdraw: Callable[[], bool]) -> bool:
        """Let a cancel call ``withdraw`` before it settles the execution. ``withdraw`` takes a body
        back that waits in the runner, and returns whether it now never begins. If the execution is
        cancelled already, call it at once and return what it returns; otherwise return false."""
        with self._lock:
            if not self.cancel_requested:
                self._withdraw = withdraw
                return False
        return self._taken_back(withdraw)

    def _taken_back(self, withdraw: Callable[[], bool]) -> bool:
        if not withdraw():
            return False
        self._begun = self.abandoned = False
        self.uncount()
        return True

    def cancel(self, *, wait_for_end: bool, outcome: Outcome = CANCELLED) -> None:
        """Cancel the execution. In a thread this interrupts an async body; a sync body cannot be
        interrupted. Other runners are called with what they gave to :meth:`on_cancel`.

        Unless ``wait_for_end``, ``outcome`` is set at once and a body that still runs is abandoned:
        its own outcome is dropped.
        """
        with self._lock:
            if self.outcome is not None and self.ended:
                return
            self.cancel_requested = True
            callbacks, self._on_cancel = self._on_cancel, []
            loop, task, begun = self._loop, self._task, self._begun
            withdraw, self._withdraw = self._withdraw, None
        if withdraw is not None and self._taken_back(withdraw):
            begun = False
        if not wait_for_end or not begun:
            self.abandon(outcome)
        if not begun:
            self.end()
        for callback in callbacks:
            callback()
        if loop is not None and task is not None:
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # the loop has closed: the body has ended
                return

    def stack(self) -> str:
        """Return where the body is at this moment, as the lines of a traceback, or in words if it
        does not run in a thread of this process; empty if it does not run."""
        if self.where:
            return "" if self.ended else f"{self.where}\n"
        with self._lock:
            task, thread = self._task, self._thread
        if thread is None or self.ended:
            return ""
        return (task and stack_of_task(task)) or stack_of_thread(thread)

    def abandon(self, outcome: Outcome) -> None:
        """Set ``outcome`` now, even if the body still runs; the body's own outcome is then
        dropped."""
        with self._lock:
            if self.outcome is not None:
                return
            self.outcome = outcome
            self.abandoned = self._begun and not self.kills and not self.ended
            if self._replace is not None:
                with suppress(NoThreadError):
                    self._replace()
                    self.replaced = True
                self._replace = None
            self._notify()

    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run ``coroutine`` on a new event loop in this thread and return its result.
        :meth:`cancel` interrupts it."""
        import asyncio  # many workers have no async tasks

        async def main() -> Any:
            with self._lock:
                self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
                if self.cancel_requested and self._task is not None:
                    self._task.cancel()
            try:
                return await coroutine
            except BaseException as exc:
                failures.append(exc)
            finally:
                with self._lock:
                    self._loop = self._task = None

        # Not raised through asyncio.run(), whose frame and task would then keep each other, and
        # with them the task's variables, until the next garbage collection.
        failures: list[BaseException] = []
        value = asyncio.run(main())
        if failures:
            raise failures.pop()
        return value
