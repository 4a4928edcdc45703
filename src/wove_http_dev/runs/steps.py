"""Work that waits for the bodies of tasks without a thread that waits.

A generator serves a request: it yields a :class:`Step` for each body that it needs, and goes on
when the body's execution has an outcome. So a body runs in the thread that serves its request. Only
if a cancel comes before the body ends does another thread go on with the request, and the first one
is left to the body.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import Outcome

if TYPE_CHECKING:
    from wove_http_dev.runs.thread_pool import ThreadPool

T = TypeVar("T")


@dataclass(eq=False)
class Step:
    """A body that a generator needs. When the generator goes on, in whichever thread, ``execution``
    has its outcome."""

    threads: ThreadPool
    execution: Execution
    body: Callable[[], Outcome]

    def run_here(self, go_on: Callable[[], None]) -> bool:
        """Run the body in this thread. Return whether this thread goes on; if not, a cancel came
        first, and ``go_on`` is called in another thread."""
        return self.threads.run_here(self.execution, self.body, go_on)

    def wait(self) -> None:
        """Run the body in another thread, and block until it has an outcome."""
        self.threads.start(self.execution, self.body)
        self.execution.wait()


Steps = Generator[Step, None, T]
"""A generator that yields a step for each body that it needs, and returns a ``T``."""


def at_once(value: T) -> Steps[T]:
    """Return ``value`` without any step."""
    yield from ()
    return value


def finish(steps: Steps[T]) -> T:
    """Block until ``steps`` have ended, and return their value. The bodies run in other threads."""
    while True:
        try:
            next(steps).wait()
        except StopIteration as stop:
            value: T = stop.value
            return value
