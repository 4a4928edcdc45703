"""What a worker has received from the executor that is checked."""

from __future__ import annotations

from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import (
    frames_of,
    has_run,
    headers_of,
    requests_of,
)


def test_the_frames_of_a_worker(check: CaseContext) -> None:
    """frames_of() selects command frames by type."""
    worker = check.worker()
    check.run_one_weave(worker)
    counts = [len(frames_of(worker, kind)) for kind in ("run_task", "cancel_task")]
    assert counts == [1, 0]


def test_a_header_is_found_in_any_case(check: CaseContext) -> None:
    """Header names are found in any letter case."""
    worker = check.worker()
    check.run_one_weave(worker)
    assert headers_of(requests_of(worker)[0])["CONTENT-TYPE"] == "application/json"


def test_a_run_at_a_gate(check: CaseContext) -> None:
    """has_run() tells whether a run has arrived at a gate."""
    worker = check.worker()
    gates = [worker.hold("task"), worker.hold("another")]
    gates[0].release()
    check.run_one_weave(worker)
    assert [has_run(gate) for gate in gates] == [True, False]
