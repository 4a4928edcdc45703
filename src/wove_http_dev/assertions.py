"""``assert_contained``: assert that an application survives the faults in force."""

from __future__ import annotations

import reprlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from wove_http_dev.client_side import ClientSide
from wove_http_dev.errors import UsageError
from wove_http_dev.weave_outcome import wove_errors
from wove_http_dev.worker import HttpWorker


class Contained:
    """The outcome of a block that survived: Wove's error, if any, and the duration."""

    error: Exception | None = None
    """Wove's error that ended the block; ``None`` if it ended without one."""
    seconds: float = 0.0
    """The duration of the block in seconds."""


@contextmanager
def assert_contained(
    worker: HttpWorker, *, within: float = 5.0, attempts: int = 1
) -> Iterator[Contained]:
    """Fail unless the block survives the faults in force.

    The block must end within ``within`` seconds, with a result or with one of Wove's errors
    (``EnvironmentExecutionError``, ``DeliveryTimeoutError``, ``DeliveryOrphanedError``), which is
    caught and stored as ``.error``. No task may have run more than ``attempts`` times with the same
    arguments: pass ``attempts=retries + 1`` if Wove retries; equal items of a mapped task count
    together.

    Everything else is an ``AssertionError``: a ``CancelledError`` that escapes the weave,
    ``SystemExit``, an error that is not Wove's. Exceptions of ``pytest.skip()`` and the like pass
    through. Raises :class:`UsageError` for a negative ``within`` or an ``attempts`` below 1.
    """
    if not isinstance(worker, ClientSide):
        raise UsageError(
            f"assert_contained takes a worker, as in assert_contained(wove_http_worker), not"
            f" {reprlib.repr(worker)}"
        )
    if type(within) not in (int, float) or not within >= 0:
        raise UsageError(f"within must be a number of seconds, 0 or more, not {within!r}")
    if type(attempts) is not int or attempts < 1:
        raise UsageError(f"attempts must be a whole number, 1 or more, not {attempts!r}")
    import pytest

    pytest_outcomes = (pytest.skip.Exception, pytest.fail.Exception, pytest.exit.Exception)
    contained = Contained()
    begin = time.monotonic()
    try:
        yield contained
    except wove_errors() as exc:
        contained.error = exc
    except (AssertionError, KeyboardInterrupt, *pytest_outcomes):
        raise
    except BaseException as exc:
        raise AssertionError(
            f"not contained: {type(exc).__name__}: {exc} left the block, which is not an error"
            f" of Wove's own\n{worker.journal.render()}"
        ) from exc
    contained.seconds = time.monotonic() - begin
    if contained.seconds > within:
        raise AssertionError(
            f"not contained: it took {contained.seconds:.2f} s, more than {within:g} s"
            f"\n{worker.journal.render()}"
        )
    _assert_executions(worker, attempts)


def _assert_executions(worker: HttpWorker, attempts: int) -> None:
    executions: Counter[tuple[str, bytes]] = Counter()
    for run in worker.runs:
        executions[run.task_id, run.args_pickle] += run.executions
    for (task, _), count in executions.items():
        if count > attempts:
            raise AssertionError(
                f"not contained: {task!r} ran {count} times with the same arguments, more than"
                f" {attempts}\n{worker.journal.render()}"
            )
