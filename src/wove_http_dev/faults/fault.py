"""What a fault is: a frozen dataclass that changes one stage of a request.

To write one, subclass :class:`Fault`, name its ``stage``, override the method of that stage, and
give every field a default with which the fault shows at once. What a method can do is on the object
that it gets, one of the protocols below; what the rest of this package has to know of a fault are
the class attributes of :class:`Fault`. The base class is the null fault: its methods do what
happens without a fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
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
"""The stages of a request in their order; the faults of each are in the module of that name."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Waiting(Protocol):
    """What every stage has: a wait that ends with the test at the latest."""

    def wait(self, seconds: float | None) -> bool:
        """Block for ``seconds`` (``None``: until released). True if it was released before: by
        ``Injection.remove()``, ``reset()``, ``stop()`` or the end of the test."""


class Connection(Waiting, Protocol):
    """A connection that was just accepted; no byte was read from it."""

    secure: bool
    """Whether the worker uses TLS."""
    names: Sequence[str]
    """The host names and addresses that its certificate should be for."""
    certificates: CertificateAuthority

    def proceed(self, context: Any = None) -> None:
        """Do the TLS handshake (with ``context``, an ``ssl.SSLContext``, if given), and serve the
        connection until it ends."""

    def send(self, data: bytes) -> None:
        """Send ``data`` unchanged, below TLS."""

    def read(self, size: int) -> bytes:
        """Block until some bytes arrive; at most ``size`` of them, read below TLS."""

    def close(self) -> NoReturn:
        """Close the connection (FIN)."""

    def reset(self) -> NoReturn:
        """Close the connection with a TCP reset (RST)."""


class AuthStage(Waiting, Protocol):
    """A whole request that was not verified yet."""

    request: Request

    def proceed(
        self,
        request: Request | None = None,
        *,
        secret: bytes | None = None,
        clock_offset: float = 0.0,
    ) -> Verdict:
        """The worker's verdict. It may be on another ``request``, such as a proxy makes of it, with
        another ``secret``, or with a clock that is ``clock_offset`` seconds ahead."""


class RunStage(Waiting, Protocol):
    """A ``run_task`` that was accepted."""

    run: Run

    def proceed(self) -> Outcome:
        """Run the task, or its stub; block until its outcome."""

    def again(self) -> Outcome:
        """Run the task once more; block until its outcome."""

    def crash(self) -> NoReturn:
        """Crash the worker, as ``HttpWorker.crash()`` does. Set ``crashes`` on the fault."""

    def hang_up(self) -> NoReturn:
        """Close the connection without a response."""


class CancelStage(Waiting, Protocol):
    """A ``cancel_task`` that was accepted."""

    run_id: str

    def proceed(self) -> list[Event]:
        """Cancel the run; the event frames of the response (none: an empty body)."""


class EventsStage(Waiting, Protocol):
    """A run that has ended, and whose event frames are to be encoded."""

    run: Run
    outcome: Outcome

    @property
    def other_runs(self) -> Sequence[Run]:
        """The other runs of this worker that have not ended."""


class ResponseStage(Waiting, Protocol):
    """A reply that is to be written."""

    request: Request

    def second_origin(self) -> str:
        """A URL on another port of this worker, which names the run. Requests that arrive there are
        on this fault's injection (``Injection.redirected``)."""


class Wire(Waiting, Protocol):
    """A connection to which a reply is to be written; ``head`` and ``body`` are its bytes."""

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
    """How a weave of one task, with the fault injected, makes the fault act."""

    hold: bool = False
    """Whether the run is held at the worker, so that its ``delivery_timeout`` ends it."""
    delivery_timeout: float | None = None
    """The task's, in seconds; ``None``: the usual one."""
    retries: int = 0
    """The task's."""


# A cancel_task is certainly sent only while its run_task is in flight and the weave goes on. So the
# run is held until its delivery_timeout, and tried a second time.
_CANCEL = Recipe(hold=True, delivery_timeout=0.2, retries=1)


