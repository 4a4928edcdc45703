"""`CaseContext`: the object that each case uses to send requests, start runs and get callbacks. All
waits have a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, tasks
from wove_http_dev.conformance.worker.callbacks import Callback, Listener
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.machine import Machine
from wove_http_dev.conformance.worker.sent_log import SentRequests
from wove_http_dev.conformance.worker.wire import Background, Deadline, HttpResponse, NoAnswer

PATIENCE = 5.0
"""Seconds to wait for one answer on an idle machine; the tasks themselves take milliseconds."""
CASE_TIME = 12.0
"""Seconds that all waits of one case share on an idle machine."""
CALLBACK = 1.0
"""Seconds for the first callback, after the answer to its run."""


class Session:
    """The service under test, and the listener for its task bodies; shared by all cases of a check.

    ``callback_host`` is the address at which the service reaches this machine; ``patience`` is how
    many seconds one answer may take on an idle machine. ``slowdown`` returns the factor by which
    each case multiplies its time limits.
    """

    def __init__(
        self,
        service: ServiceUnderTest,
        callback_host: str | None = None,
        *,
        patience: float = PATIENCE,
        slowdown: Callable[[], float] | None = None,
    ) -> None:
        self.service = service
        self.patience = patience
        self.slowdown = slowdown or Machine().slowdown
        self._callback_host = callback_host
        self._listener: Listener | None = None
        self._callback_works: bool | None = None

    @contextmanager
    def case(self) -> Iterator[CaseContext]:
        """Yield the context of one case; its task bodies are released at the end."""
        check = CaseContext(self)
        try:
            yield check
        finally:
            check.close()

    def listener(self) -> Listener:
        """Return the listener; the first call opens it."""
        if self._listener is None:
            self._listener = Listener(self._callback_host or self.service.own_address())
        return self._listener

    def callback_works(self) -> bool:
        """Whether a task that the service runs can connect to this process. Only the first call
        tries it."""
        if self._callback_works is None:
            callback = self.listener().expect()
            frame = commands.run_frame(tasks.report_back, callback.address)
            with self.case() as check:
                with suppress(NoAnswer):
                    check.post(commands.encode(frame))
                self._callback_works = callback.arrived(check.seconds(CALLBACK))
            self.listener().drop(callback)
        return self._callback_works

    def alive(self) -> bool:
        """Whether the service gives any HTTP answer."""
        service = self.service
        try:
            service.exchange(service.request(b"{}", {}), Deadline(self.patience * self.slowdown()))
        except NoAnswer:
            return False
        return True

    def close(self) -> None:
        """Release every task body and stop listening."""
        if self._listener is not None:
            self._listener.close()


class CaseContext:
    """Sends the requests of one case and waits for their answers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._requests = SentRequests(session.service)
        self.service = session.service.observed(self._requests.note)
        self._slowdown = session.slowdown()
        self.patience = self.seconds(session.patience)
        self._ends = Deadline(self.seconds(CASE_TIME))
        self._callbacks: list[Callback] = []

    @property
    def sent(self) -> str:
        """A text that describes the requests of this case so far."""
        return self._requests.text()

    def seconds(self, idle: float) -> float:
        """Return how many seconds this machine may take now for what may take ``idle`` seconds on
        an idle machine."""
        return idle * self._slowdown

    def deadline(self, seconds: float | None = None) -> Deadline:
        """Return a deadline ``seconds`` from now (default: the patience for one answer), but not
        after the time that all waits of the case share."""
        return Deadline(self.patience if seconds is None else seconds, within=self._ends)

    def time_left(self) -> float:
        """Return the seconds left of those that all waits of the case share."""
        return max(0.0, self._ends.ends - time.monotonic())

    def close(self) -> None:
        """Release the task bodies of this case."""
        for callback in self._callbacks:
            self.session.listener().drop(callback)

    # Conditions

    def need_mode(self, *modes: str) -> None:
        """Skip the case unless the check uses one of ``modes`` (signed, bearer, none)."""
        if self.service.mode not in modes:
            given = {"none": "without credentials", "bearer": "with a bearer token"}
            how = given.get(self.service.mode, "with a signing secret")
            raise NotApplicable(
                f"the case is about {' or '.join(modes)} requests; this check runs {how}"
            )

    def callback(self) -> Callback:
        """Return a callback for a task body. Skips the case if tasks cannot connect to this
        process."""
        callback = self.callback_if_possible()
        if callback is None:
            host = self.session.listener().host
            raise NotApplicable(
                f"a task on the worker cannot connect to this checker at {host}"
                " (give an address that it can reach with --callback-host)"
            )
        return callback

    def callback_if_possible(self) -> Callback | None:
        """Return a callback for a task body, or ``None`` if tasks cannot connect to this
        process."""
        if not self.session.callback_works():
            return None
        callback = self.session.listener().expect()
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
        """POST ``body`` with valid credentials, or with ``headers`` if given, and return the
        answer.

        Raises :class:`NoAnswer`.
        """
        fields = self.service.credentials(body) if headers is None else headers
        request = self.service.request(body, fields, target=target)
        return self.service.exchange(request, self.deadline(patience))

    def post_later(self, frame: Any, patience: float | None = None) -> Background[HttpResponse]:
        """Start a POST of ``frame`` with valid credentials in the background."""
        return self.later(commands.encode(frame), patience=patience)

    def later(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float | None = None,
    ) -> Background[HttpResponse]:
        """Start :meth:`post` in the background; its answer may take all the time of the case."""
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
        """Like :meth:`post`, but the case fails if there is no answer; ``what`` names the request
        in the message."""
        try:
            return self.post(body, headers, target=target, patience=patience)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc

    def events(self, frame: Any, what: str = "the run_task POST") -> list[answers.Event]:
        """POST a run_task frame and return the event frames of the answer."""
        return self.events_in(self.ask(what, commands.encode(frame)), what)

    def events_in(
        self, answer: HttpResponse, what: str = "the run_task POST"
    ) -> list[answers.Event]:
        """Return the event frames in an answer to a run_task."""
        if not answer.ok:
            raise CaseFailed(f"{what} was answered with {answer.shown()}", expected="a 2xx status")
        return answers.events_of(answer, f"the answer to {what}")

    def terminal_in(self, answer: HttpResponse, what: str = "the run_task POST") -> answers.Event:
        """Return the terminal frame in an answer to a run_task.

        If there are several, Wove uses the first. Two ``task_result`` frames are accepted here,
        because frames.02 checks that.
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
        """POST a run_task frame and return the terminal frame of the answer."""
        return self.terminal_in(self.ask(what, commands.encode(frame)), what)

    def value(self, function: Any, args: Any = None) -> Any:
        """Run ``function`` on the worker and return its result."""
        return answers.result_of(self.terminal(commands.run_frame(function, args)))

    # Verdicts

    def still_serves(self, after: str) -> None:
        """Run a task; raise :class:`CaseFailed` if it does not succeed. ``after`` says in the
        message what happened before."""
        try:
            value = self.value(tasks.echo, {"value": "still there"})
        except CaseFailed as exc:
            raise CaseFailed(f"after {after}, the next task did not run: {exc.actual}") from exc
        if value != "still there":
            self.fail(f"after {after}, the next task gave a wrong result")

    def fail(self, actual: str, expected: str | None = None) -> NoReturn:
        """Raise :class:`CaseFailed`; ``actual`` says what was seen."""
        raise CaseFailed(actual, expected=expected)
