"""Authentication cases about refusals: the status of the answer, and that it does not reveal
secrets."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, sources
from wove_http_dev.conformance.worker.answer_rules import TRACES
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import cancelling, probe, signed
from wove_http_dev.conformance.worker.client import KEY, NONCE, SIGNATURE, TIMESTAMP
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer, shown

FOREIGN = "v1=\xe9\xfc\xc3\xa9"  # latin-1 on the wire: not ASCII, and not UTF-8 either


# Wove's own verify_headers (2.0.3) raises TypeError here, so the service answers with an error.
@auth.should(
    "18",
    f"{sources.HTTP}, 5.5 (obs-text) and 15.5",
    scenario="requests with non-ASCII bytes in their credentials, one header at a time",
    expected="a 4xx refusal each time; the service keeps serving",
)
def non_ascii_headers(check: CaseContext) -> str:
    """Non-ASCII credentials are refused like other wrong credentials; they do not cause an
    error."""
    check.need_mode("signed", "bearer")
    bearer = check.service.mode == "bearer"
    for name in ("Authorization",) if bearer else (SIGNATURE, KEY, NONCE, TIMESTAMP):
        sent, headers = signed(check)
        value = f"Bearer {FOREIGN}" if bearer else FOREIGN
        what = f"a non-ASCII {name}"
        answer = check.ask(what, sent.body, {**headers, name: value})
        if not 400 <= answer.status < 500:
            how = "was accepted" if answer.ok else "made the service fail instead of refusing"
            check.fail(f"{what} {how}: {answer.shown()}")
    check.still_serves("non-ASCII credentials")
    return f"HTTP {answer.status}"


def _refusals(check: CaseContext) -> Iterator[tuple[str, Mapping[str, str], bytes]]:
    """Yield requests that the service must refuse, each as a name, the headers and the body."""
    yield "no credentials", {}, probe(check).body
    cancel, headers = cancelling(check)
    yield "a cancel_task without credentials", {}, cancel
    yield "credentials of another kind", {"Authorization": "Basic eDp4"}, probe(check).body
    if check.service.mode == "bearer":
        yield "a wrong token", {"Authorization": "Bearer wrong"}, probe(check).body
        return
    yield "a cancel_task whose body was changed", headers, cancel + b" "
    for what, changes in (
        ("a wrong signature", {"secret": b"another secret"}),
        ("an unknown key", {"key": "another-key"}),
        ("an expired timestamp", {"timestamp": "1000000000"}),
        ("a malformed timestamp", {"timestamp": "yesterday"}),
    ):
        sent, headers = signed(check, **changes)
        yield what, headers, sent.body
    sent, headers = signed(check)
    yield "a non-ASCII signature", {**headers, SIGNATURE: FOREIGN}, sent.body
    sent, headers = signed(check)
    check.post(sent.body, headers)
    yield "a replayed request", headers, sent.body


def _answered(check: CaseContext) -> Iterator[tuple[str, Mapping[str, str], bytes, HttpResponse]]:
    for what, headers, body in _refusals(check):
        try:
            yield what, headers, body, check.post(body, headers)
        except NoAnswer:
            continue


@auth.should(
    "19",
    f"{sources.HTTP}, 11.4 and 15.5.2",
    scenario="requests with no, wrong, expired, malformed and replayed credentials",
    expected="401 or 403, each time",
)
def refusal_status(check: CaseContext) -> str:
    """A request with wrong credentials is answered with status 401 or 403, not with an error of the
    service."""
    check.need_mode("signed", "bearer")
    wrong = []
    for what, headers, body in _refusals(check):
        try:
            answer = check.post(body, headers)
        except NoAnswer as exc:
            wrong.append(f"{what}: {exc}")
            continue
        if answer.status not in (401, 403):
            wrong.append(f"{what}: {answer.shown()}")
    if wrong:
        check.fail("; ".join(wrong))
    return "401 or 403"


@auth.must(
    "20",
    sources.CWE_LEAK,
    scenario="requests with no, wrong, expired, malformed and replayed credentials",
    expected="no answer contains the secret, or the signature that would have been right",
)
def no_secret_in_refusals(check: CaseContext) -> str:
    """A refusal contains neither the secret nor the signature that would have been right."""
    check.need_mode("signed", "bearer")
    service = check.service
    secret = service.bearer.encode() if service.mode == "bearer" else service.secret
    forms = [secret, secret.hex().encode(), base64.b64encode(secret)]
    for what, headers, body, answer in _answered(check):
        heads = "\n".join(f"{name}: {value}" for name, value in answer.headers).encode("latin-1")
        said = heads + b"\n" + answer.body
        if any(form and form in said for form in forms):
            check.fail(f"the refusal of {what} holds the secret (HTTP {answer.status})")
        if service.mode == "signed" and what != "a replayed request" and headers:
            right = service.credentials(
                body, timestamp=headers.get(TIMESTAMP), nonce=headers.get(NONCE)
            )[SIGNATURE]
            if right.partition("=")[2].encode() in said:
                check.fail(f"the refusal of {what} holds the signature that it expected")
    return "not revealed"


@auth.must(
    "21",
    sources.CWE_LEAK,
    scenario="requests with no, wrong, expired, malformed and replayed credentials; bodies that"
    " are not JSON",
    expected="no traceback in any answer",
)
def no_traceback_in_refusals(check: CaseContext) -> str:
    """A refusal contains no traceback."""
    check.need_mode("signed", "bearer")
    for what, _, _, answer in _answered(check):
        _without_traceback(what, answer)
    for body in (b"{", b"\xff", commands.encode({"type": "run_task"})):
        try:
            answer = check.post(body, {})
        except NoAnswer:
            continue
        _without_traceback(f"the body {shown(body, 20)} without credentials", answer)
    return "no traceback"


def _without_traceback(what: str, answer: HttpResponse) -> None:
    for trace in TRACES:
        if trace in answer.body:
            start = answer.body.index(trace)
            raise CaseFailed(
                f"the refusal of {what} holds a traceback (HTTP {answer.status}):"
                f" {shown(answer.body[start:])}"
            )
