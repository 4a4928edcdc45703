import pytest
from wove import weave


@pytest.fixture
def front(wove_http_worker_factory):
    service = wove_http_worker_factory(environment="service")  # stands for a service of yours
    return wove_http_worker_factory(
        environment="workers",
        upstream=service.url,
        upstream_security={"type": "signed", "secret": service.secret},
        upstream_ca_file=service.ca_file,
    )


def test_a_lost_answer_is_a_second_run(front):
    with front.inject("lost-response", times=1), weave() as w:

        @w.do(environment="workers", retries=1)
        def charge():
            return "paid"

    assert w.result.charge == "paid"
    front.assert_ran("charge", times=2)  # the service has run it twice
