"""The options of a worker."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev import HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.given_secrets import secret_from_environment
from wove_http_dev.options import BOTH, CLIENT, CREDENTIALS, SERVICE, TEST, Options


class TestOf:
    """Options from keywords."""

    def test_defaults(self) -> None:
        """Without keywords every option has its default."""
        assert Options.of() == Options()

    def test_word(self) -> None:
        """A keyword sets its option."""
        assert Options.of(port=8443).port == 8443

    @pytest.mark.parametrize(
        ("word", "message"),
        [
            ("securty", "did you mean 'security'?"),
            ("time_out", "did you mean 'timeout'?"),
            ("zzz", "there are tls, security, secret"),
        ],
    )
    def test_unknown_word(self, word: str, message: str) -> None:
        """An unknown keyword is a usage error that suggests a known one."""
        with pytest.raises(UsageError, match=f"unknown option '{word}'") as caught:
            Options.of(**{word: 1})
        assert message in str(caught.value)

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
        ("tls", [1, "no", None]),
        ("key", [3, None]),
        ("clock_skew", [-1, float("nan"), "5", None]),
        ("port", ["80", 80.0, True, None, -1, 65536]),
        ("path", ["", "tasks", "/a b", "/\xe9", "/a?x=1", "/a#b"]),
        ("response_shape", ["", "Events", "frames", None]),
        ("max_body", [0, -1, 1.5, "1", None]),
        ("timeout", [0, -1, float("nan"), float("inf"), "5"]),
        ("delivery_timeout", [0, -1, float("nan"), float("inf"), "5"]),
        ("faults", ["slow-response", b"slow-response"]),
        ("environment", [""]),
        ("workers", [0, -1, True, "2", 2]),
        ("impersonate", ["", "workers.internal", "http://workers.internal/", "https://10.0.0.1/"]),
    ],
)
def test_invalid_value(word: str, values: list[Any]) -> None:
    """An invalid value is a usage error that names its option."""
    messages = []
    for value in values:
        with pytest.raises(UsageError) as caught:
            Options.of(**{word: value})
        messages.append(str(caught.value))
    assert all(word in message for message in messages)


@pytest.mark.parametrize(
    "words",
    [
        {"timeout": None, "delivery_timeout": None},
        {"timeout": 0.5},
        {"path": "/"},
        {"path": "/a%20b/"},
        {"max_body": 1},
        {"runner": "processes"},
        {"runner": "processes", "workers": 3},
        {"response_shape": "list"},
        {"response_shape": "frame"},
        {"impersonate": "https://workers.internal/wove/tasks"},
        {"faults": ["slow-response"]},
    ],
    ids=repr,
)
def test_valid_value(words: dict[str, Any]) -> None:
    """A valid value is kept unchanged."""
    options = Options.of(**words)
    assert {word: getattr(options, word) for word in words} == words


class TestExposure:
    """A worker may listen beyond loopback only with TLS and authentication."""

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
        """A combination that Wove's executor would refuse is refused by the worker too."""
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
        """Every other combination is allowed."""
        options = Options(**words)
        options.check_exposure(mode)
        assert options.host == words.get("host", "localhost")


class TestSides:
    """Whether the service, the client or both use an option."""

    @pytest.mark.parametrize("each", fields_of(Options).values(), ids=lambda each: each.name)
    def test_declared(self, each: TypedField) -> None:
        """Every option declares its side."""
        assert each.side in {SERVICE, CREDENTIALS, CLIENT, BOTH, TEST}

    def test_of_side(self) -> None:
        """The options of one side have their values, and those of the other sides are left out."""
        given = Options(host="::1", path="/a", timeout=3.0).of_side(SERVICE)
        assert (given["host"], given["path"], "timeout" in given) == ("::1", "/a", False)


class TestSecrets:
    """Options do not show the secrets in them."""

    @pytest.mark.parametrize(
        "options",
        [
            {"secret": "correct-horse"},
            {"security": {"type": "signed", "secret": "correct-horse"}},
            {"security": {"type": "bearer", "token": b"correct-horse"}},
            {"security": "correct-horse"},
            {"security": {"bearer": "correct-horse"}},
            {"security": ("bearer", "correct-horse")},
            {"headers": {"Authorization": "Bearer correct-horse"}},
        ],
        ids=str,
    )
    def test_repr(self, options: dict[str, Any]) -> None:
        """The repr of options shows no secret, whatever form they have."""
        assert "horse" not in repr(Options(**options))

    @pytest.mark.parametrize("security", ["signed", "env:NAME", {"type": "bearer"}, None])
    def test_repr_of_a_word(self, security: Any) -> None:
        """What is no secret is shown."""
        assert f"security={security!r}" in repr(Options(security=security))

    @pytest.mark.parametrize(
        "options",
        [
            {"headers": "Authorization: correct-horse"},
            {"headers": [("Authorization", "correct-horse")]},
            {"headers": {"Authorization: correct-horse": ""}},
            {"headers": {"Authorization": "correct-horse\n"}},
            {"impersonate": "https://u:correct-horse@a.internal/"},
            {"impersonate": "https://u:horse/x@a.internal/"},
            {"impersonate": "http://a.internal/?token=correct-horse"},
        ],
        ids=str,
    )
    def test_message(self, options: dict[str, Any]) -> None:
        """Nor does a usage error about them."""
        with pytest.raises(UsageError) as caught:
            Options(**options)
        assert "horse" not in str(caught.value)

    def test_environment_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A secret from an environment variable has a repr without it."""
        monkeypatch.setenv("NAME", "correct-horse")
        assert "horse" not in repr(secret_from_environment("--secret-env", "NAME"))


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
        {"headers": {"X-A": "größe €"}},
        {"headers": {"X-A": b"bytes"}},
        {"headers": {"X-A": None}},
        {"headers": {"Content-Length": "3"}},
        {"headers": {"transfer-encoding": "chunked"}},
        {"headers": {"Host": "elsewhere"}},
        {"headers": {"Connection": "keep-alive"}},
        {"timeout": True},
        {"secret": 5},
        {"security": "sgined"},
    ],
    ids=str,
)
def test_worker_refuses_invalid_options(options: dict[str, Any]) -> None:
    """``HttpWorker()`` checks every option in its constructor."""
    with pytest.raises(UsageError):
        HttpWorker(**options)


def test_app_dirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``app_dir`` is one directory or several, relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("src").mkdir()
    given = [Options(), Options(app_dir="src"), Options(app_dir=[tmp_path, "src"])]
    src = str(tmp_path / "src")
    assert [each.app_dirs for each in given] == [[], [src], [str(tmp_path), src]]
