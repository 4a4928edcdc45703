"""A handle on a worker service that another process runs."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from wove_http_dev import HttpWorker
from wove_http_dev.client_side import ClientSide
from wove_http_dev.errors import UsageError
from wove_http_dev.remote_worker import RemoteWorker


class Skipped(Exception):
    """Raised in place of pytest.skip's exception."""


def skip(reason: str) -> None:
    """Raise :class:`Skipped`, where the plugin would pass pytest.skip."""
    raise Skipped(reason)


def remote(**options: Any) -> RemoteWorker:
    """A handle on a worker service that another process runs."""
    required: dict[str, Any] = {
        "url": "http://localhost:1/",
        "secret": None,
        "token": None,
        "ca_file": None,
        "skip": skip,
    }
    return RemoteWorker(**{**required, **options})


@pytest.mark.parametrize(
    "options",
    [{"impersonate": "https://workers.internal/x"}, {"isolated": True}, {"faults": ["hang"]}],
)
def test_option_of_a_local_worker_skips(options: dict[str, Any]) -> None:
    """An option that only a worker of this process has skips the test; it is not ignored."""
    with pytest.raises(Skipped, match="needs a worker of this process"):
        remote(**options)


def test_unknown_member_is_an_attribute_error() -> None:
    """A member that no worker has raises AttributeError instead of skipping."""
    with pytest.raises(AttributeError, match="injct"):
        _ = remote().injct  # type: ignore[attr-defined]  # what a type checker says as well


def test_cannot_be_pickled() -> None:
    """A handle cannot be pickled: its secret would go where the pickle goes."""
    with pytest.raises(TypeError, match="of wove-http-dev"):
        pickle.dumps(remote(secret="correct-horse", skip=print))


def test_repr_shows_no_password() -> None:
    """The user name and password in a URL are not in the repr."""
    assert "correct-horse" not in repr(remote(url="http://u:correct-horse@localhost:1/"))


@pytest.mark.parametrize("url", ["http://u:correct-horse@localhost/", "ftp://u:correct@-horse@a/"])
def test_usage_error_shows_no_password(url: str) -> None:
    """A usage error about a URL does not show the password in it."""
    with pytest.raises(UsageError) as caught:
        remote(url=url.replace("localhost", "localhost:port"))
    assert "horse" not in str(caught.value)


@pytest.mark.parametrize("security", [{"secret": "correct-horse"}, "correct-horse"])
def test_skip_shows_no_secret(security: Any) -> None:
    """The reason for a skip does not show the secret in the option ``security``."""
    with pytest.raises(Skipped) as caught:
        remote(security=security)
    assert "horse" not in str(caught.value)


PUBLIC = sorted(name for name in dir(HttpWorker) if not name.startswith("_"))


@pytest.mark.parametrize("name", PUBLIC)
def test_has_every_member(name: str) -> None:
    """Every public member of HttpWorker is declared, so that using it either skips or works."""
    assert hasattr(RemoteWorker, name)


@pytest.mark.parametrize("name", sorted(name for name in PUBLIC if not hasattr(ClientSide, name)))
def test_member_of_a_local_worker_skips(name: str) -> None:
    """A member that only HttpWorker has skips the test with the member's name and the reason."""
    with pytest.raises(Skipped, match=rf"worker\.{name} needs a worker of this process"):
        getattr(remote(), name)


def test_fault_skips_by_name() -> None:
    """A question about a fault skips the test with the fault's name."""
    with pytest.raises(Skipped, match="the fault hang needs a worker of this process"):
        remote().why_not("hang")


SIGNED = {"type": "signed", "secret": "s", "key": "default", "clock_skew_seconds": 300.0}


@pytest.mark.parametrize(
    ("given", "security"),
    [
        ({}, None),
        ({"secret": "s"}, SIGNED),
        ({"secret": "s", "key": "k"}, {**SIGNED, "key": "k"}),
        ({"token": "t"}, {"type": "bearer", "token": "t"}),
    ],
    ids=["none", "signed", "signed-with-a-key", "bearer"],
)
def test_security(given: dict[str, str], security: dict[str, Any] | None) -> None:
    """The definition has the credentials that were given."""
    config = remote(**given).environment_definition["executor_config"]
    assert config.get("security") == security


def test_port_of_a_url_without_one() -> None:
    """The port is the scheme's where the URL names none."""
    assert remote(url="https://workers.internal/wove/tasks").port == 443


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://", "http://x:y", "http://[::1", "http://x\x1b/", "http://x/\u202e"]
)
def test_unusable_url(url: str) -> None:
    """An unusable URL is a usage error that names the option."""
    with pytest.raises(UsageError, match="--wove-http-url"):
        remote(url=url)


def test_both_credentials() -> None:
    """A secret and a token together are an error."""
    with pytest.raises(UsageError, match="not both"):
        remote(secret="s", token="t")


def test_check_passes() -> None:
    """check() passes, because strict mode is off."""
    worker = remote(strict=True)
    worker.check()
    assert not worker.options.strict


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"url": "https://localhost:1/"}, True),
        ({"url": "http://localhost:1/"}, False),
    ],
    ids=["https", "http"],
)
def test_report_names_the_option_for_a_ca(options: dict[str, Any], expected: bool) -> None:
    """What a failing test shows of an https service without a CA file names the option for it."""
    assert ("--wove-http-ca-file" in remote(**options).report()) is expected
