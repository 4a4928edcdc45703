"""What it means for an application to survive a fault.

This room watches a block of a test and reads the journal; it injects nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from wove_http_dev.errors import UsageError
from wove_http_dev.worker import HttpWorker


class Contained:
    """How the block ended: ``error`` is the exception that left it, ``None`` for none."""

    error: Exception | None = None
    seconds: float = 0.0


@contextmanager
def assert_contained(
    worker: HttpWorker, *, within: float = 5.0, attempts: int = 1
) -> Iterator[Contained]:
    """The block must survive: end within ``within`` seconds, with a result or an ordinary error of
    Wove's (``EnvironmentExecutionError``, ``DeliveryTimeoutError``, ``DeliveryOrphanedError``),
    and no task may have run more than ``attempts`` times with the same arguments (say
    ``attempts=retries + 1``; mapped tasks over equal items count as one).

    Such an error is caught and kept as ``.error``. Anything else is an ``AssertionError``: a
    ``CancelledError`` that escapes the weave, ``SystemExit``, an error that is not Wove's. What
    ``pytest.skip()`` and the like raise passes through. Raises :class:`UsageError` for bounds that
    are none.
    """
    if type(within) not in (int, float) or not within >= 0:
        raise UsageError(f"within is a number of seconds, 0 or more, not {within!r}")
    if type(attempts) is not int or attempts < 1:
        raise UsageError(f"attempts is a whole number, 1 or more, not {attempts!r}")
    import pytest
    from wove.environment import (
        DeliveryOrphanedError,
        DeliveryTimeoutError,
        EnvironmentExecutionError,
    )

    outcomes = (pytest.skip.Exception, pytest.fail.Exception, pytest.exit.Exception)
    wove_errors = (EnvironmentExecutionError, DeliveryTimeoutError, DeliveryOrphanedError)
    contained = Contained()
    begin = time.monotonic()
    try:
        yield contained
    except wove_errors as exc:
        contained.error = exc
    except AssertionError:
        raise
    except (KeyboardInterrupt, *outcomes):
        raise
    except BaseException as exc:
        raise AssertionError(
            f"not contained: {type(exc).__name__}: {exc} left the weave, which is no error of"
            f" Wove's to handle\n{worker.journal.render()}"
        ) from exc
    contained.seconds = time.monotonic() - begin
    if contained.seconds > within:
        raise AssertionError(
            f"not contained: it took {contained.seconds:.2f} s, more than {within:g} s"
            f"\n{worker.journal.render()}"
        )
    _none_ran_more_often(worker, attempts)


def _none_ran_more_often(worker: HttpWorker, attempts: int) -> None:
    bodies: Counter[tuple[str, bytes]] = Counter()
    for run in worker.runs:
        bodies[run.task_id, run.args_pickle] += run.executions
    for (task, _), count in bodies.items():
        if count > attempts:
            raise AssertionError(
                f"not contained: {task!r} ran {count} times with the same arguments, more than"
                f" {attempts}\n{worker.journal.render()}"
            )
