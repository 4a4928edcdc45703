from dataclasses import dataclass
from typing import ClassVar

from reports_app import monthly_report

from wove_http_dev import Fault


@dataclass(frozen=True)
class ShoutedResult(Fault):
    """The worker runs the task and sends a louder result."""

    stage: ClassVar[str] = "events"

    def on_events(self, events, stage):
        return [{**event, "result": "LOUD"} for event in events if event.pop("result_pickle", 1)]


def test_a_fault_of_my_own(wove_http_worker):
    wove_http_worker.inject(ShoutedResult())
    assert monthly_report([7]) == "LOUD"
