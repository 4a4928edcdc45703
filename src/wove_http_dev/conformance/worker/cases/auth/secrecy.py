"""Authentication cases about what answers reveal, also to a client without credentials. They run
near the end, because one of them judges the answers to all requests before."""

from __future__ import annotations

from wove_http_dev.conformance.worker import sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.targets import elsewhere
from wove_http_dev.conformance.worker.cases.cancel.held_run import start_held
from wove_http_dev.conformance.worker.cases.frames.every_answer import judged
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

LISTS = ("/runs", "/tasks", "/status", "/stats", "/metrics")
"""Targets at which a service may list its runs, besides those that ``elsewhere`` returns."""


@auth.must(
    "47",
    sources.CWE_LEAK,
    scenario="nothing; the answers to the requests of all cases before this one are judged, except"
    " for requests that contain the secret themselves",
    expected="the secret in no header, body or pickle of an answer, neither as it is nor as hex or"
    " base64",
    alone=True,
)
def no_secret_in_any_answer(check: CaseContext) -> str:
    """No answer contains the secret, whatever the task does and however it fails."""
    check.need_mode("signed", "bearer")
    return judged(check, "secret")


@auth.should(
    "48",
    sources.CWE_LEAK,
    scenario="while a task runs, GETs without credentials of this URL, and of paths that often show"
    " the state of a service",
    expected="no answer holds the run_id of the task",
    alone=True,
)
def no_runs_without_credentials(check: CaseContext) -> str:
    """A client without credentials does not learn which runs there are."""
    check.need_mode("signed", "bearer")
    run = start_held(check, tasks.hold)
    asked = 0
    for target in dict.fromkeys((check.service.target, *elsewhere(check), *LISTS)):
        request = check.service.request(b"", {}, target=target, method="GET")
        try:
            answer = check.service.exchange(request, check.deadline())
        except NoAnswer:
            continue
        asked += 1
        if run.run_id.encode() in answer.body:
            check.fail(
                f"a GET of {target!r} without credentials shows the run_id of a task that runs:"
                f" {answer.shown()}"
            )
    return f"{asked} answers"
