"""Verification of requests signed by Wove's own code, and of manipulated requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from wove.security import NetworkExecutorSecurity

from tests.protocol.helpers import BODY, SECRET, TARGET, json_request
from wove_http_dev.protocol.authenticator import (
    NONCE,
    SIGNATURE,
    SIGNED_HEADERS,
    TIMESTAMP,
    Authenticator,
    Verdict,
    sign,
)
from wove_http_dev.protocol.credentials import Credentials, credentials
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request

NOW = 1_700_000_000.0

WINDOW = 300.0

STEPS = ["headers", "key", "timestamp", "canonical string", "signature", "nonce"]

NON_ASCII = "\xe9\xff"


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at ``NOW``."""
    return Clock()


@pytest.fixture
def signed(clock: Clock) -> Authenticator:
    """An authenticator of signed requests, on the test's clock."""
    return Authenticator(credentials("signed", secret=SECRET), clock=clock)


@pytest.fixture
def bearer() -> Authenticator:
    """An authenticator of a bearer token."""
    return Authenticator(credentials("bearer", secret=SECRET))


@pytest.fixture
def unauthenticated() -> Authenticator:
    """An authenticator without credentials, which only refuses what a web page could send."""
    return Authenticator(credentials("none"), hosts=["localhost", "127.0.0.1", "::1"])


def signed_request(
    *,
    timestamp: str = str(int(NOW)),
    nonce: str = "nonce-1",
    secret: str = SECRET,
    key: str = "default",
    target: str = TARGET,
    **changes: Any,
) -> Request:
    """A request signed at ``NOW``; ``changes`` are applied after signing."""
    signature = sign(secret.encode(), target=target, body=BODY, timestamp=timestamp, nonce=nonce)
    values = (key, timestamp, nonce, signature)
    headers = Headers(zip(SIGNED_HEADERS, values, strict=True))
    return dataclasses.replace(Request("POST", target, headers, BODY), **changes)


def bearer_request(*values: str) -> Request:
    """A request with these ``Authorization`` headers."""
    return Request("POST", TARGET, Headers(("Authorization", value) for value in values), BODY)


def with_header(request: Request, name: str, value: str) -> Request:
    """``request`` with ``value`` as the only value of the header ``name``."""
    return dataclasses.replace(
        request, headers=Headers([*request.headers.without(name), (name, value)])
    )


def refused_at(verdict: Verdict) -> str:
    """The name of the step at which ``verdict`` refuses."""
    failed = [step.name for step in verdict.steps if not step.ok]
    assert failed == [verdict.steps[-1].name]
    assert not verdict.accepted
    return failed[0]


class TestWovesOwnHeaders:
    """Requests whose headers come from Wove's own code are accepted."""

    @pytest.mark.parametrize("target", [TARGET, "/wove/tasks?tenant=a&x=1", "/a%20b", "/"])
    @pytest.mark.parametrize("security", ["signed", "bearer"])
    def test_accepted(self, security: str, target: str) -> None:
        """A request signed by Wove's client is accepted, for any target."""
        shared = credentials(security, secret=SECRET)
        client = NetworkExecutorSecurity.from_config(shared.client_security())
        headers = client.headers_for(transport="http", target=target, body=BODY)
        request = Request("POST", target, Headers(headers.items()), BODY)
        assert Authenticator(shared).verify(request).accepted

    def test_same_signature(self) -> None:
        """``sign`` gives the signature that Wove's code gives."""
        headers = NetworkExecutorSecurity(mode="signed", secret=SECRET).headers_for(
            transport="http", target=TARGET, body=BODY
        )
        signature = sign(
            SECRET.encode(),
            target=TARGET,
            body=BODY,
            timestamp=headers[TIMESTAMP],
            nonce=headers[NONCE],
        )
        assert signature == headers[SIGNATURE]


