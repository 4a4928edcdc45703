"""The base class of faults, and the protocols of the objects passed to their methods.

A fault is a frozen dataclass that changes one stage of a request. To write one, subclass
:class:`Fault`, set its ``stage``, override the method of that stage, and give every field a default
with which the fault has an effect. The object passed to the method implements one of the protocols
below. The class attributes of :class:`Fault` describe a fault to the rest of this package. The base
class is the null fault: its methods do what happens without a fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol

from wove_http_dev.errors import UsageError
from wove_http_dev.faults.distributions import Duration
from wove_http_dev.fields import changed, check_fields, hide_secret_fields
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.frames import Event
from wove_http_dev.protocol.messages import Reply, Request
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Run
from wove_http_dev.tls import CertificateAuthority

STAGES = ("connection", "auth", "run", "events", "response", "wire")
"""The stages of a request, in order; the faults of a stage are in the module of that name."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Waiting(Protocol):
    """What the objects of all stages can do: wait, at the longest until the end of the test."""

    def wait(self, seconds: Duration | None) -> bool:
        """Block for ``seconds`` (``None``: until released). Returns true if it was released early:
        by ``Injection.remove()``, ``reset()``, ``stop()`` or the end of the test.

        A distribution is drawn anew by each call."""


class Connection(Waiting, Protocol):
    """A connection that was just accepted; nothing has been read from it."""

    secure: bool
    """Whether the worker uses TLS."""
    certificates: CertificateAuthority

    @property
    def names(self) -> Sequence[str]:
        """The host names and addresses that the worker's certificate should be for."""

    def proceed(self, context: Any = None) -> None:
        """Do the TLS handshake (with ``context``, an ``ssl.SSLContext``, if given), and serve the
        connection until it ends."""

    def send(self, data: bytes) -> None:
        """Send ``data`` unchanged, below TLS."""

    def read(self, size: int) -> bytes:
        """Block until some bytes arrive, and return at most ``size`` of them. Reads below TLS."""

    def close(self) -> NoReturn:
        """Close the connection (FIN)."""

    def reset(self) -> NoReturn:
        """Close the connection with a TCP reset (RST)."""


class AuthStage(Waiting, Protocol):
    """A complete request that has not been verified."""

    request: Request

    def proceed(
        self,
        request: Request | None = None,
        *,
        secret: bytes | None = None,
        clock_offset: float = 0.0,
    ) -> Verdict:
        """Verify the request and return the worker's verdict. The arguments replace the request (a
        proxy may change it) or the worker's ``secret``, or put its clock ``clock_offset`` seconds
        ahead."""


class RunStage(Waiting, Protocol):
    """A ``run_task`` that was accepted."""

    run: Run

    def proceed(self) -> Outcome:
        """Run the task, or its stub, and return the outcome."""

    def again(self) -> Outcome:
        """Run the task once more and return that outcome; ``cancelled``, without running it, if the
        run was cancelled before."""

    def crash(self) -> NoReturn:
        """Crash the worker, as ``HttpWorker.crash()`` does, unless it was started again since the
        request arrived. A fault that calls this must set its class attribute ``crashes``."""

    def hang_up(self) -> NoReturn:
        """Close the connection without a response."""


class CancelStage(Waiting, Protocol):
    """A ``cancel_task`` that was accepted."""

    run_id: str

    def proceed(self) -> list[Event]:
        """Cancel the run and return the event frames of the response. If there are none, its body
        is empty."""


class EventsStage(Waiting, Protocol):
    """A run that has ended; its event frames have not been encoded."""

    run: Run
    outcome: Outcome

    @property
    def other_runs(self) -> Sequence[Run]:
        """The other runs of this worker that have not been answered, or had not when this one
        arrived, without those that only deliver initial values."""


class ResponseStage(Waiting, Protocol):
    """A reply that a fault may change before it is written."""

    request: Request

    def second_origin(self) -> str:
        """Return a URL, on another port of this worker, whose query names the run. Requests that
        arrive there are recorded on this fault's injection (``Injection.redirected``)."""


