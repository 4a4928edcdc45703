"""One run of a test with a fault: workers, injections, time limits."""

from __future__ import annotations

import os
import signal

import pytest

from tests.isolated.helpers import pid_of
from tests.support import MakeWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.isolated import host
from wove_http_dev.pytest_plugin.trial import LIMITS, SHORTEST, Chosen, Clean, Trial
from wove_http_dev.survival.observation import Observation, Observer
from wove_http_dev.worker import HttpWorker

QUICK = Clean(Observation(), 0.001, 1, [])


def trial_of(text: str) -> Trial:
    """A run with the fault ``text``."""
    return Trial(Observer(), Chosen.of(text))


def test_each_worker_gets_the_fault(make_worker: MakeWorker) -> None:
    """Of several workers the fault is on each."""
    trial = trial_of("hang task=a")
    workers = [make_worker(), make_worker()]
    for worker in workers:
        trial.join(worker)
    assert [len(worker.injections) for worker in workers] == [1, 1]


def test_a_worker_on_which_it_cannot_act(make_worker: MakeWorker) -> None:
    """A worker without TLS gets no fault of TLS."""
    worker = make_worker(tls=False)
    trial_of("self-signed").join(worker)
    assert worker.injections == []


def test_joining_twice(worker: HttpWorker) -> None:
    """A worker that joins again has the fault once."""
    trial = trial_of("hang")
    trial.join(worker)
    trial.join(worker)
    assert len(worker.injections) == 1


def test_the_clean_run_has_no_fault(worker: HttpWorker) -> None:
    """In the run without a fault nothing is injected."""
    Trial(Observer()).join(worker)
    assert worker.injections == []


def test_no_trace_is_left(worker: HttpWorker) -> None:
    """After the run the worker has no injection, and serves again if it has crashed."""
    trial = trial_of("hang")
    trial.join(worker)
    worker.crash()
    trial.clean_up()
    assert (worker.injections, worker.running) == ([], True)


def test_a_worker_that_does_not_respond(
    make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog, which ends the fault, goes on to its next measure: nothing is raised."""
    worker = make_worker(isolated=True)
    trial = trial_of("hang")
    trial.join(worker)
    with monkeypatch.context() as patch:
        patch.setattr(host, "REQUEST_TIMEOUT", 0.1)
        os.kill(pid_of(worker), signal.SIGSTOP)
        try:
            trial._release()
        finally:
            os.kill(pid_of(worker), signal.SIGCONT)
    trial.clean_up()


def test_strict_mode_does_not_mind(worker: HttpWorker) -> None:
    """A fault that nobody asked for may hit nothing, whatever it selects."""
    trial_of("hang task=a").join(worker)
    worker.check()


def test_limits_of_a_stall() -> None:
    """With a fault that stalls, limits are short."""
    assert trial_of("hang")._limits(QUICK, 1).timeout == SHORTEST


def test_limits_follow_the_machine() -> None:
    """They are a multiple of what the run without a fault took."""
    assert trial_of("hang")._limits(Clean(Observation(), 1.0, 1, []), 1).timeout == 4.0


def test_limits_of_requests_that_are_not_hit() -> None:
    """They are longer where some requests must be answered in that time."""
    assert trial_of("hang times=1")._limits(QUICK, 1).timeout == 4 * SHORTEST


def test_limits_of_other_faults() -> None:
    """With faults that answer at once, limits are long."""
    assert trial_of("status")._limits(QUICK, 1) == LIMITS


def test_limits_of_the_test_itself(make_worker: MakeWorker) -> None:
    """A limit that the test sets is kept, and known."""
    trial = trial_of("hang")
    trial.join(make_worker(timeout=3.0, delivery_timeout=None), own_limits=True)
    assert trial.own_limits == {"workers": (3.0, 0.0)}


def test_the_watchdog_waits_for_the_longest_limit(make_worker: MakeWorker) -> None:
    """A limit that the test sets is one in which nothing need happen."""
    trial = trial_of("hang")
    trial.join(make_worker(timeout=30.0), own_limits=True)
    assert trial._longest(LIMITS) == 30.0


def test_a_worker_that_is_reset(worker: HttpWorker) -> None:
    """A test that resets its worker is known: no fault would stay in force."""
    trial = Trial(Observer())
    trial.join(worker)
    before = trial.was_reset
    worker.reset()
    assert (before, trial.was_reset) == (False, True)


@pytest.mark.parametrize("text", ["hagn", "hang delay=1", "untrusted-ca task=a"])
def test_a_fault_that_cannot_be(text: str) -> None:
    """A text that is no fault, or that could never act, is refused."""
    with pytest.raises(UsageError):
        Chosen.of(text)
