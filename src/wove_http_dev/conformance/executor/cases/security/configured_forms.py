"""Cases about ``executor_config["security"]``: the executor understands each documented form, and
sends no request with other credentials or without any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wove_http_dev.client import environ
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import requests_of
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.faults.response import Status
from wove_http_dev.worker import HttpWorker

VARIABLE = "WOVE_CONFORMANCE_SECRET"
KEY = "tenant-7"
FORMS: Mapping[str, tuple[dict[str, Any], Any]] = {
    f'"env:{VARIABLE}"': ({"security": "signed"}, f"env:{VARIABLE}"),
    "signed by secret_env, with a key": (
        {"security": "signed", "key": KEY},
        {"type": "signed", "secret_env": VARIABLE, "key": KEY},
    ),
    "bearer by token_env": (
        {"security": "bearer"},
        {"type": "bearer", "token_env": VARIABLE},
    ),
}
"""Each documented form, by name: the options of a worker, and an ``executor_config["security"]``
that this worker accepts."""
REFUSALS = (401, 403)


def _first_refusal(worker: HttpWorker) -> str:
    """Describe the first request that ``worker`` refused; return an empty string if it refused
    none."""
    for exchange in requests_of(worker):
        if not exchange.accepted:
            return f"a {exchange.frame_type or exchange.method} was refused: {refusal(exchange)}"
    return ""


@family.must(
    "30",
    sources.SECURITY,
    scenario=f"a run for each form of security: {'; '.join(FORMS)}",
    expected="requests that a worker with that configuration accepts",
    alone=True,
)
def every_form(check: CaseContext) -> str:
    """Each documented form of ``security`` is understood, including the key name."""
    for form, (options, configured) in FORMS.items():
        worker = check.worker(**options)
        with environ.set_variable(VARIABLE, str(worker.secret)):
            outcome = check.run_one_weave(worker, settings={"security": configured})
        if not requests_of(worker):
            check.fail(f"with security {form} no request arrived: {outcome}")
        refused = _first_refusal(worker)
        if refused or outcome.kind != "result":
            check.fail(f"with security {form} {refused or outcome}")
    return "all requests accepted"


@family.must(
    "31",
    sources.SECURITY,
    scenario=f'a weave with security "env:{VARIABLE}", and that variable is not set',
    expected="an error before anything is sent",
    alone=True,
)
def missing_secret(check: CaseContext) -> str:
    """If the configured secret is missing, no request is sent."""
    worker = check.worker()
    outcome = check.run_one_weave(worker, settings={"security": f"env:{VARIABLE}"})
    requests = requests_of(worker)
    if requests:
        check.fail(
            f"the configured secret does not exist, but a {requests[0].frame_type} was sent:"
            f" {outcome}"
        )
    if outcome.kind == "result":
        check.fail(f"the configured secret does not exist, but the weave has {outcome}")
    return str(outcome)


@family.must(
    "32",
    sources.SECURITY,
    scenario=f"runs answered with {' and '.join(map(str, REFUSALS))}, signed and with a bearer"
    " token",
    expected="no request without valid credentials afterwards",
)
def after_a_refusal(check: CaseContext) -> str:
    """After a refusal the executor does not try other credentials, nor none at all."""
    for mode in ("signed", "bearer"):
        for status in REFUSALS:
            worker = check.worker(security=mode)
            worker.inject(Status(status))
            check.run_one_weave(worker, delivery_timeout=1.0)
            refused = _first_refusal(worker)
            if refused:
                check.fail(
                    f"after an answer of {status} a request came without the configured"
                    f" credentials ({mode}): {refused}"
                )
    return "none"