class TestSteps:
    """The steps of a verdict."""

    def test_order(self, signed: Authenticator) -> None:
        """An accepted request has every step, in order."""
        assert [step.name for step in signed.verify(signed_request()).steps] == STEPS

    def test_all_hold(self, signed: Authenticator) -> None:
        """Every step of an accepted request is ok."""
        assert all(step.ok for step in signed.verify(signed_request()).steps)

    def test_no_nonce_step(self, clock: Clock) -> None:
        """Without a nonce memory there is no step for it."""
        form = {"type": "signed", "secret": SECRET, "remember_nonces": False}
        verdict = Authenticator(credentials(form), clock=clock).verify(signed_request())
        assert [step.name for step in verdict.steps] == STEPS[:-1]

    @pytest.mark.parametrize(
        ("request_", "steps"),
        [
            (signed_request(headers=Headers()), STEPS[:1]),
            (signed_request(key="other"), STEPS[:2]),
            (signed_request(timestamp="nan"), STEPS[:3]),
            (signed_request(secret="other"), STEPS[:5]),
        ],
        ids=["headers", "key", "timestamp", "signature"],
    )
    def test_ends_at_the_first_that_fails(
        self, signed: Authenticator, request_: Request, steps: list[str]
    ) -> None:
        """The steps of a refused request end with the one that failed."""
        assert [step.name for step in signed.verify(request_).steps] == steps

    def test_reason_names_the_step(self, signed: Authenticator) -> None:
        """The reason starts with the step that failed."""
        assert signed.verify(signed_request(key="other")).reason == "key: unknown key 'other'"

    def test_canonical_string_is_shown(self, signed: Authenticator) -> None:
        """The step of the signature shows the signed string, so that users can compare it with the
        client's."""
        step = signed.verify(signed_request()).steps[STEPS.index("canonical string")]
        assert step.detail.startswith(f"wove-v1|http|{TARGET}|{int(NOW)}|nonce-1|")


