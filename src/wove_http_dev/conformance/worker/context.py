"""`CaseContext`, the object through which each case sends requests, starts runs, and sees which
task bodies run. All waits have a time limit."""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, tasks
from wove_http_dev.conformance.worker.answer_log import AnswerLog, CaseAnswers
from wove_http_dev.conformance.worker.answer_rules import SHORTEST_SECRET
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.callbacks import Callback, Listener
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.machine import Machine
from wove_http_dev.conformance.worker.sent_log import SentRequests
from wove_http_dev.conformance.worker.wire import Deadline, HttpResponse, NoAnswer

PATIENCE = 5.0
"""Seconds to wait for one answer on an idle machine. The tasks themselves take only
milliseconds."""
CASE_TIME = 12.0
"""Seconds that all waits of one case may take together on an idle machine."""
SILENCE = 1.0
"""The factor, by default, for the times that every check goes through in full."""
TURNED_AWAY = (429, 503)
"""The statuses by which a service says that it serves enough requests at present."""
CALLBACK = 1.0
"""Seconds to wait for the first connection of a task body to the checker, after the answer to its
run."""


@dataclass(frozen=True)
class AcceptedRequest:
    """A request that the service accepted, with its answer."""

    body: bytes
    headers: Mapping[str, str]
    answer: HttpResponse
    number: int
    """How many requests had been signed by then."""
    time: float
    """When it was answered (``time.monotonic``)."""


class Session:
    """What all cases of a check share: the service under test, and the listener to which task
    bodies connect.

    ``callback_host`` is the address at which the service reaches this machine. ``patience`` is how
    many seconds one answer may take on an idle machine. ``slowdown`` returns the factor by which
    each case multiplies its time limits, and ``silence`` is the factor for the times that every
    check goes through in full, such as waits for what should not happen.
    """

    def __init__(
        self,
        service: ServiceUnderTest,
        callback_host: str | None = None,
        *,
        patience: float = PATIENCE,
        slowdown: Callable[[], float] | None = None,
        silence: float | None = None,
    ) -> None:
        self.service = service
        self.patience = patience
        self._machine = Machine()
        self.slowdown = slowdown or self._machine.slowdown
        self.silence = SILENCE if silence is None else silence
        self.answers = AnswerLog()
        self.first: AcceptedRequest | None = None
        """The first request with credentials that the service accepted, and its answer."""
        self._callback_host = callback_host
        self._lock = threading.RLock()
        self._listener: Listener | None = None
        self._callback_works: bool | None = None

    @contextmanager
    def case(self) -> Iterator[CaseContext]:
        """Yield the context of one case. After the block, the task bodies of the case are told to
        end."""
        with self._machine.used():
            check = CaseContext(self)
            try:
                yield check
            finally:
                check.close()

    def listener(self) -> Listener:
        """Return the listener for connections of task bodies. The first call opens it."""
        with self._lock:
            if self._listener is None:
                self._listener = Listener(self._callback_host or self.service.own_address())
            return self._listener

    def callback_works(self) -> bool:
        """Return whether a task on the service can connect to this process. Only the first call
        tries, and blocks the others meanwhile; later ones return the same."""
        with self._lock:
            if self._callback_works is None:
                self._callback_works = self._task_connects()
            return self._callback_works

    def _task_connects(self) -> bool:
        callback = self.listener().expect()
        frame = commands.run_frame(tasks.report_back, callback.address)
        with self.case() as check:
            with suppress(NoAnswer):
                check.post(commands.encode(frame))
            connects = callback.arrived(check.seconds(CALLBACK))
        self.listener().drop(callback)
        return connects

    def alive(self) -> bool:
        """Send a request, or a second one, and return whether the service gives any HTTP answer.

        The first is a valid ``cancel_task``, because a service may print a traceback for a frame
        that lacks a field, which the report would show with the case that failed. The second is for
        a service that does not answer a ``cancel_task``.
        """
        service = self.service
        body = commands.encode(commands.cancel_frame(commands.new_run_id()))
        for content, credentials in ((body, service.credentials(body)), (b"{}", {})):
            with suppress(NoAnswer):
                request = service.request(content, credentials)
                service.exchange(request, Deadline(self.patience * self.slowdown()))
                return True
        return False

    def close(self) -> None:
        """Tell every task body to end, and stop listening."""
        if self._listener is not None:
            self._listener.close()


