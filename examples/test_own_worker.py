import pytest
from wove import weave

from wove_http_dev import HttpWorker


@pytest.fixture(scope="module")  # or any other scope
def rendering_worker(wove_http_adopt):
    with HttpWorker(environment="rendering") as worker, worker.configured():
        yield wove_http_adopt(worker)


def test_a_page_is_rendered(rendering_worker):
    with weave() as w:

        @w.do(environment="rendering")
        def page():
            return "<p>rendered"

    assert w.result.page == "<p>rendered"