@dataclass(frozen=True)
class Fault:
    """The null fault, and the base of all others.

    The first line of a subclass's docstring is its summary. Values must be of the annotated type,
    numbers finite, not negative and within the bounds of their :func:`fields.field`;
    :class:`UsageError` otherwise.
    """

    name: ClassVar[str] = "none"
    """The name in text, made from the class's: ``SlowResponse`` is ``slow-response``."""
    stage: ClassVar[str] = ""
    """One of :data:`STAGES`."""
    command: ClassVar[str | None] = None
    """The type of command frame that it acts on, unless ``command=`` selects another; ``None``:
    any."""
    listener: ClassVar[bool] = False
    """Whether the listening socket is closed for as long as it is injected."""
    effect: ClassVar[str] = ""
    """What Wove's executor is expected to do with it."""
    needs: ClassVar[Mapping[str, Any]] = _NOTHING
    """The fields of :class:`Worker` that it depends on, each with a value that it can act with, or
    with a tuple of them: ``{"tls": True, "security": ("signed", "bearer")}``."""
    crashes: ClassVar[bool] = False
    """Whether the worker is down after it has acted: it calls ``RunStage.crash()``."""
    uncontained: ClassVar[Mapping[str, str]] = _NOTHING
    """Why no application can contain it, by Wove version: the executors of ``"2.0"`` and
    ``"2.0.3"`` match the key ``"2.0"``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__ and not cls.__name__.startswith("_"):
            cls.name = _WORDS.sub("-", cls.__name__).lower()

    def __post_init__(self) -> None:
        if type(self) is not Fault and self.stage not in STAGES:
            raise UsageError(f"{type(self).__name__}.stage must be one of {', '.join(STAGES)}")
        for word in self.needs:
            if word not in Worker._fields:
                known = ", ".join(Worker._fields)
                raise UsageError(f"{type(self).__name__}.needs: {word!r} is not one of {known}")
        check_fields(self, self.name)

    def __str__(self) -> str:
        return " ".join([self.name, *changed(self)])

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def acts_on(cls, command: str) -> bool:
        """Whether it can change anything for a ``run_task``, or for a ``cancel_task``."""
        if cls.stage == "run":
            runs, cancels = cls.on_run is not Fault.on_run, cls.on_cancel is not Fault.on_cancel
            return runs == cancels or (runs if command == "run_task" else cancels)
        return cls.stage != "events" or command == "run_task"

    @classmethod
    def worker_options(cls) -> dict[str, Any]:
        """Options of a worker on which it can act."""
        return {
            word: wanted[0] if isinstance(wanted, tuple) else wanted
            for word, wanted in cls.needs.items()
        }

    @classmethod
    def recipe(cls) -> Recipe:
        """How one weave of one task makes it act."""
        return _CANCEL if cls.command == "cancel_task" else Recipe()

    @classmethod
    def why_uncontained(cls, wove: str) -> str | None:
        """Why no application that runs Wove ``wove`` can contain it; ``None`` if one can."""
        for version, reason in cls.uncontained.items():
            if f"{wove}.".startswith(f"{version}."):
                return reason
        return None

    def cannot_apply(self, worker: Worker) -> str | None:
        """Why it has no effect on such a worker; ``None`` if it has one."""
        for word, wanted in self.needs.items():
            choices = wanted if isinstance(wanted, tuple) else (wanted,)
            if getattr(worker, word) not in choices:
                shown = " or ".join(
                    f'"{choice}"' if isinstance(choice, str) else repr(choice) for choice in choices
                )
                return f"it needs {word}={shown}"
        return None

    def on_connection(self, connection: Connection) -> None:
        """Stage ``connection``: before the TLS handshake."""
        connection.proceed()

    def on_auth(self, stage: AuthStage) -> Verdict:
        """Stage ``auth``: the verdict on a request."""
        return stage.proceed()

    def on_run(self, stage: RunStage) -> Outcome:
        """Stage ``run``: the outcome of a ``run_task``."""
        return stage.proceed()

    def on_cancel(self, stage: CancelStage) -> list[Event]:
        """Stage ``run``: the event frames of the response to a ``cancel_task``."""
        return stage.proceed()

    def on_events(self, events: list[Event], stage: EventsStage) -> Any:
        """Stage ``events``: the event frames of a run. A list of frames is then put into the
        worker's ``response_shape``; anything else is sent as JSON."""
        return events

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Stage ``response``: status, headers and body of the response."""
        return reply

    def on_wire(self, wire: Wire) -> None:
        """Stage ``wire``: the bytes of the response and the end of the connection."""
        wire.send_all()


NO_FAULT = Fault()
