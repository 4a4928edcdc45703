import pytest
from reports_app import monthly_report

from wove_http_dev import assert_contained


@pytest.mark.wove_http_faults("auth", "status", "html-page", "truncated-body", "hang")
def test_a_report_survives_a_bad_worker(wove_http_worker, wove_http_fault):
    with assert_contained(wove_http_worker, within=5.0, attempts=2):  # the task has retries=1
        monthly_report([7])
