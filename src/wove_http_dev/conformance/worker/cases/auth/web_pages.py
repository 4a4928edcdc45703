"""The case about services without authentication: requests that any web page can make the user's
browser send."""

from __future__ import annotations

from collections.abc import Mapping

from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    probe,
    refuses,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

ELSEWHERE = "attacker.example"


@auth.should(
    "42",
    "Fetch standard, CORS-safelisted requests; CWE-352, cross-site request forgery",
    scenario="without authentication: a POST as a form of another site sends it (text/plain, with"
    " that Origin), one to a name that an attacker lets point here (Host and Origin), and the"
    " question of a browser whether another site may send application/json",
    expected=f"{REFUSAL}; no Access-Control-Allow-Origin",
)
@refuses("none")
def web_pages(check: CaseContext) -> Attempts:
    """Without authentication, a service refuses what any web page could send it: a body that is not
    application/json or has a foreign Origin, and a Host that is not its own."""
    sent = probe(check)
    form = {"Content-Type": "text/plain", "Origin": f"https://{ELSEWHERE}"}
    yield Attempt("a form of another site (text/plain)", sent, form)
    sent = probe(check)
    own = f"Host: {check.service.authority}\r\n".encode()
    foreign = f"{ELSEWHERE}:{check.service.port}"
    headers: Mapping[str, str] = {"Origin": f"http://{foreign}"}
    request = check.service.request(sent.body, headers)
    request = request.replace(own, f"Host: {foreign}\r\n".encode(), 1)
    yield Attempt(f"a request whose Host and Origin are {foreign}", sent, headers, request=request)
    _no_permission(check)


def _no_permission(check: CaseContext) -> None:
    """Require that a browser is not told that other sites may send application/json."""
    origin = f"https://{ELSEWHERE}"
    fields = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    fields["Access-Control-Request-Headers"] = "content-type"
    request = check.service.request(b"", fields, method="OPTIONS")
    try:
        answer = check.service.exchange(request, check.deadline(), "OPTIONS")
    except NoAnswer:
        return
    allowed = answer.header("Access-Control-Allow-Origin")
    if answer.ok and allowed in ("*", origin):
        check.fail(
            f"other sites are allowed to send requests (Access-Control-Allow-Origin: {allowed})"
        )
