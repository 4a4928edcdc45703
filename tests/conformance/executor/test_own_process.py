"""What a check sets in its own process, and the settings that it compares."""

from __future__ import annotations

import os

import pytest

from wove_http_dev.conformance.executor.own_process import (
    environment,
    process_settings,
    trusted_ca,
)


def test_the_ca_is_in_the_variables() -> None:
    """trusted_ca() sets the variables through which HTTP clients find CA files."""
    with trusted_ca() as ca:
        found = {os.environ["SSL_CERT_FILE"], os.environ["REQUESTS_CA_BUNDLE"]}
        assert found == {str(ca.bundle_file)}


def test_the_variables_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """trusted_ca() restores the variables on exit."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "before")
    with trusted_ca():
        pass
    assert os.environ["REQUESTS_CA_BUNDLE"] == "before"


def test_no_proxy_is_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """trusted_ca() adds the workers' hosts to no_proxy and keeps the hosts that were there."""
    monkeypatch.setenv("no_proxy", "example.org")
    with trusted_ca():
        hosts = os.environ["no_proxy"].split(",")
    assert {"example.org", "localhost", "127.0.0.1"} <= set(hosts)


def test_the_settings_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """process_settings() returns the present settings."""
    monkeypatch.setattr("socket.getdefaulttimeout", lambda: 7.0)
    assert process_settings()["socket.getdefaulttimeout()"] == 7.0


def test_the_variable_of_the_test_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """environment() has every variable but the one that pytest sets for each test."""
    monkeypatch.setenv("A_VARIABLE", "set")
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "this one")
    expected = {**os.environ}
    del expected["PYTEST_CURRENT_TEST"]
    assert ("A_VARIABLE" in expected, environment()) == (True, expected)