class TestSignedRefusals:
    """Requests refused by an authenticator of signatures."""

    @pytest.mark.parametrize("name", SIGNED_HEADERS)
    def test_missing_header(self, signed: Authenticator, name: str) -> None:
        """A request without one of the four headers is refused."""
        request = signed_request(headers=signed_request().headers.without(name))
        assert signed.verify(request).reason == f"headers: {name} is missing"

    @pytest.mark.parametrize("name", SIGNED_HEADERS)
    def test_empty_header(self, signed: Authenticator, name: str) -> None:
        """An empty header counts as missing."""
        request = with_header(signed_request(), name, "")
        assert signed.verify(request).reason == f"headers: {name} is missing"

    @pytest.mark.parametrize("name", SIGNED_HEADERS)
    def test_duplicated_header(self, signed: Authenticator, name: str) -> None:
        """A header sent twice is refused even if both are right."""
        headers = signed_request().headers
        doubled = Headers([*headers, (name.upper(), headers.get(name) or "")])
        reason = signed.verify(signed_request(headers=doubled)).reason
        assert reason == f"headers: {name} is sent more than once"

    def test_wrong_key(self, signed: Authenticator) -> None:
        """Another key id is refused."""
        assert refused_at(signed.verify(signed_request(key="other"))) == "key"

    @pytest.mark.parametrize(
        "timestamp", ["nan", "-nan", "inf", "-inf", "1e400", "yesterday", "0x10", "", " ", "1,5"]
    )
    def test_timestamp_that_is_not_a_time(self, signed: Authenticator, timestamp: str) -> None:
        """A signed timestamp that is not a finite number is refused, unlike upstream."""
        step = refused_at(signed.verify(signed_request(timestamp=timestamp)))
        assert step == ("timestamp" if timestamp else "headers")

    @pytest.mark.parametrize("offset", [-WINDOW - 1, WINDOW + 1])
    def test_timestamp_outside_the_window(
        self, signed: Authenticator, clock: Clock, offset: float
    ) -> None:
        """A request from before the window, or from after it, is refused."""
        clock.now += offset
        assert refused_at(signed.verify(signed_request())) == "timestamp"

    @pytest.mark.parametrize("offset", [-WINDOW, WINDOW])
    def test_timestamp_at_the_edge(
        self, signed: Authenticator, clock: Clock, offset: float
    ) -> None:
        """A timestamp at the edge of the window is accepted, as in upstream."""
        clock.now += offset
        assert signed.verify(signed_request()).accepted

    @pytest.mark.parametrize(
        ("offset", "side"), [(WINDOW + 1, "behind"), (-WINDOW - 1, "ahead of")]
    )
    def test_reason_states_the_skew(
        self, signed: Authenticator, clock: Clock, offset: float, side: str
    ) -> None:
        """The reason says by how many seconds the clocks differ, and which one is behind."""
        clock.now += offset
        expected = f"timestamp: 301 s {side} this clock; limit 300 s"
        assert signed.verify(signed_request()).reason == expected

    def test_skew_of_less_than_a_second(self, signed: Authenticator, clock: Clock) -> None:
        """A skew that rounds to no second has no minus."""
        clock.now += 0.3
        details = {step.name: step.detail for step in signed.verify(signed_request()).steps}
        assert details["timestamp"] == "skew +0 s"

    @pytest.mark.parametrize(
        "change",
        [
            {"body": BODY + b" "},
            {"body": b""},
            {"target": "/wove/other"},
            {"target": TARGET + "?x=1"},
            {"target": "//wove/tasks"},
        ],
        ids=["body", "empty-body", "path", "query", "slashes"],
    )
    def test_tampered_with(self, signed: Authenticator, change: dict[str, Any]) -> None:
        """A request whose body, path or query was changed after signing is refused."""
        request = dataclasses.replace(signed_request(), **change)
        assert refused_at(signed.verify(request)) == "signature"

    @pytest.mark.parametrize(
        ("name", "value"), [(TIMESTAMP, str(int(NOW) + 1)), (NONCE, "nonce-2")]
    )
    def test_header_changed(self, signed: Authenticator, name: str, value: str) -> None:
        """A changed timestamp or nonce is refused: the signature covers them."""
        assert refused_at(signed.verify(with_header(signed_request(), name, value))) == "signature"

    def test_wrong_secret(self, signed: Authenticator) -> None:
        """Another secret is refused."""
        assert refused_at(signed.verify(signed_request(secret="other"))) == "signature"

    def test_replay(self, signed: Authenticator) -> None:
        """The same request a second time is refused."""
        signed.verify(signed_request())
        assert refused_at(signed.verify(signed_request())) == "nonce"

    @pytest.mark.parametrize("name", SIGNED_HEADERS)
    def test_non_ascii_header(self, signed: Authenticator, name: str) -> None:
        """A non-ASCII header is refused, where upstream raises TypeError."""
        steps = dict(
            zip(SIGNED_HEADERS, ["key", "timestamp", "signature", "signature"], strict=True)
        )
        request = with_header(signed_request(), name, NON_ASCII)
        assert refused_at(signed.verify(request)) == steps[name]

    def test_status(self, signed: Authenticator) -> None:
        """The status of a refusal is 401."""
        assert signed.verify(signed_request(secret="other")).status == 401

    def test_only_a_mismatch_has_a_hint(self, signed: Authenticator) -> None:
        """A refusal before the signature step has no hint."""
        assert signed.verify(signed_request(key="other")).hint is None


