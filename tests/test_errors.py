"""The errors of the package: base classes, HTTP statuses and codes."""

from __future__ import annotations

import pytest

from wove_http_dev import errors
from wove_http_dev.runs.records import CODES

ERRORS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)
]
SERVICE_ERRORS = [kind for kind in ERRORS if issubclass(kind, errors.ServiceError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_base(kind: type[Exception]) -> None:
    """Every error derives from the package's base class, every warning from UserWarning."""
    assert issubclass(kind, (errors.WoveHttpDevError, UserWarning))


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.UsageError, ValueError),
        (errors.PortInUseError, errors.UsageError),
        (errors.NotRunningError, RuntimeError),
        (errors.WaitTimeoutError, TimeoutError),
        (errors.StrictnessError, AssertionError),
        (errors.PayloadDroppedError, LookupError),
    ],
)
def test_builtin_base(kind: type[Exception], builtin: type[Exception]) -> None:
    """An ``except`` clause for the nearest builtin error catches it."""
    assert issubclass(kind, builtin)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ServiceError("bug"), 500),
        (errors.FrameError("no JSON"), 400),
        (errors.DuplicateRunError("running"), 409),
        (errors.UnavailableError("stopping"), 503),
        (errors.RefusedError("no", 418), 418),
    ],
    ids=lambda value: type(value).__name__,
)
def test_status(error: errors.ServiceError, status: int) -> None:
    """An error that ends a request has the HTTP status of its response."""
    assert error.status == status


@pytest.mark.parametrize("kind", SERVICE_ERRORS)
def test_code(kind: type[errors.ServiceError]) -> None:
    """The code of an error that ends a request is one that the journal knows."""
    assert kind.code in CODES


@pytest.mark.parametrize("seconds", [None, 2.0])
def test_retry_after(seconds: float | None) -> None:
    """An UnavailableError may say after how many seconds to try again."""
    assert errors.UnavailableError("full", seconds).retry_after == seconds


def test_cannot_travel() -> None:
    """The error for an object that cannot be pickled names the object's class."""
    assert "a dict of wove-http-dev" in str(errors.cannot_travel({}))
