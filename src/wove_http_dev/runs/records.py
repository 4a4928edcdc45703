"""The records of a journal: :class:`Exchange`, one for each request and each failed connection, and
:class:`Run`, one for each ``run_task`` that was accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from wove_http_dev.cut_text import cut_end
from wove_http_dev.errors import PayloadDroppedError, UsageError
from wove_http_dev.printable import printable
from wove_http_dev.protocol import authenticator
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.frames import loads
from wove_http_dev.runs.capture import Capture
from wove_http_dev.runs.drawn import Drawn, faults_text
from wove_http_dev.runs.forwarding import ABANDONED, UpstreamLeg
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.sizes import size_of
from wove_http_dev.runs.task_names import check_task, matches_task, short_id, tasks_seen

_SHOWN_RUNS = 100
"""Runs that the ``repr`` of a log lists."""
LINE_LIMIT = 1000
"""Characters of the line that describes an exchange."""
DELIVERY_LIMIT = 65536
"""Bytes of a run's ``delivery``; a larger one is not stored."""
FINISHED = ("succeeded", "failed", "cancelled", "lost")
STATES = ("received", "held", "running", *FINISHED, "finished")


CODES = {
    **authenticator.CODES,
    "wrong-path": "the path of the URL is not one that takes command frames",
    "wrong-method": "the method is not POST",
    "malformed-frame": "the body is not a valid command frame",
    "run-still-running": "a run with the same run_id has not ended",
    "unavailable": "the worker is stopping, or a fault simulates a busy worker",
    "malformed-request": "what arrived is not HTTP/1.1",
    "unknown-transfer-coding": "the body has a transfer coding other than chunked",
    "tls-on-plain-http-port": "a TLS handshake arrived at a worker with tls=False",
    "plain-http-on-tls-port": "plain http arrived at a worker with tls=True",
    "head-too-large": "request line and headers exceed their limit",
    "request-too-large": "the body exceeds max_body",
    "request-timeout": "the request took too long to arrive",
    "request-incomplete": "the connection ended before a whole request had arrived",
    "too-many-bodies": "the bodies of unauthenticated requests took too much memory; answered 503",
    "connection-evicted": "connections, bodies or replies were near their limit; it made room",
    "handshake-failed": "the TLS handshake failed",
    "certificate-rejected": "the client ended the TLS handshake because of the certificate",
    "reply-not-taken": "the connection ended while the reply was written",
    "connection-ended": "the worker ended the connection before the reply was written",
    "worker-ended": "the process of an isolated worker ended",
    "upstream-unreachable": "no connection to upstream: refused, no such host, or no way to it",
    "upstream-tls": "the TLS handshake with upstream failed, or its certificate is not trusted",
    "upstream-timeout": "upstream did not answer in time",
    "upstream-lost": "upstream ended the connection before its whole answer had arrived",
    "upstream-malformed": "upstream's answer is not HTTP/1.1",
    "upstream-too-large": "upstream's answer is too large",
    "upstream-refused": "upstream refused the credentials of upstream_security (401 or 403)",
    "upstream-redirected": "upstream redirects, which is not followed",
    "upstream-status": "upstream answered with another status than 2xx",
    "upstream-events": "upstream's answer has no event frames, or none that ends the run",
    "upstream-loop": "upstream leads back to this worker",
    ABANDONED: "the worker stopped, or was reset, before upstream had answered",
    "no-certificate": "the worker could not make its TLS certificate",
    "no-thread": "the worker could not start a thread",
    "no-descriptor": "the worker's process has no free file descriptor",
    "internal-error": "the worker service, or a fault, has a bug",
}
"""The codes of exchanges that did not end with an ordinary reply, and what each means."""