class TestHead:
    """What a request's head is enough to refuse."""

    def head(self, **changes: Any) -> Request:
        """The head of a signed request."""
        return dataclasses.replace(signed_request(**changes), body=b"")

    def test_head_that_needs_its_body(self, signed: Authenticator) -> None:
        """A head with all signature headers is not refused, whatever was signed."""
        assert signed.judge_head(self.head(secret="another")) is None

    @pytest.mark.parametrize("name", SIGNED_HEADERS)
    def test_missing_header(self, signed: Authenticator, name: str) -> None:
        """A head without one of the four headers is refused as the whole request is."""
        head = self.head(headers=signed_request().headers.without(name))
        assert signed.judge_head(head) == signed.verify(head)

    @pytest.mark.parametrize(
        "changes", [{"key": "other"}, {"timestamp": "nan"}, {"timestamp": "1"}], ids=str
    )
    def test_wrong_value(self, signed: Authenticator, changes: dict[str, str]) -> None:
        """A head with another key id or a wrong timestamp is refused as the whole request is."""
        head = self.head(**changes)
        assert signed.judge_head(head) == signed.verify(head)

    @pytest.mark.parametrize("text", ["v1=", "v2=" + "0" * 64, "v1=" + "g" * 64, NON_ASCII])
    def test_signature_that_is_none(self, signed: Authenticator, text: str) -> None:
        """A text that is not of a signature's form is refused with the reason of a wrong one."""
        head = with_header(self.head(), SIGNATURE, text)
        verdict = signed.judge_head(head)
        assert verdict is not None
        assert (verdict.reason, verdict.hint) == (
            signed.verify(head).reason,
            signed.verify(head).hint,
        )

    def test_nonce_is_not_used(self, signed: Authenticator) -> None:
        """Judging a head does not use up its nonce."""
        signed.judge_head(self.head())
        assert signed.verify(signed_request()).accepted

    @pytest.mark.parametrize(
        ("sent", "refused"), [(f"Bearer {SECRET}", False), ("Bearer x", True), ("Basic x", True)]
    )
    def test_bearer(self, bearer: Authenticator, sent: str, refused: bool) -> None:
        """A token is judged by the head."""
        verdict = bearer.judge_head(bearer_request(sent))
        assert (verdict is not None) == refused

    @pytest.mark.parametrize(("origin", "refused"), [(None, False), ("http://evil.example", True)])
    def test_without_credentials(
        self, unauthenticated: Authenticator, origin: str | None, refused: bool
    ) -> None:
        """What a web page could send is refused by its head."""
        verdict = unauthenticated.judge_head(json_request(Origin=origin))
        assert (verdict is not None) == refused


class TestNonces:
    """The memory of nonces, and its limit."""

    @pytest.mark.parametrize(
        "request_",
        [signed_request(secret="other"), signed_request(key="other"), signed_request(body=b"x")],
        ids=["secret", "key", "body"],
    )
    def test_refused_request_spends_no_nonce(
        self, signed: Authenticator, request_: Request
    ) -> None:
        """A nonce is remembered only after a valid signature."""
        signed.verify(request_)
        assert signed.verify(signed_request()).accepted

    def test_replay_at_the_edge(self, signed: Authenticator, clock: Clock) -> None:
        """A nonce is remembered for as long as its timestamp is accepted."""
        ahead = signed_request(timestamp=str(int(NOW + WINDOW)))
        signed.verify(ahead)
        clock.now += 2 * WINDOW
        assert refused_at(signed.verify(ahead)) == "nonce"

    def test_full(self, clock: Clock) -> None:
        """When the memory is full of nonces that may still be replayed, the status is 503."""
        assert self.fill(clock).verify(signed_request(nonce="nonce-3")).status == 503

    def test_full_is_refused(self, clock: Clock) -> None:
        """When the memory is full every new request is refused."""
        verdict = self.fill(clock).verify(signed_request(nonce="nonce-3"))
        assert refused_at(verdict) == "nonce"

    def test_full_forgets_nothing(self, clock: Clock) -> None:
        """When the memory is full the oldest nonce still cannot be replayed."""
        authenticator = self.fill(clock)
        authenticator.verify(signed_request(nonce="nonce-3"))
        assert "used before" in authenticator.verify(signed_request(nonce="nonce-1")).reason

    def test_replay_while_full_is_401(self, clock: Clock) -> None:
        """A replay gets a 401 even when the memory is full."""
        assert self.fill(clock).verify(signed_request(nonce="nonce-1")).status == 401

    def test_accepts_again_after_the_window(self, clock: Clock) -> None:
        """A full memory accepts a request again after the window."""
        authenticator = self.fill(clock)
        clock.now += 2 * WINDOW + 1
        late = signed_request(nonce="nonce-3", timestamp=str(int(clock.now)))
        assert authenticator.verify(late).accepted

    def fill(self, clock: Clock) -> Authenticator:
        """An authenticator whose memory holds two nonces and is full."""
        shared = credentials("signed", secret=SECRET)
        authenticator = Authenticator(shared, clock=clock, nonce_limit=2)
        for nonce in ("nonce-1", "nonce-2"):
            assert authenticator.verify(signed_request(nonce=nonce)).accepted
        return authenticator


