"""A process without a free file descriptor, and sockets whose descriptors were closed."""

from __future__ import annotations

import errno
import os
import socket
from typing import NoReturn

import pytest

from wove_http_dev.descriptors import close_sockets, none_free, require_descriptor


def failing_with(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Make ``os.open`` raise the ``OSError`` of this number."""

    def fails(*args: object, **kwargs: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fails)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (OSError(errno.EMFILE, ""), True),
        (OSError(errno.ENFILE, ""), True),
        (OSError(errno.ENOENT, ""), False),
        (ValueError(errno.EMFILE), False),
    ],
    ids=["process", "system", "other", "no-os-error"],
)
def test_none_free(exc: BaseException, expected: bool) -> None:
    """The limit of the process is recognised, and that of the system."""
    assert none_free(exc) is expected


def test_descriptor_is_free() -> None:
    """Nothing is raised while a descriptor is free."""
    require_descriptor()


def test_no_descriptor_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the system is raised when none is."""
    failing_with(monkeypatch, errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        require_descriptor()


def test_without_dev_null(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without ``/dev/null`` is no process without descriptors."""
    failing_with(monkeypatch, errno.ENOENT)
    require_descriptor()


def test_close_sockets() -> None:
    """A socket whose descriptor other code has closed does not keep the others open."""
    first, second = socket.socketpair()
    os.close(first.fileno())
    close_sockets(first, second)
    assert (first.fileno(), second.fileno()) == (-1, -1)
