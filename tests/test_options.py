"""The options of a worker."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from tests.support import answer, weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.fields import TypedField, fields_of
from wove_http_dev.options import (
    BOTH,
    CLIENT,
    CREDENTIALS,
    LOCAL_NAMES,
    SERVICE,
    TEST,
    Host,
    Options,
    check_secret,
    given_secret,
    impersonated,
    secret_from_environment,
    secret_from_file,
)


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


class TestHost:
    """A host name or IP address."""

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
    def test_is_loopback(self, host: str, expected: bool) -> None:
        """``is_loopback`` is true for loopback names and addresses only."""
        assert Host(host).is_loopback is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", True),
            ("::1", True),
            ("[::1]", True),
            ("localhost", False),
            ("1.example", False),
            ("", False),
        ],
    )
    def test_is_address(self, host: str, expected: bool) -> None:
        """``is_address`` is true for address literals only."""
        assert Host(host).is_address is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("workers.internal", True),
            ("*.internal", True),
            ("under_score", True),
            ("a..b", False),
            ("-a", False),
            ("", False),
            ("a" * 254, False),
        ],
    )
    def test_is_name(self, host: str, expected: bool) -> None:
        """A name has labels of letters, digits, hyphens and underscores."""
        assert Host(host).is_name is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [("0.0.0.0", True), ("::", True), ("[::]", True), ("127.0.0.1", False)],
    )
    def test_is_wildcard(self, host: str, expected: bool) -> None:
        """A wildcard means every address of this machine."""
        assert Host(host).is_wildcard is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("workers.internal", "workers.internal"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("0.0.0.0", "127.0.0.1"),
            ("[::]", "[::1]"),
        ],
    )
    def test_in_url(self, host: str, expected: str) -> None:
        """A URL has brackets around an IPv6 address, and names no wildcard."""
        assert Host(host).in_url == expected

    @pytest.mark.parametrize(
        ("host", "expected"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")]
    )
    def test_connectable(self, host: str, expected: str) -> None:
        """A client connects to the loopback address of a wildcard's family."""
        assert Host(host).connectable == expected

    @pytest.mark.parametrize(
        ("authority", "name"),
        [
            ("workers.internal", "workers.internal"),
            ("workers.internal:8443", "workers.internal"),
            ("[::1]", "::1"),
            ("[::1]:8443", "::1"),
            ("localhost]", "localhost]"),
            ("[::1].evil.example", "[::1].evil.example"),
            ("[::1]evil:80", "[::1]evil:80"),
            ("localhost:80.evil.example", "localhost:80.evil.example"),
            ("localhost:80@evil.example", "localhost:80@evil.example"),
            ("user@localhost", "user@localhost"),
            ("localhost:", "localhost"),
            ("", ""),
        ],
    )
    def test_of_authority(self, authority: str, name: str) -> None:
        """The host of a ``Host`` header, without the port; of another text, the whole text."""
        assert Host.of_authority(authority).text == name

    def test_local_names_hold_both_loopbacks(self) -> None:
        """The local names include the loopback addresses of IPv4 and IPv6."""
        addresses = [ipaddress.ip_address(name) for name in LOCAL_NAMES if Host(name).is_address]
        assert {address.version for address in addresses if address.is_loopback} == {4, 6}


class TestGivenSecret:
    """The secret of ``--…-env`` or ``--…-file``."""

    def test_none(self) -> None:
        """Without either there is no secret."""
        assert given_secret("--secret", None, None) is None

    def test_both(self) -> None:
        """Both are a usage error that names them."""
        with pytest.raises(UsageError, match="--secret-env or --secret-file, not both"):
            given_secret("--secret", "NAME", "file")


class TestSecretFromEnvironment:
    """A secret from an environment variable."""

    def test_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The secret is the variable's value."""
        monkeypatch.setenv("SOME_SECRET", "correct-horse")
        assert secret_from_environment("--secret-env", "SOME_SECRET") == "correct-horse"

    def test_no_variable(self) -> None:
        """Without a variable's name there is no secret."""
        assert secret_from_environment("--secret-env", None) is None

    @pytest.mark.parametrize("value", [None, ""])
    def test_not_set(self, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
        """A variable that is not set, or empty, is a usage error that names option and variable."""
        monkeypatch.delenv("SOME_SECRET", raising=False)
        if value is not None:
            monkeypatch.setenv("SOME_SECRET", value)
        with pytest.raises(UsageError, match="--secret-env: environment variable SOME_SECRET"):
            secret_from_environment("--secret-env", "SOME_SECRET")


BAD_SECRETS = ["s\n", "s\r\n", "a\nb", "\x00", "\x1b[2J", "\udcff"]
"""What a shell, a terminal or an environment variable changes."""


class TestSecretFromFile:
    """A secret in a file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """The file."""
        return tmp_path / "secret"

    def test_content(self, path: Path) -> None:
        """The secret is the whole content."""
        path.write_text(" gr\xf6\xdfe ", "utf-8")
        assert secret_from_file("--secret-file", str(path)) == " gr\xf6\xdfe "

    def test_no_file(self) -> None:
        """Without a file there is no secret."""
        assert secret_from_file("--secret-file", None) is None

    @pytest.mark.parametrize(
        ("content", "message"),
        [(b"", "is empty"), (b"s\n", "ends with a line break"), (b"s" * 2**17, "65536 bytes")],
    )
    def test_bad_content(self, path: Path, content: bytes, message: str) -> None:
        """A file that is no secret is a usage error that names option and file."""
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"--secret-file: {path} .*{message}"):
            secret_from_file("--secret-file", str(path))

    def test_absent(self, path: Path) -> None:
        """A file that cannot be read is a usage error that says why."""
        with pytest.raises(UsageError, match=f"cannot read {path} .No such file"):
            secret_from_file("--secret-file", str(path))


@pytest.mark.parametrize("secret", BAD_SECRETS, ids=map(ascii, BAD_SECRETS))
def test_secret_that_a_shell_changes(secret: str) -> None:
    """A secret that a shell would change is a usage error, and is not in its message."""
    with pytest.raises(UsageError, match=r"^NAME must be without line breaks") as caught:
        check_secret(secret, "NAME")
    assert secret not in str(caught.value)


def test_variable_that_a_shell_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break at the end of a variable is a usage error that names option and variable."""
    monkeypatch.setenv("SOME_SECRET", "s\n")
    with pytest.raises(UsageError, match=r"--secret-env: environment variable SOME_SECRET must"):
        secret_from_environment("--secret-env", "SOME_SECRET")


class TestImpersonated:
    """The URL of a service that a worker impersonates."""

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
        """Host, port and path are those of the URL."""
        assert impersonated(url) == parts

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("http://w.internal/", "takes an https:// URL"),
            ("w.internal", "takes an https:// URL"),
            ("https://", "takes an https:// URL"),
            ("https://10.0.0.1/", "not the address 10.0.0.1"),
            ("https://[::1]:8443/", "not the address ::1"),
            ("https://w.internal:99999/", "is not a URL"),
            ("https://w.internal:port/", "is not a URL"),
            ("https://[w.internal/", "is not a URL"),
        ],
    )
    def test_refused(self, url: str, message: str) -> None:
        """A URL that a worker cannot impersonate is a usage error that says why."""
        with pytest.raises(UsageError, match=message):
            impersonated(url)


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


def test_app_dirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``app_dir`` is one directory or several, relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("src").mkdir()
    given = [Options(), Options(app_dir="src"), Options(app_dir=[tmp_path, "src"])]
    src = str(tmp_path / "src")
    assert [each.app_dirs for each in given] == [[], [src], [str(tmp_path), src]]
