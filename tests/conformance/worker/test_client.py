"""The service under test: its URL, its credentials, the requests to it."""

from __future__ import annotations

import socket
import sys
from contextlib import closing

import pytest
from wove import NetworkExecutorSecurity

from tests.conformance.worker.plain_worker import SECRET, PlainWorker
from wove_http_dev.conformance.worker import commands, tasks
from wove_http_dev.conformance.worker.client import (
    KEY,
    NONCE,
    ServiceUnderTest,
    UrlError,
    in_chunks,
)
from wove_http_dev.conformance.worker.wire import Deadline, HttpResponse

URL = "http://localhost/wove/tasks?tenant=a"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080/wove",
        "ftp://localhost/wove",
        "http:///wove",
        "http://user:secret@localhost/wove",
        "http://localhost/a b",
        "http://localhost/größe",
        "http://localhost:99999/wove",
    ],
)
def test_a_url_that_wove_would_not_take_is_an_error(url: str) -> None:
    """A URL that Wove's executor would not accept is an error before anything is sent."""
    with pytest.raises(UrlError):
        ServiceUnderTest(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:correct-horse@localhost/wove",
        "ftp://user:correct-horse@localhost/wove",
        "http://user:correct-horse@localhost:99999/wove",
        "http://user:horse/x@localhost/wove",
        "user:correct-horse@localhost:8080",
        "https:/user:correct-horse@localhost/wove",
        "ftp://localhost/wove?key=correct-horse",
    ],
)
def test_an_error_about_a_url_shows_no_password(url: str) -> None:
    """An error about a URL does not show the password in it."""
    with pytest.raises(UrlError) as caught:
        ServiceUnderTest(url)
    assert "horse" not in str(caught.value)


def test_the_place_shows_no_query() -> None:
    """The URL in messages is without its query, which may have a key."""
    service = ServiceUnderTest("https://worker:8443/wove?key=correct-horse")
    assert service.place == "https://worker:8443/wove"


def test_the_target_is_the_url_s_path_and_query_as_written() -> None:
    """The target is the path and query exactly as written, without the fragment."""
    assert ServiceUnderTest("http://localhost/a%2Fb;c?d=%20#e").target == "/a%2Fb;c?d=%20"


def test_a_signature_is_one_that_wove_accepts() -> None:
    """Wove's own verification accepts the checker's signatures."""
    service, body = ServiceUnderTest(URL, secret="s", key="team"), b"{}"
    security = NetworkExecutorSecurity(mode="signed", secret="s", key="team")
    security.verify_headers(
        transport="http", target=service.target, headers=service.credentials(body), body=body
    )


def test_a_bearer_token_is_sent_as_one() -> None:
    """A bearer token is sent in the Authorization header."""
    headers = ServiceUnderTest(URL, bearer="token").credentials(b"")
    assert headers == {"Authorization": "Bearer token"}


def test_without_credentials_there_are_no_headers() -> None:
    """Without a secret or token no headers are added."""
    assert ServiceUnderTest(URL).credentials(b"") == {}


def test_an_argument_replaces_one_ingredient_of_the_credentials() -> None:
    """An argument replaces one part of the credentials; the others keep their defaults."""
    headers = ServiceUnderTest(URL, secret="s").credentials(b"", nonce="n")
    assert (headers[KEY], headers[NONCE]) == ("default", "n")


def test_a_request_goes_to_the_target_of_the_url() -> None:
    """A request has the URL's path and query, and its host with the port."""
    request = ServiceUnderTest("http://localhost:8080/a?b").request(b"body", {})
    assert request.startswith(b"POST /a?b HTTP/1.1\r\nHost: localhost:8080\r\n")


def test_a_request_closes_the_connection_unless_it_is_to_be_kept() -> None:
    """A request has ``Connection: close``, unless ``keep`` is set."""
    service = ServiceUnderTest(URL)
    requests = (service.request(b"", {}), service.request(b"", {}, keep=True))
    assert [b"Connection: close" in request for request in requests] == [True, False]


@pytest.mark.parametrize(
    ("host", "local", "loopback"),
    [
        ("localhost", True, True),
        ("127.0.0.1", True, True),
        ("127.0.0.2", False, True),
        ("workers.internal", False, False),
    ],
)
def test_what_is_local(host: str, local: bool, loopback: bool) -> None:
    """Three hosts are ``local``, as in Wove; other loopback addresses are ``loopback`` but not
    ``local``."""
    service = ServiceUnderTest(f"http://{host}/x")
    assert (service.local, service.loopback) == (local, loopback)


def test_an_observer_gets_what_is_sent() -> None:
    """An observer gets the requests of the observed copy, not those of the original."""
    seen: list[bytes] = []
    with PlainWorker() as worker:
        service = ServiceUnderTest(worker.url, secret=SECRET)
        observed = service.observed(lambda connection, data: seen.append(data))
        body = commands.encode(commands.run_frame(tasks.nothing))
        request = service.request(body, service.credentials(body))
        for sender in (service, observed):
            sender.exchange(request, Deadline(5.0))
    assert seen == [request]


def test_the_second_observer_gets_the_answers() -> None:
    """The second function given to observed() gets the answers to the requests of the copy."""
    heard: list[HttpResponse] = []
    with PlainWorker() as worker:
        service = ServiceUnderTest(worker.url, secret=SECRET)
        observed = service.observed(
            lambda connection, data: None, lambda connection, answer: heard.append(answer)
        )
        body = commands.encode(commands.run_frame(tasks.nothing))
        answer = observed.exchange(service.request(body, service.credentials(body)), Deadline(5.0))
    assert heard == [answer]


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address on Linux alone")
def test_a_request_can_come_from_another_address() -> None:
    """Connections come from the address that is given."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        service = ServiceUnderTest(f"http://127.0.0.1:{server.getsockname()[1]}/")
        with closing(service.sent_from("127.0.0.2").connect(Deadline(5.0))):
            sources = []
            for _ in range(2):  # one connection finds out which address answers
                accepted, address = server.accept()
                accepted.close()
                sources.append(address[0])
    assert sources[-1] == "127.0.0.2"


def test_a_body_in_chunks_has_only_one_end() -> None:
    """A piece without bytes is left out, because it would end the body before the others."""
    assert in_chunks(b"", b"ab", b"", b"c" * 10) == b"2\r\nab\r\na\r\ncccccccccc\r\n0\r\n\r\n"
