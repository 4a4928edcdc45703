"""The cases for bearer tokens: a healthy worker passes, one that compares loosely does not."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from tests.conformance.checks import check, fallen
from tests.conformance.plain_worker import SECRET, PlainWorker


class Bearer(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        sent = headers.get("Authorization", "").encode("utf-8")
        if not hmac.compare_digest(sent, f"Bearer {SECRET}".encode()):
            raise PermissionError("wrong token")


class ComparesPrefixes(PlainWorker):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if not headers.get("Authorization", "").startswith(f"Bearer {SECRET}"):
            raise PermissionError("wrong token")


class TellsToken(ComparesPrefixes):
    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        if headers.get("Authorization") != f"Bearer {SECRET}":
            raise PermissionError(f"the token is {SECRET}")


def test_a_healthy_bearer_worker_is_flagged_by_nothing() -> None:
    """The authentication cases that apply pass; those about signatures are skipped."""
    with Bearer() as worker:
        results = check(worker.url, "auth.*", bearer=SECRET)
    assert fallen(results) == []
    skipped = [result for result in results if result.status == "skipped"]
    assert all("this check runs with a bearer token" in result.actual for result in skipped)


def test_a_token_compared_by_its_beginning_is_flagged() -> None:
    """The token and one character more is not the token."""
    with ComparesPrefixes() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.09", bearer=SECRET)
    assert "the token and one character more was accepted" in result.actual


def test_a_token_in_a_refusal_is_flagged() -> None:
    """A refusal does not tell the token."""
    with TellsToken() as worker:
        (_, result) = check(worker.url, "auth.01", "auth.20", bearer=SECRET)
    assert "holds the secret" in result.actual
