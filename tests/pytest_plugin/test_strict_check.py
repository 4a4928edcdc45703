"""Strict mode after a test; ``test_fixtures`` and ``test_adoption`` have it in whole sessions."""

from __future__ import annotations

import pytest

from tests.support import MakeWorker
from wove_http_dev.pytest_plugin.stash import PASSED
from wove_http_dev.pytest_plugin.strict_check import check_after_test, fail_if_violated


@pytest.fixture
def item(request: pytest.FixtureRequest) -> pytest.Item:
    """An item with a stash of its own."""
    item: pytest.Item = pytest.Function.from_parent(
        request.node.parent, name="test_it", callobj=lambda: None
    )
    return item


def test_violation(make_worker: MakeWorker) -> None:
    """A fault that hit nothing fails the test, with the text of strict mode."""
    worker = make_worker()
    worker.inject("hang")
    with pytest.raises(pytest.fail.Exception, match="hang"):
        fail_if_violated(worker)


def test_not_strict(make_worker: MakeWorker) -> None:
    worker = make_worker(strict=False)
    worker.inject("hang")
    fail_if_violated(worker)


def test_after_a_test_that_passed(make_worker: MakeWorker, item: pytest.Item) -> None:
    worker = make_worker()
    worker.inject("hang")
    item.stash[PASSED] = True
    with pytest.raises(pytest.fail.Exception):
        check_after_test(worker, item)


def test_after_a_test_that_failed(make_worker: MakeWorker, item: pytest.Item) -> None:
    """A test that failed already does not also fail for strict mode."""
    worker = make_worker()
    worker.inject("hang")
    item.stash[PASSED] = False
    check_after_test(worker, item)
