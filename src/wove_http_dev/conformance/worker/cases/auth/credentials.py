"""Authentication cases about credentials: which of them are accepted, and that the service
unpickles nothing in a request before it has verified them."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    PickleCanary,
    Probe,
    canary,
    probe,
    refuses,
    signed,
)
from wove_http_dev.conformance.worker.cases.auth.targets import neighbours
from wove_http_dev.conformance.worker.client import KEY, NONCE, SIGNATURE, TIMESTAMP
from wove_http_dev.conformance.worker.context import AcceptedRequest, CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

BOTH = ("signed", "bearer")
USUAL_SECRETS = ("None", "secret", "changeme")
"""Secrets that a service may fall back to."""


@auth.must(
    "01",
    sources.SECURITY,
    scenario="a run_task frame with the credentials given to this check",
    expected="an answer other than 401, 403 or 404, within 10 s",
    prerequisite=True,
)
def good_credentials(check: CaseContext) -> str:
    """A request with the right credentials is accepted."""
    body = commands.encode(commands.run_frame(tasks.process))
    headers = check.service.credentials(body)
    answer = check.ask("a good request", body, headers, patience=2 * check.patience)
    if answer.status in (401, 403):
        hint = {
            "none": "give --secret-env or --bearer-env",
            "bearer": "is this the right token, and does the service accept bearer tokens?",
        }.get(check.service.mode, "are the secret, the --key and the exact URL right?")
        check.fail(f"the credentials given to this check are refused ({answer.shown()}); {hint}")
    if answer.status == 404:
        check.fail(f"nothing is served at {check.service.target}: {answer.shown()}")
    if check.session.first is None and answer.ok:
        number, now = check.service.signed, time.monotonic()
        check.session.first = AcceptedRequest(body, headers, answer, number, now)
    return f"HTTP {answer.status}"


@auth.must(
    "02",
    f"{sources.VERIFY_FIRST}; {sources.PYTHON}",
    scenario="requests with wrong and without credentials whose callable_pickle or args_pickle"
    " connects to the checker when it is loaded: run_task, cancel_task and unknown frames, by PUT"
    " and GET, and pickles as the whole body",
    expected="no connection: the body is not unpickled before the request is verified",
)
def verify_before_unpickling(check: CaseContext) -> str:
    """Nothing in a body is unpickled before the request is verified."""
    check.need_mode(*BOTH)
    tried = []
    for what, sent, headers, method in _canaries(check):
        request = check.service.request(sent.body, headers, method=method)
        try:
            answer = check.service.exchange(request, check.deadline(), method)
        except NoAnswer as exc:
            seen = str(exc)
        else:
            seen = f"HTTP {answer.status}"
        tried.append((what, sent, seen))
    sent.was_loaded()  # the first one has had more time than this wait
    for what, sent, seen in tried:
        if sent.has_loaded():
            check.fail(
                f"{what} was unpickled: its code ran and connected to the checker (the answer:"
                f" {seen})"
            )
    return "not unpickled"


def _canaries(
    check: CaseContext,
) -> Iterator[tuple[str, PickleCanary, Mapping[str, str], str]]:
    """Yield unverified requests with a canary, each as its description, the canary, the headers
    and the method."""
    fields = ("callable_pickle", "args_pickle")
    for field in fields:
        sent = canary(check, field)
        wrong = wrong_credentials(check, sent.body)
        yield f"{field} of an unverified request", sent, wrong, "POST"
    for field in fields:
        yield f"{field} of a request without credentials", canary(check, field), {}, "POST"
    for method in ("PUT", "GET"):
        sent = canary(check)
        yield f"callable_pickle of a {method} without credentials", sent, {}, method
    for kind in ("cancel_task", "conformance"):
        sent = canary(check)
        frame = {**json.loads(sent.body), "type": kind}
        sent = replace(sent, body=commands.encode(frame))
        yield f"callable_pickle of an unverified {kind} frame", sent, {}, "POST"
    for kind in ("application/octet-stream", "application/python-pickle"):
        sent = canary(check)
        sent = replace(sent, body=base64.b64decode(json.loads(sent.body)["callable_pickle"]))
        what = f"a pickle as the body of an unverified request ({kind})"
        yield what, sent, {"Content-Type": kind}, "POST"


def wrong_credentials(check: CaseContext, body: bytes) -> dict[str, str]:
    """Return credentials for ``body`` that are made with another secret or token than the
    service's."""
    if check.service.mode == "bearer":
        return {"Authorization": "Bearer not-the-token-of-this-service"}
    return check.service.credentials(body, secret=b"not the secret of this service")


