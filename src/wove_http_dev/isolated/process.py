"""``ChildProcess``: the parent's handle of a child process; receives the child's reports and
answers its requests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from wove_http_dev import start_child
from wove_http_dev.faults.injections import Injection
from wove_http_dev.forks import close_in_forks
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.channel import Channel
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.records import FINISHED, Exchange, Run
from wove_http_dev.runs.stubs import Source
from wove_http_dev.service.host import STOP_GRACE, HostState
from wove_http_dev.service.pipeline import SecondOriginUrl

_PROGRAM = "wove_http_dev.isolated.child"


class ChildProcess:
    """One child process of an isolated worker."""

    def __init__(self, state: HostState, second_origin: SecondOriginUrl) -> None:
        self._journal = state.journal
        self._second_origin_url = second_origin
        self._state = state
        self._exchanges: dict[int, Exchange] = {}
        self._runs: WeakValueDictionary[str, Run] = WeakValueDictionary()
        """By run id. Only the journal and the test keep a run that has finished."""
        self._unfinished: set[Run] = set()
        self._parked: dict[str, Execution] = {}
        self._answering: dict[str, Source] = {}
        """What answers for the runs that a stub has matched, by run id; also if it was removed
        since."""
        self.end_expected = False
        """Whether the parent or a fault ends the child, so that its end is not an error."""
        self.ended = threading.Event()
        self._parent = os.getpid()
        self._watcher = threading.Thread(
            target=self._watch, name="wove-http-dev-control-process", daemon=True
        )
        parent_end, self._child_end = socket.socketpair()
        try:
            self._start(parent_end)
        except BaseException:
            self._child_end.close()
            parent_end.close()
            raise

    def _start(self, parent_end: socket.socket) -> None:
        close_in_forks(self._child_end)
        self.channel = Channel(
            parent_end,
            requests={
                "park": self._park,
                "match_stub": self._match_stub,
                "stub": self._stub,
                "second_origin": self._second_origin,
            },
            notifications={
                "crashing": self._crashing,
                "injection_decided": self._injection_decided,
                "exchange_opened": self._exchange_opened,
                "exchange_updated": self._exchange_updated,
                "exchange_closed": self._exchange_closed,
                "run_added": self._run_added,
                "run_changed": self._run_changed,
                "run_finished": self._run_finished,
                "run_lost": self._run_lost,
            },
            on_close=self._ended,
        )
        self.process = _start(self._child_end)
        try:
            self.channel.start()
            self._watcher.start()
        except BaseException:
            self.end_expected = True
            self.process.kill()
            self.process.wait()
            self.channel.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the child is running, as far as the parent has noticed. Always false in a process
        that the parent forked, which must not control the child."""
        return not self.ended.is_set() and os.getpid() == self._parent

    def end(self) -> None:
        """Close the channel, and block until the process has ended; kill it after ``STOP_GRACE`` +
        3 s. Do nothing in a process that the parent forked."""
        if os.getpid() != self._parent:
            return
        self.end_expected = True
        self.channel.close()
        self._watcher.join(STOP_GRACE + 3.0)
        self.process.kill()  # does nothing if it has ended
        self._watcher.join()

    def _watch(self) -> None:
        self.process.wait()
        # The reader still gets what the child sent, and then the end. close() alone would not end
        # the channel while a process that a task started has a copy of the descriptor.
        with suppress(OSError), self._child_end:
            self._child_end.shutdown(socket.SHUT_RDWR)

    # What the child reports

    def _exchange_opened(self, data: dict[str, Any]) -> None:
        self._exchanges[data["number"]] = self._journal.open(data["kind"])

    def _exchange_updated(self, data: list[Any]) -> None:
        number, record = data
        exchange = self._exchanges[number]
        serialization.update_exchange(exchange, record)
        if exchange.status is None:
            self._journal.announce(exchange)
        else:
            self._journal.update(exchange)
        self._journal.notify()

    def _exchange_closed(self, data: list[Any]) -> None:
        number, record = data
        exchange = self._exchanges.pop(number)
        serialization.update_exchange(exchange, record)
        self._journal.close(exchange)

    def _run_added(self, record: dict[str, Any]) -> None:
        exchange = self._exchanges.get(record["exchange"])
        number = exchange.number if exchange is not None else None
        run = serialization.run_from_record(record, number)
        self._runs[run.run_id] = run
        self._unfinished.add(run)
        self._journal.add_run(run)

    def _run_changed(self, data: list[Any]) -> None:
        run_id, changes = data
        run = self._runs.get(run_id)
        if run is None:  # neither the journal nor the test has it any more
            return
        serialization.update_run(run, changes)
        if changes["state"] in FINISHED:  # the outcome has its own report
            self._journal.notify()
        else:
            self._journal.change(run, changes["state"])

    def _run_finished(self, data: list[Any]) -> None:
        run_id, changes, outcome = data
        run = self._runs[run_id]
        serialization.update_run(run, changes)
        self._answering.pop(run_id, None)
        self._journal.finish(run, serialization.outcome_from_record(outcome))
        self._unfinished.discard(run)

    def _run_lost(self, data: list[Any]) -> None:
        run_id, changes = data
        run = self._runs[run_id]
        serialization.update_run(run, changes)
        self._answering.pop(run_id, None)
        self._journal.lose(run)
        self._unfinished.discard(run)

    def _injection_decided(self, data: list[Any]) -> None:
        number, counts = data
        injection = self._injection(number)
        if injection is not None:
            injection.account(**counts)
        self._journal.notify()

    def _injection(self, number: int | None) -> Injection | None:
        found = (each for each in self._state.faults.injections if each.number == number)
        return next(found, None)  # a reset() may have removed it

    def _crashing(self, _: None) -> None:
        self.end_expected = True

    def _ended(self) -> None:
        try:
            self._record_end()
        finally:
            self.ended.set()
            for execution in list(self._parked.values()):
                execution.cancel(wait_for_end=False)

    def _record_end(self) -> None:
        for run in self._unfinished:
            self._journal.lose(run)
        self._unfinished.clear()
        by_itself = not self.end_expected
        unfinished = list(self._exchanges.values())
        self._exchanges.clear()
        if by_itself and not unfinished:
            unfinished = [self._journal.open("connection")]
        for exchange in unfinished:
            exchange.error = "the worker process ended" + (" by itself" if by_itself else "")
            exchange.code = exchange.code or "worker-ended"
            exchange.internal_error = by_itself
            self._journal.close(exchange)

    # What the child requests

    def _park(self, run_id: str) -> None:
        run = self._runs[run_id]
        execution = self._parked[run_id] = Execution(run.task_id)
        try:
            if self.ended.is_set():
                execution.cancel(wait_for_end=False)
            self._state.gates.park(run, execution)
        finally:
            self._parked.pop(run_id, None)

    def _second_origin(self, data: list[Any]) -> str:
        run_id, number = data
        return self._second_origin_url(run_id, self._injection(number))

    def _match_stub(self, run_id: str) -> bool:
        source = self._state.stubs.find(self._runs[run_id])
        if source is not None:
            self._answering[run_id] = source
        return source is not None

    def _stub(self, run_id: str) -> dict[str, Any]:
        return serialization.answer_to_record(self._answering[run_id](self._runs[run_id]))


def _start(child_end: socket.socket) -> subprocess.Popen[bytes]:
    """Start the child process, which gets a copy of ``child_end``, and return it.

    The copy has the same number (``pass_fds``, on every POSIX system), so nothing is looked up in
    ``/proc`` or ``/dev/fd``. If this process dies, the kernel closes the other end of the socket
    pair, and the child reads its end; ``prctl(PR_SET_PDEATHSIG)``, which only Linux has, is not
    needed.

    The child gets all environment variables of this process, because tasks need them there as they
    do here: credentials of a cloud, ``PYTEST_CURRENT_TEST`` by which an application knows that it
    is tested, coverage's variables. The package itself needs none, and ``-I`` ignores Python's.
    What ``impersonate`` sets meanwhile is the secret that the child has anyway.
    """
    return subprocess.Popen(
        # -I: no PYTHONPATH, no working directory, no user site on the import path.
        [sys.executable, "-I", *start_child.arguments(_PROGRAM, child_end.fileno())],
        pass_fds=[child_end.fileno()],
        stdin=subprocess.DEVNULL,
    )
