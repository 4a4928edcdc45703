"""``DaskRunner``: runs bodies on the workers of a Dask cluster, each body once."""

from __future__ import annotations

import pickle
import shutil
import threading
import uuid
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import Any

from wove_http_dev.errors import NotRunningError, UsageError, WoveHttpDevError
from wove_http_dev.exception_text import message_of
from wove_http_dev.printable import printable, to_stderr
from wove_http_dev.runners.dask_clients import (
    ClientSource,
    GivenClient,
    dask_log_silenced,
    version_differences,
)
from wove_http_dev.runners.dask_once import REFUSED, UNKNOWN, once_call, once_plugin
from wove_http_dev.runners.remote_body import RemoteBody, RemoteResult, import_advice, shown_outcome
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome, failure
from wove_http_dev.runs.runner import Runner

ANSWER_TIMEOUT = 5.0
"""Seconds that the scheduler gets to say whether a body has begun."""
CANCEL_POLL = 0.25
"""Seconds between two checks whether a run that was cancelled has its outcome. If it has, its task
is not waited for."""
ATTEMPTS = 3
"""How many times a body is sent to a scheduler that was restarted, and so has lost the plugin that
lets it begin."""

RunMessage = Future[Any] | str | None
"""What is put into the queue of a run: its future, when that is done; the address of the worker,
when that was lost with the body; ``None``, when the run was cancelled."""


