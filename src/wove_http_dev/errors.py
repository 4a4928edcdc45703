"""All errors and warnings of the package. Errors that end a request have an HTTP status."""

from __future__ import annotations

from wove_http_dev.printable import shortened

MESSAGE_LIMIT = 500
"""Characters of the message of a :class:`UsageError`."""


class WoveHttpDevError(Exception):
    """The base class of every error raised by this package."""


class UsageError(WoveHttpDevError, ValueError):
    """A wrong option, argument or call. The message, one line, says what to do instead. What it
    quotes is escaped, and shortened if it is long."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, MESSAGE_LIMIT))


class PortInUseError(UsageError):
    """The port is used by another process. The message names the port."""


class NotFoundError(UsageError):
    """The control API has no such run, exchange, injection, hold, stub or path."""


class ConflictError(UsageError):
    """The control API cannot do what was asked in the present state of the worker."""


class NotRunningError(WoveHttpDevError, RuntimeError):
    """The worker is not running: it was never started, was stopped, or crashed."""


class NoAnswerError(UsageError):
    """No ``serve`` answers at the address of a control API."""


class ServeRestartedError(UsageError):
    """The ``serve`` of a control API was restarted during a test, and has forgotten what was put in
    force and what had arrived."""


class WaitTimeoutError(WoveHttpDevError, TimeoutError):
    """The awaited event did not happen in time. The message contains the journal."""


class StrictnessError(WoveHttpDevError, AssertionError):
    """Strict mode found problems that no injected fault explains. The message lists them and
    contains the journal."""


class PayloadDroppedError(WoveHttpDevError, LookupError):
    """The journal dropped the payload to stay within its byte limit."""


class ServiceError(WoveHttpDevError):
    """Ends a request with an HTTP error status and a reason in a JSON body."""

    status: int = 500
    code: str = "internal-error"
    """The code for the journal's exchange, one of ``runs.records.CODES``."""


class FrameError(ServiceError):
    """The body is not a valid command frame (Wove's http page, "Executor Protocol")."""

    status = 400
    code = "malformed-frame"


class DuplicateRunError(ServiceError):
    """A ``run_task`` has the ``run_id`` of a run that has not ended."""

    status = 409
    code = "run-still-running"


class LoopError(ServiceError):
    """A command that this worker has forwarded has come back to it."""

    status = 508  # Loop Detected (RFC 5842, 7.2)
    code = "upstream-loop"


class RefusedError(ServiceError):
    """A fault refuses the command, with the HTTP status ``status``."""

    code = "refused-by-fault"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class HungUpError(WoveHttpDevError):
    """A fault closes the connection without a response."""


class UnavailableError(ServiceError):
    """The service cannot run the task now: it is stopping, or a fault simulates a busy worker."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CannotServeError(WoveHttpDevError):
    """The worker service itself could not do something: neither its client nor a fault is the
    cause."""

    code: str = "internal-error"
    """One of ``runs.records.CODES``, for the journal's exchange."""


class NoThreadError(CannotServeError):
    """The system refused to start another thread for this process."""

    code = "no-thread"


class NoCertificateError(CannotServeError):
    """The worker's TLS certificate could not be made."""

    code = "no-certificate"


class StuckRunWarning(UserWarning):
    """A task body was still running when the worker stopped. The message names it."""


class WoveTrapWarning(UserWarning):
    """A test has used a setting of Wove's that does not do over http what it says. The message says
    which, why, and what to do."""


class RestoreWarning(UserWarning):
    """A process-wide setting was not restored, because other code changed it while this package had
    it set."""


def cannot_travel(what: object) -> TypeError:
    """Return the error to raise if ``what`` is pickled, for example because a task refers to it."""
    return TypeError(
        f"a {type(what).__name__} of wove-http-dev cannot be sent to the worker: a task must not"
        " use it (or a fixture that holds it); use it in the test, outside the task"
    )
