import pytest
from reports_app import monthly_report


@pytest.mark.wove_http(isolated=True)
def test_a_killed_worker_comes_back(wove_http_worker):
    wove_http_worker.inject("crash-before-run", task="render", times=1)
    with pytest.raises(Exception, match=r"closed|reset|refused"):
        monthly_report([7])  # its retry finds no worker either
    wove_http_worker.start()
    assert monthly_report([7]) == "report of 7"
    assert [run.state for run in wove_http_worker.runs] == ["lost", "succeeded"]