class CaseContext:
    """Sends the requests of one case and waits for their answers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._requests = SentRequests(session.service)
        self._answers = CaseAnswers(session.answers, session.service)
        self.service = session.service.observed(self._note_sent, self._note_answer)
        self._turned_away = False
        self._slowdown = session.slowdown()
        self.patience = self.seconds(session.patience)
        self._ends = Deadline(self.seconds(CASE_TIME))
        self._callbacks: list[Callback] = []

    def _note_answer(self, connection: object, answer: HttpResponse) -> None:
        self._answers.note_answer(connection, answer)
        if answer.status in TURNED_AWAY:
            self._turned_away = True

    @property
    def late(self) -> bool:
        """Whether the service has said that it is too busy: it may limit the runs at a time, and
        other cases may run. A case that fails then is run again alone."""
        return self._turned_away

    @property
    def secrets(self) -> list[str]:
        """The secrets of the service, which no text about the case may show."""
        keys = urllib.parse.parse_qsl(self.service.target.partition("?")[2])
        given = (
            *(self.service.secret.decode("utf-8"), self.service.bearer),
            *(value for _, value in keys),
        )
        return [each for each in given if len(each) >= SHORTEST_SECRET]

    def _note_sent(self, connection: object, data: bytes) -> None:
        self._requests.note(connection, data)
        self._answers.note_sent(connection, data)

    def note_unobserved(self, data: bytes) -> None:
        """Record that ``data``, the beginning of a request, was sent on a connection of the
        session's service, of which nothing else is recorded."""
        self._requests.note(None, data)

    def named(self, case_id: str) -> None:
        """Take ``case_id`` as the name of this case, for messages of other cases about its
        answers."""
        self._answers.sender = case_id

    @property
    def sent(self) -> str:
        """A text about the requests that this case has sent so far."""
        return self._requests.text()

    def seconds(self, idle: float) -> float:
        """Convert a time limit: return how many seconds to allow now for what takes up to ``idle``
        seconds on an idle machine."""
        return idle * self._slowdown

    def silence(self, idle: float) -> float:
        """Return how many seconds to wait for something that should not happen, and that would take
        up to ``idle`` seconds on an idle machine. Every check waits that long."""
        return self.seconds(idle) * self.session.silence

    def deadline(self, seconds: float | None = None) -> Deadline:
        """Return a deadline ``seconds`` from now (default: the time for one answer), or the end of
        the case's time if that is earlier."""
        wanted = self.patience if seconds is None else seconds
        return Deadline(wanted, within=self._ends, least=self.patience)

    def time_left(self) -> float:
        """Return how many seconds are left of the time that all waits of the case may take
        together."""
        return max(0.0, self._ends.ends - time.monotonic())

    def close(self) -> None:
        """Tell the task bodies of this case to end, and judge its answers."""
        for callback in self._callbacks:
            self.session.listener().drop(callback)
        self._answers.judge()

    # Conditions

    def need_mode(self, *modes: str) -> None:
        """Skip the case unless the check's credentials are of one of the types ``modes``: signed,
        bearer or none."""
        if self.service.mode not in modes:
            given = {"none": "without credentials", "bearer": "with a bearer token"}
            how = given.get(self.service.mode, "with a signing secret")
            raise NotApplicable(
                f"the case is about {' or '.join(modes)} requests; this check runs {how}"
            )

    def callback(self) -> Callback:
        """Return a new callback, to which one task body can connect. The case is skipped if tasks
        cannot connect to this process."""
        callback = self.callback_if_possible()
        if callback is None:
            host = self.session.listener().host
            raise NotApplicable(
                f"a task on the worker cannot connect to this checker at {host}"
                " (give an address that it can reach with --callback-host)",
                needs=["run.01"],
            )
        return callback

    def callback_if_possible(self) -> Callback | None:
        """Return a new callback, to which one task body can connect; ``None`` if tasks cannot
        connect to this process."""
        if not self.session.callback_works():
            return None
        callback = self.session.listener().expect()
        callback.pong_timeout = self.seconds(callback.pong_timeout)
        self._callbacks.append(callback)
        return callback

    # Requests

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        target: str | None = None,
        patience: float | None = None,
    ) -> HttpResponse:
        """Send ``body`` in a POST and return the answer. If ``headers`` are given, they replace the
        valid credentials.

        Raises :class:`NoAnswer` if no answer comes in time.
        """
        fields = self.service.credentials(body) if headers is None else headers
        request = self.service.request(body, fields, target=target)
        return self.service.exchange(request, self.deadline(patience))

    def post_later(self, frame: Any, patience: float | None = None) -> Background[HttpResponse]:
        """Send ``frame`` with valid credentials in a background thread. Return that background
        call; its ``result()`` is the answer."""
        return self.later(commands.encode(frame), patience=patience)

    def later(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float | None = None,
    ) -> Background[HttpResponse]:
        """Call :meth:`post` in a background thread and return that background call. By default, the
        answer may take all the time of the case."""
        patience = self.seconds(CASE_TIME) if patience is None else patience
        return Background(lambda: self.post(body, headers, patience=patience))

    def ask(
        self,
        what: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        target: str | None = None,
        patience: float | None = None,
    ) -> HttpResponse:
        """Do what :meth:`post` does, but fail the case if no answer comes; the message calls the
        request ``what``."""
        try:
            return self.post(body, headers, target=target, patience=patience)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc

    def events(self, frame: Any, what: str = "the run_task POST") -> list[answers.Event]:
        """Send ``frame``, a run_task, and return the event frames of the answer. Messages call the
        request ``what``."""
        return self.events_in(self.ask(what, commands.encode(frame)), what)

    def events_in(
        self, answer: HttpResponse, what: str = "the run_task POST"
    ) -> list[answers.Event]:
        """Return the event frames in ``answer``, the answer to a run_task. Messages call the
        request ``what``."""
        if not answer.ok:
            raise CaseFailed(f"{what} was answered with {answer.shown()}", expected="a 2xx status")
        return answers.events_of(answer, f"the answer to {what}")

    def terminal_in(self, answer: HttpResponse, what: str = "the run_task POST") -> answers.Event:
        """Return the frame that ends the run in ``answer``, the answer to a run_task.

        If there are several such frames, Wove uses the first. Two ``task_result`` frames are
        accepted here, because the case frames.02 checks that.
        """
        events = self.events_in(answer, what)
        found = answers.terminals(events)
        if not found:
            raise CaseFailed(
                f"{what} was answered without a terminal frame ({answers.types(events)}):"
                " the weave would never end",
                expected="task_result, task_error or task_cancelled",
            )
        if len(found) > 1 and any(event["type"] != "task_result" for event in found):
            number = "two" if len(found) == 2 else str(len(found))
            raise CaseFailed(
                f"{what} was answered with {number} terminal frames ({answers.types(found)}):"
                " a run has one outcome",
                expected="exactly one terminal frame",
            )
        return found[0]

    def terminal(self, frame: Any, what: str = "the run_task POST") -> answers.Event:
        """Send ``frame``, a run_task, and return the frame of the answer that ends the run.
        Messages call the request ``what``."""
        return self.terminal_in(self.ask(what, commands.encode(frame)), what)

    def value(self, function: Any, args: Any = None) -> Any:
        """Run ``function`` with ``args`` on the worker and return its result."""
        return answers.result_of(self.terminal(commands.run_frame(function, args)))

    # Verdicts

    def still_serves(self, after: str) -> None:
        """Run a task and fail the case if that does not succeed. The message says what happened
        before: ``after``."""
        try:
            value = self.value(tasks.echo, {"value": "still there"})
        except CaseFailed as exc:
            raise CaseFailed(f"after {after}, the next task did not run: {exc.actual}") from exc
        if value != "still there":
            self.fail(f"after {after}, the next task gave a wrong result")

    def fail(self, actual: str, expected: str | None = None, *, late: bool = False) -> NoReturn:
        """Raise :class:`CaseFailed`. ``actual`` says what was seen, ``expected`` what was expected
        instead of the case's own text; ``late`` is true if a time limit has passed."""
        raise CaseFailed(actual, expected=expected, late=late)
