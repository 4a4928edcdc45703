import pytest
from reports_app import monthly_report

from wove_http_dev import HttpWorker


@pytest.fixture(scope="module")
def shared_worker():
    with HttpWorker() as worker, worker.configured():
        yield worker


@pytest.fixture(autouse=True)
def _clean(shared_worker):
    yield
    shared_worker.check()  # what strict mode does for a wove_http_worker
    shared_worker.reset()


def test_one_worker_serves_the_whole_module(shared_worker):
    assert monthly_report([1]) == "report of 1"
    assert len(shared_worker.runs) == 1


def test_and_forgets_between_tests(shared_worker):
    assert len(shared_worker.runs) == 0