@dataclass
class Exchange:
    """One request and its reply, or one connection that ended before a request was complete.

    Times are seconds since the epoch (``received``) or seconds (``duration``).
    """

    number: int
    """Counts what has arrived at the worker, from 1."""
    received: float
    duration: float | None = None
    kind: str = "request"
    """``request``, or ``connection`` for one that ended before a request was complete."""
    method: str = ""
    target: str = ""
    """The path and the query of the URL, as they were sent."""
    head: str = ""
    """The headers, a line for each, as :func:`header_lines` writes them; secrets are redacted."""
    body_size: int = 0
    """Bytes of the request's body."""
    frame_type: str | None = None
    """``run_task`` or ``cancel_task``; ``None`` if no command frame was read."""
    run_id: str | None = None
    task_id: str | None = None
    initial_value: bool = False
    """Whether the task only delivers an initial value of a weave (``data``, ``weave(x=…)``)."""
    accepted: bool | None = None
    """Whether authentication accepted the request; ``None`` if it ended before."""
    refusal: str = ""
    """Why the request was refused, in words."""
    code: str = ""
    """Why the exchange was refused or failed, one of :data:`CODES`; otherwise empty."""
    verdict: Verdict | None = None
    """The authentication verdict with its steps."""
    status: int | None = None
    """The HTTP status of the reply; ``None`` if there was none."""
    faults: list[str] = field(default_factory=list)
    """The names of the faults that hit it."""
    drawn: Drawn = field(default_factory=dict)
    """The seconds that were drawn for these faults from distributions, the first 100 of each."""
    events: list[str] = field(default_factory=list)
    """The types of the event frames sent, in order; of more than 1000, the first ones and how many
    more there were."""
    error: str = ""
    """Why the exchange ended early, in words."""
    written: bool = False
    """Whether the whole reply was written, as far as no fault keeps a part of it."""
    internal_error: bool = False
    """Whether the service itself failed (strict mode reports it)."""
    upstream: list[UpstreamLeg] = field(default_factory=list)
    """What was forwarded to the service of the option ``upstream``, in order: usually one request,
    none if it was answered here, two with the fault ``duplicate-run``."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The names and values of the headers, in order; secrets are redacted."""
        fields = (line.partition(": ") for line in self.head.split("\n") if line)
        return [(name, value) for name, _, value in fields]

    @property
    def certificate_rejected(self) -> bool:
        """Whether the client ended the TLS handshake because of the certificate."""
        return self.code == "certificate-rejected"

    @property
    def upstream_failed(self) -> bool:
        """Whether the service of the option ``upstream`` failed, or could not be reached."""
        return any(leg.failed for leg in self.upstream)

    @property
    def violation(self) -> bool:
        """Whether strict mode reports the exchange: the service failed; or a request was refused, a
        certificate rejected, or upstream failed, without a fault."""
        return self.internal_error or (
            bool(self.refusal or self.certificate_rejected or self.upstream_failed)
            and not self.faults
        )

    @property
    def faults_text(self) -> str:
        """The faults that hit it, for a person to read, with the seconds that were drawn."""
        return faults_text(self.faults, self.drawn)

    def __repr__(self) -> str:
        parts = [*self._beginning(), *filter(None, [self.code])]
        if self.faults:
            parts.append(f"[fault: {self.faults_text}]")
        return f"<Exchange {printable(shortened_line(' '.join(parts)))}>"

    def _beginning(self) -> list[str]:
        what = self.frame_type or (f"{self.method} {self.target[:200]}".strip() or self.kind)
        parts = [f"#{self.number}", what]
        if self.task_id:
            parts.append(self.task_id[:200] + (" (initial value)" if self.initial_value else ""))
        if self.run_id:
            parts.append(short_id(self.run_id))
        parts.append("->")
        parts.append(str(self.status) if self.status is not None else "no answer")
        return parts

    def line(self) -> str:
        """Return the exchange as one line for a report or a log."""
        parts = self._beginning()
        if self.events:
            parts.append("+".join(event[:40] for event in self.events[:20]))
        if self.refusal:
            parts.append(f"refused: {self.refusal}")
        if self.verdict is not None and self.verdict.hint:
            parts.append(f"({self.verdict.hint})")
        parts += [f"({leg.text})" for leg in self.upstream]
        if self.error and self.error != self.refusal:
            parts.append(self.error)
        if self.faults:
            parts.append(f"[fault: {self.faults_text}]")
        if self.duration is not None:
            parts.append(f"{self.duration * 1000:.1f} ms")
        # Cut before it is escaped as well, so that a long text is not escaped first.
        return shortened_line(printable(shortened_line(" ".join(parts))))


