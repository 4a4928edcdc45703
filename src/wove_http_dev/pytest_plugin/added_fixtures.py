"""Fixtures that the plugin adds to a test: they do what must come first, or last, in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

import pytest

from wove_http_dev.pytest_plugin.stash import WORKERS, join_run

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide
    from wove_http_dev.worker import HttpWorker


@pytest.fixture
def _wove_http_session_test(
    request: pytest.FixtureRequest, wove_http_session_worker: HttpWorker
) -> Iterator[None]:
    """What one test does with the session's worker: the first of its fixtures, so that it ends
    last."""
    from wove_http_dev.pytest_plugin.strict_check import check_after_test, warn_of_traps
    from wove_http_dev.worker import HttpWorker
    from wove_http_dev.worker_side import WorkerSide

    worker = cast("ClientSide", wove_http_session_worker)
    workers = request.node.stash.setdefault(WORKERS, [])
    with ExitStack() as stack:
        if isinstance(worker, HttpWorker):
            worker.start()  # a test may have stopped it
        elif isinstance(worker, WorkerSide):  # of another process
            worker.reset()  # others may have used it since the last test
        if isinstance(worker, WorkerSide):
            stack.callback(worker.reset)
        workers.append(worker)
        stack.callback(workers.remove, worker)
        stack.enter_context(worker.configured())
        stack.callback(warn_of_traps, request.node, [worker])
        stack.callback(check_after_test, worker, request.node)
        join_run(request.node, worker)
        yield


@pytest.fixture
def _wove_http_adopting(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test for which workers may be adopted: the first of its fixtures."""
    from wove_http_dev.pytest_plugin.adoption import adoptions_of

    with adoptions_of(request.config).in_test(request.node):
        yield


@pytest.fixture
def _wove_http_marker_check(request: pytest.FixtureRequest) -> None:
    """Fail a test whose marker ``wove_http`` does nothing, or has a wrong option: the last
    fixture of a test with that marker."""
    from wove_http_dev.pytest_plugin.markers import refuse_wrong_options, why_without_effect

    own = any(marker.name == "wove_http" for marker in request.node.own_markers)
    why = why_without_effect(request.node) if own else None
    if why is not None:
        pytest.fail(why, pytrace=False)
    refuse_wrong_options(request.node, {})
