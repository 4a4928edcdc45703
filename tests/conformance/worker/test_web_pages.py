"""The case for services without authentication: what any web page could send is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.worker.checks import check
from tests.conformance.worker.plain_worker import Handler, PlainWorker


class Open(PlainWorker):
    """Needs no credentials."""

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        return


class Guarded(Open):
    """Refuses a request if a header of ``right`` has another value."""

    def __init__(self, **right: str) -> None:
        super().__init__()
        self.right = right

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        for name, right in self.right.items():
            if headers.get(name.replace("_", "-"), right) != right:
                raise PermissionError(name)


def test_a_form_of_another_site_is_flagged() -> None:
    """A worker that runs what the form of any web page sends is flagged."""
    with Open() as worker:
        (result,) = check(worker.url, "auth.42")
    assert "a form of another site (text/plain) was accepted" in result.actual


def test_a_foreign_host_is_flagged() -> None:
    """A worker that answers to any name is flagged, because an attacker's name can point to it."""
    with Guarded(Content_Type="application/json") as worker:
        (result,) = check(worker.url, "auth.42")
    assert "a request whose Host and Origin are attacker.example:" in result.actual


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_a_worker_that_knows_its_name_passes(name: str) -> None:
    """A worker passes that wants application/json, and refuses a foreign Host, or any Origin."""
    worker = Guarded(Content_Type="application/json")
    with worker:
        worker.right[name] = worker.url.split("/")[2]
        (result,) = check(worker.url, "auth.42")
    assert result.status == "passed"


def test_permission_for_other_sites_is_flagged() -> None:
    """A worker that lets any site send application/json is flagged."""

    class AllowsEverySite(Guarded):
        def __init__(self) -> None:
            super().__init__(Content_Type="application/json", Host="")
            handler: Any = self.server.RequestHandlerClass
            handler.do_OPTIONS = self.permit

        @staticmethod
        def permit(handler: Handler) -> None:
            handler.send_response(204)
            handler.send_header("Access-Control-Allow-Origin", "*")
            handler.end_headers()

    worker = AllowsEverySite()
    with worker:
        worker.right["Host"] = worker.url.split("/")[2]
        (result,) = check(worker.url, "auth.42")
    assert "other sites are allowed to send requests" in result.actual
