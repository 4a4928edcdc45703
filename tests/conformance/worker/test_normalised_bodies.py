"""Bodies that a service may take for the one that was signed."""

from __future__ import annotations

import json

import pytest

from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.cases.auth.normalised_bodies import normalised

FRAME = commands.run_frame(tasks.nothing)
FORMS = list(normalised(commands.encode(FRAME)))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_what_is_sent_is_not_what_is_signed(form: tuple[str, bytes, bytes]) -> None:
    """The body that is sent has other bytes than the one that is signed."""
    _, covered, used = form
    assert covered != used


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_what_is_sent_asks_for_the_same_run(form: tuple[str, bytes, bytes]) -> None:
    """The body that is sent asks for the run of the frame, if it is JSON."""
    try:
        sent = json.loads(form[2])
    except ValueError:
        return
    assert sent["run_id"] == FRAME["run_id"]
