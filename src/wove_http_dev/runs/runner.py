"""``Runner``: where the bodies of tasks run. ``ThreadRunner`` runs them in threads of this process;
the other runners are in ``runners/``.

Above a runner, and the same for all of them, are gates, stubs, faults, the journal, strict mode and
what a cancel answers.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from wove_http_dev.protocol.messages import Request
from wove_http_dev.runs.body import Body, run_body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.forwarding import ForwardedCommand, UpstreamAnswer
from wove_http_dev.runs.outcome import Outcome


class Runner:
    """Where the bodies of tasks run. A runner is a subclass; it needs ``place`` and :meth:`run`."""

    kills: bool = False
    """Whether a cancel ends a body that runs, whatever it does. If so, a ``require_ack`` cancel is
    acknowledged as soon as the body has ended, and no body is ever abandoned."""
    place: str
    """Where bodies run, in a few words for a person, as ``4 processes``."""

    def start(self) -> None:
        """Get ready to run bodies; called whenever the service starts. Raises
        :class:`WoveHttpDevError` if that cannot be."""

    def slot(self, execution: Execution) -> AbstractContextManager[object]:
        """Return a context manager for :meth:`run`, which is entered when a place for a body is
        free, or when ``execution`` is cancelled; until then the body has not started. Meanwhile
        ``execution.where`` says for what it waits. By default nothing waits here."""
        return nullcontext()

    def run(self, execution: Execution, body: Body) -> Outcome:
        """Run ``body``, block until it has ended, and return its outcome.

        Called in a thread of its own for each run, with nothing loaded yet. What the body does
        becomes an outcome, also if it ends its process; an exception counts as a failure of the
        service. To learn of a cancel the runner gives a function to ``execution.on_cancel()``. A
        runner that returns while the body may still run sets ``execution.left_running`` before.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Give back what :meth:`start` took: called when the service stops, after every execution
        was cancelled. Does nothing if it was not started."""

    def remove_files(self) -> None:
        """Remove the temporary files that :meth:`stop` removes, and leave the rest; called instead
        of it, or while it runs, if the process ends at once."""


class Forwarder(Runner):
    """A runner that forwards tasks to another worker service, in the requests that brought them.

    Its outcomes have an ``answer``. It calls ``execution.mark_forwarded()`` before it forwards a
    task, and ``execution.uncount()`` if upstream did not get it, or refused it.
    """

    def refuse_loop(self, request: Request) -> None:
        """Raise :class:`LoopError` for a request that the worker has forwarded itself."""

    def forward_cancel(self, forwarded: ForwardedCommand) -> UpstreamAnswer:
        """Forward a ``cancel_task`` and return the answer; blocks until there is one."""
        raise NotImplementedError

    def reset(self) -> None:
        """End every wait for an answer."""


class ThreadRunner(Runner):
    """Runs a body in the thread that calls."""

    place = "threads of the worker's process"

    def run(self, execution: Execution, body: Body) -> Outcome:
        """Run ``body`` in this thread."""
        return run_body(execution, body)
