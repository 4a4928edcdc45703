"""The authentication case about what all answers of the check reveal. It sends nothing, and runs
last."""

from __future__ import annotations

from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.frames.every_answer import judged
from wove_http_dev.conformance.worker.context import CaseContext


@auth.must(
    "47",
    sources.CWE_LEAK,
    scenario="nothing; the answers to the requests of all cases before this one are judged, but for"
    " requests that hold the secret themselves",
    expected="the secret in no header, body or pickle of an answer, neither as it is nor as hex or"
    " base64",
    alone=True,
)
def no_secret_in_any_answer(check: CaseContext) -> str:
    """No answer contains the secret, whatever the task does and however it fails."""
    check.need_mode("signed", "bearer")
    return judged(check, "secret")
