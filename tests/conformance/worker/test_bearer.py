"""The cases for bearer tokens: a worker without a defect passes, one that compares loosely does
not."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

import pytest

from tests.conformance.parts import JOBS
from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.plain_worker import Handler, PlainWorker

TOKEN = "Token-of-the-plain-worker"


class Bearer(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        sent = headers.get("Authorization", "").encode("utf-8")
        if not hmac.compare_digest(sent, f"Bearer {TOKEN}".encode()):
            raise PermissionError("wrong token")


class ComparesPrefixes(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if not headers.get("Authorization", "").startswith(f"Bearer {TOKEN}"):
            raise PermissionError("wrong token")


class LooseBearer(Bearer):
    """Also accepts what ``accepts`` says."""

    def __init__(self, accepts: Callable[[str], bool]) -> None:
        super().__init__()
        self.accepts = accepts

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if not self.accepts(headers.get("Authorization", "")):
            super().verify(headers, target, body)


class RevealsToken(ComparesPrefixes):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            raise PermissionError(f"the token is {TOKEN}")


def test_a_healthy_bearer_worker_is_flagged_by_nothing() -> None:
    """The authentication cases that apply pass; those about signatures are skipped."""
    with Bearer() as worker:
        results = check(worker.url, "auth.*", jobs=JOBS, bearer=TOKEN)
    assert failures(results) == []
    skipped = [result for result in results if result.status == "skipped"]
    assert all("this check runs with a bearer token" in result.actual for result in skipped)


def test_a_healthy_bearer_worker_gets_every_form_of_request() -> None:
    """A worker without a defect passes the cases about HTTP."""
    with Bearer() as worker:
        assert failures(check(worker.url, "transport.*", bearer=TOKEN)) == []


class LooksForTheToken(Bearer):
    def headers(self, handler: Handler) -> dict[str, str]:
        sent = handler.headers.get_all("Authorization", [])
        right = f"Bearer {TOKEN}" in sent
        return {"Authorization": f"Bearer {TOKEN}"} if right else super().headers(handler)


def test_any_of_two_tokens_is_flagged() -> None:
    """A worker that accepts a request if any of its Authorization headers is right is flagged."""
    with LooksForTheToken() as worker:
        (result,) = check(worker.url, "auth.46", bearer=TOKEN)
    assert "a wrong token was accepted beside the right one" in result.actual


def test_a_token_compared_by_its_beginning_is_flagged() -> None:
    """A worker that accepts the token plus one character is flagged."""
    with ComparesPrefixes() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.09", bearer=TOKEN)
    # "was accepted" if its run was seen in time, else "was answered HTTP 200".
    assert "the token and one character more was " in result.actual


@pytest.mark.parametrize(
    ("accepts", "says"),
    [
        (lambda sent: sent.endswith(TOKEN), "one character more and the token"),
        (lambda sent: sent.removeprefix("Bearer ") == TOKEN, "the token without a scheme"),
        (lambda sent: sent.lower() == f"Bearer {TOKEN}".lower(), "the token in other letter case"),
        (lambda sent: sent[7:] and sent[7:] in TOKEN, "only the beginning of the token"),
        (lambda sent: sent[7:15] == TOKEN[:8], "only the beginning of the token"),
        (lambda sent: sent[:-1] == f"Bearer {TOKEN}"[:-1], "with another last character"),
        (lambda sent: TOKEN in sent.split(), "the token without a scheme"),
        (lambda sent: sent.split()[-1:] == [TOKEN] and "earer" in sent, "after another token"),
    ],
)
def test_a_token_compared_loosely_is_flagged(accepts: Callable[[str], bool], says: str) -> None:
    """The message names the wrong token that was accepted."""

    with LooseBearer(accepts) as worker:
        (_, result) = check(worker.url, "auth.01", "auth.09", bearer=TOKEN)
    assert result.status == "failed"
    assert says in result.actual


def test_a_token_in_the_query_is_flagged() -> None:
    """A worker that accepts the token in the URL is flagged, because logs keep URLs."""

    class ReadsTheQuery(Bearer):
        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            if not target.endswith(f"?token={TOKEN}"):
                super().verify(headers, target, body)

    with ReadsTheQuery() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.09", bearer=TOKEN)
    assert "the token in the query (token=) was accepted" in result.actual


def test_a_token_in_a_refusal_is_flagged() -> None:
    """A worker that reveals the token in a refusal is flagged."""
    with RevealsToken() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.20", bearer=TOKEN)
    assert "holds the secret" in result.actual


def test_the_token_none_is_flagged() -> None:
    """A worker whose token is missing, and that compares with ``Bearer None``, is flagged."""
    with LooseBearer(lambda sent: sent == "Bearer None") as worker:
        (_, result) = check(worker.url, "auth.01", "auth.09", bearer=TOKEN)
    assert "the bearer token 'None' was accepted" in result.actual


def test_a_token_in_a_cookie_is_flagged() -> None:
    """A worker that also accepts the token in a cookie is flagged, because browsers send cookies
    unasked."""

    class ReadsCookies(Bearer):
        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            if f"token={TOKEN}" not in headers.get("Cookie", "").split("; "):
                super().verify(headers, target, body)

    with ReadsCookies() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.36", bearer=TOKEN)
    assert "the secret in a cookie (token) was accepted" in result.actual


def test_a_signature_with_an_empty_secret_is_flagged() -> None:
    """A worker that expects a bearer token, and also accepts signatures made with the secret that
    it does not have, is flagged."""

    class Signed(PlainWorker):
        def secret(self, headers: Mapping[str, str]) -> str:
            return ""

    class TakesBoth(Signed):
        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                super().verify(headers, target, body)

    with TakesBoth() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.36", bearer=TOKEN)
    assert "a signature made with an empty secret instead of a token was accepted" in result.actual


def test_a_second_request_without_a_token_is_flagged() -> None:
    """A worker that verifies only the first request of a connection is flagged."""

    class TrustsConnections(Bearer):
        def serve(self, handler: Handler) -> None:
            self.handler = handler
            super().serve(handler)

        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            if "Authorization" in headers or not self.handler.__dict__.get("trusted"):
                super().verify(headers, target, body)
            self.handler.__dict__["trusted"] = True

    with TrustsConnections() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.31", bearer=TOKEN)
    assert "one with no credentials was accepted on it" in result.actual


def test_a_cancel_without_a_scheme_is_flagged() -> None:
    """A worker that compares the token loosely for a cancel_task is flagged."""

    class LooseCancels(Bearer):
        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            if b'"cancel_task"' not in body or headers.get("Authorization") != TOKEN:
                super().verify(headers, target, body)

    with LooseCancels() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.10", bearer=TOKEN)
    assert "a cancel_task with the token without a scheme was accepted" in result.actual


def test_a_large_body_with_a_wrong_token_is_flagged() -> None:
    """A worker that does not verify bodies above 16 MiB is flagged."""

    class SkipsLargeBodies(Bearer):
        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            if len(body) < 2**24:
                super().verify(headers, target, body)

    with SkipsLargeBodies() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.32", bearer=TOKEN)
    assert "a body of 16.1 MiB with a wrong bearer token was accepted" in result.actual


def test_an_error_that_is_taken_for_success_is_flagged() -> None:
    """A worker that accepts a token if the comparison with it raises an error is flagged."""

    class FailsOpen(PlainWorker):
        def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
            try:
                right = hmac.compare_digest(headers.get("Authorization", ""), f"Bearer {TOKEN}")
            except TypeError:
                return
            if not right:
                raise PermissionError("wrong token")

    with FailsOpen() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.09", bearer=TOKEN)
    assert "a token that is not ASCII was accepted" in result.actual
