"""Where the runner on Dask has its client from."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options
from wove_http_dev.runners.choice import runner_of
from wove_http_dev.runners.dask_clients import dask_log_silenced, version_differences


class FakeClient:
    """A client that has workers with these versions of packages."""

    def __init__(self, *workers: dict[str, str | None]) -> None:
        self.workers = workers

    def sync(
        self, function: Callable[[], Coroutine[Any, Any, Any]], callback_timeout: float
    ) -> Any:
        return asyncio.run(asyncio.wait_for(function(), callback_timeout))

    async def get_versions(self, packages: list[str]) -> dict[str, Any]:
        assert packages == ["wove-http-dev"]
        return {
            "client": {"packages": {"python": "3.11.7", "wove-http-dev": "0.1.0"}},
            "workers": {
                f"tcp://{number}": {"packages": worker}
                for number, worker in enumerate(self.workers)
            },
        }


class TestDifferences:
    """Versions that differ from those here."""

    def test_none(self) -> None:
        """Nothing is said where nothing differs."""
        assert version_differences(FakeClient({"python": "3.11.7", "wove-http-dev": "0.1.0"})) == ""

    def test_python(self) -> None:
        """Another Python is said with both versions."""
        text = version_differences(FakeClient({"python": "3.12.1", "wove-http-dev": "0.1.0"}))
        assert text == (
            "the Dask workers differ from this process: here python 3.11.7, there 3.12.1"
        )

    def test_not_installed(self) -> None:
        """A worker without this package is said."""
        text = version_differences(FakeClient({"python": "3.11.7", "wove-http-dev": None}))
        assert text.endswith("here wove-http-dev 0.1.0, there not installed")

    def test_several(self) -> None:
        """Workers with different versions are said in one line."""
        text = version_differences(
            FakeClient(
                {"python": "3.12.1", "wove-http-dev": "0.1.0"},
                {"python": "3.13.0", "wove-http-dev": "0.1.0"},
            )
        )
        assert text.endswith("here python 3.11.7, there 3.12.1 and 3.13.0")

    def test_no_workers(self) -> None:
        """A scheduler without workers is said."""
        assert "has no worker yet" in version_differences(FakeClient())

    def test_no_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that does not answer is said, and not waited for."""

        class Hangs(FakeClient):
            async def get_versions(self, packages: list[str]) -> dict[str, Any]:
                raise AssertionError(await asyncio.Event().wait())

        monkeypatch.setattr("wove_http_dev.runners.dask_clients.CONNECT_TIMEOUT", 0.05)
        text = version_differences(Hangs())
        assert text.startswith("a Dask worker did not say its versions within 0.05 seconds")


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Dask the runner is refused, with how to install it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'wove-http-dev\[dask\]'"):
        runner_of(Options(runner="dask"))


class TestQuiet:
    """Dask's log."""

    def test_silent(self) -> None:
        """A warning of Dask's is not logged in the block."""
        logger = logging.getLogger("distributed.test")
        with dask_log_silenced():
            assert not logger.isEnabledFor(logging.CRITICAL)

    def test_restored(self) -> None:
        """The level is as before afterwards."""
        logger = logging.getLogger("distributed.test")
        logger.setLevel(logging.INFO)
        with dask_log_silenced():
            pass
        assert logger.level == logging.INFO

    def test_others(self) -> None:
        """Other logs are left alone."""
        logger = logging.getLogger("distributed_by_others")
        before = SimpleNamespace(level=logger.level)
        with dask_log_silenced():
            assert logger.level == before.level
