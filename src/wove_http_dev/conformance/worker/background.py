"""Steps of a case that run beside it, such as a request whose answer comes late."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from wove_http_dev.conformance.worker.wire import AnswerTimeout

T = TypeVar("T")


class Background(Generic[T]):
    """Runs the function ``step`` in a background thread. The thread is a daemon, so that a step
    that hangs does not keep the checker from ending."""

    def __init__(self, step: Callable[[], T]) -> None:
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(step,), daemon=True).start()

    def _run(self, step: Callable[[], T]) -> None:
        try:
            self._value.append(step())
        except BaseException as exc:  # raised again by result()
            self._error = exc
        finally:
            self._done.set()

    def done(self, timeout: float = 0.0) -> bool:
        """Wait up to ``timeout`` seconds for the step to end; return whether it has ended."""
        return self._done.wait(timeout)

    def result(self, timeout: float) -> T:
        """Wait for the step to end, and return its value or raise its exception. Raises
        :class:`AnswerTimeout` after ``timeout`` seconds."""
        if not self._done.wait(timeout):
            raise AnswerTimeout(f"no complete answer within {timeout:g} s")
        if self._error is not None:
            raise self._error
        return self._value[0]
