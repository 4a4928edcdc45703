"""Which values of options are refused, and with what message."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import answer, weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options


def test_header_value_is_not_in_the_error() -> None:
    """A header's value may be a secret: the error names the header only."""
    with pytest.raises(UsageError, match="'X-Token' has characters beyond latin-1") as caught:
        Options(headers={"X-Token": "hush€"})
    assert "hush" not in str(caught.value)


@pytest.mark.wove_http(headers={"X-Ort": "Köln", "X-Retry": 3})
def test_allowed_headers_arrive(wove_http_worker: HttpWorker) -> None:
    """What is allowed arrives as it was given."""
    weave_one(answer)
    sent = dict(wove_http_worker.exchanges[0].headers)
    assert (sent["X-Ort"], sent["X-Retry"]) == ("Köln", "3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"hosts": "worker"}, 'hosts is a list of host names: hosts=["worker"]'),
        ({"hosts": ["a b"]}, "hosts: 'a b' is not a host name or address"),
        ({"hosts": ["*.example"]}, "hosts: '*.example' is not a host name or address"),
        ({"hosts": [7]}, "hosts: 7 is not a host name or address"),
        ({"app_dir": 7}, 'app_dir takes a directory, or a list of them: app_dir="src"'),
        ({"app_dir": "/no/such/place"}, "app_dir '/no/such/place' is not a directory"),
        ({"default": 1}, "default takes true or false, not 1"),
    ],
)
def test_message_of_a_wrong_option(words: dict[str, Any], message: str) -> None:
    """The whole message of an option of a wrong kind."""
    with pytest.raises(UsageError) as caught:
        Options.of(**words)
    assert str(caught.value) == message


def test_hosts() -> None:
    """Names, addresses and IPv6 addresses are hosts."""
    assert Options(hosts=["worker", "10.0.0.7", "::1"]).hosts == ["worker", "10.0.0.7", "::1"]


@pytest.mark.parametrize("option", ["path", "hosts"])
def test_secrets_of_a_url(option: str) -> None:
    """A URL that is given instead is repeated without its password and its query."""
    url = "https://me:hunter2@worker/wove?key=hunter3"
    with pytest.raises(UsageError) as caught:
        Options.of(**{option: url if option == "path" else [url]})
    assert "https://…@worker/wove" in str(caught.value)
    assert "hunter" not in str(caught.value)
