"""What differs between platforms."""

from __future__ import annotations

import os
import sys

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.platforms import cores, require_posix


@pytest.mark.parametrize("platform", ["linux", "darwin", "freebsd14"])
def test_posix(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Linux, macOS and the BSDs are not refused."""
    monkeypatch.setattr(sys, "platform", platform)
    require_posix("a worker service")


def test_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows is refused by name, with what to use instead."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match=r"^serve needs Linux or macOS; on Windows, use WSL"):
        require_posix("serve")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="macOS has no such function")
def test_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores that the process may not use do not count."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5})
    assert cores() == 2


def test_cores_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not say it, all cores count."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6
