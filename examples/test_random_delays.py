from dataclasses import dataclass
from typing import ClassVar

from reports_app import monthly_report

from wove_http_dev import Fault
from wove_http_dev.faults import Duration, LogNormal, RunStage, Uniform, drawn


def test_reports_arrive_while_some_are_slow(wove_http_worker):
    wove_http_worker.inject("slow-response", delay=LogNormal(median=0.01, sigma=0.5), seed=7)
    assert monthly_report([1, 2]) == "report of 1\nreport of 2"
    for run in wove_http_worker.runs["render"]:
        print(run.faults_text)  # slow-response delay=lognormal(median=0.01,sigma=0.5) → 0.014 s


def test_a_body_that_drips(wove_http_worker):
    wove_http_worker.inject("slow-body bytes=64 drip=0.001..0.003")
    assert monthly_report([1]) == "report of 1"


@dataclass(frozen=True)
class GarbageCollection(Fault):
    """The worker pauses before and after the task."""

    stage: ClassVar[str] = "run"
    pause: Duration = 0.5

    def on_run(self, stage: RunStage):
        stage.wait(self.pause)
        outcome = stage.proceed()
        stage.wait(drawn(self.pause) / 2)  # drawn() is for type checkers: it is a number here
        return outcome


def test_a_fault_of_your_own(wove_http_worker):
    wove_http_worker.inject(GarbageCollection(pause=Uniform(0.001, 0.002)))
    assert monthly_report([1]) == "report of 1"
