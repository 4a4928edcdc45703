import threading

from reports_app import monthly_report


def test_the_worker_is_asked_for_all_reports_at_once(wove_http_worker):
    gate = wove_http_worker.hold("render")
    weaving = threading.Thread(target=monthly_report, args=([1, 2, 3],))
    weaving.start()
    held = gate.wait_arrived(3, timeout=5)  # raises, with the journal, if they do not come
    gate.release()
    weaving.join()
    assert sorted(run.args["item"] for run in held) == [1, 2, 3]


def test_a_stub_answers_without_running(wove_http_worker):
    wove_http_worker.stub("render", result="canned")
    assert monthly_report([7, 8]) == "canned\ncanned"
