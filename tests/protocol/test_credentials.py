"""The forms of the ``security`` option, valid and invalid; no text shows a secret."""

from __future__ import annotations

from typing import Any

import pytest
from wove.security import NetworkExecutorSecurity

from tests.protocol.helpers import BODY, SECRET, TARGET, json_request
from wove_http_dev import HttpWorker, UsageError
from wove_http_dev.protocol.authenticator import Authenticator
from wove_http_dev.protocol.credentials import credentials


def test_secret_with_a_line_break_is_a_usage_error() -> None:
    """A secret with a line break is refused, because a shell would strip the line break."""
    with pytest.raises(UsageError, match="line breaks"):
        HttpWorker(secret="a\nb\n")


MODE_OF_FORM: list[tuple[Any, str]] = [
    ("signed", "signed"),
    ("bearer", "bearer"),
    ("none", "none"),
    (None, "none"),
    ("env:WOVE_TEST_SECRET", "signed"),
    ({"secret": SECRET}, "signed"),
    ({"type": "signed", "secret": SECRET, "key": "team", "clock_skew_seconds": 5}, "signed"),
    ({"type": "signed", "secret": SECRET.encode()}, "signed"),
    ({"type": "signed", "secret_env": "WOVE_TEST_SECRET"}, "signed"),
    ({"type": "signed"}, "signed"),
    ({"type": "bearer", "token": SECRET}, "bearer"),
    ({"type": "bearer", "token_env": "WOVE_TEST_SECRET"}, "bearer"),
    ({"type": "bearer"}, "bearer"),
    ({"type": "none"}, "none"),
]

FORMS = [form for form, _ in MODE_OF_FORM]


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """``WOVE_TEST_SECRET`` is set."""
    monkeypatch.setenv("WOVE_TEST_SECRET", SECRET)


BAD_FORMS: list[Any] = [
    "Signed",
    "",
    "env:",
    "env:WOVE_TEST_UNSET",
    "secret",
    5,
    True,
    ["signed"],
    {"type": "mtls"},
    {"type": None},
    {"type": "signed", "secret_env": "WOVE_TEST_UNSET"},
    {"type": "bearer", "token_env": "WOVE_TEST_UNSET"},
    {"type": "bearer", "token": "two\nlines"},
    {"type": "bearer", "token": "\u65e5\u672c"},
    {"type": "bearer", "token": "\ud800"},
    {"type": "signed", "secret": "\ud800"},
    {"type": "signed", "secret": SECRET, "key": ""},
    {"type": "signed", "secret": SECRET, "key": "schl\xfcssel"},
    {"type": "signed", "secret": SECRET, "key": "a\r\nb"},
    {"type": "signed", "secret": SECRET, "clock_skew_seconds": "soon"},
    {"type": "signed", "secret": SECRET, "clock_skew_seconds": None},
    {"type": "signed", "secret": SECRET, "clock_skew_seconds": "nan"},
    {"type": "signed", "secret": SECRET, "clock_skew_seconds": -1},
]


