import pytest
from reports_app import monthly_report


@pytest.fixture(scope="module")
def january(wove_http_session_worker):  # a fixture of any scope may use it
    return monthly_report([1])


def test_one_worker_serves_the_whole_session(january, wove_http_session_worker):
    assert january == "report of 1"
    assert len(wove_http_session_worker.runs) == 1


def test_and_forgets_between_tests(wove_http_session_worker):
    assert len(wove_http_session_worker.runs) == 0