class Wire(Waiting, Protocol):
    """A connection to which a fault writes the reply; ``head`` and ``body`` are the reply's
    bytes."""

    head: bytes
    body: bytes
    secure: bool

    def send(self, data: bytes) -> None:
        """Write ``data`` now (inside TLS, if there is TLS)."""

    def send_all(self) -> None:
        """Write the whole reply."""

    def close(self) -> NoReturn:
        """Close the connection (FIN), even if the reply is incomplete."""

    def reset(self) -> NoReturn:
        """Close the connection with a TCP reset (RST)."""


class Worker(NamedTuple):
    """The options of a worker that a fault may depend on."""

    tls: bool
    security: str
    """``signed``, ``bearer`` or ``none``."""
    host: str
    isolated: bool


class Recipe(NamedTuple):
    """The settings of a one-task weave in which a fault has its effect."""

    hold: bool = False
    """Whether the run is held at the worker until the task's ``delivery_timeout`` ends it."""
    delivery_timeout: float | None = None
    """The task's ``delivery_timeout`` in seconds; ``None`` is the default."""
    retries: int = 0
    """The task's ``retries``."""


# A cancel_task is sent for certain only while its run_task is in flight and the weave keeps
# running. So the run is held until its delivery_timeout, and then retried.
_CANCEL = Recipe(hold=True, delivery_timeout=0.2, retries=1)