class TestCodes:
    """The code of a refusal, which stays the same if the wording changes."""

    @pytest.mark.parametrize(
        ("request_", "code"),
        [
            (signed_request(headers=Headers()), "header-missing"),
            (
                signed_request(headers=Headers([*signed_request().headers, (NONCE, "another")])),
                "header-repeated",
            ),
            (signed_request(key="other"), "unknown-key"),
            (signed_request(timestamp="nan"), "timestamp-malformed"),
            (signed_request(timestamp="yesterday"), "timestamp-malformed"),
            (signed_request(timestamp=str(NOW + WINDOW + 1)), "timestamp-skew"),
            (signed_request(body=b"x"), "signature-mismatch"),
        ],
    )
    def test_signed(self, signed: Authenticator, request_: Request, code: str) -> None:
        """Each check of a signed request has its own code."""
        assert signed.verify(request_).code == code

    def test_replayed(self, signed: Authenticator) -> None:
        """A reused nonce has its own code."""
        signed.verify(signed_request())
        assert signed.verify(signed_request()).code == "nonce-replayed"

    def test_memory_full(self, clock: Clock) -> None:
        """A full memory of nonces has its own code."""
        full = Authenticator(credentials("signed", secret=SECRET), clock=clock, nonce_limit=0)
        assert full.verify(signed_request()).code == "nonce-memory-full"

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ([], "header-missing"),
            ([f"Bearer {SECRET}"] * 2, "header-repeated"),
            ([f"Basic {SECRET}"], "not-bearer"),
            (["Bearer other"], "token-mismatch"),
        ],
    )
    def test_bearer(self, bearer: Authenticator, values: list[str], code: str) -> None:
        """Each check of a bearer token has its own code."""
        assert bearer.verify(bearer_request(*values)).code == code

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            ({"Origin": "null"}, "origin-sent"),
            ({"Host": "evil.example"}, "unknown-host"),
            ({"Content_Type": "text/plain"}, "content-type"),
        ],
    )
    def test_browser_guard(
        self, unauthenticated: Authenticator, headers: dict[str, str], code: str
    ) -> None:
        """Each check of a request without credentials has its own code."""
        assert unauthenticated.verify(json_request(**headers)).code == code

    def test_accepted(self, signed: Authenticator) -> None:
        """An accepted request has no code."""
        assert signed.verify(signed_request()).code == ""

    def test_failed_step(self, signed: Authenticator) -> None:
        """The step that failed has the code of the verdict."""
        assert signed.verify(signed_request(key="other")).steps[-1].code == "unknown-key"


