"""What a fault is: data, and the one or two stages of a request that it changes.

To write one, subclass :class:`Fault` as a frozen dataclass, give it fields with defaults that show
it at once, say its ``stage``, and override the method of that stage. Everything a method may do is
on the object it is handed. The base class is the null fault: its methods are what happens when
nothing goes wrong, so the two take the same path.

This room knows no socket, no Wove and no selection (which request is hit: ``selection``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol

from wove_http_dev.errors import UsageError
from wove_http_dev.fields import changed, check_fields
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.frames import Event
from wove_http_dev.protocol.messages import Reply, Request
from wove_http_dev.runs.records import Run
from wove_http_dev.runs.runner import Outcome
from wove_http_dev.tls import CertificateAuthority

STAGES = ("connection", "auth", "run", "events", "response", "wire")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Waiting(Protocol):
    """Every stage can wait without outliving its test."""

    def wait(self, seconds: float | None) -> bool:
        """Wait ``seconds`` (``None``: until released). True if it was released early: by
        ``Injection.remove()``, ``reset()``, ``stop()`` or the end of the test."""


class Connection(Waiting, Protocol):
    """A connection that was just accepted; not one byte was read from it."""

    secure: bool
    """Whether this worker speaks TLS."""
    names: Sequence[str]
    """The host names and addresses that its certificate should be for."""
    certificates: CertificateAuthority

    def proceed(self, context: Any = None) -> None:
        """Shake hands (with another ``ssl.SSLContext``, if given) and serve the connection."""

    def send(self, data: bytes) -> None:
        """Send these bytes as they are, below TLS."""

    def read(self, size: int) -> bytes:
        """Read at most ``size`` bytes as they come, below TLS."""

    def close(self) -> NoReturn:
        """Close in the ordinary way (FIN)."""

    def reset(self) -> NoReturn:
        """Close with a TCP reset (RST)."""


class AuthStage(Waiting, Protocol):
    """A whole request that nobody has looked at yet."""

    request: Request

    def proceed(
        self,
        request: Request | None = None,
        *,
        secret: bytes | None = None,
        clock_offset: float = 0.0,
    ) -> Verdict:
        """The worker's own verdict: on ``request``, as a proxy may have rewritten it; with
        another ``secret``; with a clock that is ``clock_offset`` seconds ahead."""


class RunStage(Waiting, Protocol):
    """A ``run_task`` that was let in."""

    run: Run

    def proceed(self) -> Outcome:
        """Run the body (or its stub) and wait for the outcome."""

    def again(self) -> Outcome:
        """Run the body once more."""

    def crash(self) -> NoReturn:
        """The worker dies here: what a client sees of a kill."""

    def hang_up(self) -> NoReturn:
        """Close the connection without an answer."""


class CancelStage(Waiting, Protocol):
    """A ``cancel_task`` that was let in."""

    run_id: str

    def proceed(self) -> list[Event]:
        """Cancel; the event frames of the answer (none: an empty body)."""


class EventsStage(Waiting, Protocol):
    """A run that is over, its event frames ready to be encoded."""

    run: Run
    outcome: Outcome

    @property
    def other_runs(self) -> Sequence[Run]:
        """Runs still under way here, this one excepted."""


class ResponseStage(Waiting, Protocol):
    """A reply that is ready to be written."""

    request: Request

    def second_origin(self) -> str:
        """A URL on another origin of this worker; requests there are on the injection."""


class Wire(Waiting, Protocol):
    """The connection as the reply is to be written; ``head`` and ``body`` are its bytes."""

    head: bytes
    body: bytes
    secure: bool

    def send(self, data: bytes) -> None:
        """Write these bytes now (inside TLS, if there is TLS)."""

    def send_all(self) -> None:
        """Write the reply as it should be."""

    def close(self) -> NoReturn:
        """Close in the ordinary way, whatever was promised."""

    def reset(self) -> NoReturn:
        """Close with a TCP reset (RST)."""


class Worker(NamedTuple):
    """What a fault may know of the worker it is to act on."""

    tls: bool
    security: str
    """``signed``, ``bearer`` or ``none``."""
    host: str
    isolated: bool


@dataclass(frozen=True)
class Fault:
    """The null fault, and the base of all others.

    The first line of a subclass's docstring is its summary. Fields must be of the annotated type,
    numbers finite, not negative and within the bounds of their :func:`fields.field`;
    :class:`UsageError` otherwise.
    """

    name: ClassVar[str] = "none"
    """The name in text, made from the class's: ``SlowResponse`` is ``slow-response``."""
    stage: ClassVar[str] = ""
    """One of ``connection``, ``auth``, ``run``, ``events``, ``response``, ``wire``."""
    command: ClassVar[str | None] = None
    """The command frames it is meant for, unless ``command=`` says otherwise; ``None``: any."""
    listener: ClassVar[bool] = False
    """Whether it is a state of the listening socket, on while injected, and no decision at all."""
    effect: ClassVar[str] = ""
    """What Wove's executor is expected to make of it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__ and not cls.__name__.startswith("_"):
            cls.name = _WORDS.sub("-", cls.__name__).lower()

    def __post_init__(self) -> None:
        if type(self) is not Fault and self.stage not in STAGES:
            raise UsageError(f"{type(self).__name__}.stage must be one of {', '.join(STAGES)}")
        check_fields(self, self.name)

    def __str__(self) -> str:
        return " ".join([self.name, *changed(self)])

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def acts_on(cls, command: str) -> bool:
        """Whether it may change anything about a ``run_task``, or a ``cancel_task``."""
        if cls.stage == "run":
            runs, cancels = cls.on_run is not Fault.on_run, cls.on_cancel is not Fault.on_cancel
            return runs == cancels or (runs if command == "run_task" else cancels)
        return cls.stage != "events" or command == "run_task"

    def cannot_apply(self, worker: Worker) -> str | None:
        """Why this fault means nothing to such a worker; ``None`` if it does."""
        return None

    def on_connection(self, connection: Connection) -> None:
        """Stage ``connection``: accepted, before the TLS handshake."""
        connection.proceed()

    def on_auth(self, stage: AuthStage) -> Verdict:
        """Stage ``auth``: the verdict on a request."""
        return stage.proceed()

    def on_run(self, stage: RunStage) -> Outcome:
        """Stage ``run``: the outcome of a ``run_task``."""
        return stage.proceed()

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        """Stage ``run``: the event frames that answer a ``cancel_task``."""
        return stage.proceed()

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        """Stage ``events``: the event frames of a run. A list of frames is then put into the
        worker's ``response_shape``; anything else is sent as the JSON document it is."""
        return events

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Stage ``response``: status, headers and body of the answer."""
        return reply

    def on_wire(self, wire: Wire) -> None:
        """Stage ``wire``: the bytes of the answer and the end of the connection."""
        wire.send_all()


NO_FAULT = Fault()
