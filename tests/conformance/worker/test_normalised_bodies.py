"""Bodies that a service may take for the one that was signed."""

from __future__ import annotations

import json
from contextlib import suppress

from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.cases.auth.normalised_bodies import normalised

FRAME = commands.run_frame(tasks.nothing)
FORMS = list(normalised(commands.encode(FRAME)))


def test_what_is_sent_is_not_what_is_signed() -> None:
    """The body that is sent has other bytes than the one that is signed."""
    assert [what for what, covered, used in FORMS if covered == used] == []


def test_what_is_sent_asks_for_the_same_run() -> None:
    """The body that is sent asks for the run of the frame, if it is JSON."""
    asked = {}
    for what, _, used in FORMS:
        with suppress(ValueError):
            asked[what] = json.loads(used)["run_id"]
    assert {what: run_id for what, run_id in asked.items() if run_id != FRAME["run_id"]} == {}
