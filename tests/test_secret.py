"""Secrets that are not shown, and texts without them."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from wove_http_dev.secret import (
    SEARCHED,
    Secret,
    SecretBytes,
    hide,
    is_private,
    replace_cut_secrets,
    replace_secrets,
    replace_whole_secrets,
    secrets_in,
    shown_url,
)

SECRET = "correct-horse"


@dataclasses.dataclass
class Holder:
    """A dataclass with any value."""

    value: object


class TestSecret:
    """The types of secrets."""

    def test_is_a_string(self) -> None:
        """A secret compares as an ordinary string."""
        assert Secret(SECRET) == SECRET

    @pytest.mark.parametrize("secret", [Secret(SECRET), SecretBytes(SECRET.encode())])
    def test_repr(self, secret: object) -> None:
        """A secret's repr does not show it."""
        assert repr(secret) == "<secret>"

    def test_pickled(self) -> None:
        """A secret stays one when it is pickled."""
        assert repr(pickle.loads(pickle.dumps(Secret(SECRET)))) == "<secret>"


class TestHide:
    """Hiding the secrets in a value of any form."""

    @pytest.mark.parametrize(
        "value",
        [
            SECRET,
            SECRET.encode(),
            {"type": "signed", "secret": SECRET},
            {"token": SECRET.encode()},
            {"Authorization": f"Bearer {SECRET}"},
            {"X-Api-Key": SECRET},
            [("Authorization", SECRET)],
            (f"Authorization: {SECRET}",),
            {"nested": {"password": SECRET}},
            {"nested": [SECRET]},
        ],
        ids=repr,
    )
    def test_hidden(self, value: Any) -> None:
        """A secret is not in the repr, whatever form the value has."""
        assert SECRET not in repr(hide(value))

    @pytest.mark.parametrize(
        "value",
        [None, 5, {"type": "signed", "key": "k"}, {"secret_env": "NAME"}, {"X-Tenant": "acme"}],
        ids=repr,
    )
    def test_shown(self, value: Any) -> None:
        """What is no secret is still in the repr."""
        assert repr(hide(value)) == repr(value)

    def test_equal(self) -> None:
        """A dict with hidden values is equal to the original."""
        assert hide({"secret": SECRET, "key": "k"}) == {"secret": SECRET, "key": "k"}

    @pytest.mark.parametrize("name", ["Authorization", "x-api-key", "Cookie", "X-Auth-Token"])
    def test_private_name(self, name: str) -> None:
        """The names of headers with credentials are private."""
        assert is_private(name)


WRITTEN: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "repr": repr,
    "ascii": ascii,
    "repr-apostrophe": lambda text: repr(text + "'"),
    "repr-quote": lambda text: repr(text + '"'),
    "bytes": lambda text: repr(text.encode()),
    "bytes-quotes": lambda text: repr(text.encode() + b"'\""),
    "dataclass": lambda text: repr(Holder(text)),
    "json": json.dumps,
    "json-utf8": lambda text: json.dumps(text, ensure_ascii=False),
    "url": urllib.parse.quote,
    "form": urllib.parse.quote_plus,
    "query": lambda text: urllib.parse.urlencode({"a": text}),
}
"""The forms in which a text may hold a secret."""


class TestReplaceSecrets:
    """Replacing secrets in a text."""

    @pytest.mark.parametrize(
        "secret",
        [
            SECRET,
            "back\\slash",
            'it\'s "quoted"',
            "it's",
            'say "it"',
            "naïve café",
            "a/b+c=d",
            "日",
        ],
    )
    def test_written_forms(self, secret: str) -> None:
        """A secret is found as ``repr``, JSON and a URL write it."""
        shown = {
            form: replace_secrets(f"before {write(secret)} after", [secret])
            for form, write in WRITTEN.items()
        }
        redacted = re.compile(r"before .*<secret>.* after")
        assert {form: text for form, text in shown.items() if not redacted.fullmatch(text)} == {}

    def test_other_text(self) -> None:
        """A text without a secret stays as it is."""
        assert replace_secrets("a text", [SECRET]) == "a text"


class TestSecretsIn:
    """The secrets in a value."""

    @pytest.mark.parametrize(
        "value", [Secret(SECRET), SecretBytes(SECRET.encode()), Holder(Secret(SECRET))], ids=repr
    )
    def test_found(self, value: object) -> None:
        """A secret is found by itself and in the field of a dataclass."""
        assert secrets_in(value) == [SECRET]

    @pytest.mark.parametrize("value", [SECRET, 5, Holder, Holder(SECRET), Secret("")], ids=repr)
    def test_nothing(self, value: object) -> None:
        """Other values have none, and an empty secret is none."""
        assert secrets_in(value) == []


