"""The report as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import PASSED, SHOULD, Report
from wove_http_dev.conformance.reporters.json import write_json


def written(tmp_path: Path, report: Report) -> Any:
    """Return the parsed output of :func:`write_json`."""
    path = tmp_path / "report.json"
    write_json(path, report)
    return json.loads(path.read_text(encoding="utf-8"))


def test_counts_and_exit_status(tmp_path: Path) -> None:
    """The document has the counts of all results and the exit status."""
    document = written(tmp_path, Report("it", [result(), result(PASSED)]))
    counts = {"passed": 1, "failed": 1, "skipped": 0, "not run": 0}
    assert (document["counts"], document["exit_status"]) == (counts, 1)


def test_a_result_has_scenario_and_sent(tmp_path: Path) -> None:
    """A result has the scenario and the requests that were really sent."""
    (case,) = written(tmp_path, Report("it", [result()]))["cases"]
    found = (case["scenario"], case["sent"])
    assert found == ("a good request", "POST run_task (echo, run 3f2a91…), signed")


def test_a_should_that_failed_is_not_a_shortfall(tmp_path: Path) -> None:
    """Without ``strict`` a SHOULD that failed is not a shortfall."""
    (case,) = written(tmp_path, Report("it", [result(level=SHOULD)]))["cases"]
    assert (case["status"], case["is_shortfall"]) == ("failed", False)
