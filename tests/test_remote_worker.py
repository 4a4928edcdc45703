"""A handle on a worker service that another process runs."""

from __future__ import annotations

from typing import Any

import pytest

from wove_http_dev import HttpWorker
from wove_http_dev.remote_worker import RemoteWorker


class Skipped(Exception):
    """Raised in place of pytest.skip's exception."""


def skip(reason: str) -> None:
    """Raise :class:`Skipped`, where the plugin would pass pytest.skip."""
    raise Skipped(reason)


def remote(**options: Any) -> RemoteWorker:
    """A handle on a worker service that another process runs."""
    return RemoteWorker(
        "http://localhost:1/",
        secret=None,
        token=None,
        ca_file=None,
        skip=skip,  # type: ignore[arg-type]  # raises, as NoReturn promises
        members=dir(HttpWorker),
        **options,
    )


@pytest.mark.parametrize(
    "options",
    [{"impersonate": "https://workers.internal/x"}, {"isolated": True}, {"faults": ["hang"]}],
)
def test_option_of_a_local_worker_skips(options: dict[str, Any]) -> None:
    """An option that only a worker of this process has skips the test; it is not ignored."""
    with pytest.raises(Skipped, match="needs a worker of our own"):
        remote(**options)


def test_unknown_member_is_an_attribute_error() -> None:
    """A member that no worker has raises AttributeError; it does not skip."""
    with pytest.raises(AttributeError, match="injct"):
        _ = remote().injct