class TestHints:
    """The hints about a signature that does not match."""

    @pytest.mark.parametrize(
        ("signed_target", "arrived", "message"),
        [
            ("/tasks", "/tasks?x=1", "without its query string ('/tasks')"),
            ("/a b", "/a%20b", "the decoded path ('/a b')"),
            ("/a%20b", "/a b", "the percent-encoded path ('/a%20b')"),
            ("/tasks", "/tasks/", "without its trailing slash"),
            ("/tasks/", "/tasks", "with a trailing slash"),
        ],
    )
    def test_rewritten_target(
        self, signed: Authenticator, signed_target: str, arrived: str, message: str
    ) -> None:
        """The hint names the target that would have matched."""
        request = dataclasses.replace(signed_request(target=signed_target), target=arrived)
        verdict = signed.verify(request)
        assert message in (verdict.hint or "")

    def test_known_secret_is_named(self) -> None:
        """The hint names the worker whose secret signed the request."""
        verdict = self.verify_with_known("the-other-secret")
        assert verdict.hint == "it was signed with the secret of worker 'other'"

    def test_known_secret_is_not_shown(self) -> None:
        """The other worker's secret is nowhere in the verdict."""
        assert "the-other-secret" not in repr(self.verify_with_known("the-other-secret"))

    def test_unknown_secret(self) -> None:
        """Without a likely cause the hint lists the remaining ones."""
        verdict = self.verify_with_known("unknown-secret")
        assert verdict.hint == "another secret, or a body or target changed on the way"

    def test_own_secret_is_not_anothers(self) -> None:
        """The hint about a changed body that was signed with the worker's own secret names no other
        worker."""
        authenticator = self.knowing(SECRET)
        verdict = authenticator.verify(signed_request(body=b"tampered"))
        assert "signed with" not in (verdict.hint or "")

    def verify_with_known(self, secret: str) -> Verdict:
        """The verdict on a request signed with ``secret``."""
        return self.knowing("the-other-secret").verify(signed_request(secret=secret))

    def knowing(self, other: str) -> Authenticator:
        """An authenticator that knows the secret of one other worker."""
        return Authenticator(
            credentials("signed", secret=SECRET),
            clock=Clock(),
            known_secrets=lambda: [("worker 'other'", other.encode())],
        )


class TestBearer:
    """Verification of a bearer token."""

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_scheme_is_case_insensitive(self, bearer: Authenticator, scheme: str) -> None:
        """The scheme is matched without regard to case."""
        assert bearer.verify(bearer_request(f"{scheme} {SECRET}")).accepted

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ([], "headers: Authorization is missing"),
            ([f"Bearer {SECRET}"] * 2, "headers: Authorization is sent more than once"),
            ([f"Basic {SECRET}"], "headers: Authorization is not of the Bearer scheme"),
            ([SECRET], "headers: Authorization is not of the Bearer scheme"),
            ([""], "headers: Authorization is missing"),
            (["Bearer"], "token: is not this worker's token"),
            (["Bearer wrong"], "token: is not this worker's token"),
            ([f"Bearer {SECRET} "], "token: is not this worker's token"),
            ([f"Bearer {NON_ASCII}"], "token: is not this worker's token"),
            ([NON_ASCII], "headers: Authorization is not of the Bearer scheme"),
        ],
    )
    def test_refused(self, bearer: Authenticator, values: list[str], reason: str) -> None:
        """A wrong ``Authorization`` is refused, and the reason says why."""
        assert bearer.verify(bearer_request(*values)).reason == reason

    def test_non_ascii_token(self) -> None:
        """A latin-1 token is compared byte for byte."""
        authenticator = Authenticator(credentials("bearer", secret="cl\xe9"))
        assert authenticator.verify(bearer_request("Bearer cl\xe9")).accepted

    def test_status(self, bearer: Authenticator) -> None:
        """The status of a refusal is 401."""
        assert bearer.verify(bearer_request()).status == 401