@pytest.mark.usefixtures("variable")
class TestForms:
    """Every form that ``security`` takes."""

    @pytest.mark.parametrize(("form", "mode"), MODE_OF_FORM, ids=map(repr, FORMS))
    def test_mode(self, form: Any, mode: str) -> None:
        """Each form gives its mode."""
        assert credentials(form, secret=SECRET).mode == mode

    @pytest.mark.parametrize("form", FORMS, ids=map(repr, FORMS))
    def test_round_trip(self, form: Any) -> None:
        """Wove's client, configured with ``client_security``, sends what the authenticator
        accepts."""
        shared = credentials(form, secret=SECRET)
        client = NetworkExecutorSecurity.from_config(shared.client_security())
        headers = client.headers_for(transport="http", target=TARGET, body=BODY)
        request = json_request(**headers)
        assert Authenticator(shared).verify(request).accepted

    @pytest.mark.parametrize("form", FORMS, ids=map(repr, FORMS))
    def test_repr_has_no_secret(self, form: Any) -> None:
        """No form shows its secret in the repr of the credentials or of the client's settings."""
        shared = credentials(form, secret=SECRET)
        assert SECRET not in repr((shared, shared.client_security()))

    @pytest.mark.parametrize(
        ("form", "source"),
        [
            ("env:WOVE_TEST_SECRET", "security: environment variable WOVE_TEST_SECRET must"),
            ({"secret_env": "WOVE_TEST_SECRET"}, "environment variable WOVE_TEST_SECRET must"),
            ({"secret": "s\n"}, "security: the secret must"),
            ({"secret": b"s\n"}, "security: the secret must"),
            ({"secret": b"\xff"}, "security: the secret must"),
            ({"type": "bearer", "token": "s\n"}, "sent in a header"),
            ({"type": "bearer", "token": " s"}, "sent in a header"),
            ({"type": "bearer", "token_env": "WOVE_TEST_SECRET"}, "sent in a header"),
        ],
        ids=repr,
    )
    def test_secret_that_a_shell_changes(
        self, monkeypatch: pytest.MonkeyPatch, form: Any, source: str
    ) -> None:
        """A secret that a shell or a header would change is refused, wherever it comes from."""
        monkeypatch.setenv("WOVE_TEST_SECRET", "s\n")
        with pytest.raises(UsageError, match=source):
            credentials(form)

    def test_random_secret(self) -> None:
        """Without a secret each worker gets a random one."""
        assert credentials("signed").secret != credentials("signed").secret

    def test_dict_is_not_changed(self) -> None:
        """The caller's dict is not changed."""
        form = {"type": "signed"}
        credentials(form, secret=SECRET)
        assert form == {"type": "signed"}

    def test_key_and_skew(self) -> None:
        """Key and clock skew of the dict are used."""
        shared = credentials({"secret": SECRET, "key": "team", "clock_skew_seconds": 5})
        assert (shared.key, shared.clock_skew) == ("team", 5)


class TestBadForms:
    """Invalid forms of ``security`` and invalid words next to it."""

    @pytest.mark.parametrize("form", BAD_FORMS, ids=map(ascii, BAD_FORMS))
    def test_usage_error(self, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """An invalid form is a usage error."""
        monkeypatch.delenv("WOVE_TEST_UNSET", raising=False)
        with pytest.raises(UsageError):
            credentials(form)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"secret": ""}, "must not be empty"),
            ({"clock_skew": float("nan")}, "clock_skew"),
            ({"clock_skew": float("inf")}, "clock_skew"),
            ({"clock_skew": -1}, "clock_skew"),
            ({"clock_skew": "5"}, "clock_skew"),
            ({"key": ""}, "key must be"),
            ({"key": "schl\xfcssel"}, "key must be"),
            ({"key": "a\nb"}, "key must be"),
        ],
    )
    def test_bad_words(self, words: dict[str, Any], message: str) -> None:
        """An invalid secret, key or clock skew is a usage error that names it."""
        with pytest.raises(UsageError, match=message):
            credentials("signed", **words)

    @pytest.mark.parametrize("secret", ["two\nlines", "\u65e5\u672c", "\ud800"])
    def test_token_that_fits_no_header(self, secret: str) -> None:
        """A token with characters that a header cannot contain is a usage error."""
        with pytest.raises(UsageError, match="is sent in a header"):
            credentials("bearer", secret=secret)


class TestSecretInCredentials:
    """Credentials and their errors do not show the secret."""

    @pytest.mark.parametrize("mode", ["signed", "bearer"])
    def test_repr_of_credentials(self, mode: str) -> None:
        """The repr of credentials does not show the secret."""
        assert SECRET not in repr(credentials(mode, secret=SECRET))

    @pytest.mark.parametrize("security", ["signed", "bearer"])
    def test_usage_error(self, security: str) -> None:
        """A usage error about something else does not show the secret."""
        with pytest.raises(UsageError) as caught:
            credentials(security, secret=SECRET, key="\n")
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [
        ("none", "default", None),
        ("signed", "default", "env:NAME"),
        ("signed", "k", {"type": "signed", "secret_env": "NAME", "key": "k"}),
        ("bearer", "default", {"type": "bearer", "token_env": "NAME"}),
    ],
)
def test_client_security_by_variable(mode: str, key: str, expected: Any) -> None:
    """With ``secret_env`` the client's setting names the variable and contains no secret."""
    assert credentials(mode, key=key).client_security("NAME") == expected


def test_client_security_of_an_open_worker() -> None:
    """Without credentials the client gets no security setting."""
    assert credentials("none").client_security() is None
