"""``--wove-http-url`` and related options: run the tests against a service that is already
running."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from wove_http_dev.pytest_plugin.settings import REMOTE_OPTIONS, setting

if TYPE_CHECKING:
    from wove_http_dev.remote_worker import RemoteWorker


def check_remote(config: pytest.Config) -> None:
    """Raise :class:`pytest.UsageError` if the options cannot be used."""
    if setting(config, "--wove-http-url") is None:
        for option in REMOTE_OPTIONS:
            if config.getoption(option):
                raise pytest.UsageError(f"{option} is used only with --wove-http-url")
        return
    from wove_http_dev.errors import UsageError

    try:
        remote_worker(config, {})
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from None


def remote_worker(config: pytest.Config, options: Mapping[str, Any]) -> RemoteWorker:
    """Return the worker at ``--wove-http-url``, with the test's ``options``."""
    from wove_http_dev.options import given_secret
    from wove_http_dev.remote_worker import RemoteWorker

    url = setting(config, "--wove-http-url")
    assert url is not None

    def secret(flag: str) -> str | None:
        return given_secret(flag, setting(config, f"{flag}-env"), setting(config, f"{flag}-file"))

    return RemoteWorker(
        url,
        secret=secret("--wove-http-secret"),
        token=secret("--wove-http-bearer"),
        ca_file=setting(config, "--wove-http-ca-file"),
        skip=pytest.skip,
        **options,
    )
