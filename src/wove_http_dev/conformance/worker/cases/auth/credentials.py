"""Authentication cases about credentials: which of them are accepted, and that the service
unpickles nothing in a request before it has verified them."""

from __future__ import annotations

import urllib.parse
from dataclasses import replace

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    Probe,
    canary,
    probe,
    refuses,
    require_refusal,
    signed,
)
from wove_http_dev.conformance.worker.client import KEY, NONCE, SIGNATURE, TIMESTAMP
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

AFTERMATH = 0.3
"""Seconds after an answer within which a task would end if it had been cancelled."""
BOTH = ("signed", "bearer")


@auth.must(
    "01",
    sources.SECURITY,
    scenario="a run_task frame with the credentials given to this check",
    expected="an answer other than 401, 403 or 404, within 10 s",
    prerequisite=True,
)
def good_credentials(check: CaseContext) -> str:
    """A request with the right credentials is accepted."""
    body = commands.encode(commands.run_frame(tasks.nothing))
    answer = check.ask("a good request", body, patience=2 * check.patience)
    if answer.status in (401, 403):
        hint = {
            "none": "give --secret-env or --bearer-env",
            "bearer": "is this the right token, and does the service accept bearer tokens?",
        }.get(check.service.mode, "are the secret, the --key and the exact URL right?")
        check.fail(f"the credentials given to this check are refused ({answer.shown()}); {hint}")
    if answer.status == 404:
        check.fail(f"nothing is served at {check.service.target}: {answer.shown()}")
    return f"HTTP {answer.status}"


@auth.must(
    "02",
    f"{sources.VERIFY_FIRST}; {sources.PYTHON}",
    scenario="requests with wrong credentials whose callable_pickle or args_pickle connects to the"
    " checker when it is loaded",
    expected="no connection: the body is not unpickled before the request is verified",
)
def verify_before_unpickling(check: CaseContext) -> str:
    """Nothing in a body is unpickled before the request is verified."""
    check.need_mode(*BOTH)
    tried = []
    for field in ("callable_pickle", "args_pickle"):
        sent = canary(check, field)
        try:
            answer = check.post(sent.body, wrong_credentials(check, sent.body))
        except NoAnswer as exc:
            seen = str(exc)
        else:
            seen = f"HTTP {answer.status}"
        tried.append((field, sent, seen))
    sent.was_loaded()  # the first one has had more time than this wait
    for field, sent, seen in tried:
        if sent.has_loaded():
            check.fail(
                f"{field} of an unverified request was unpickled: its code ran and connected to"
                f" the checker (the answer: {seen})"
            )
    return "not unpickled"


def wrong_credentials(check: CaseContext, body: bytes) -> dict[str, str]:
    """Return credentials for ``body`` that are made with another secret or token than the
    service's."""
    if check.service.mode == "bearer":
        return {"Authorization": "Bearer not-the-token-of-this-service"}
    return check.service.credentials(body, secret=b"not the secret of this service")


@auth.must(
    "03",
    sources.SECURITY,
    scenario="bodies changed after they were signed: another letter, a space more in the JSON, a"
    " line feed more, a byte more that is not UTF-8",
    expected=REFUSAL,
)
@refuses("signed")
def tampered_body(check: CaseContext) -> Attempts:
    """A body that was changed after it was signed is refused, even if the change is insignificant
    in JSON."""
    for what, old, new in (
        ("changed", b'"task_id":"conformance', b'"task_id":"Conformance'),
        ("respelled (a space in its JSON)", b'"task_id":', b'"task_id": '),
        ("changed (a line feed at its end)", b"", b"\n"),
        ("changed (a byte at its end that is not UTF-8)", b"", b"\xff"),
    ):
        sent, headers = signed(check)
        body = sent.body.replace(old, new) if old else sent.body + new
        yield Attempt(f"a body {what} after it was signed", replace(sent, body=body), headers)


@auth.must(
    "04",
    sources.SECURITY,
    scenario="requests signed for this URL's target, sent to similar targets: with an additional"
    " query, slash or parameter, in other letter case, with the query in another order",
    expected=REFUSAL,
)
@refuses("signed")
def tampered_target(check: CaseContext) -> Attempts:
    """The signature covers the target, including the query: a request signed for another target is
    refused."""
    usual = check.service.target
    target = with_query(usual)
    what = f"a query that the signature does not cover ({target!r})"
    yield Attempt(what, *signed(check), target)
    join = "&" if "?" in usual else "?"
    for covered, used in (
        *((usual, other) for other in neighbours(check)),
        (f"{usual}{join}a=1&b=2", f"{usual}{join}b=2&a=1"),
        (f"{usual}{join}a=b+c", f"{usual}{join}a=b%20c"),
    ):
        what = f"a request signed for {covered!r} and sent to {used!r}"
        yield Attempt(what, *signed(check, target=covered), used)


def neighbours(check: CaseContext) -> list[str]:
    """Return targets (paths with a query) that differ from the service's own, but that a router
    might treat as the same.

    ``//path`` is not among them, because werkzeug's development server removes the second slash
    before the application sees it.
    """
    path, mark, query = check.service.target.partition("?")
    others = (f"{path}/", path.swapcase(), f"{path};conformance=1")
    return [f"{other}{mark}{query}" for other in others if other != path]


def with_query(target: str) -> str:
    """Return ``target`` with one more parameter in the query."""
    return f"{target}{'&' if '?' in target else '?'}conformance=a%2Fb"