@dataclass(frozen=True)
class Fault:
    """The null fault, and the base class of all faults.

    The first paragraph of a subclass's docstring is its summary. Values must have the annotated
    type; numbers must be finite, not negative and within the bounds of their
    :func:`fields.field`. Otherwise :class:`UsageError` is raised.

    A field with the annotation ``Duration`` takes a number of seconds or a distribution of them.
    When the fault hits a request, its method is called on a copy of it, in which each distribution
    is replaced by a number drawn from it. (For a type checker, ``drawn(self.delay)`` is that
    number; ``wait(self.delay)`` needs no such call.)
    """

    name: ClassVar[str] = "none"
    """The name in text, derived from the class name: ``SlowResponse`` is ``slow-response``."""
    stage: ClassVar[str] = ""
    """The stage that the fault changes, one of :data:`STAGES`."""
    command: ClassVar[str | None] = None
    """The type of command frame that the fault acts on, unless ``command=`` selects another;
    ``None``: any."""
    listener: ClassVar[bool] = False
    """Whether the fault closes the listening socket for as long as it is injected."""
    effect: ClassVar[str] = ""
    """The expected effect on Wove's executor."""
    needs: ClassVar[Mapping[str, Any]] = _NOTHING
    """The options that the fault requires of a worker, as fields of :class:`Worker` with a value or
    a tuple of possible values: ``{"tls": True, "security": ("signed", "bearer")}``."""
    crashes: ClassVar[bool] = False
    """Whether the fault stops the worker with ``RunStage.crash()``."""
    stalls: ClassVar[bool] = False
    """Whether a client that is hit learns of it only when its own time limit ends, because no
    answer, or none to its run, comes before the fault is released. Where a whole suite runs with
    the fault, time limits are short, so that no test waits for long. False for a fault after which
    the answer comes late by itself."""
    uncontained: ClassVar[Mapping[str, str]] = _NOTHING
    """Why Wove itself cannot contain the fault, by Wove version; the key ``"2.0"`` is for ``"2.0"``
    and ``"2.0.3"``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__ and not cls.__name__.startswith("_"):
            cls.name = _WORDS.sub("-", cls.__name__).lower()

    def __post_init__(self) -> None:
        if type(self) is not Fault and self.stage not in STAGES:
            raise UsageError(f"{type(self).__name__}.stage must be one of {', '.join(STAGES)}")
        _check_facts(type(self))
        hide_secret_fields(self)
        check_fields(self, self.name)

    def __str__(self) -> str:
        return " ".join([self.name, *changed(self)])

    @classmethod
    def summary(cls) -> str:
        """Return the first paragraph of the docstring as one line."""
        return " ".join((cls.__doc__ or "").strip().partition("\n\n")[0].split())

    @classmethod
    def acts_on(cls, command: str) -> bool:
        """Whether the fault can change anything for ``command`` (``run_task`` or
        ``cancel_task``)."""
        if cls.stage == "run":
            runs, cancels = cls.on_run is not Fault.on_run, cls.on_cancel is not Fault.on_cancel
            return runs == cancels or (runs if command == "run_task" else cancels)
        return cls.stage != "events" or command == "run_task"

    @classmethod
    def worker_options(cls) -> dict[str, Any]:
        """Return options for a worker on which the fault can act."""
        _check_facts(cls)
        return {
            word: wanted[0] if isinstance(wanted, tuple) else wanted
            for word, wanted in cls.needs.items()
        }

    @classmethod
    def recipe(cls) -> Recipe:
        """Return the settings of a one-task weave in which the fault has its effect."""
        return _CANCEL if cls.command == "cancel_task" else Recipe()

    @classmethod
    def why_uncontained(cls, wove: str) -> str | None:
        """Return why Wove itself cannot contain the fault, for Wove's version ``wove``; ``None`` if
        it can."""
        _check_facts(cls)
        for version, reason in cls.uncontained.items():
            if f"{wove}.".startswith(f"{version}."):
                return reason
        return None

    def cannot_apply(self, worker: Worker) -> str | None:
        """Return why the fault has no effect on ``worker``; ``None`` if it has one."""
        for word, wanted in self.needs.items():
            choices = wanted if isinstance(wanted, tuple) else (wanted,)
            if getattr(worker, word) not in choices:
                shown = " or ".join(
                    f'"{choice}"' if isinstance(choice, str) else repr(choice) for choice in choices
                )
                return f"it needs {word}={shown}"
        return None

    def on_connection(self, connection: Connection) -> None:
        """Serve a new connection, whose TLS handshake is not done yet (stage ``connection``)."""
        connection.proceed()

    def on_auth(self, stage: AuthStage) -> Verdict:
        """Return the verdict on a request (stage ``auth``)."""
        return stage.proceed()

    def on_run(self, stage: RunStage) -> Outcome:
        """Return the outcome of a ``run_task`` (stage ``run``)."""
        return stage.proceed()

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        """Return the event frames of the response to a ``cancel_task`` (stage ``run``)."""
        return stage.proceed()

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        """Return the event frames of a run (stage ``events``). A list of frames is put into the
        worker's ``response_shape``; anything else is sent as JSON."""
        return events

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Return the reply to send, with its status, headers and body (stage ``response``)."""
        return reply

    def on_wire(self, wire: Wire) -> None:
        """Write the bytes of the response, and end the connection if needed (stage ``wire``)."""
        wire.send_all()


def _check_facts(kind: type[Fault]) -> None:
    """Raise :class:`UsageError` if the class attribute ``needs`` or ``uncontained`` of a user's
    fault has a wrong form."""
    for name in ("needs", "uncontained"):
        if not isinstance(getattr(kind, name), Mapping):
            raise UsageError(f"{kind.__name__}.{name} must be a dict; leave it out for none")
    for word, wanted in kind.needs.items():
        if word not in Worker._fields:
            known = ", ".join(Worker._fields)
            raise UsageError(f"{kind.__name__}.needs: {word!r} is not one of {known}")
        if wanted == () or isinstance(wanted, (list, set, frozenset, dict)):
            raise UsageError(f"{kind.__name__}.needs: {word} takes a value, or a tuple of values")
    for version, reason in kind.uncontained.items():
        if not (isinstance(version, str) and isinstance(reason, str) and version and reason):
            raise UsageError(f"{kind.__name__}.uncontained takes versions and reasons, both text")


NO_FAULT = Fault()
