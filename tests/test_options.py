"""The options of a worker."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from wove_http_dev import HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options, impersonated, is_loopback


class TestOf:
    """Options from words."""

    def test_defaults(self) -> None:
        """Without a word everything is as by default."""
        assert Options.of() == Options()

    def test_word(self) -> None:
        """A word sets its option."""
        assert Options.of(port=8443).port == 8443

    @pytest.mark.parametrize(
        ("word", "told"),
        [
            ("securty", "did you mean 'security'?"),
            ("time_out", "did you mean 'timeout'?"),
            ("zzz", "there are tls, security, secret"),
        ],
    )
    def test_unknown_word(self, word: str, told: str) -> None:
        """An unknown word is a usage error that suggests a known one."""
        with pytest.raises(UsageError, match=f"unknown option '{word}'") as caught:
            Options.of(**{word: 1})
        assert told in str(caught.value)

    @pytest.mark.parametrize("option", dataclasses.fields(Options), ids=lambda o: str(o.name))
    def test_documented(self, option: dataclasses.Field[Any]) -> None:
        """Every option has a line of documentation."""
        assert option.metadata["doc"]

    def test_repr_has_no_secret(self) -> None:
        """The secret does not reach a log through ``repr``."""
        assert "correct-horse" not in repr(Options(secret="correct-horse"))


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("port", ["80", 80.0, True, None]),
        ("path", ["", "tasks", "/a b", "/\xe9", "/a?x=1", "/a#b"]),
        ("response_shape", ["", "Events", "frames", None]),
        ("max_body", [0, -1, 1.5, "1", None]),
        ("timeout", [0, -1, float("nan"), float("inf"), "5"]),
        ("delivery_timeout", [0, -1, float("nan"), float("inf"), "5"]),
        ("faults", ["slow-response", b"slow-response"]),
        ("environment", [""]),
        ("impersonate", ["", "workers.internal", "http://workers.internal/", "https://10.0.0.1/"]),
    ],
)
def test_value_that_cannot_be(word: str, values: list[Any]) -> None:
    """A value that cannot be is a usage error that names its option."""
    told = []
    for value in values:
        with pytest.raises(UsageError) as caught:
            Options.of(**{word: value})
        told.append(str(caught.value))
    assert all(word in message for message in told)


@pytest.mark.parametrize(
    "words",
    [
        {"timeout": None, "delivery_timeout": None},
        {"timeout": 0.5},
        {"path": "/"},
        {"path": "/a%20b/"},
        {"max_body": 1},
        {"response_shape": "list"},
        {"response_shape": "frame"},
        {"impersonate": "https://workers.internal/wove/tasks"},
        {"faults": ["slow-response"]},
    ],
    ids=repr,
)
def test_value_that_can_be(words: dict[str, Any]) -> None:
    """A value that can be is kept as it is."""
    options = Options.of(**words)
    assert {word: getattr(options, word) for word in words} == words


class TestExposure:
    """Beyond loopback only with TLS and authentication."""

    @pytest.mark.parametrize(
        ("words", "mode"),
        [
            ({"host": "0.0.0.0", "tls": False}, "signed"),
            ({"host": "0.0.0.0"}, "none"),
            ({"host": "workers.example", "tls": False}, "none"),
            ({"host": "", "tls": False}, "signed"),
            ({"host": "::"}, "none"),
        ],
    )
    def test_refused(self, words: dict[str, Any], mode: str) -> None:
        """What Wove's executor would refuse is refused on this side too."""
        with pytest.raises(UsageError, match="is not loopback"):
            Options(**words).check_exposure(mode)

    @pytest.mark.parametrize(
        ("words", "mode"),
        [
            ({"host": "0.0.0.0"}, "signed"),
            ({"host": "0.0.0.0"}, "bearer"),
            ({"tls": False}, "none"),
            ({"host": "127.0.0.1", "tls": False}, "none"),
            ({"host": "::1", "tls": False}, "none"),
            ({"host": "0.0.0.0", "tls": False, "insecure": True}, "none"),
        ],
    )
    def test_allowed(self, words: dict[str, Any], mode: str) -> None:
        """Everything else is allowed: it does not raise."""
        options = Options(**words)
        options.check_exposure(mode)
        assert options.host == words.get("host", "localhost")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, expected: bool) -> None:
    """Loopback names and addresses are told from all others."""
    assert is_loopback(host) is expected


class TestImpersonated:
    """The URL of a worker service to stand in for."""

    @pytest.mark.parametrize(
        ("url", "parts"),
        [
            ("https://w.internal/wove/tasks", ("w.internal", 443, "/wove/tasks")),
            ("https://w.internal:8443/a?x=1", ("w.internal", 8443, "/a")),
            ("https://W.Internal", ("w.internal", 443, "/")),
            ("HTTPS://w.internal/", ("w.internal", 443, "/")),
        ],
    )
    def test_parts(self, url: str, parts: tuple[str, int, str]) -> None:
        """Host, port and path are taken from it."""
        assert impersonated(url) == parts

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("http://w.internal/", "takes an https:// URL"),
            ("w.internal", "takes an https:// URL"),
            ("https://", "takes an https:// URL"),
            ("https://10.0.0.1/", "not the address 10.0.0.1"),
            ("https://[::1]:8443/", "not the address ::1"),
            ("https://w.internal:99999/", "is no URL"),
            ("https://w.internal:port/", "is no URL"),
            ("https://[w.internal/", "is no URL"),
        ],
    )
    def test_refused(self, url: str, told: str) -> None:
        """What cannot be impersonated is a usage error that says why."""
        with pytest.raises(UsageError, match=told):
            impersonated(url)


@pytest.mark.parametrize(
    "options",
    [
        {"tls": "no"},
        {"path": None},
        {"host": 7},
        {"impersonate": 5},
        {"faults": 5},
        {"headers": ["a"]},
        {"headers": {"a b": "c"}},
        {"headers": {"X-A": "a\r\nb"}},
        {"timeout": True},
        {"secret": 5},
        {"security": "sgined"},
    ],
    ids=str,
)
def test_worker_refuses_invalid_options(options: dict[str, Any]) -> None:
    """``HttpWorker()`` checks every option when it is made."""
    with pytest.raises(UsageError):
        HttpWorker(**options)
