"""The options of upstream."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runners.upstreams import SECRET
from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options
from wove_http_dev.runners.upstream import UpstreamRunner, upstream_credentials
from wove_http_dev.worker import HttpWorker


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"upstream": "worker"}, "http:// or https://"),
        ({"upstream": "http://worker.internal/"}, "is not loopback"),
        ({"upstream": "http://localhost/", "runner": "processes"}, "do not go with upstream"),
        ({"upstream": "http://localhost/", "workers": 2}, "do not go with upstream"),
        ({"upstream": "http://localhost/", "upstream_ca_file": "/x"}, "https:// upstream"),
        ({"upstream": "https://localhost/", "upstream_ca_file": "/no/ca"}, "is not a file"),
        ({"upstream": "https://localhost/", "upstream_ca_file": __file__}, "no certificates"),
        ({"upstream": "https://worker.internal/"}, "is not loopback"),
        ({"upstream_security": "none"}, "goes with upstream=URL"),
        ({"upstream_ca_file": "ca.pem"}, "goes with upstream=URL"),
        ({"upstream": "http://localhost/", "upstream_security": "signed"}, "needs upstream's secr"),
        ({"upstream": "http://localhost/", "upstream_security": "bearer"}, "needs upstream's toke"),
        ({"upstream": "http://localhost/", "upstream_security": "env:NO_SUCH"}, "NO_SUCH"),
    ],
    ids=str,
)
def test_wrong_options(words: dict[str, Any], why: str) -> None:
    """Options that cannot be used are refused before anything starts."""
    with pytest.raises(UsageError, match=why):
        HttpWorker(**words)


@pytest.mark.parametrize(("max_body", "limit"), [(1, 2**26), (2**30, 2**30)])
def test_largest_answer(max_body: int, limit: int) -> None:
    """An answer may have as many bytes as a request, and 64 MiB in any case."""
    options = Options(upstream="http://localhost/", max_body=max_body)
    assert UpstreamRunner(options)._connections.answer_limit == limit


@pytest.mark.parametrize(
    "security",
    [{"type": "signed", "secret": SECRET}, {"type": "bearer", "token": SECRET}],
    ids=["signed", "bearer"],
)
def test_secret_is_hidden(security: dict[str, str]) -> None:
    """No ``repr`` shows the secret of upstream."""
    options = Options(upstream="http://localhost/", upstream_security=security)
    assert SECRET not in repr(options) + repr(upstream_credentials(options))


def test_secret_of_the_text() -> None:
    """A secret that was written in place of a form is not repeated."""
    with pytest.raises(UsageError) as caught:
        HttpWorker(upstream="http://localhost/", upstream_security=SECRET)
    assert SECRET not in str(caught.value)
