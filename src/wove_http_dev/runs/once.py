"""Runs each idempotency key's task once: a repeated key is answered with the first outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from wove_http_dev.protocol.frames import RunTask
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.sizes import size_of

KEY_LIMIT = 1000
"""Keys that are remembered. Beyond it, the oldest are forgotten."""
BYTE_LIMIT = 64 * 2**20
"""Bytes of keys and outcomes that are remembered. The newest outcome is, whatever its size."""


class _First:
    """The first run of a key."""

    def __init__(self) -> None:
        self.ended: Future[None] = Future()
        self.outcome: Outcome | None = None
        self.size = 0

    def wait(self, on_cancel: Callable[[Callable[[], None]], object]) -> None:
        """Block until it has ended, or what ``on_cancel`` gets is called."""
        woken = threading.Event()
        self.ended.add_done_callback(lambda _: woken.set())
        on_cancel(woken.set)
        woken.wait()


class FirstOutcomes:
    """The outcome of the first run of each idempotency key, by task and key. Thread-safe.

    ``delivery_idempotency_key`` is a setting of Wove's; its executor only sends it, and what a
    worker does with it is not on Wove's page.
    """

    def __init__(self) -> None:
        self._firsts: dict[tuple[str, str], _First] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def of(
        self,
        command: RunTask,
        body: Callable[[], Outcome],
        is_over: Callable[[], bool] = lambda: False,
        on_cancel: Callable[[Callable[[], None]], object] = lambda wake: None,
    ) -> Outcome:
        """Call ``body`` and return its outcome. If the key had a run before, wait until that one
        has ended and return its outcome instead. A cancelled run does not count, nor does one
        of which it is not known how it ended; a command without a key always runs.

        ``is_over`` says whether this run was cancelled or stopped while it waited: then ``body`` is
        not called. ``on_cancel`` gets what a cancel has to call to end the wait.
        """
        key = command.delivery.get("delivery_idempotency_key")
        if not isinstance(key, str) or not key:
            return body()
        while True:
            first, is_new = self._find((command.task_id, key))
            if is_new:
                return self._run((command.task_id, key), first, body)
            first.wait(on_cancel)
            if is_over():
                return CANCELLED
            if first.outcome is not None:
                return first.outcome

    def _find(self, key: tuple[str, str]) -> tuple[_First, bool]:
        with self._lock:
            first = self._firsts.get(key)
            if first is not None:
                return first, False
            first = self._firsts[key] = _First()
            if len(self._firsts) > KEY_LIMIT:
                ended = (old for old, run in self._firsts.items() if run.outcome is not None)
                oldest = next(ended, None)
                # The key of a run that has not ended stays: a repeated one must not run beside it.
                if oldest is not None:
                    self._forget(oldest)
            return first, True

    def _run(self, key: tuple[str, str], first: _First, body: Callable[[], Outcome]) -> Outcome:
        try:
            outcome = body()
            if outcome.kind != "cancelled" and not outcome.unknown:
                first.outcome = outcome
            return outcome
        finally:
            with self._lock:
                if self._firsts.get(key) is first:
                    self._remember(key, first)
            first.ended.set_result(None)

    def _remember(self, key: tuple[str, str], first: _First) -> None:
        if first.outcome is None:
            self._forget(key)
            return
        first.size = size_of((key, first.outcome))
        self._bytes += first.size
        for older in [each for each in self._firsts if each != key]:
            if self._bytes <= BYTE_LIMIT:
                return
            if self._firsts[older].outcome is not None:
                self._forget(older)

    def _forget(self, key: tuple[str, str]) -> None:
        self._bytes -= self._firsts.pop(key).size

    def clear(self) -> None:
        """Forget every key."""
        with self._lock:
            self._firsts.clear()
            self._bytes = 0
