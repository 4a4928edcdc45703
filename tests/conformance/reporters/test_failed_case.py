"""The text that describes one result."""

from __future__ import annotations

from dataclasses import replace

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.reporters.failed_case import describe


def test_all_that_is_known_of_a_result() -> None:
    """The text has one line for each part of the result."""
    assert describe(result()).splitlines() == [
        "made-up.01-good-answer (MUST; RFC 0)",
        "    required  It answers.",
        "    scenario  a good request",
        "    sent      POST run_task (echo, run 3f2a91…), signed",
        "    expected  a good answer",
        "    actual    a bad answer",
    ]


def test_what_the_service_printed() -> None:
    """What the service printed is shown below the label, line by line."""
    made = replace(result(), printed="Traceback:\n  KeyError")
    assert describe(made).endswith("\n    printed   Traceback:\n                KeyError")


def test_how_a_second_run_went() -> None:
    """A case that was run twice says how."""
    made = result(again="it failed alone as well; at first: no answer")
    assert describe(made).endswith("\n    again     it failed alone as well; at first: no answer")


def test_how_to_mend_it() -> None:
    """A case with a remedy ends with how to mend it, and with an example."""
    made = result()
    case = replace(made.case, remedy=Remedy("Answer well.", "examples/worker_core.py: handle()"))
    assert describe(replace(made, case=case)).splitlines()[-2:] == [
        "    mend      Answer well.",
        "    example   examples/worker_core.py: handle()",
    ]


def test_sent_is_left_out_where_it_is_not_recorded() -> None:
    """If the check does not record requests, the text has no line ``sent``."""
    assert "\n    sent" not in describe(replace(result(), sent=""))
