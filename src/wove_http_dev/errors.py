"""Every error and warning of the package, in one short table.

This room knows names, and the HTTP status where an error has one. It knows nothing of sockets,
frames or pytest, and imports nothing.
"""

from __future__ import annotations


class WoveHttpDevError(Exception):
    """The base of every error raised by this package."""


class UsageError(WoveHttpDevError, ValueError):
    """The caller asked for something that cannot be; the message says what to do instead."""


class PortInUseError(UsageError):
    """The port is taken by somebody else; the message names it."""


class NotRunningError(WoveHttpDevError, RuntimeError):
    """The worker is not started, or was stopped or crashed; start it first."""


class WaitTimeoutError(WoveHttpDevError, TimeoutError):
    """What was waited for did not happen in time; the message carries the journal."""


class StrictnessError(WoveHttpDevError, AssertionError):
    """Strict mode saw something that no fault asked for; the message carries the journal."""


class PayloadDroppedError(WoveHttpDevError, LookupError):
    """The journal's byte limit made it let go of this payload."""


class ServiceError(WoveHttpDevError):
    """A request that ends in an HTTP error status with a JSON reason."""

    status: int = 500
    code: str = "internal-error"
    """What the journal's exchange says of it (``runs.records.CODES``)."""


class FrameError(ServiceError):
    """The body is not a valid command frame (Wove's http page, "Executor Protocol")."""

    status = 400
    code = "malformed-frame"


class DuplicateRunError(ServiceError):
    """A ``run_task`` whose ``run_id`` is still running here."""

    status = 409
    code = "run-still-running"


class RefusedError(ServiceError):
    """A command that the worker will not carry out; the status is the caller's choice."""

    code = "refused-by-fault"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class HungUpError(WoveHttpDevError):
    """The connection is to close without an answer (a fault asked for it)."""


class UnavailableError(ServiceError):
    """The service cannot take the request now: it is stopping, or a fault says it is full."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StuckRunWarning(UserWarning):
    """A task body was still running when the worker stopped; the message names it."""


class RestoreWarning(UserWarning):
    """Something this package had set was changed by somebody else and is left as it is."""


def cannot_travel(what: object) -> TypeError:
    """The error for an object that a task took along (pickle and cloudpickle pass it on)."""
    return TypeError(
        f"a {type(what).__name__} of wove-http-dev cannot travel to the worker: a task must not use"
        " it (or a fixture that holds it); use it in the test, around the weave"
    )
