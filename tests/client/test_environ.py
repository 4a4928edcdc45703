"""Setting and restoring environment variables, and ``no_proxy``."""

from __future__ import annotations

import os

import pytest

from wove_http_dev.client import environ
from wove_http_dev.errors import RestoreWarning

VARIABLE = "WOVE_HTTP_DEV_TEST"


@pytest.mark.parametrize("before", [None, "old"])
def test_variable_is_restored(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """After the block the variable has its old value, or is unset again."""
    if before is not None:
        monkeypatch.setenv(VARIABLE, before)
    with environ.set_variable(VARIABLE, "new"):
        pass
    assert os.environ.get(VARIABLE) == before


def test_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block the variable has the new value."""
    with environ.set_variable(VARIABLE, "new"):
        assert os.environ[VARIABLE] == "new"


def test_foreign_value_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that other code set inside the block is kept, and a warning names the variable."""
    monkeypatch.setenv(VARIABLE, "old")
    with pytest.warns(RestoreWarning, match=VARIABLE), environ.set_variable(VARIABLE, "new"):
        monkeypatch.setenv(VARIABLE, "other")
    assert os.environ[VARIABLE] == "other"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ({}, "localhost"),
        ({"no_proxy": "example.com"}, "example.com,localhost"),
        ({"NO_PROXY": "example.com"}, "example.com,localhost"),
        ({"no_proxy": "localhost"}, "localhost"),
        ({"no_proxy": " a , b ,"}, "a,b,localhost"),
    ],
)
def test_no_proxy_is_appended_to(before: dict[str, str], expected: str) -> None:
    """Both spellings of ``no_proxy`` have the worker's host after their old entries."""
    assert environ.without_proxy("localhost", before) == {
        "no_proxy": expected,
        "NO_PROXY": expected,
    }