class TestBrowserGuard:
    """With security none, a request that a web page could send is refused."""

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "[::1]"]
    )
    def test_own_host(self, unauthenticated: Authenticator, host: str) -> None:
        """A request for one of the worker's names is accepted."""
        assert unauthenticated.verify(json_request(Host=host)).accepted

    @pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
    def test_json(self, unauthenticated: Authenticator, kind: str) -> None:
        """Every spelling of the JSON content type is accepted."""
        assert unauthenticated.verify(json_request(Content_Type=kind)).accepted

    @pytest.mark.parametrize(
        ("headers", "step"),
        [
            ({"Origin": "https://evil.example"}, "origin"),
            ({"Origin": "null"}, "origin"),
            ({"Origin": "http://localhost:8080"}, "origin"),
            ({"Host": "evil.example"}, "host"),
            ({"Host": "localhost.evil.example"}, "host"),
            ({"Host": "[::2]"}, "host"),
            ({"Host": NON_ASCII}, "host"),
            ({"Host": None}, "host"),
            ({"Content_Type": "text/plain"}, "content type"),
            ({"Content_Type": "text/plain; application/json"}, "content type"),
            ({"Content_Type": "application/x-www-form-urlencoded"}, "content type"),
            ({"Content_Type": None}, "content type"),
        ],
    )
    def test_refused(
        self, unauthenticated: Authenticator, headers: dict[str, str | None], step: str
    ) -> None:
        """A request that a web page could send is refused at the step that says why."""
        assert refused_at(unauthenticated.verify(json_request(**headers))) == step

    def test_two_hosts(self, unauthenticated: Authenticator) -> None:
        """A request with two Host headers is refused."""
        request = json_request()
        doubled = Headers([*request.headers, ("Host", "localhost")])
        verdict = unauthenticated.verify(dataclasses.replace(request, headers=doubled))
        assert refused_at(verdict) == "host"

    def test_status(self, unauthenticated: Authenticator) -> None:
        """The status of a refusal is 403, since no credentials would help."""
        assert unauthenticated.verify(json_request(Origin="null")).status == 403


class TestSecretInVerdicts:
    """No verdict shows the secret."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda: signed_request(),
            lambda: signed_request(body=b"tampered"),
            lambda: signed_request(secret="other"),
            lambda: signed_request(target="/a?x=1", body=b"tampered"),
            lambda: signed_request(timestamp="nan"),
        ],
        ids=["accepted", "tampered", "wrong-secret", "query", "timestamp"],
    )
    def test_signed_verdict(self, signed: Authenticator, make: Callable[[], Request]) -> None:
        """No verdict on a signature shows the secret, in reason, hint or steps."""
        assert SECRET not in repr(signed.verify(make()))

    @pytest.mark.parametrize("value", [f"Bearer {SECRET}", f"Basic {SECRET}", f"Bearer x{SECRET}"])
    def test_bearer_verdict(self, bearer: Authenticator, value: str) -> None:
        """No verdict on a token shows it, accepted or refused."""
        assert SECRET not in repr(bearer.verify(bearer_request(value)))


class TestAltered:
    """A copy of the authenticator with another secret or clock, which faults use."""

    def test_other_secret(self, signed: Authenticator) -> None:
        """A copy with another secret refuses what the original accepts."""
        altered = signed.altered(secret=b"other", clock_offset=0.0)
        assert refused_at(altered.verify(signed_request())) == "signature"

    def test_other_clock(self, signed: Authenticator) -> None:
        """With a clock outside the window the timestamp is refused."""
        altered = signed.altered(secret=None, clock_offset=WINDOW + 1)
        assert refused_at(altered.verify(signed_request())) == "timestamp"

    def test_original_is_untouched(self, signed: Authenticator) -> None:
        """The original authenticator still accepts its requests."""
        signed.altered(secret=b"other", clock_offset=WINDOW + 1)
        assert signed.verify(signed_request()).accepted


def test_key_constant_is_woves() -> None:
    """The header names are Wove's own."""
    headers = NetworkExecutorSecurity(mode="signed", secret=SECRET).headers_for(
        transport="http", target=TARGET, body=BODY
    )
    assert tuple(headers) == SIGNED_HEADERS


def test_key_is_checked_by_name() -> None:
    """The key id is compared with the configured one."""
    shared = Credentials("signed", SECRET.encode(), key="team")
    assert Authenticator(shared, clock=Clock()).verify(signed_request(key="team")).accepted


class TestRepr:
    """What a verdict shows of itself."""

    def test_accepted(self) -> None:
        """An accepted verdict shows no status of a refusal."""
        assert repr(Verdict(True)) == "<Verdict accepted>"

    def test_refused(self) -> None:
        """A refusal shows its status, code and reason."""
        verdict = Verdict(False, "the nonce was used before", code="nonce-replayed")
        assert repr(verdict) == "<Verdict refused 401 nonce-replayed: the nonce was used before>"