class TestShownUrl:
    """URLs in messages."""

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://a.example/p", "https://a.example/p"),
            ("https://u:p@a.example/p?token=t", "https://…@a.example/p"),
            ("https://u:p/a@b@a.example/p", "https://…@a.example/p"),
            ("https://a.example/p#token=t", "https://a.example/p"),
            ("https://u:p?a@a.example/p", "https://…"),
            ("https://u:p#a@a.example/p", "https://…"),
            ("https://a.example/?mail=t@t", "https://…"),
        ],
    )
    def test_without_credentials(self, url: str, shown: str) -> None:
        """User name, password, query and fragment are left out."""
        assert shown_url(url) == shown

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("u:p@a.example/p", "…@a.example/p"),
            ("https:u:p@a.example/p", "…@a.example/p"),
            ("https:/u:p@a.example/p", "https:/…@a.example/p"),
            (r"https:\\u:p@a.example/p", r"https:\\…@a.example/p"),
            ("//u:p@a.example/p", "//…@a.example/p"),
            ("a.example:8443/p", "a.example:8443/p"),
        ],
    )
    def test_misspelt(self, url: str, shown: str) -> None:
        """What is wrong with a URL does not show its credentials."""
        assert shown_url(url) == shown


@dataclasses.dataclass
class Node:
    """A tree whose children know their parent."""

    secret: Secret
    parent: Node | None = None
    children: Any = None


@dataclasses.dataclass
class Unreadable:
    """A row of a database whose connection has ended."""

    secret: Secret
    lazy: str

    def __getattribute__(self, name: str) -> Any:
        """Raise for a value that was not loaded."""
        if name == "lazy":
            raise LookupError
        return super().__getattribute__(name)


def test_secrets_in_a_circle() -> None:
    """Dataclasses that refer to each other are searched once each."""
    child = Node(Secret("one"), Node(Secret("two")))
    assert child.parent is not None
    child.parent.children = child
    assert sorted(secrets_in(child)) == ["one", "two"]


def test_secrets_beside_a_field_that_cannot_be_read() -> None:
    """A field whose access raises is left out."""
    assert secrets_in(Unreadable(Secret("one"), "")) == ["one"]


def test_secrets_in_a_long_chain() -> None:
    """However long a chain of dataclasses is, only its beginning is searched."""
    node = Node(Secret("last"))
    for _ in range(SEARCHED):
        node = Node(Secret(""), node)
    assert secrets_in(node) == []


class TestCutSecrets:
    """A text that was cut, elsewhere, in the middle of a secret."""

    @pytest.mark.parametrize("length", range(4, len(SECRET)))
    def test_beginning(self, length: int) -> None:
        """The beginning of a secret before a cut is replaced."""
        text = f"a='x{SECRET[:length]}… (500 characters), b=1"
        assert replace_cut_secrets(text, [SECRET], "?") == "a='x?… (500 characters), b=1"

    @pytest.mark.parametrize("mark", ["…", "..."])
    @pytest.mark.parametrize("length", range(4, len(SECRET)))
    def test_end(self, length: int, mark: str) -> None:
        """The end of a secret after a cut is replaced, whatever stands for what was cut."""
        text = f"a='x{mark}{SECRET[-length:]}', b=1"
        assert replace_cut_secrets(text, [SECRET], "?") == f"a='x{mark}?', b=1"

    def test_in_the_middle(self) -> None:
        """Both parts of a secret whose middle was cut are replaced."""
        text = f"{SECRET[:5]}...{SECRET[-5:]}"
        assert replace_cut_secrets(text, [SECRET], "?") == "?...?"

    @pytest.mark.parametrize("text", ["a='xcor…", f"{SECRET[:6]}, …", SECRET[:6], "…"])
    def test_other_text(self, text: str) -> None:
        """Fewer than four characters, and what stands elsewhere, stay."""
        assert replace_cut_secrets(text, [SECRET], "?") == text

    def test_no_secret(self) -> None:
        """Without secrets the text stays."""
        assert replace_cut_secrets("abc…", []) == "abc…"


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("other", "another other's, others", "another <secret>'s, others"),
        ("a/b", "xa/b a/b a%2Fb", "xa/b <secret> <secret>"),
        ("long-one", "xlong-onex", "x<secret>x"),
    ],
)
def test_replace_whole_secrets(secret: str, text: str, expected: str) -> None:
    """A short secret is left inside words, a long one is replaced there too."""
    assert replace_whole_secrets(text, [secret]) == expected