@auth.must(
    "06",
    sources.SECURITY,
    scenario="signatures with another X-Wove-Key, made with the right secret and with an empty one,"
    " also beside the right key; valid signatures with a key that differs slightly",
    expected=REFUSAL,
)
@refuses("signed")
def wrong_key(check: CaseContext) -> Attempts:
    """A key id that the service does not know is refused, not verified with an empty secret."""
    for name, secret in (("an unknown", None), ("an empty secret under an unknown", b"")):
        yield Attempt(f"{name} X-Wove-Key", *signed(check, key="another-key", secret=secret))
    right = check.service.key
    for what, key in (
        ("replaced by Wove's default", "default"),
        ("in other letter case", right.swapcase()),
        ("with more text before it", f"conformance-{right}"),
        ("with more text after it", f"{right}-conformance"),
        ("without its last letter", right[:-1]),
    ):
        if key != right:
            yield Attempt(f"the right X-Wove-Key {what}", *signed(check, key=key))
    for where in ("before", "after"):
        sent, headers = signed(check, key="another-key", secret=b"")
        more = {KEY.lower(): right}
        both = {**more, **headers} if where == "before" else {**headers, **more}
        what = f"an empty secret under an unknown X-Wove-Key, with the right one {where} it,"
        yield Attempt(what, sent, both)


@auth.must(
    "07",
    sources.SECURITY,
    scenario="signatures made with another secret, an empty one, the right one plus a character or"
    " less its last one, one that a service without a secret might use, and without any",
    expected=REFUSAL,
)
@refuses("signed")
def wrong_secret(check: CaseContext) -> Attempts:
    """A signature made with another secret is refused."""
    right = check.service.secret
    for what, secret in (
        ("a wrong secret", b"another secret"),
        ("an empty secret", b""),
        ("the secret and one character more", right + b"x"),
        ("the secret without its last character", right[:-1]),
        ("the key id as the secret", check.service.key.encode()),
        *((f"{word!r} as the secret", word.encode()) for word in USUAL_SECRETS),
    ):
        if secret != right:
            yield Attempt(f"a signature made with {what}", *signed(check, secret=secret))
    for what in ("the signed text", "the body"):
        sent, headers = signed(check)
        digest = hashlib.sha256(sent.body).hexdigest()
        if what == "the signed text":
            lines = ("wove-v1", "http", check.service.target, headers[TIMESTAMP], headers[NONCE])
            digest = hashlib.sha256("\n".join((*lines, digest)).encode()).hexdigest()
        unkeyed = {**headers, SIGNATURE: f"v1={digest}"}
        yield Attempt(f"the SHA-256 of {what}, made without a secret,", sent, unkeyed)


@auth.must(
    "08",
    sources.SECURITY,
    scenario="requests without one of the four X-Wove headers, with an empty one (timestamp and"
    " nonce also signed as empty), and without any; the latter also to similar targets",
    expected=REFUSAL,
)
@refuses("signed")
def missing_headers(check: CaseContext) -> Attempts:
    """A request that lacks one of the signature headers is refused."""
    for name in (KEY, TIMESTAMP, NONCE, SIGNATURE):
        sent, headers = signed(check)
        yield Attempt(f"an empty {name}", sent, {**headers, name: ""})
        yield Attempt(f"a request without {name}", *_without(name, *signed(check)))
    for name, changes in ((TIMESTAMP, {"timestamp": ""}), (NONCE, {"nonce": ""})):
        what = f"an empty {name}, which the signature covers as empty,"
        yield Attempt(what, *signed(check, **changes))
        what = f"a request without {name}, signed as if it were empty,"
        yield Attempt(what, *_without(name, *signed(check, **changes)))
    for target in neighbours(check):
        what = f"a request to {target!r} without any credentials"
        yield Attempt(what, probe(check), {}, target)
    yield Attempt("a request without any credentials", probe(check), {})


def _without(name: str, sent: Probe, headers: dict[str, str]) -> tuple[Probe, dict[str, str]]:
    return sent, {other: value for other, value in headers.items() if other != name}
