"""Selection under concurrency and across runs, from the client's side."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.helpers import post_raw, read_all, weave_many
from wove_http_dev import HttpWorker
from wove_http_dev.pytest_plugin import Factory

CANCEL = json.dumps({"type": "cancel_task", "run_id": "t:1", "task_id": "t"}).encode()


@pytest.fixture
def plain(wove_http_worker_factory: Factory) -> HttpWorker:
    """A worker that raw sockets can talk to."""
    return wove_http_worker_factory(tls=False, security="none")


def statuses(worker: HttpWorker, count: int) -> list[bytes]:
    """The status lines of ``count`` requests, twenty at a time."""

    def one(_: int) -> bytes:
        return read_all(post_raw(worker, CANCEL)).partition(b"\r\n")[0]

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(one, range(count)))


def test_exactly_times_requests_are_hit(plain: HttpWorker) -> None:
    """Of a thousand concurrent requests a hundred see the fault."""
    plain.inject("status code=503", times=100)
    assert statuses(plain, 1000).count(b"HTTP/1.1 503 Service Unavailable") == 100


def test_probability_zero_never_fires(plain: HttpWorker) -> None:
    """No request sees the fault."""
    plain.inject("status code=503", probability=0.0)
    assert set(statuses(plain, 200)) == {b"HTTP/1.1 200 OK"}


def test_injections_happen_in_order(plain: HttpWorker) -> None:
    """The first one's times are used up before the second one begins."""
    plain.inject("status code=503", times=2)
    plain.inject("status code=429", times=1)
    codes = [read_all(post_raw(plain, CANCEL)).split()[1] for _ in range(4)]
    assert codes == [b"503", b"503", b"429", b"200"]


def test_faults_of_two_stages_act_on_one_exchange(wove_http_worker: HttpWorker) -> None:
    """The run is doubled and its started frame is missing."""
    wove_http_worker.inject("duplicate-run", "missing-started")
    weave_many([1])
    exchange, run = wove_http_worker.exchanges[0], wove_http_worker.runs.last
    assert (exchange.events, run.executions) == (["task_result"], 2)


DECISIONS = """
    import pytest
    from tests.faults.helpers import weave_one

    @pytest.mark.parametrize("n", range(4))
    def test_decisions(wove_http_worker, n):
        injection = wove_http_worker.inject("missing-started", probability=0.5)
        for _ in range(12):
            weave_one()
        faults = "".join(str(len(e.faults)) for e in wove_http_worker.exchanges)
        print("DECIDED", n, faults)
"""


def decisions(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """What each test decided, in the order of the tests."""
    result = pytester.runpytest_subprocess("-rP", "-p", "no:cacheprovider", *arguments)
    result.assert_outcomes(passed=4)
    return sorted({line for line in result.outlines if line.startswith("DECIDED")})


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests draw."""
    monkeypatch.setenv("PYTHONPATH", str(__file__).rpartition("/tests/")[0])
    pytester.makepyfile(test_drawing=DECISIONS)
    return pytester


def test_the_same_seed_decides_the_same_under_xdist(project: pytest.Pytester) -> None:
    """Two processes draw what one draws."""
    seed = "--wove-http-seed=7"
    assert decisions(project, seed) == decisions(project, seed, "-n", "2")


def test_another_seed_decides_otherwise(project: pytest.Pytester) -> None:
    """The seed matters."""
    one, other = decisions(project, "--wove-http-seed=7"), decisions(project, "--wove-http-seed=8")
    assert one != other
