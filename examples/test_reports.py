import pytest
from reports_app import monthly_report


def test_a_report_is_rendered_on_the_worker(wove_http_worker):
    assert monthly_report([7]) == "report of 7"
    assert wove_http_worker.runs["render"].last.args == {"item": 7}


def test_one_bad_answer_is_retried(wove_http_worker):
    wove_http_worker.inject("status code=503", task="render", times=1)
    assert monthly_report([7]) == "report of 7"
    assert len(wove_http_worker.runs["render"]) == 2


def test_a_worker_that_stays_slow_is_an_error_and_not_a_hang(wove_http_worker_factory):
    worker = wove_http_worker_factory(timeout=0.2)
    with worker.inject("slow-response delay=5"), pytest.raises(Exception, match="timed out"):
        monthly_report([7])
