"""A case about a secret that changes between two weaves of a process."""

from __future__ import annotations

from wove_http_dev.client import environ
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.refusals import refusal

VARIABLE = "WOVE_HTTP_DEV_ROTATED_SECRET"


@family.must(
    "17",
    sources.SECURITY,
    scenario='three weaves in a row with security "env:VARIABLE", whose value is another one for'
    " each; two have one executor, the third another",
    expected="each run signed with the value that the variable has when its weave begins",
)
def rotated_secret(check: CaseContext) -> str:
    """A secret that was changed takes effect with the next weave, without a new process."""
    executor = None
    for name in ("first", "second", "third"):
        worker = check.worker()
        secret = str(check.security_of(worker)["secret"])
        definition = check.definition(worker, {"security": f"env:{VARIABLE}"})
        if name == "second":
            definition["executor"] = executor
        executor = definition["executor"]
        with environ.set_variable(VARIABLE, secret):
            outcome = check.run_one_weave(worker, definition=definition)
        for frame in frames_of(worker, "run_task"):
            if frame.refusal:
                check.fail(
                    f"the secret was changed before the {name} weave, and its run was refused:"
                    f" {refusal(frame)}"
                )
        if outcome.value != "the result":
            check.fail(f"the {name} weave ended with {outcome}")
    return "each with its own"