@auth.should(
    "05",
    sources.EXECUTOR,
    scenario="a request to this URL with a query, signed for path and query, as Wove signs it",
    expected="the request is accepted",
)
def signed_query(check: CaseContext) -> str:
    """A URL with a query works: Wove signs the path and query exactly as written in the URL."""
    check.need_mode("signed")
    target = with_query(check.service.target)
    body = commands.encode(commands.run_frame(tasks.nothing))
    headers = check.service.credentials(body, target=target)
    answer = check.ask("a signed query", body, headers, target=target)
    if answer.status in (401, 403):
        check.fail(
            f"a request signed for {target!r} was refused ({answer.shown()}):"
            " the query, exactly as in the URL, is not part of what is verified"
        )
    return f"HTTP {answer.status}"


@auth.must(
    "06",
    sources.SECURITY,
    scenario="signatures with another X-Wove-Key, made with the right secret and with an empty one;"
    " valid signatures with a key that differs slightly",
    expected=REFUSAL,
)
@refuses("signed")
def wrong_key(check: CaseContext) -> Attempts:
    """A key id that the service does not know is refused, not verified with an empty secret."""
    for name, secret in (("an unknown", None), ("an empty secret under an unknown", b"")):
        yield Attempt(f"{name} X-Wove-Key", *signed(check, key="another-key", secret=secret))
    right = check.service.key
    for what, key in (
        ("in other letter case", right.swapcase()),
        ("with more text after it", f"{right}-conformance"),
        ("without its last letter", right[:-1]),
    ):
        if key != right:
            yield Attempt(f"the right X-Wove-Key {what}", *signed(check, key=key))


@auth.must(
    "07",
    sources.SECURITY,
    scenario="signatures made with another secret, an empty one, the right one plus a character",
    expected=REFUSAL,
)
@refuses("signed")
def wrong_secret(check: CaseContext) -> Attempts:
    """A signature made with another secret is refused."""
    for what, secret in (
        ("a wrong secret", b"another secret"),
        ("an empty secret", b""),
        ("the secret and one character more", check.service.secret + b"x"),
    ):
        yield Attempt(f"a signature made with {what}", *signed(check, secret=secret))


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


@auth.must(
    "09",
    'Wove docs, "wove.security", Supported Modes',
    scenario="no bearer token, another, and the right one altered: cut off, extended, one character"
    " changed, in other letter case, without its scheme, after another token, in the query",
    expected=REFUSAL,
)
@refuses("bearer")
def wrong_bearer(check: CaseContext) -> Attempts:
    """Only the whole bearer token is accepted, and only as a bearer token."""
    token = check.service.bearer
    yield Attempt("a request without a bearer token", probe(check), {})
    for what, value in (
        ("a wrong bearer token", "Bearer wrong"),
        ("an empty bearer token", "Bearer "),
        ("only the beginning of the token", f"Bearer {token[:-1]}"),
        ("only the end of the token", f"Bearer {token[1:]}"),
        ("the token and one character more", f"Bearer {token}x"),
        ("one character more and the token", f"Bearer x{token}"),
        ("the token with another last character", f"Bearer {token[:-1]}{_other(token[-1:])}"),
        ("the token with another first character", f"Bearer {_other(token[:1])}{token[1:]}"),
        ("the token in other letter case", f"Bearer {token.swapcase()}"),
        ("the token without a scheme", token),
        ("the token with another scheme", f"Basic {token}"),
        ("the token after another token", f"Bearer wrong {token}"),
    ):
        if value != f"Bearer {token}":
            yield Attempt(what, probe(check), {"Authorization": value})
    join = "&" if "?" in check.service.target else "?"
    for name in ("token", "access_token"):
        target = f"{check.service.target}{join}{name}={urllib.parse.quote(token)}"
        yield Attempt(f"the token in the query ({name}=)", probe(check), {}, target)


def _other(character: str) -> str:
    return "y" if character == "x" else "x"


@auth.must(
    "10",
    sources.SECURITY,
    scenario="a cancel_task without credentials, for a running task",
    expected="a refusal; the task runs to its end",
)
def cancel_needs_credentials(check: CaseContext) -> str:
    """A cancel_task needs valid credentials, like a run_task."""
    check.need_mode(*BOTH)
    callback = check.callback()
    frame = commands.run_frame(tasks.hold_async, callback.address)
    run = check.post_later(frame)
    if not callback.arrived(check.patience):
        raise NotApplicable("a task that waits did not start", needs=["run.02"])
    try:
        answer = check.post(commands.encode(commands.cancel_frame(frame["run_id"])), {})
    except NoAnswer as exc:
        require_refusal("a cancel_task without credentials", exc)
        seen = str(exc)
    else:
        seen = f"HTTP {answer.status}"
        if answer.ok and callback.ended(check.silence(AFTERMATH)):
            check.fail(f"a cancel_task without credentials was accepted ({seen})")
        if answer.ok:
            check.fail(
                f"a cancel_task without credentials was answered {seen}, though the task still"
                " runs: a refusal needs 401 or 403"
            )
    alive = callback.alive()
    callback.release()
    if not alive:
        check.fail(f"a cancel_task without credentials was answered {seen}, yet the task stopped")
    try:
        run.result(check.patience)
    except NoAnswer as exc:
        raise CaseFailed(f"after a refused cancel_task the run was not answered: {exc}") from exc
    return seen
