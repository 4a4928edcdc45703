"""Authentication cases about credentials of another kind than the service is meant to accept, and
about requests that ask to be accepted without any."""

from __future__ import annotations

import base64
import json
import secrets
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    REFUSAL,
    Attempt,
    Attempts,
    Probe,
    probe,
    refuses,
    require_refusal,
)
from wove_http_dev.conformance.worker.cases.auth.targets import with_query
from wove_http_dev.conformance.worker.client import (
    KEY,
    NONCE,
    SIGNATURE,
    TIMESTAMP,
    signature,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

BOTH = ("signed", "bearer")
MODES = 'Wove docs, "wove.security", Supported Modes'
EMPTY = ("", "None", "null", "undefined", "false", "*", "secret", "test", "debug", "admin")
"""What a service may compare with if it has no token."""
SECRET_HEADERS = (
    *("X-Api-Key", "Api-Key", "X-Auth-Token", "X-Token", "X-Secret", "X-Wove-Secret"),
    *("X-Wove-Token", "X-Wove-Bearer", "X-Wove-Key", SIGNATURE, "Proxy-Authorization"),
    "X-Authorization",
)
SECRET_NAMES = ("token", "access_token", "secret", "api_key", "key", "auth", "signature", "wove")
"""Names under which a secret might be looked up in cookies, a query or a frame."""
PROXY_HEADERS = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "Forwarded": "for=127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-User": "admin",
    "X-Remote-User": "admin",
    "X-Client-Verify": "SUCCESS",
    "X-Original-URL": "/health",
    "X-Rewrite-URL": "/health",
    "X-HTTP-Method-Override": "GET",
    "Referer": "http://localhost/",
}
"""What a proxy or a local client might say of a request."""
HINTS = (
    *("debug", "insecure", "test", "dev", "local", "admin", "internal", "trusted", "bypass"),
    *("skip_auth", "skip_verify", "no_auth", "no_verify", "authenticated", "health_check"),
)
MODE_NAMES = ("auth", "security", "mode", "verify", "signed")
PREFIXES = ("X-", "X-Wove-", "")


def _hints() -> Iterator[dict[str, str]]:
    """Yield groups of names and values that ask to be accepted without credentials."""
    for value in ("1", "true"):
        yield dict.fromkeys(HINTS, value)
    for value in ("none", "false", "0"):
        yield dict.fromkeys(MODE_NAMES, value)


def _as_headers(names: Mapping[str, str]) -> dict[str, str]:
    return {
        f"{prefix}{name.replace('_', '-').title()}": value
        for prefix in PREFIXES
        for name, value in names.items()
    }


@auth.must(
    "09",
    MODES,
    scenario="no bearer token, another, and the right one altered: cut off, extended, one character"
    " changed, in other letter case, without its scheme or with another, beside another token, in"
    " the query; and what a service without a token might accept",
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
        *((f"the bearer token {word!r}", f"Bearer {word}") for word in EMPTY[1:]),
        ("the scheme alone", "Bearer"),
        ("a token that is not ASCII", "Bearer \xe9\xfc\xc3\xa9"),
        ("a token of 5,000 characters", f"Bearer {'x' * 5000}"),
        ("an empty Authorization", ""),
        ("only the beginning of the token", f"Bearer {token[:-1]}"),
        ("only the end of the token", f"Bearer {token[1:]}"),
        ("the token and one character more", f"Bearer {token}x"),
        ("one character more and the token", f"Bearer x{token}"),
        ("the token with another last character", f"Bearer {token[:-1]}{_other(token[-1:])}"),
        ("the token with another first character", f"Bearer {_other(token[:1])}{token[1:]}"),
        ("another token of the same length", f"Bearer {'x' * len(token)}"),
        ("the token in other letter case", f"Bearer {token.swapcase()}"),
        ("the token without a scheme", token),
        ("the token with another scheme", f"Basic {token}"),
        ("the token after another token", f"Bearer wrong {token}"),
        ("the token before another token", f"Bearer {token},wrong"),
    ):
        if value != f"Bearer {token}":
            yield Attempt(what, probe(check), {"Authorization": value})
    for name in ("token", "access_token"):
        target = with_query(check.service.target, f"{name}={urllib.parse.quote(token)}")
        yield Attempt(f"the token in the query ({name}=)", probe(check), {}, target)


def _other(character: str) -> str:
    return "y" if character == "x" else "x"


@auth.should(
    "46",
    f"{sources.HTTP}, 5.3 and 11.6.2: one Authorization",
    scenario="requests with two Authorization headers: first a wrong token and then the right one,"
    " and the other way round",
    expected="at most one of the two is accepted",
)
def one_authorization(check: CaseContext) -> str:
    """Of several Authorization headers the same one counts each time, or none: a proxy in front may
    have looked at another."""
    check.need_mode("bearer")
    right, wrong = (f"Authorization: Bearer {token}" for token in (check.service.bearer, "wrong"))
    accepted = []
    for first, second in ((wrong, right), (right, wrong)):
        request = check.service.request(commands.encode(commands.run_frame(tasks.nothing)), {})
        both = f"\r\n{first}\r\n{second}\r\n\r\n".encode("latin-1")
        request = request.replace(b"\r\n\r\n", both, 1)
        try:
            accepted.append(check.service.exchange(request, check.deadline()).ok)
        except NoAnswer as exc:
            require_refusal("a request with two Authorization headers", exc)
    if accepted == [True, True]:
        check.fail(
            "a wrong token was accepted beside the right one in another Authorization header,"
            " whichever came first"
        )
    return f"{sum(accepted)} of 2 accepted"