class DaskRunner(Runner):
    """Runs a body on a worker of a Dask cluster. A body that runs cannot be ended: a
    ``best_effort`` cancel releases its task and leaves it behind, a ``require_ack`` one waits for
    its end."""

    def __init__(self, source: ClientSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._link: SchedulerLink | None = None
        self._refusal: UsageError | None = None
        self._running = False
        self._stack = ExitStack()
        self.place = source.place

    def start(self) -> None:
        """Connect to the scheduler, starting it if it is a local one, and say in one line on stderr
        which versions differ. Raises :class:`UsageError` if there is no connection."""
        if not isinstance(self._source, GivenClient):
            self._stack.enter_context(dask_log_silenced())
        self._running = True
        try:
            client = self._connected().client
            with suppress(Exception):  # a worker that has just ended
                if text := version_differences(client):
                    to_stderr(f"wove-http-dev: {printable(text)}\n")
        except BaseException:
            self.stop()
            raise

    def run(self, execution: Execution, body: Body) -> Outcome:
        """Run ``body`` on a worker, block until it has ended there, was lost, or was cancelled, and
        return its outcome."""
        execution.where = "waits for the Dask scheduler"
        why = "the Dask scheduler was restarted again and again"
        try:
            for _ in range(ATTEMPTS):
                link = self._connected()
                registration = link.registration
                outcome = link.run(execution, body)
                if outcome is not None:
                    return outcome
                link.register(registration)
        except WoveHttpDevError as exc:
            why = message_of(exc)
        execution.uncount()
        return failure("DaskUnavailable", why, retryable=True)

    def stop(self) -> None:
        """Leave the scheduler, and end it with its workers if it is a local one. Blocks for about a
        second, and for half a minute if the scheduler does not answer."""
        with self._lock:
            self._running = False
            link, self._link = self._link, None
        if link is not None:
            link.leave()
        self._source.close()
        self._stack.close()

    def remove_files(self) -> None:
        """Remove the directory of a local cluster."""
        if self._source.directory:
            shutil.rmtree(self._source.directory, ignore_errors=True)

    def _connected(self) -> SchedulerLink:
        """Return a link to the scheduler that is connected: a new one if the connection was lost.
        Threads that call this while another one connects share its link, or its error. Raises
        :class:`UsageError` if there is no connection, and :class:`NotRunningError` after
        :meth:`stop`."""
        before = self._refusal
        with self._lock:
            if not self._running:
                raise NotRunningError("the worker is not running")
            if self._refusal is not None and self._refusal is not before:
                raise self._refusal
            if self._link is not None and self._link.client.status == "running":
                return self._link
            try:
                client, executor = self._source.open()
                if self._link is None or self._link.client is not client:
                    self._link = SchedulerLink(client, executor)
                    self._link.register(0)
            except UsageError as exc:
                self._refusal = exc
                raise
            return self._link


class SchedulerLink:
    """A connection to a scheduler, with the plugin there that lets each body begin once."""

    def __init__(self, client: Any, executor: Any) -> None:
        self.client = client
        self.registration = 0
        """How often the plugin was registered."""
        self._executor = executor
        self._name = f"wove_http_dev_{uuid.uuid4().hex}"
        self._call = once_call()
        self._waiting: dict[str, tuple[Execution, SimpleQueue[RunMessage]]] = {}
        self._lock = threading.Lock()

    def register(self, seen: int) -> None:
        """Register the plugin with the scheduler, unless that was done since ``seen``, a value of
        :attr:`registration`. Raises :class:`UsageError` if the scheduler does not take it."""
        with self._lock:
            if self.registration != seen:
                return
            plugin = once_plugin(self._name, self.client.id)
            try:
                self.client.register_plugin(plugin, name=self._name)
                self.client.subscribe_topic(self._name, self._on_event)
            except Exception as exc:  # it has ended, or its version of Dask is another one
                raise UsageError(
                    "the Dask scheduler did not take the plugin that lets a body begin once:"
                    f" {message_of(exc, 300)}"
                ) from exc
            self.registration += 1

    def leave(self) -> None:
        """Remove the plugin from the scheduler."""
        with suppress(Exception):  # the scheduler has ended
            self._ask(action="end")
        with suppress(Exception):
            self.client.unsubscribe_topic(self._name)

    def run(self, execution: Execution, body: Body) -> Outcome | None:
        """Run ``body``, block until it has ended, and return its outcome; ``None`` if the scheduler
        had no plugin, and the body has not begun. Raises :class:`UsageError` if it was not
        sent."""
        key = f"wove-body-{uuid.uuid4().hex}"
        inbox: SimpleQueue[RunMessage] = SimpleQueue()
        # Before the task is sent: the scheduler notes what is taken back, and refuses it later.
        if execution.on_withdraw(lambda: self._never_begins(key)):
            return CANCELLED
        execution.where = "waits for a Dask worker"
        self._waiting[key] = execution, inbox
        try:
            future = self._submitted(key, body)
            future.add_done_callback(inbox.put)
            execution.on_cancel(lambda: inbox.put(None))
            ended = self._end_of(execution, inbox)
            if isinstance(ended, Future):
                return self._outcome(execution, key, ended, body)
            future.cancel()  # so that Dask neither keeps the task nor runs it again
            if ended is not None:
                return _worker_lost(ended)
            execution.left_running = not execution.ended
            return CANCELLED
        finally:
            self._waiting.pop(key, None)

    def _submitted(self, key: str, body: Body) -> Future[Any]:
        words = {"key": key, "pure": False, "retries": 0}
        payload = pickle.dumps(RemoteBody.of(body))
        try:
            future: Future[Any] = self._executor.submit(
                self._call, self._name, key, payload, **words
            )
        except Exception as exc:  # the client was closed, or has just lost its scheduler
            raise UsageError(f"Dask took no task: {message_of(exc)}") from exc
        return future

    def _end_of(self, execution: Execution, inbox: SimpleQueue[RunMessage]) -> RunMessage:
        """Wait for the task's end, or until the execution was cancelled and is not waited for."""
        while execution.outcome is None:
            try:
                message = inbox.get(timeout=CANCEL_POLL if execution.cancel_requested else None)
            except Empty:
                continue
            if message is not None:
                return message
        return None

    def _outcome(
        self, execution: Execution, key: str, future: Future[Any], body: Body
    ) -> Outcome | None:
        try:
            result = future.result(0)
        except CancelledError:
            return failure(
                "DaskConnectionLost",
                "the Dask scheduler was lost or restarted while it had the task, which may have"
                " run or still run",
                retryable=True,
            )
        except BaseException as exc:
            if self._never_begins(key):
                execution.uncount()
            return _not_run(exc)
        if isinstance(result, RemoteResult):
            return shown_outcome(result, body.display)
        if result == REFUSED:
            return _worker_lost("")
        return None if result == UNKNOWN else failure("DaskFailed", "the Dask task has no result")

    def _never_begins(self, key: str) -> bool:
        """Take the body ``key`` back if it has not begun. Returns whether it never will."""
        if self.client.status != "running":
            return False
        try:
            return self._ask(action="take-back", key=key) is True
        except Exception:  # the scheduler has ended, or does not answer
            return False

    def _ask(self, **words: str) -> Any:
        operation = getattr(self.client.scheduler, self._name)
        return self.client.sync(operation, callback_timeout=ANSWER_TIMEOUT, **words)

    def _on_event(self, event: tuple[float, Any]) -> None:
        what, key, worker = event[1]
        if key not in self._waiting:
            return
        execution, inbox = self._waiting[key]
        if what == "begun":
            execution.where = f"on the Dask worker {worker}"
        else:
            inbox.put(str(worker))


def _worker_lost(worker: str) -> Outcome:
    name = f"the Dask worker {worker}" if worker else "the task's Dask worker"
    return failure(
        "DaskWorkerLost",
        f"{name} was lost while it had the task: its process has ended, or cannot be reached. The"
        " task's body has begun once, and is not run again by Dask",
        retryable=True,
    )


def _not_run(exc: BaseException) -> Outcome:
    if type(exc).__name__ == "KilledWorker":
        message = f"Dask gave up the task, whose workers were lost: {message_of(exc)}"
        return failure("DaskWorkerLost", message, retryable=True)
    advice = import_advice(exc, "the Dask worker")
    named = f"{type(exc).__name__}: {message_of(exc)}"
    return failure("DaskFailed", advice or f"Dask did not run the task: {named}")
