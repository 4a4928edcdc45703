"""What is checked at the end of a test, or of a fixture: strict mode, and traps of Wove's."""

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


def warn_of_traps(node: pytest.Item, workers: list[ClientSide]) -> None:
    """Warn of settings of Wove's that do not do over http what they say."""
    if is_faulted(node):  # the run without a fault has warned
        return
    from wove_http_dev.errors import WoveTrapWarning
    from wove_http_dev.explain.traps import traps

    for text in traps(workers):
        complaint = ""
        try:
            node.warn(WoveTrapWarning(text))
        except WoveTrapWarning as exc:  # with -W error
            complaint = str(exc)
        if complaint:  # outside the except block: no exception is chained to it
            pytest.fail(complaint, pytrace=False)
