"""All errors and warnings of the package, with the HTTP status of those that end a request."""

from __future__ import annotations


class WoveHttpDevError(Exception):
    """The base of every error raised by this package."""


class UsageError(WoveHttpDevError, ValueError):
    """The caller asked for something impossible; the message says what to do instead."""


class PortInUseError(UsageError):
    """Another process uses the port; the message names it."""


class NotRunningError(WoveHttpDevError, RuntimeError):
    """The worker is not started, or was stopped or crashed; start it first."""


class WaitTimeoutError(WoveHttpDevError, TimeoutError):
    """What was waited for did not happen in time; the message contains the journal."""


class StrictnessError(WoveHttpDevError, AssertionError):
    """Strict mode found something that no fault asked for; the message contains the journal."""


class PayloadDroppedError(WoveHttpDevError, LookupError):
    """The journal dropped this payload, because of its byte limit."""


class ServiceError(WoveHttpDevError):
    """A request that ends in an HTTP error status with a JSON reason."""

    status: int = 500
    code: str = "internal-error"
    """One of ``runs.records.CODES``, for the journal's exchange."""


class FrameError(ServiceError):
    """The body is not a valid command frame (Wove's http page, "Executor Protocol")."""

    status = 400
    code = "malformed-frame"


class DuplicateRunError(ServiceError):
    """A ``run_task`` whose ``run_id`` is still running here."""

    status = 409
    code = "run-still-running"


class RefusedError(ServiceError):
    """A fault refuses the command, with a status of its choice."""

    code = "refused-by-fault"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class HungUpError(WoveHttpDevError):
    """A fault wants the connection closed without a response."""


class UnavailableError(ServiceError):
    """The service cannot run the task now: it is stopping, or a fault says that it is busy."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StuckRunWarning(UserWarning):
    """A task body was still running when the worker stopped; the message names it."""


class RestoreWarning(UserWarning):
    """Something that this package had set was changed meanwhile, and is left as it is."""


def cannot_travel(what: object) -> TypeError:
    """The error for an object that is pickled with a task (pickle and cloudpickle raise it)."""
    return TypeError(
        f"a {type(what).__name__} of wove-http-dev cannot travel to the worker: a task must not use"
        " it (or a fixture that holds it); use it in the test, around the weave"
    )