def header_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Return headers as the text of :attr:`Exchange.head`: the journal measures one text in less
    time than many pairs."""
    return "\n".join(map(": ".join, headers))


def shortened_line(text: str) -> str:
    """Return at most :data:`LINE_LIMIT` characters of ``text``."""
    return cut_end(text, LINE_LIMIT)


class Run:
    """One accepted ``run_task``. ``args``, ``result`` and ``error`` are unpickled on
    access.

    ``run_id``, ``task_id``, ``delivery`` and ``initial_value`` come from the command frame.
    ``state`` is one of ``STATES``. ``received``, ``started``, ``finished`` and ``answered`` (the
    reply was written) are seconds since the epoch; the last three are ``None`` until then.
    ``faults`` are the names of the faults that hit the run, and ``drawn`` the seconds that were
    drawn for them, as in :class:`Exchange`. ``exchange_number`` is the number of the exchange that
    delivered the run.
    """

    def __init__(
        self,
        run_id: str,
        task_id: str,
        *,
        delivery: Mapping[str, Any],
        initial_value: bool,
        args_pickle: bytes,
        callable_pickle: bytes | None = None,
        received: float,
        exchange_number: int | None = None,
    ) -> None:
        self.run_id = run_id
        self.task_id = task_id
        self._delivery_bytes = size_of(delivery, DELIVERY_LIMIT)
        if self._delivery_bytes > DELIVERY_LIMIT:
            self._delivery_bytes, delivery = 0, {"left out": f"more than {DELIVERY_LIMIT} bytes"}
        self.delivery = delivery
        self.initial_value = initial_value
        self.state = "received"
        self.received = received
        self.started: float | None = None
        self.finished: float | None = None
        self.answered: float | None = None
        self.exchange_number = exchange_number
        self.cancel_requested = False
        """Whether a ``cancel_task`` for the run has arrived, or its worker stopped before."""
        self.executions = 0
        """How often the body was started (0: stubbed, refused, or cancelled before it started);
        with the option ``upstream``, how often the run was forwarded and not refused."""
        self.stubbed = False
        """Whether a stub answered instead of the body."""
        self.abandoned = False
        """Whether the run was answered while its body still ran."""
        self.faults: list[str] = []
        self.drawn: Drawn = {}
        self.args_text: str | None = None
        """The arguments for a person to read (``n=3, name='x'``), at most 2,000 characters;
        ``None`` if the journal does not make such texts, and if the task was not loaded (stubbed,
        refused, or cancelled before it started)."""
        self._capture: Capture | None = None
        self._held_by: tuple[str, ...] = ()
        self._args_pickle: bytes | None = args_pickle
        self._callable_pickle = callable_pickle
        self._outcome: Outcome | None = None
        self._result_dropped = False

    def __repr__(self) -> str:
        name, number = self.task_id[:200], short_id(self.run_id)
        return printable(f"<Run {name} {number} {self.state}>")

    @property
    def faults_text(self) -> str:
        """The faults that hit the run, for a person to read, with the seconds that were drawn."""
        return faults_text(self.faults, self.drawn)

    def _has_reached(self, state: str) -> bool:
        """Whether the run has reached ``state``, one of :data:`STATES`."""
        return reached(state, self.state, self.started)

    @property
    def args_pickle(self) -> bytes:
        """The pickled arguments as sent; empty once the journal has dropped them."""
        return self._args_pickle or b""

    @property
    def callable_pickle(self) -> bytes | None:
        """The pickled function as sent; ``None`` if the journal does not keep it, or has dropped
        it."""
        return self._callable_pickle

    @property
    def held_by(self) -> tuple[str, ...]:
        """The calls of ``hold()`` whose gates hold the run now (``("hold('fetch')",)``); empty
        unless its state is ``held``."""
        return self._held_by if self.state == "held" else ()

    @property
    def args(self) -> dict[str, Any]:
        """The keyword arguments of the call.

        Raises :class:`PayloadDroppedError` once the journal has dropped them.
        """
        if self._args_pickle is None:
            raise PayloadDroppedError(f"{self!r}: the journal's limit made it drop the arguments")
        arguments: dict[str, Any] = loads(self._args_pickle)
        return arguments

    @property
    def result(self) -> Any:
        """The value that the task returned. Raises :class:`UsageError` if it did not return, and
        :class:`PayloadDroppedError` once the journal has dropped the result."""
        if self.state != "succeeded":
            raise UsageError(f"{self!r} has no result: it is {self.state}")
        if self._result_dropped:
            raise PayloadDroppedError(f"{self!r}: the journal's limit made it drop the result")
        if self._outcome is None or self._outcome.result_pickle is None:
            raise UsageError(f"{self!r} has no result: a stub answered with event frames")
        return loads(self._outcome.result_pickle)

    @property
    def result_text(self) -> str | None:
        """The result for a person to read, at most 2,000 characters; ``None`` if the task did not
        return, if the journal does not make such texts, and for the answer of a stub."""
        return self._outcome.result_text if self._outcome is not None else None

    @property
    def output(self) -> str:
        """What the body has printed and logged until now, if ``serve`` runs the task:
        at most 65,536 characters, and a note of how many are left out between them. It is not
        escaped. Empty once the journal has dropped it."""
        return self._capture.text() if self._capture is not None else ""

    @property
    def error(self) -> BaseException | None:
        """The exception that the task raised, as Wove would raise it; ``None`` if the run did not
        fail."""
        if self.state != "failed" or self._outcome is None:
            return None
        if self._outcome.exception_pickle is not None:
            exception: BaseException = loads(self._outcome.exception_pickle)
            return exception
        from wove.environment import EnvironmentExecutionError

        return EnvironmentExecutionError(dict(self._outcome.error or {}))

    @property
    def error_text(self) -> str | None:
        """Kind and message of the failure (``ValueError: too large``), without unpickling; ``None``
        if the run did not fail."""
        if self.state != "failed" or self._outcome is None or self._outcome.error is None:
            return None
        kind, message = self._outcome.error.get("kind"), self._outcome.error.get("message")
        return f"{kind}: {message}" if message else f"{kind}"

    @property
    def error_place(self) -> str | None:
        """Where in the user's code the task failed: ``app.py:12 in convert``; ``None`` if the run
        did not fail, or not in the user's code."""
        return self._outcome.place if self._outcome is not None else None

    @property
    def traceback(self) -> str | None:
        """The traceback of the failed task, on the worker, as text (at most 100,000 characters);
        ``None`` if the run did not fail, or once the journal has dropped the traceback."""
        if self.state != "failed" or self._outcome is None or self._outcome.error is None:
            return None
        text: str | None = self._outcome.error.get("traceback")
        return text

    @property
    def duration(self) -> float | None:
        """Seconds from the start of the body to its outcome; ``None`` unless the run has both."""
        if self.started is None or self.finished is None:
            return None
        return max(0.0, self.finished - self.started)  # the clock may be set back

    def _drop_payloads(self) -> None:
        self._args_pickle = self._callable_pickle = self._capture = None
        outcome = self._outcome
        if outcome is None:
            return
        self._result_dropped |= outcome.result_pickle is not None
        # Kind and message of an error stay: they are small, and say what happened. So do texts.
        kept = {key: value for key, value in (outcome.error or {}).items() if key != "traceback"}
        self._outcome = Outcome(
            outcome.kind,
            error=kept or None,
            result_text=outcome.result_text,
            place=outcome.place,
        )


