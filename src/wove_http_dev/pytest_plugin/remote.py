"""``--wove-http-url`` and related options: run the tests against a service that is already
running."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from wove_http_dev.pytest_plugin.hooks import REMOTE_OPTIONS

if TYPE_CHECKING:
    from wove_http_dev.remote_worker import RemoteWorker


def check_remote(config: pytest.Config) -> None:
    """Raise :class:`pytest.UsageError` if the options cannot be used."""
    if not config.getoption("--wove-http-url"):
        for option in REMOTE_OPTIONS:
            if config.getoption(option):
                raise pytest.UsageError(f"{option} goes with --wove-http-url")
        return
    from wove_http_dev.errors import UsageError

    try:
        remote_worker(config, {})
    except UsageError as exc:
        raise pytest.UsageError(str(exc)) from None


def remote_worker(config: pytest.Config, options: Mapping[str, Any]) -> RemoteWorker:
    """Return the worker at ``--wove-http-url``, with the test's ``options``."""
    from wove_http_dev.options import secret_from_environment
    from wove_http_dev.remote_worker import RemoteWorker

    option = config.getoption
    return RemoteWorker(
        option("--wove-http-url"),
        secret=secret_from_environment("--wove-http-secret-env", option("--wove-http-secret-env")),
        token=secret_from_environment("--wove-http-bearer-env", option("--wove-http-bearer-env")),
        ca_file=option("--wove-http-ca-file"),
        skip=pytest.skip,
        **options,
    )
