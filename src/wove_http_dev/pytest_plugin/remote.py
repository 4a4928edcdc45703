"""``--wove-http-url``, ``--wove-http-control`` and related options: run the tests against a service
that is already running."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from wove_http_dev.pytest_plugin.settings import (
    CONTROL,
    CONTROL_TOKEN,
    REMOTE_OPTIONS,
    URL,
    is_remote,
    seed,
    setting,
)

if TYPE_CHECKING:
    from wove_http_dev.client_side import ClientSide


def check_remote(config: pytest.Config) -> None:
    """Raise :class:`pytest.UsageError` if the options cannot be used."""
    for option in REMOTE_OPTIONS:
        if not config.getoption(option):
            continue
        if option in CONTROL_TOKEN and setting(config, CONTROL) is None:
            raise pytest.UsageError(f"{option} is used only with {CONTROL}")
        if not is_remote(config):
            raise pytest.UsageError(f"{option} is used only with {URL} or {CONTROL}")
    if not is_remote(config):
        return
    from wove_http_dev.errors import UsageError

    try:
        config.stash[_GIVEN] = _read(config)
        remote_worker(config, {})
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name the worker service that the tests run against, if it is not started by them."""
    if not is_remote(config):
        return []
    from wove_http_dev.secret import shown_url

    url, control = setting(config, URL), setting(config, CONTROL)
    lines = []
    if url is not None:
        lines.append(f"wove-http: the worker service at {shown_url(url)} ({URL})")
    if control is not None:
        lines.append(f"wove-http: the control API at {shown_url(control)} ({CONTROL})")
    return lines


def remote_worker(
    config: pytest.Config, options: Mapping[str, Any], *, label: str = "", beside: bool = False
) -> ClientSide:
    """Return the worker at ``--wove-http-url``, or that of ``--wove-http-control``, with the test's
    ``options``. ``label`` makes its random faults repeatable. ``beside`` says that the test has a
    worker already."""
    url = setting(config, URL)
    given = given_credentials(config)
    reach: dict[str, Any] = {
        "secret": given.secret,
        "token": given.bearer,
        "ca_file": given.ca_file,
        "skip": pytest.skip,
    }
    if setting(config, CONTROL) is not None:
        if beside:  # each would have the runs of the other
            pytest.skip(f"a second worker needs workers of this process, not the one of {CONTROL}")
        return _controlled(config, url, {**options, **reach, "label": label, "seed": seed(config)})
    from wove_http_dev.remote_worker import RemoteWorker

    assert url is not None
    return RemoteWorker(url, **reach, **options)


@dataclass
class Given:
    """What the options say, read before any test: one may change the working directory, or put
    another file system in place of the real one."""

    secret: str | None
    bearer: str | None
    control_token: str | None
    ca_file: str | None


_GIVEN: pytest.StashKey[Given] = pytest.StashKey()


def given_credentials(config: pytest.Config) -> Given:
    """Return what the options say of the service that the tests run against."""
    return config.stash[_GIVEN]


def _read(config: pytest.Config) -> Given:
    ca_file = setting(config, "--wove-http-ca-file")
    return Given(
        _secret(config, "--wove-http-secret"),
        _secret(config, "--wove-http-bearer"),
        _secret(config, f"{CONTROL}-token"),
        None if ca_file is None else os.path.abspath(ca_file),
    )


def _secret(config: pytest.Config, flag: str) -> str | None:
    from wove_http_dev.given_secrets import given_secret

    return given_secret(flag, setting(config, f"{flag}-env"), setting(config, f"{flag}-file"))


def _controlled(config: pytest.Config, url: str | None, words: dict[str, Any]) -> ClientSide:
    from wove_http_dev.controlled.worker import ControlledWorker, check_control
    from wove_http_dev.errors import UsageError
    from wove_http_dev.inspector.client import ControlClient
    from wove_http_dev.remote_worker import port_of

    if url is not None:
        port_of(url)  # raises for one that cannot be used
    given = given_credentials(config)
    token = given.control_token
    if token is None:
        raise UsageError(
            f"{CONTROL} needs {CONTROL_TOKEN[0]} or {CONTROL_TOKEN[1]}: serve keeps the token in"
            " the file token of its --state-dir"
        )
    try:
        client = ControlClient(setting(config, CONTROL) or "", token)
        service = check_control(client, url)
    except UsageError as exc:
        raise UsageError(f"{CONTROL}: {exc}") from None
    if given.ca_file is None and service["ca_file"] and os.path.isfile(service["ca_file"]):
        given.ca_file = words["ca_file"] = service["ca_file"]  # serve is on this machine
    mode, secret = (
        service["security"],
        words["token" if service["security"] == "bearer" else "secret"],
    )
    if mode != "none" and secret is None:
        kind = "bearer" if mode == "bearer" else "secret"
        raise UsageError(
            f"the worker of {CONTROL} takes {mode} requests only: give --wove-http-{kind}-env or"
            f" --wove-http-{kind}-file"
        )
    return ControlledWorker(
        client, service["url"] if url is None else url, served=service["options"], **words
    )