def reached(wanted: str, state: str, started: float | None) -> bool:
    """Whether a run that is in ``state``, and whose body ``started`` then, has reached the state
    ``wanted``, one of :data:`STATES`."""
    if wanted == "received":
        return True
    if wanted == "running":
        return started is not None
    return state in FINISHED if wanted == "finished" else state == wanted


class RunLog(Sequence[Run]):
    """Runs in order of arrival. ``runs["name"]`` returns the runs of a task (name or glob)."""

    def __init__(self, runs: Sequence[Run], missing: str = "no run has arrived") -> None:
        self._runs = tuple(runs)
        self._missing = missing

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice | str) -> RunLog: ...
    def __getitem__(self, index: int | slice | str) -> Run | RunLog:
        if isinstance(index, str):
            found = [run for run in self._runs if matches_task(index, run.task_id)]
            seen = [run.task_id for run in self._runs]
            return RunLog(found, "" if found else f"no run of {index!r}; {tasks_seen(index, seen)}")
        if isinstance(index, slice):
            return RunLog(self._runs[index])
        try:
            return self._runs[index]
        except TypeError:
            check_task(index)
            raise
        except IndexError:
            there = f"it has {len(self)}" if self._runs else self._missing
            raise IndexError(f"no run {index} in this list: {there}") from None

    @property
    def first(self) -> Run:
        """The oldest run. Raises :class:`LookupError` if there is none."""
        if not self._runs:
            raise LookupError(self._missing)
        return self._runs[0]

    @property
    def last(self) -> Run:
        """The newest run. Raises :class:`LookupError` if there is none."""
        if not self._runs:
            raise LookupError(self._missing)
        return self._runs[-1]

    def __repr__(self) -> str:
        shown = [repr(run) for run in self._runs[:_SHOWN_RUNS]]
        more = len(self._runs) - len(shown)
        shown += [f"and {more} more"] if more else []
        return f"<runs: {', '.join(shown) or 'none'}>"
