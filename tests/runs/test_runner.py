"""The runner that runs bodies in threads of the service."""

from __future__ import annotations

import threading

from tests.runs.bodies import result_of
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.runner import ThreadRunner


def test_calling_thread() -> None:
    """A body runs in the thread that calls."""
    body = Body(dumps(threading.get_ident), dumps({}))
    outcome = ThreadRunner().run(Execution("body"), body)
    assert result_of(outcome) == threading.get_ident()


def test_place() -> None:
    """It is said that bodies run in this process."""
    assert ThreadRunner().place == "threads of the worker's process"


def test_kills() -> None:
    """A thread cannot be killed."""
    assert not ThreadRunner().kills