@auth.must(
    "36",
    f"{MODES}; Security Guarantee",
    scenario="the secret or token in other headers, as Basic credentials, in cookies, the query and"
    " the frame; if signatures are expected, the secret, nothing, or a usual word as bearer token;"
    " if a bearer token is, signatures made with it and with an empty secret",
    expected=REFUSAL,
)
@refuses(*BOTH)
def other_schemes(check: CaseContext) -> Attempts:
    """Only the configured kind of credentials is accepted: no other kind beside it, even with the
    right secret, because it would not have the same guarantees."""
    if check.service.mode == "signed":
        for word in EMPTY:
            headers: Mapping[str, str] = {"Authorization": f"Bearer {word}"}
            yield Attempt(
                f"the bearer token {word!r} instead of a signature", probe(check), headers
            )
    else:
        for what, secret in (("an empty secret", ""), ("the token", check.service.bearer)):
            sent = probe(check)
            headers = _signature(check, sent.body, secret.encode())
            yield Attempt(f"a signature made with {what} instead of a token", sent, headers)
    secret = check.service.bearer or check.service.secret.decode("latin-1")
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        return  # it cannot be sent in a header
    key = check.service.key
    for value in (secret, f"Bearer {secret}", f"Token {secret}", f"Wove {secret}"):
        if check.service.mode == "signed":
            scheme = value.removesuffix(secret).strip() or "no scheme"
            what = f"the secret as Authorization ({scheme})"
            yield Attempt(what, probe(check), {"Authorization": value})
    for what, pair in (
        ("user", f"{secret}:"),
        ("password", f":{secret}"),
        (key, f"{key}:{secret}"),
    ):
        value = f"Basic {base64.b64encode(pair.encode()).decode()}"
        name = f"the secret as Basic credentials ({what})"
        yield Attempt(name, probe(check), {"Authorization": value})
    names = dict.fromkeys(SECRET_NAMES, secret)
    headers = dict.fromkeys(SECRET_HEADERS, secret)
    yield _grouped(check, "the secret in another header", _in_headers, headers)
    for where, place in (
        ("a cookie", _in_cookies),
        ("the query", _in_query),
        ("the frame", _in_frame),
    ):
        yield _grouped(check, f"the secret in {where}", place, names)


@auth.must(
    "37",
    sources.SECURITY,
    scenario="requests without credentials that ask to be accepted: with headers, parameters and"
    " frame fields for debugging, of a proxy, or of a local client",
    expected=REFUSAL,
)
@refuses(*BOTH)
def no_exceptions(check: CaseContext) -> Attempts:
    """Nothing in a request turns its verification off."""
    what = "a request without credentials, but with"
    yield _grouped(check, f"{what} a header", _in_headers, PROXY_HEADERS)
    for names in _hints():
        yield _grouped(check, f"{what} a header", _in_headers, _as_headers(names))
        yield _grouped(check, f"{what} a cookie", _in_cookies, names)
        yield _grouped(check, f"{what} a query", _in_query, names)
        yield _grouped(check, f"{what} a field", _in_frame, names)
    yield _grouped(check, f"{what} a field", _in_frame, dict.fromkeys(HINTS, True))
    for name, value in (
        ("User-Agent", "kube-probe/1.0"),
        ("User-Agent", "curl/8.0"),
        ("User-Agent", "Python-urllib/3.12"),
        ("Origin", "http://localhost"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/octet-stream"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Content-Type", ""),
        ("Expect", "100-continue"),
        *((KEY, key) for key in (check.service.key, "none", "debug", "test")),
    ):
        yield Attempt(f"{what} {name}: {value}", probe(check), {name: value})


def _signature(check: CaseContext, body: bytes, secret: bytes) -> dict[str, str]:
    stamp, nonce = str(int(time.time())), secrets.token_urlsafe(18)
    text = signature(secret, check.service.target, stamp, nonce, body)
    return {KEY: check.service.key, TIMESTAMP: stamp, NONCE: nonce, SIGNATURE: text}


_Place: TypeAlias = Callable[
    [CaseContext, Mapping[str, Any]], tuple[Probe, Mapping[str, str], str | None]
]
"""A function that puts values at one place of a new request. It returns the request's probe, its
headers, and its target if that is not the service's own."""


def _grouped(check: CaseContext, what: str, place: _Place, values: Mapping[str, Any]) -> Attempt:
    """Return an attempt with all ``values`` at ``place``. If it is accepted, they are sent one by
    one."""

    def parts() -> Iterator[Attempt]:
        for name, value in values.items():
            yield Attempt(f"{what} ({name})", *place(check, {name: value}))

    return Attempt(f"{what} ({', '.join(values)})", *place(check, values), parts=parts)


def _in_headers(
    check: CaseContext, values: Mapping[str, str]
) -> tuple[Probe, Mapping[str, str], str | None]:
    return probe(check), values, None


def _in_cookies(
    check: CaseContext, values: Mapping[str, str]
) -> tuple[Probe, Mapping[str, str], str | None]:
    cookies = "; ".join(f"{name}={value}" for name, value in values.items())
    return probe(check), {"Cookie": cookies}, None


def _in_query(
    check: CaseContext, values: Mapping[str, str]
) -> tuple[Probe, Mapping[str, str], str | None]:
    return probe(check), {}, with_query(check.service.target, urllib.parse.urlencode(values))


def _in_frame(
    check: CaseContext, values: Mapping[str, Any]
) -> tuple[Probe, Mapping[str, str], str | None]:
    sent = probe(check)
    body = commands.encode({**json.loads(sent.body), **values})
    return replace(sent, body=body), {}, None
