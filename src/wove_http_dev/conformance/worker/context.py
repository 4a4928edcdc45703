"""What a case works with: requests, runs and bodies that report, each with an end to its patience.

It knows how to ask; what must come back is the cases' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from wove_http_dev.conformance.case import Fell, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, tasks
from wove_http_dev.conformance.worker.callbacks import Listener, Visit
from wove_http_dev.conformance.worker.client import Service
from wove_http_dev.conformance.worker.wire import Answer, Background, Deadline, NoAnswer

PATIENCE = 5.0
"""Seconds that one answer may take; none of the tasks sent takes longer than a moment."""
CASE_TIME = 12.0
"""Seconds that all waits of one case share."""


class Laboratory:
    """The service under check and the listener that bodies report to; shared by all cases.

    ``callback_host`` is the address at which the service reaches this machine, ``patience`` the
    seconds that one answer may take.
    """

    def __init__(
        self, service: Service, callback_host: str | None = None, *, patience: float = PATIENCE
    ) -> None:
        self.service = service
        self.patience = patience
        self._callback_host = callback_host
        self._listener: Listener | None = None
        self._callback_works: bool | None = None

    @contextmanager
    def case(self) -> Iterator[Check]:
        """The context of one case; its bodies are let go at the end."""
        check = Check(self)
        try:
            yield check
        finally:
            check.close()

    def listener(self) -> Listener:
        """The listener, opened when it is first needed."""
        if self._listener is None:
            self._listener = Listener(self._callback_host or self.service.own_address())
        return self._listener

    def callback_works(self) -> bool:
        """Whether a task that the service runs can report here; tried once."""
        if self._callback_works is None:
            visit = self.listener().invite()
            frame = commands.run_frame(tasks.knock, visit.address)
            with self.case() as check:
                with suppress(NoAnswer):
                    check.post(commands.encode(frame))
                self._callback_works = visit.arrived(0.5)
            self.listener().dismiss(visit)
        return self._callback_works

    def alive(self) -> bool:
        """Whether the service gives any HTTP answer."""
        service = self.service
        try:
            service.exchange(service.request(b"{}", {}), Deadline(self.patience))
        except NoAnswer:
            return False
        return True

    def close(self) -> None:
        """Let every body go and stop listening."""
        if self._listener is not None:
            self._listener.close()


class Check:
    """The context of one case."""

    def __init__(self, laboratory: Laboratory) -> None:
        self.laboratory = laboratory
        self.service = laboratory.service
        self.patience = laboratory.patience
        self._ends = Deadline(CASE_TIME)
        self._visits: list[Visit] = []

    def deadline(self, seconds: float | None = None) -> Deadline:
        """``seconds`` (or the patience for one answer) from now, within the time of the case."""
        return Deadline(self.patience if seconds is None else seconds, within=self._ends)

    def close(self) -> None:
        """Let the bodies of this case go."""
        for visit in self._visits:
            self.laboratory.listener().dismiss(visit)

    # What a case needs

    def need_mode(self, *modes: str) -> None:
        """Skip unless the service is checked with one of ``modes`` of authentication."""
        if self.service.mode not in modes:
            given = {"none": "without credentials", "bearer": "with a bearer token"}
            how = given.get(self.service.mode, "with a signing secret")
            raise NotApplicable(f"it is about {' or '.join(modes)} requests; this check runs {how}")

    def visit(self) -> Visit:
        """A visit for a body that reports here; skips if none can."""
        visit = self.visit_if_possible()
        if visit is None:
            host = self.laboratory.listener().host
            raise NotApplicable(
                f"a task on the worker cannot connect to this checker at {host}"
                " (--callback-host names an address that it can reach)"
            )
        return visit

    def visit_if_possible(self) -> Visit | None:
        """The same, or ``None`` if no body can report here."""
        if not self.laboratory.callback_works():
            return None
        visit = self.laboratory.listener().invite()
        self._visits.append(visit)
        return visit

    # Requests

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        target: str | None = None,
        patience: float | None = None,
    ) -> Answer:
        """POST ``body``, with good credentials unless ``headers`` are given.

        Raises :class:`NoAnswer`.
        """
        fields = self.service.credentials(body) if headers is None else headers
        request = self.service.request(body, fields, target=target)
        return self.service.exchange(request, self.deadline(patience))

    def post_later(self, frame: Any, patience: float = CASE_TIME) -> Background[Answer]:
        """POST a frame with good credentials in the background."""
        return self.later(commands.encode(frame), patience=patience)

    def later(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float = CASE_TIME,
    ) -> Background[Answer]:
        """Like :meth:`post`, in the background."""
        return Background(lambda: self.post(body, headers, patience=patience))

    def ask(
        self,
        what: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        target: str | None = None,
        patience: float | None = None,
    ) -> Answer:
        """Like :meth:`post`, but no answer is a shortfall that names ``what`` was sent."""
        try:
            return self.post(body, headers, target=target, patience=patience)
        except NoAnswer as exc:
            raise Fell(f"{what}: {exc}") from exc

    def events(self, frame: Any, what: str = "the run_task POST") -> list[answers.Event]:
        """The event frames that a run is answered with."""
        return self.events_in(self.ask(what, commands.encode(frame)), what)

    def events_in(self, answer: Answer, what: str = "the run_task POST") -> list[answers.Event]:
        """The event frames in an answer to a run."""
        if not answer.ok:
            raise Fell(f"{what} was answered with {answer.shown()}", expected="a 2xx status")
        return answers.events_of(answer, f"the answer to {what}")

    def terminal_in(self, answer: Answer, what: str = "the run_task POST") -> answers.Event:
        """The terminal frame in an answer.

        Of several, the first one counts for Wove. Two results are left to frames.02 to tell.
        """
        events = self.events_in(answer, what)
        found = answers.terminals(events)
        if not found:
            raise Fell(
                f"{what} was answered without a terminal frame ({answers.types(events)}):"
                " the weave would wait for ever",
                expected="task_result, task_error or task_cancelled",
            )
        if len(found) > 1 and any(event["type"] != "task_result" for event in found):
            number = "two" if len(found) == 2 else str(len(found))
            raise Fell(
                f"{what} was answered with {number} terminal frames ({answers.types(found)}):"
                " a run has one outcome",
                expected="exactly one terminal frame",
            )
        return found[0]

    def terminal(self, frame: Any, what: str = "the run_task POST") -> answers.Event:
        """The terminal frame that a run is answered with."""
        return self.terminal_in(self.ask(what, commands.encode(frame)), what)

    def value(self, function: Any, args: Any = None) -> Any:
        """What ``function`` returned on the worker."""
        return answers.result_of(self.terminal(commands.run_frame(function, args)))

    # What every service must still do afterwards

    def still_serves(self, after: str) -> None:
        """A task runs as if nothing had happened. Raises :class:`Fell` naming ``after``."""
        try:
            value = self.value(tasks.echo, {"value": "still there"})
        except Fell as exc:
            raise Fell(f"after {after}, the next task did not run: {exc.actual}") from exc
        if value != "still there":
            self.fell(f"after {after}, the next task gave a wrong result")

    def fell(self, actual: str, expected: str | None = None) -> NoReturn:
        """The case falls short."""
        raise Fell(actual, expected=expected)
