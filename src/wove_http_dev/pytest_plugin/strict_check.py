"""Strict mode at the end of a test, or of a fixture: fails it for what strict mode reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wove_http_dev.pytest_plugin.stash import PASSED, is_faulted

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide


def check_after_test(worker: ClientSide, item: pytest.Item) -> None:
    """Do :func:`fail_if_violated` if the test's body passed, except in a run with a fault under
    ``--wove-http-faults``."""
    if item.stash.get(PASSED, False) and not is_faulted(item):
        fail_if_violated(worker)


def fail_if_violated(worker: ClientSide) -> None:
    """Fail the test if strict mode finds a problem, unless the worker has ``strict=False``."""
    from wove_http_dev.errors import NoAnswerError, ServeRestartedError, StrictnessError

    complaint = ""
    try:
        if worker.options.strict:
            worker.check()
    except (StrictnessError, NoAnswerError, ServeRestartedError) as exc:
        complaint = str(exc)
    if complaint:  # outside the except block: no exception is chained to it
        pytest.fail(complaint, pytrace=False)
