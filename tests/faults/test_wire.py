"""Wire faults, from the client's side."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest
from wove.environment import EnvironmentExecutionError

from tests.faults.helpers import error_of, post_raw, read_all
from tests.support import TIMEOUT, weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory


@pytest.fixture
def plain(wove_http_worker_factory: WorkerFactory) -> HttpWorker:
    """A worker that accepts raw, unsigned requests."""
    return wove_http_worker_factory(tls=False, security="none", strict=False)


def kind_of(error: Exception) -> str:
    """The kind that the executor's transport error has."""
    payload = getattr(error, "payload", {})
    return str(payload.get("kind"))


@pytest.mark.parametrize("fault", ["reset-before-response", "reset-mid-body"])
def test_a_reset_over_http_is_a_connection_reset(plain: HttpWorker, fault: str) -> None:
    """The executor raises ConnectionResetError."""
    plain.inject(fault)
    assert kind_of(error_of()) == "ConnectionResetError"


def test_a_reset_is_a_tcp_reset(plain: HttpWorker) -> None:
    """A raw socket gets a reset."""
    plain.inject("reset-before-response")
    with pytest.raises(ConnectionResetError):
        read_all(post_raw(plain))


def test_a_close_is_not_a_reset(plain: HttpWorker) -> None:
    """Closing without a response is an ordinary end of file."""
    plain.inject("close-without-response")
    assert read_all(post_raw(plain)) == b""


def test_a_truncated_body_is_an_incomplete_read(wove_http_worker: HttpWorker) -> None:
    """The executor raises http.client's IncompleteRead."""
    wove_http_worker.inject("truncated-body")
    assert kind_of(error_of()) == "IncompleteRead"


def test_a_dripping_body_outlasts_the_executors_timeout(
    wove_http_worker_factory: WorkerFactory,
) -> None:
    """Each byte restarts the executor's timeout: a body that takes longer arrives."""
    for timeout in (0.3, 3.0, TIMEOUT):  # a busy machine may need longer for a byte
        worker = wove_http_worker_factory(timeout=timeout, delivery_timeout=10 * TIMEOUT)
        worker.inject("slow-body bytes=16", interval=timeout / 10)
        begin = time.perf_counter()
        with suppress(EnvironmentExecutionError):
            weave_one(environment=worker.environment)
            assert time.perf_counter() - begin > timeout
            return
    pytest.fail("the body does not arrive")


def test_a_stall_is_released_by_reset(wove_http_worker: HttpWorker) -> None:
    """``reset()`` lets the rest of the body go."""
    stall = wove_http_worker.inject("stall-mid-body")
    results: list[object] = []
    weaving = threading.Thread(target=lambda: results.append(weave_one()))
    weaving.start()
    wove_http_worker.wait_for("task", state="succeeded")
    wove_http_worker.journal.wait(lambda: stall.hits > 0, TIMEOUT, "the stall")
    wove_http_worker.reset()
    weaving.join(TIMEOUT)
    assert results == [(1, 2)]


def test_http_1_0_is_on_the_status_line(plain: HttpWorker) -> None:
    """The status line says HTTP/1.0."""
    plain.inject("http-1.0")
    assert read_all(post_raw(plain)).startswith(b"HTTP/1.0 ")


class TestDrip:
    """A body whose pieces come with random intervals."""

    TEXT = "slow-body bytes=64 drip=0.001..0.002"

    def waits(self, worker: HttpWorker, text: str = TEXT) -> list[float]:
        """The numbers that are drawn for the answer of a weave."""
        with worker.inject(text, seed=3):
            assert weave_one() == (1, 2)
            run = worker.runs.last
            worker.journal.wait(lambda: run.answered is not None, TIMEOUT, "the answer's end")
        (numbers,) = run.drawn.values()
        return numbers

    def test_each_piece(self, wove_http_worker: HttpWorker) -> None:
        """Each piece is followed by a wait of its own."""
        numbers = self.waits(wove_http_worker)
        assert len(set(numbers)) == len(numbers) > 2

    def test_is_repeatable(self, wove_http_worker: HttpWorker) -> None:
        """The same seed gives the same waits."""
        assert self.waits(wove_http_worker) == self.waits(wove_http_worker)

    def test_interval_is_drawn_once(self, wove_http_worker: HttpWorker) -> None:
        """``interval`` is one number for all pieces of a body."""
        assert len(self.waits(wove_http_worker, self.TEXT.replace("drip", "interval"))) == 1

    def test_line_of_the_journal(self, wove_http_worker: HttpWorker) -> None:
        """The line of the exchange has the first numbers."""
        numbers = self.waits(wove_http_worker)
        first = ", ".join(f"{each:.3g} s" for each in numbers[:5])
        assert f"[fault: slow-body drip=0.001..0.002 → {first}" in wove_http_worker.report()

    def test_in_place_of_interval(self, wove_http_worker: HttpWorker) -> None:
        """With ``drip`` nobody waits for ``interval``."""
        assert self.waits(wove_http_worker, self.TEXT + " interval=600")
