"""Workers that are steered through a control API, for tests."""

from __future__ import annotations

from typing import Any, NoReturn

from wove_http_dev.controlled.worker import ControlledWorker
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.worker import HttpWorker


class Skipped(Exception):
    """Raised in place of pytest.skip's exception."""


def skip(reason: str) -> NoReturn:
    """Raise :class:`Skipped`, where the plugin would pass pytest.skip."""
    raise Skipped(reason)


def controlled(client: ControlClient, theirs: HttpWorker, **options: Any) -> ControlledWorker:
    """A worker that steers ``theirs`` through ``client``."""
    return ControlledWorker(
        client,
        theirs.url,
        secret=theirs.secret,
        token=None,
        ca_file=theirs.ca_file,
        skip=skip,
        **options,
    )
